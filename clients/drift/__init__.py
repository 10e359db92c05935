"""Whether a vendor still answers as its document says: never an error, always worth knowing."""

from clients.drift.comparison import Deviation
from clients.drift.sentinel import Sentinel

__all__ = ["Deviation", "Sentinel"]

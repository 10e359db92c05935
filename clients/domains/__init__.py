"""FunnelFlux Pro, custom domains: six calls, and the bearer they need."""

from clients.domains.client import NAME
from clients.domains.envelope import judge

__all__ = ["NAME", "judge"]

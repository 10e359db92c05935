"""FunnelFox Billing: 25 calls, of which 17 carry the secret key."""

from clients.billing.catalog import NAME
from clients.billing.envelope import judge

__all__ = ["NAME", "judge"]

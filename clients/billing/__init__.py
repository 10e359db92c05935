"""FunnelFox Billing: 25 calls, of which 17 carry the secret key."""

from clients.billing.envelope import judge
from clients.billing.operations import NAME

__all__ = ["NAME", "judge"]

"""Every operation of both vendors and the renewal of credentials: 31 and one."""

from typing import Final

from clients.billing.operations import OPERATIONS as BILLING
from clients.domains.client import OPERATIONS as DOMAINS
from clients.domains.credentials import VALIDATE

OPERATIONS: Final = (*DOMAINS, *BILLING, VALIDATE)
"""Each with its kind; `clients.policy.POLICIES` says what follows from that."""

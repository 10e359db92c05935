"""How careful we are with each kind of operation: the one table that retry, timeouts, breaker and bulkhead follow.

Which operation is of which kind stands beside the vendors' clients, and all of
them together in `clients.operations`.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

Kind = Literal["read", "probe", "write", "money"]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What we do with operations of one kind."""

    retries: int
    """Attempts after the first, at the most."""

    repeats_sent: bool
    """Whether it is repeated although the vendor may have acted on it; if not, only if no byte can have left."""

    short_attempts: bool
    """Whether one attempt has less time than the request, so that another one has a chance."""

    longer_deadline: bool = False
    """Whether a request about it has the time of money requests."""

    may_fill: float
    """Of the places at a vendor: once so many are taken, by whatever, it waits; what is left is for the others."""


POLICIES: Final[Mapping[Kind, Policy]] = {
    "read": Policy(retries=2, repeats_sent=True, short_attempts=True, may_fill=0.8),
    "probe": Policy(retries=1, repeats_sent=True, short_attempts=True, may_fill=0.8),
    "write": Policy(retries=2, repeats_sent=False, short_attempts=False, may_fill=0.9),
    "money": Policy(retries=2, repeats_sent=False, short_attempts=False, longer_deadline=True, may_fill=1.0),
}

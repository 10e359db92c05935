"""What one request asked of the cache, and what it was given."""

import math
import re
from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec

from gateway.cache.memory import Held

Status = Literal["hit", "stale", "miss", "collapsed", "bypass"]

Forwarded = Literal["bypass", "miss", "request", "stale"]
"""Why the vendor was asked, in the words of RFC 9211."""

_AGE: Final = re.compile(rb"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,9})")
_ANEW: Final = re.compile(rb"(?:^|[,\s])no-cache(?:$|[,;\s=])")
_UNSTORED: Final = re.compile(rb"(?:^|[,\s])no-store(?:$|[,;\s=])")

_GRAVITY: Final[tuple[Status, ...]] = ("hit", "collapsed", "stale", "bypass", "miss")
"""What a request is said to be that met several: the last of these."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one look into the cache came to."""

    status: Status
    forwarded: Forwarded | None = None
    """None: the vendor was not asked."""
    age: float = 0.0
    fresh: float = 0.0
    """The age up to which it is fresh; 0: it is not kept."""
    detail: str | None = None
    held: Held | None = None
    """Where it is kept; None: it is not."""
    fetched_at: float | None = None
    """When the vendor was asked, as Unix time; None: nobody has noted it."""

    @property
    def ttl(self) -> int:
        """Whole seconds for which it stays fresh; negative: it is stale."""
        return math.floor(self.fresh - self.age)


class Reading:
    """One request, as the cache sees it.

    Args:
        oldest: The age in seconds up to which something kept will do; below 0: nothing will.
        none_match: The caller's `If-None-Match`.
        stores: Whether the answer may be kept for others.
    """

    def __init__(self, *, oldest: float = math.inf, none_match: bytes | None = None, stores: bool = True) -> None:
        self.oldest = oldest
        self.none_match = none_match
        self.stores = stores
        self.outcomes: list[Outcome] = []

    @classmethod
    def of(cls, headers: Iterable[Any]) -> "Reading":
        """What a request's headers ask."""
        oldest, none_match, stores = math.inf, None, True
        for name, value in headers:
            if name == b"cache-control":
                oldest = min(oldest, _oldest(value.lower()))
                stores = stores and _UNSTORED.search(value.lower()) is None
            elif name == b"if-none-match":
                none_match = value if none_match is None else none_match + b"," + value
        return cls(oldest=oldest, none_match=none_match, stores=stores)

    @property
    def anew(self) -> bool:
        """Whether the caller asks for something newer than what happens to be kept."""
        return self.oldest != math.inf or not self.stores

    def takes_hit(self, age: float) -> bool:
        """Whether something fresh of this age will do."""
        return self.stores and age <= self.oldest

    def takes_stale(self, age: float, *, allowed: float) -> bool:
        """Whether something stale of this age will do where the vendor fails.

        Args:
            age: In seconds.
            allowed: The age below which it is given to anyone who does not insist.
        """
        if self.oldest < 0:
            return False
        return age < allowed or (self.oldest != math.inf and age <= self.oldest)

    @property
    def status(self) -> Status | None:
        """What to say of the whole request; None: the cache had no part in it."""
        if len(self.outcomes) == 1:
            return self.outcomes[0].status
        return max((outcome.status for outcome in self.outcomes), key=_GRAVITY.index, default=None)

    @property
    def shown(self) -> Outcome | None:
        """The outcome to tell: that of what the route is about, as old as the oldest part."""
        if len(self.outcomes) <= 1:
            return self.outcomes[0] if self.outcomes else None
        first = self.outcomes[0]
        soonest = min(self.outcomes, key=lambda outcome: outcome.fresh - outcome.age)
        return msgspec.structs.replace(first, age=soonest.age, fresh=soonest.fresh)


def _oldest(directives: bytes) -> float:
    if _ANEW.search(directives):
        return -1.0
    if (age := _AGE.search(directives)) is None:
        return math.inf
    # An entry is never younger than 0 s, and `max-age=0` asks for one that is new.
    return int(age[1]) or -1.0

"""Failures on demand: which call goes wrong, how often, and in which way."""

from random import Random
from threading import RLock
from typing import Annotated, Literal

import msgspec

from clients.sandbox.vendor import Operation

# No line break: a fault breaks answers in the ways it says, and in no other.
HeaderValue = Annotated[str, msgspec.Meta(pattern=r"^[\x20-\x7e]*\Z")]

# A test plan has a handful; a loop that forgets to clear is stopped.
MAX_FAULTS = 200

Kind = Literal[
    "latency",
    "status",
    "html",
    "redirect",
    "rate_limited",
    "success_false",
    "status_error",
    "empty",
    "garbage",
    "charset",
    "wrong_type",
    "truncated",
    "wrong_length",
    "duplicate_headers",
    "not_http",
    "dripping",
    "slow_head",
    "huge",
    "never_answer",
    "drop_before",
    "drop_after",
    "reset_before",
    "reset_after",
    "close_keepalive",
]

# In these the vendor never gets to work, unless `Fault.effect` says that it does.
_WITHOUT_EFFECT = frozenset(
    {
        "status",
        "html",
        "redirect",
        "rate_limited",
        "success_false",
        "status_error",
        "not_http",
        "never_answer",
        "drop_before",
        "reset_before",
    }
)


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to go wrong. Most fields matter to some kinds only; docs/sandbox.md has the table."""

    kind: Kind
    operation: str = "*"
    """An operation ("POST /domains/check"), a vendor ("funnelflux", "funnelfox"), or "*"."""

    account: str | None = None
    """The tenant whose calls fail; None means everyone's."""

    times: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """How many calls fail; None means all until cleared."""

    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0

    effect: bool | None = None
    """Whether the call does its work all the same; None means as is natural for the kind."""

    status: Annotated[int, msgspec.Meta(ge=200, le=599)] | None = None
    code: str = ""
    message: str = "Injected by the sandbox."
    body: str | None = None
    """Sent in place of the kind's own body."""

    seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] | None = None
    """Latency; the gap between two bytes; how long a connection is held open."""

    retry_after: HeaderValue | None = None
    location: HeaderValue = "https://elsewhere.example/"
    megabytes: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 100
    surplus: Annotated[int, msgspec.Meta(ge=-1024, le=1024)] = 10
    """By how much `Content-Length` exceeds the body; negative: falls short of it."""

    @property
    def works(self) -> bool:
        """Whether the vendor does what was asked before, or while, the answer goes wrong."""
        return self.kind not in _WITHOUT_EFFECT if self.effect is None else self.effect

    def hits(self, operation: Operation, account: str | None) -> bool:
        """Return whether it is meant for such a call."""
        aimed = self.operation in {"*", operation.vendor, operation.name}
        return aimed and self.account in {None, account}


class _Armed(msgspec.Struct, kw_only=True):
    fault: Fault
    left: int | None


class Faults:
    """The faults in force, in the order in which they were added.

    Args:
        lock: Held by every method, because tests add faults from their own thread.
        rng: Rolls the dice for `Fault.probability`.
        names: All operation and vendor names, so that a typo is found at once.
    """

    def __init__(self, *, lock: RLock, rng: Random, names: frozenset[str]) -> None:
        self._lock = lock
        self._rng = rng
        self._names = names | {"*"}
        self._armed: list[_Armed] = []

    def add(self, fault: Fault) -> None:
        """Put a fault in force.

        Raises:
            ValueError: A field is out of its range, there is no such operation,
                or there are too many faults.
        """
        try:
            # Fields that Python code gave are held to the same limits as those that came as JSON.
            msgspec.convert(msgspec.structs.asdict(fault), Fault)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None
        if fault.operation not in self._names:
            raise ValueError(f"no operation {fault.operation!r}; there are: {', '.join(sorted(self._names))}")
        with self._lock:
            if len(self._armed) >= MAX_FAULTS:
                raise ValueError(f"there are {MAX_FAULTS} faults already")
            self._armed.append(_Armed(fault=fault, left=fault.times))

    def clear(self) -> None:
        """Let everything work again."""
        with self._lock:
            self._armed.clear()

    def in_force(self) -> list[dict[str, object]]:
        """Return each fault with how many calls it will still hit."""
        with self._lock:
            return [{"fault": armed.fault, "left": armed.left} for armed in self._armed]

    def take(self, operation: Operation, account: str | None) -> tuple[Fault | None, Fault | None]:
        """Return the latency and the failure that the call meets; each counts as used.

        A call meets at most one of both: the first that is meant for it.
        """
        with self._lock:
            slow = self._first(operation, account, slow=True)
            return slow, self._first(operation, account, slow=False)

    def _first(self, operation: Operation, account: str | None, *, slow: bool) -> Fault | None:
        for armed in self._armed:
            fault = armed.fault
            if (fault.kind == "latency") is not slow or not fault.hits(operation, account):
                continue
            if fault.probability < 1 and self._rng.random() >= fault.probability:
                continue
            if armed.left is not None:
                armed.left -= 1
                self._armed = [other for other in self._armed if other.left != 0]
            return fault
        return None

"""What a caller is promised when a vendor fails, and the words to write it down in one line."""

from typing import Any, Final

import msgspec

from clients.errors import Kind as Class

RETRYABLE: Final = frozenset(
    {
        "upstream_error",
        "upstream_invalid_response",
        "upstream_rate_limited",
        "upstream_timeout",
        "upstream_unreachable",
    }
)
"""Nothing is lost by asking again; after any other problem it is not so, or of no use."""


class Promise(msgspec.Struct, frozen=True):
    """How one call ends."""

    code: str | None
    """Of the problem; None: the call ends well."""

    status: int = 200
    """Of a problem; a call that ends well has its own."""

    calls: int = 1
    """How many requests the vendor sees."""

    def __mul__(self, calls: int) -> "Promise":
        """The same end, after the vendor has seen so many requests."""
        return msgspec.structs.replace(self, calls=calls)


FINE: Final = Promise(None)
ERROR: Final = Promise("upstream_error", 502)
BAD: Final = Promise("upstream_invalid_response", 502)
CUT: Final = Promise("upstream_unreachable", 502)
LATE: Final = Promise("upstream_timeout", 504)
CALM: Final = Promise("upstream_rate_limited", 503)
AUTH: Final = Promise("upstream_auth_failed", 502)
GONE: Final = Promise("not_found", 404)
NO: Final = Promise("upstream_rejected", 422)
TWICE: Final = Promise("double_purchase", 409)
LOST: Final = Promise("outcome_unknown", 504)
"""May have happened; so never repeated, and never called failed."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One fault, and what each class of operation is promised under it."""

    kind: str
    details: dict[str, Any] = {}
    read: Promise
    probe: Promise
    write: Promise
    money: Promise

    said: int | None = None
    """The HTTP status that `upstream` tells; None: so much of an answer did not come."""

    code: str | None = None
    """The vendor's code that `upstream` tells."""

    wait: str | None = None
    """What `Retry-After` says."""

    vendor: str | None = None
    """The only one whose calls are meant: the other has no such fault, or a row of its own."""

    def promise(self, kind: Class) -> Promise:
        """What is promised to an operation of this class."""
        promise: Promise = getattr(self, kind)
        return promise

    @property
    def name(self) -> str:
        """For people who read the list of tests."""
        told = [f"{name}={value}" for name, value in self.details.items() if name != "code"]
        return " ".join([self.kind, *told, *([f"from {self.vendor}"] if self.vendor else [])])


def row(
    kind: str, details: dict[str, Any], read: Promise, probe: Promise, write: Promise, money: Promise, **more: Any
) -> Row:
    """A row in the order of the table's columns."""
    return Row(kind=kind, details=details, read=read, probe=probe, write=write, money=money, **more)

"""Looks at some of a vendor's answers: all of the first, then one in a hundred."""

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, Final

import msgspec

from clients.drift.comparison import Deviation, Schema, deviations
from clients.errors import Operation

FIRST: Final = 20
"""Answers of an operation that are all looked at, after a start."""

EVERY: Final = 100
"""Of the answers after them, one in so many."""

LARGEST: Final = 256 * 1024
"""Bytes of an answer that is looked at: to decode a larger one would be felt."""

Told = Callable[[Operation, Deviation], None]


class _Vendor(msgspec.Struct, frozen=True):
    """One vendor's document, as far as answers go."""

    operations: Mapping[str, Schema]
    """The schema of a success, by the operation's name."""
    schemas: Mapping[str, Schema]


def documented() -> Mapping[str, _Vendor]:
    """What is known of both vendors, by their names; made from `openapi/upstreams/` by `make upstream-forms`."""
    return msgspec.json.decode(files("clients.drift").joinpath("vendors.json").read_bytes(), type=dict[str, _Vendor])


class Sentinel:
    """Compares answers with the vendors' documents.

    Args:
        told: Is given each deviation that is found.
        first: How many answers of an operation are all looked at.
        every: One in so many after that.
    """

    def __init__(self, told: Told, *, first: int = FIRST, every: int = EVERY) -> None:
        self._told = told
        self._first = first
        self._every = every
        self._vendors = documented()
        self._seen: dict[Operation, int] = {}

    def look(self, operation: Operation, content: bytes) -> None:
        """Look at an answer in which the vendor said yes, if it is its turn; never fails.

        Args:
            operation: What was called.
            content: The answer's body.
        """
        seen = self._seen[operation] = self._seen.get(operation, 0) + 1
        if seen > self._first and seen % self._every:
            return
        for deviation in self.compared(operation, content):
            self._told(operation, deviation)

    def compared(self, operation: Operation, content: bytes) -> list[Deviation]:
        """Every deviation of one answer; none where nothing is documented, or it is no JSON."""
        vendor = self._vendors.get(operation.upstream)
        if vendor is None or operation.name not in vendor.operations or len(content) > LARGEST:
            return []
        try:
            body: Any = msgspec.json.decode(content)
            return deviations(body, vendor.operations[operation.name], vendor.schemas)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return []

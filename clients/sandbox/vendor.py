"""What the server needs to know of a vendor."""

from typing import Protocol

import msgspec

from clients.sandbox.arrivals import Request
from clients.sandbox.replies import Reply


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One documented operation of a vendor."""

    vendor: str
    name: str
    """Method and path below the vendor's base, such as "GET /domains/{domain}"."""


class Vendor(Protocol):
    """The HTTP face of one vendor."""

    name: str

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All operations that the vendor has."""
        ...

    def claims(self, segments: tuple[str, ...]) -> bool:
        """Return whether a path is this vendor's, known or not."""
        ...

    def route(self, method: str, segments: tuple[str, ...]) -> Operation | Reply:
        """Find the operation, or the answer to what is none."""
        ...

    def tenant(self, request: Request) -> str | None:
        """Return whose credentials or organization the request bears."""
        ...

    def answer(self, operation: Operation, request: Request) -> Reply:
        """Do what is asked, effects included, and answer it."""
        ...

    def failure(self, status: int, code: str, message: str) -> Reply:
        """Return a failure in the vendor's usual form."""
        ...

    def opened(self, operation: Operation, reply: Reply) -> Reply:
        """Return the reply with what a browser needs to read it, where the vendor lets browsers in."""
        ...

"""What is told of calls while they happen, for logs and metrics."""

from typing import Protocol

import httpx
import msgspec
from typing_extensions import override

from clients.errors import Kind, Operation


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a vendor, after its end."""

    operation: Operation
    method: str
    host: str
    port: int
    status: int | None
    """Of HTTP; None: no answer came."""
    error: str | None
    """What went wrong, from a small set; also under status 200."""
    resend: int
    """0 for the first attempt, then 1, 2."""
    seconds: float


class Watcher(Protocol):
    """Is told of every call of one vendor; it must not fail, and be quick."""

    def attempted(self, attempt: Attempt) -> None:
        """An attempt has ended."""

    def answered(self, operation: Operation, reply: httpx.Response) -> None:
        """The vendor has said yes."""

    def turned(self, kind: Kind, *, is_open: bool) -> None:
        """The breaker has opened, or closed, for this kind of operation."""


class Unwatched(Watcher):
    """Nobody is told."""

    @override
    def attempted(self, attempt: Attempt) -> None:
        pass

    @override
    def answered(self, operation: Operation, reply: httpx.Response) -> None:
        pass

    @override
    def turned(self, kind: Kind, *, is_open: bool) -> None:
        pass

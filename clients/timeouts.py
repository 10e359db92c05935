"""How long an attempt may take, and all attempts of one request together."""

import asyncio
from collections.abc import Coroutine, Mapping
from contextvars import ContextVar
from typing import Any, Self

import httpx
import msgspec
from typing_extensions import override

from clients.call import Call
from clients.errors import TimedOut
from clients.policy import POLICIES, Kind

began: ContextVar[float | None] = ContextVar("began", default=None)
"""When the current request began, by the event loop's clock; None: it has no deadline."""


patience: ContextVar[Kind | None] = ContextVar("patience", default=None)
"""The kind of operation that the current request is about, whose time all its calls have; None: each its own."""


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds; every one is greater than 0."""

    connect: float = 2.0
    """To resolve, connect and finish the TLS handshake; before that, as long again to get a place."""

    attempt: Mapping[Kind, float]
    """For one attempt, to the last byte received, by kind of operation."""

    request: Mapping[Kind, float]
    """From the beginning of the caller's request, whatever it has waited for, by kind of operation."""

    @classmethod
    def by_policy(cls, *, connect: float, attempt: float, request: float, money_request: float) -> Self:
        """What `POLICIES` makes of these seconds.

        Args:
            connect: As above.
            attempt: For one attempt at what has short attempts.
            request: For a whole request.
            money_request: For one with the longer deadline.
        """
        whole = {kind: money_request if policy.longer_deadline else request for kind, policy in POLICIES.items()}
        once = {kind: attempt if policy.short_attempts else whole[kind] for kind, policy in POLICIES.items()}
        return cls(connect=connect, attempt=once, request=whole)


def left(kind: Kind, timeouts: Timeouts, now: float) -> float:
    """Seconds that are left of the current request's time for an operation of this kind.

    Args:
        kind: The operation's.
        timeouts: What is given.
        now: By the event loop's clock.
    """
    given = timeouts.request[patience.get() or kind]
    start = began.get()
    return given if start is None else start + given - now


class Timed(httpx.AsyncBaseTransport):
    """The layer that tells the socket how long an attempt may take.

    Args:
        inner: The next layer.
        timeouts: What is given.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, timeouts: Timeouts) -> None:
        self._inner = inner
        self._timeouts = timeouts

    @override
    def handle_async_request(self, request: httpx.Request) -> Coroutine[Any, Any, httpx.Response]:
        call: Call = request.extensions["call"]
        operation = call.operation
        now = asyncio.get_running_loop().time()
        remaining = left(operation.kind, self._timeouts, now)
        if remaining <= 0:
            raise TimedOut("The request's time was up before the vendor was called.", operation=operation, sent=False)
        call.remaining = remaining
        call.ends = now + min(self._timeouts.attempt[operation.kind], remaining)
        call.connect_seconds = self._timeouts.connect
        return self._inner.handle_async_request(request)

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()

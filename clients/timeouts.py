"""How long one attempt may take, by the kind of its operation."""

from collections.abc import Mapping

import httpx
import msgspec
from typing_extensions import override

from clients.errors import Kind, Operation


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds given to the phases of one attempt; every one is greater than 0."""

    connect: float = 2.0
    """To get a place, resolve, connect and finish the TLS handshake."""

    answer: Mapping[Kind, float]
    """For the whole attempt, to the last byte received, by kind of operation."""


class Timed(httpx.AsyncBaseTransport):
    """The layer that tells the socket how long an attempt may take.

    Args:
        inner: The next layer.
        timeouts: What each phase is given.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, timeouts: Timeouts) -> None:
        self._inner = inner
        self._timeouts = timeouts

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        operation: Operation = request.extensions["operation"]
        seconds = self._timeouts.answer[operation.kind]
        request.extensions["seconds"] = seconds
        request.extensions["connect_seconds"] = min(self._timeouts.connect, seconds)
        return await self._inner.handle_async_request(request)

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()

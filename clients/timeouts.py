"""How long one attempt may take, by the kind of its operation."""

from collections.abc import Mapping

import httpx
import msgspec
from typing_extensions import override

from clients.errors import Kind, Operation


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds given to the phases of one attempt; every one is greater than 0."""

    connect: float = 2.0
    """To resolve, connect and finish the TLS handshake."""

    answer: Mapping[Kind, float]
    """From the first byte sent to the last byte received, by kind of operation."""


class Timed(httpx.AsyncBaseTransport):
    """The layer that gives each phase its native timeout.

    The phases are timed by the socket layer itself, because cancelling a call
    from outside loses its place in httpx's connection pool for good.

    Args:
        inner: The next layer.
        timeouts: What each phase is given.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, timeouts: Timeouts) -> None:
        self._inner = inner
        self._by_kind = {
            kind: {"connect": timeouts.connect, "pool": timeouts.connect, "write": answer, "read": answer}
            for kind, answer in timeouts.answer.items()
        }

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        operation: Operation = request.extensions["operation"]
        request.extensions["timeout"] = self._by_kind[operation.kind]
        return await self._inner.handle_async_request(request)

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()

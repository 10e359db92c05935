"""How a call reaches a vendor: the layers, in order, and the socket under them.

Outside in: the vendor's own layer (credentials), `Timed`, `Traced`, `Socket`.
A layer sees either a reply in which the vendor says yes, or an `UpstreamError`.
"""

import ssl
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

import httpx
from opentelemetry.trace import TracerProvider
from typing_extensions import override

from clients.errors import Garbled, Interrupted, NotConfigured, Operation, TimedOut, Unreachable
from clients.timeouts import Timed, Timeouts
from clients.tracing import Traced

LARGEST_REPLY: Final = 16 * 1024 * 1024
"""Bytes: ten times the largest list that a vendor is known to give; more is a fault, not an answer."""

MOST_CONNECTIONS: Final = 100
"""To one vendor, of each sort: more would not make it answer faster."""

KEEP_ALIVE_SECONDS: Final = 30.0
"""An idle connection is dropped before the usual 60 s of a vendor's load balancer."""

Judge = Callable[[httpx.Response, Operation], None]
"""Raises the `UpstreamError` that a whole reply amounts to; returns if the vendor says yes."""


class Upstream:
    """One vendor, ready to be called.

    Args:
        base_url: Where the vendor's paths begin, without a trailing slash.
        transport: All layers, outermost first.
        headers: Sent with every call.
    """

    def __init__(
        self, base_url: str, transport: httpx.AsyncBaseTransport, *, headers: Mapping[str, str] | None = None
    ) -> None:
        self._base = base_url
        self._transport = transport
        # Identity: a compressed reply could unfold past every bound on its size.
        self._headers = {"accept": "application/json", "accept-encoding": "identity", **(headers or {})}

    async def call(
        self,
        operation: Operation,
        path: str,
        *,
        json: bytes | None = None,
        csv: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Call one operation and return the reply in which the vendor says yes.

        Args:
            operation: What is called; its name begins with the HTTP method.
            path: Below the base, each segment already percent-encoded.
            json: The encoded body, None for no body.
            csv: A file to send in its place.
            headers: For this call only.

        Raises:
            UpstreamError: Whatever else happened; see `clients.errors`.
        """
        sent = {**self._headers, **(headers or {})}
        body, media_type = (json, "application/json") if csv is None else (csv, "text/csv")
        if body is not None:
            sent["content-type"] = media_type
        method = operation.name.partition(" ")[0]
        request = httpx.Request(
            method, f"{self._base}{path}", headers=sent, content=body, extensions={"operation": operation}
        )
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


class Socket(httpx.AsyncBaseTransport):
    """The innermost layer: one attempt on one connection, read whole and judged.

    This is the one place where httpx's failures get our names.

    A call that can't be repeated gets a connection of its own: on one that the
    vendor has just closed, it would look as if it had been sent and not answered.

    Args:
        judge: What the vendor's envelope says of a whole reply.
        tls: Whom to trust; shared, because to make one takes 20 ms.
    """

    def __init__(self, judge: Judge, *, tls: ssl.SSLContext) -> None:
        self._judge = judge
        kept = httpx.Limits(max_connections=MOST_CONNECTIONS, keepalive_expiry=KEEP_ALIVE_SECONDS)
        fresh = httpx.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=0)
        self._kept = httpx.AsyncHTTPTransport(verify=tls, limits=kept, trust_env=False)
        self._fresh = httpx.AsyncHTTPTransport(verify=tls, limits=fresh, trust_env=False)

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        operation: Operation = request.extensions["operation"]
        reply = await self._attempt(request, operation)
        self._judge(reply, operation)
        return reply

    async def _attempt(self, request: httpx.Request, operation: Operation) -> httpx.Response:
        status: int | None = None
        try:
            pool = self._kept if operation.repeatable else self._fresh
            head = await pool.handle_async_request(request)
            status = head.status_code
            try:
                content = await _whole(head, operation, seconds=request.extensions["timeout"]["read"])
            finally:
                await head.aclose()
        except httpx.ConnectTimeout as error:
            raise TimedOut("No connection was made in time.", operation=operation, sent=False) from error
        except httpx.PoolTimeout as error:
            raise TimedOut("No connection was free in time.", operation=operation, sent=False) from error
        except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise Unreachable("No connection could be made.", operation=operation) from error
        except httpx.TimeoutException as error:
            raise TimedOut("No whole answer came in time.", operation=operation, sent=True, status=status) from error
        except httpx.TransportError as error:
            if status is None and not _spoke(error):
                raise Interrupted("The connection broke before an answer.", operation=operation, sent=True) from error
            raise Garbled("The answer broke off or is not HTTP.", operation=operation, status=status) from error
        if "content-encoding" in head.headers:
            raise Garbled("The answer is encoded in a way not asked for.", operation=operation, status=status)
        return httpx.Response(status, headers=head.headers, content=content, request=request)

    @override
    async def aclose(self) -> None:
        await self._kept.aclose()
        await self._fresh.aclose()


def _spoke(error: httpx.TransportError) -> bool:
    """Whether the vendor sent something that is not HTTP, rather than nothing."""
    # httpcore has one class for both, and this message is all that tells them apart.
    silent = "disconnected without sending a response" in str(error)
    return isinstance(error, httpx.RemoteProtocolError) and not silent


async def _whole(head: httpx.Response, operation: Operation, *, seconds: float) -> bytes:
    """The body, bounded in bytes and in time."""
    ends = monotonic() + seconds
    chunks: list[bytes] = []
    size = 0
    assert isinstance(head.stream, httpx.AsyncByteStream)  # noqa: S101 - httpx types the async stream as either kind
    async for chunk in head.stream:
        size += len(chunk)
        if size > LARGEST_REPLY:
            raise Garbled("The answer is too large.", operation=operation, status=head.status_code)
        if monotonic() > ends:  # The read timeout is per chunk: a body that drips would outlive it.
            raise TimedOut("The answer took too long.", operation=operation, sent=True, status=head.status_code)
        chunks.append(chunk)
    return b"".join(chunks)


class Unconfigured(httpx.AsyncBaseTransport):
    """Stands where a vendor would be for which there are no credentials: calls nothing, and says so.

    Args:
        detail: What is missing, in one sentence.
    """

    def __init__(self, detail: str) -> None:
        self._detail = detail

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise NotConfigured(self._detail, operation=request.extensions["operation"])


def layered(
    judge: Judge, *, upstream: str, timeouts: Timeouts, tracer_provider: TracerProvider, tls: ssl.SSLContext
) -> httpx.AsyncBaseTransport:
    """The layers that every vendor has, in their order."""
    return Timed(Traced(Socket(judge, tls=tls), upstream=upstream, tracer_provider=tracer_provider), timeouts)

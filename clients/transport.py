"""How a call reaches a vendor: the layers, in order, and the socket under them.

Outside in: the vendor's own layer (credentials), `Guarded`, `Retried`, `Bulkhead`, `Timed`, `Traced`, `Socket`.
A layer sees either a reply in which the vendor says yes, or an `UpstreamError`.
What only hands a call on is a plain function: each coroutine on the way costs a microsecond.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import cached_property, lru_cache
from typing import Any, Final

import httpx
from opentelemetry.trace import TracerProvider
from typing_extensions import override

from clients.breaker import BreakerLimits, Guarded
from clients.budget import Budget
from clients.bulkhead import Bulkhead
from clients.call import Call, Origin, Outgoing, lines
from clients.connection import Answer, Connection, Late, Nonsense, Silent
from clients.errors import Garbled, Interrupted, NotConfigured, Operation, TimedOut, Unreachable, UpstreamError
from clients.pool import Pool
from clients.retry import Retried
from clients.timeouts import Timed, Timeouts
from clients.tracing import Traced
from clients.watch import Watcher

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

MOST_URLS: Final = 256
"""URLs that are remembered: every path without a parameter, and some with."""

_JSON: Final = "application/json"
_CSV: Final = "text/csv"

_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose requests say how long their body is, also if it is empty (RFC 9110, 8.6)."""

Judge = Callable[[httpx.Response, Operation], None]
"""Raises the `UpstreamError` that a whole reply amounts to; returns if the vendor says yes."""


class Upstream:
    """One vendor, ready to be called.

    Args:
        base_url: Where the vendor's paths begin, without a trailing slash.
        transport: All layers, outermost first.
    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        # To take a URL apart takes longer than to send it, and most paths come again.
        self._address = lru_cache(MOST_URLS)(lambda path: _address(f"{base_url}{path}"))
        # Identity: a compressed reply could unfold past every bound on its size.
        always = {"accept": "application/json", "accept-encoding": "identity"}
        self._headers = {kind: always | ({"content-type": kind} if kind else {}) for kind in (None, _JSON, _CSV)}
        self._lines = {kind: lines(headers) for kind, headers in self._headers.items()}

    def call(
        self,
        operation: Operation,
        path: str,
        *,
        json: bytes | None = None,
        csv: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Coroutine[Any, Any, httpx.Response]:
        """Call one operation and return the reply in which the vendor says yes.

        Args:
            operation: What is called; its name begins with the HTTP method.
            path: Below the base, each segment already percent-encoded.
            json: The encoded body, None for no body.
            csv: A file to send in its place.
            headers: For this call only, by their names in lower case.

        Raises:
            UpstreamError: Whatever else happened; see `clients.errors`.
        """
        method = operation.name.partition(" ")[0]
        body, media_type = (json, _JSON) if csv is None else (csv, _CSV)
        url, origin, target = self._address(path)
        kind = None if body is None else media_type
        call = Call(
            operation=operation,
            origin=origin,
            head=b"%s %s%s" % (method.encode(), target, self._lines[kind] if headers is None else b""),
            headers={} if headers is None else {**self._headers[kind], **headers},
            body=body or b"",
        )
        if body is not None or method in _WITH_BODY:
            call.headers["content-length"] = str(len(call.body))
        return self._transport.handle_async_request(Outgoing(method, url, call))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


def _address(url: str) -> tuple[httpx.URL, Origin, bytes]:
    """A URL, whom it leads to, and what a request says of it, after its method."""
    parsed = httpx.URL(url)  # It refuses line breaks.
    origin = Origin(parsed.scheme, parsed.host, parsed.port or DEFAULT_PORTS[parsed.scheme])
    return parsed, origin, b"%s HTTP/1.1\r\nhost: %s\r\n" % (parsed.raw_path, parsed.netloc)


class Reply(httpx.Response):
    """A whole answer.

    httpx's own way to a body that is there already leads through a stream and
    its decoders; this one is short, and takes no header apart before somebody asks.

    Args:
        answer: As it came.
        request: What it answers.
    """

    content: bytes = b""

    def __init__(self, answer: Answer, request: httpx.Request) -> None:
        self.status_code = answer.status
        self.content = answer.body
        self.request = request
        self.extensions = {}
        self._headers = answer.headers

    @cached_property
    @override
    def headers(self) -> httpx.Headers:  # type: ignore[override]  # Nobody sets them.
        return httpx.Headers(self._headers)


class Socket(httpx.AsyncBaseTransport):
    """The innermost layer: one attempt on one connection, read whole and judged.

    This is the one place where a broken connection gets our names. A call that
    can't be repeated gets a connection of its own: on one that the vendor has
    just closed, it would look as if it had been sent and not answered. A read
    that meets such a connection is sent on a new one, at no cost to anyone; but
    if that fails as well, it counts as a retry, for the vendor may have seen both.
    A retry gets a new connection at once, so that this happens to the first attempt only.

    Args:
        judge: What the vendor's envelope says of a whole reply.
        tls: Whom to trust; shared, because to make one takes 20 ms.
        budget: What sending a read again costs; while it is empty, no connection is used twice.
    """

    def __init__(self, judge: Judge, *, tls: ssl.SSLContext, budget: Budget) -> None:
        self._judge = judge
        self._budget = budget
        self._tls = tls
        self._pools: dict[Origin, Pool] = {}

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call: Call = request.extensions["call"]
        operation = call.operation
        written = call.written()
        pool = self._pool(call.origin)
        clock = asyncio.get_running_loop().time
        # With an empty budget a read goes where nothing has to be sent again.
        fresh = not operation.repeatable or call.resends > 0 or self._budget.empty
        while True:
            idle = None if fresh else pool.idle()
            # What a dead connection has cost is not given to the next one anew.
            connect_seconds = min(call.connect_seconds, call.ends - clock())
            connection = idle or await _opened(pool, operation, seconds=connect_seconds)
            keep = False
            try:
                answer = await connection.exchange(written, seconds=max(0.0, call.ends - clock()))
                keep = True
            except Silent as error:
                if idle is None:
                    raise Interrupted(str(error), operation=operation, sent=True) from error
                self._budget.spend()  # For all we know the vendor has seen it.
                fresh = True  # The vendor had closed it: a new one will tell.
                call.sent_anew = True
            except Late as error:
                raise TimedOut(str(error), operation=operation, sent=True, status=error.status) from error
            except Nonsense as error:
                raise Garbled(str(error), operation=operation, status=error.status) from error
            else:
                break
            finally:
                pool.put_back(connection, keep=keep)
        return self._judged(answer, request, call)

    def _judged(self, answer: Answer, request: httpx.Request, call: Call) -> httpx.Response:
        operation = call.operation
        for name, value in answer.headers:
            if name == b"content-encoding" and value.lower() != b"identity":
                raise Garbled(
                    "The answer is encoded in a way not asked for.", operation=operation, status=answer.status
                )
        reply = Reply(answer, request)
        try:
            self._judge(reply, operation)
        except UpstreamError as error:
            # Before anyone sees it: the vendor may have repeated what it was sent.
            error.hide(*call.secrets)
            raise
        return reply

    def _pool(self, origin: Origin) -> Pool:
        if (pool := self._pools.get(origin)) is None:
            tls = self._tls if origin.scheme == "https" else None
            pool = self._pools[origin] = Pool(origin.host, origin.port, tls=tls)
        return pool

    @override
    async def aclose(self) -> None:
        for pool in self._pools.values():
            pool.close()


async def _opened(pool: Pool, operation: Operation, *, seconds: float) -> Connection:
    try:
        return await pool.open(seconds)
    except TimeoutError as error:
        raise TimedOut("No connection was made in time.", operation=operation, sent=False) from error
    except OSError as error:
        raise Unreachable("No connection could be made.", operation=operation) from error


class Unconfigured(httpx.AsyncBaseTransport):
    """Stands where a vendor would be for which there are no credentials: calls nothing, and says so.

    Args:
        detail: What is missing, in one sentence.
    """

    def __init__(self, detail: str) -> None:
        self._detail = detail

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise NotConfigured(self._detail, operation=request.extensions["call"].operation)


def layered(
    judge: Judge,
    *,
    timeouts: Timeouts,
    tracer_provider: TracerProvider,
    tls: ssl.SSLContext,
    breaker: BreakerLimits | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    watcher: Watcher | None = None,
) -> httpx.AsyncBaseTransport:
    """The layers that every vendor has, in their order.

    Args:
        judge: What the vendor's envelope says of a whole reply.
        timeouts: How long everything may take.
        tracer_provider: Where spans go.
        tls: Whom to trust.
        breaker: When the vendor is left alone.
        sleep: Waits between attempts.
        watcher: Is told what happens.
    """
    budget = Budget()
    attempt = Traced(Socket(judge, tls=tls, budget=budget), tracer_provider=tracer_provider, watcher=watcher)
    tried = Retried(Bulkhead(Timed(attempt, timeouts), timeouts), timeouts, budget, sleep=sleep)
    return Guarded(tried, breaker or BreakerLimits(), watcher=watcher)

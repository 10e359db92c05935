"""The outermost layer: what every request and every answer has, routed or not.

Litestar's own 404 and 405 pass no middleware, so request identity, the server
span, path decoding, body size, common headers and the last resort live here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from clients.timeouts import began, patience
from clients.tracing import attempts
from gateway.http.ahead import Ahead
from gateway.http.asked import Asked, Headers, read
from gateway.http.cors import Cors
from gateway.http.exchange import Exchange
from gateway.http.field_lines import Field, lines
from gateway.http.paths import Namesakes, request_target, undecoded
from gateway.http.request_ids import RequestIds
from gateway.http.rfc9457 import Problem
from gateway.http.turns import Turns
from gateway.http.way_back import Message, Send, WayBack, crash, timings, whole
from gateway.http.whole import Whole
from gateway.limits import rates
from gateway.limits.windows import Standing
from gateway.observing.reporting import Begun, Reporter, current, route_of
from gateway.principal import Principal
from gateway.problems import ContentTooLarge
from gateway.serving.stopping import Notice
from gateway.telemetry import Log
from gateway.telemetry.traces import Decision
from gateway.ways import Kept, Way

if TYPE_CHECKING:
    from gateway.shortcut import Shortcut

# ASGI's own types, as loose as its servers and frameworks are among themselves.
Scope = Any
Receive = Callable[[], Awaitable[Message]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

NO_STORE: Final = b"cache-control: no-store\r\n"
"""Of every answer that says nothing else of how it may be kept."""

LARGEST_BODY: Final = 1024 * 1024
"""Bytes; enough for any JSON that a route takes."""


class Edge:
    """Wraps the application.

    Args:
        inner: The application, which routes undecoded paths.
        public_url: Before the path of every link; never taken from the Host header.
        namesakes: Which paths need telling apart.
        body_limits: Paths that take another body than `LARGEST_BODY` bytes.
        cors: Which pages may read answers.
        shortcut: The way to what is kept; None: nothing is.
        reporter: Is told of each request.
        log: Where crashes go.
        notice: Whether the process will stop, so that connections should end.
    """

    def __init__(  # noqa: PLR0913 - one for each thing that every request has
        self,
        inner: Application,
        *,
        public_url: str,
        namesakes: Namesakes,
        body_limits: Mapping[str, int],
        cors: Cors,
        shortcut: "Shortcut | None",
        reporter: Reporter,
        log: Log,
        notice: Notice,
    ) -> None:
        self._inner = inner
        self._public_url = public_url
        self._namesakes = namesakes
        self._body_limits = body_limits
        self._cors = cors
        self._shortcut = shortcut
        self._reporter = reporter
        self._log = log
        self._notice = notice
        self._request_ids = RequestIds()
        self.turns = Turns()
        """Of connections."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI 3)."""
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self._inner(scope, receive, send)

    @property
    def stops(self) -> bool:
        """Whether the process will, so that connections end with the answers that are under way."""
        return self._notice.given

    def at_once(self, asked: Asked, ahead: Ahead, scheme: str) -> Whole | None:
        """The answer to a GET of which only the head was read; None: it has to be served like any other.

        Args:
            asked: What is asked.
            ahead: Given what is found out, which the request takes along if there is no answer.
            scheme: `http` or `https`.
        """
        if self._shortcut is None or self._notice.given:
            return None
        started = perf_counter()
        ahead.asked = asked
        try:
            if (kept := self._shortcut.at_once(asked, ahead)) is None:
                return None
            decision = self._reporter.decide("GET", asked.headers) if self._reporter.tells else None
            return self._complete(kept, asked, decision, scheme=scheme, started=started)
        except Exception:  # noqa: BLE001 - whatever is wrong with the shortcut, the long way is there
            self._crashed(ahead)
            return None

    def soon(self, asked: Asked, ahead: Ahead, scheme: str, *, come: Callable[[Whole | None], None]) -> bool:
        """Whether there will be an answer in a moment, since somebody else waits for the same.

        Args:
            asked: What is asked.
            ahead: As `at_once` has left it, which comes before this.
            scheme: As there.
            come: Called with the answer; with None: it has to be served like any other.
        """
        if self._shortcut is None or self._notice.given or ahead.crashed or ahead.way is None:
            return False
        _, started = ahead.came = _now()
        try:
            decision = ahead.decision = self._reporter.decide("GET", asked.headers)
            # Where a trace is kept the wait is a span, which needs a task.
            if decision.sampled or (joined := self._shortcut.join(asked, ahead, scheme)) is None:
                return False
        except Exception:  # noqa: BLE001 - as in `at_once`
            self._crashed(ahead)
            return False
        flight, over = joined

        def landed() -> None:
            answer = None
            try:
                kept = over()
                # A process that stops ends its connections, each with an answer of the long way.
                if kept is not None and not self._notice.given:
                    answer = self._complete(kept, asked, decision, scheme=scheme, started=started)
            except Exception:  # noqa: BLE001 - as in `at_once`
                self._crashed(ahead)
            come(answer)

        flight.then(landed)
        return True

    async def later(self, asked: Asked, ahead: Ahead, scheme: str, headers: Iterable[Field] = ()) -> Whole | None:
        """The answer to a plain GET, after whatever it has to wait for; None: it has to be routed.

        Args:
            asked: What is asked.
            ahead: What is known of it, and given what is found out.
            scheme: `http` or `https`.
            headers: Of the request, with its token; none where `ahead` knows the caller.
        """
        if self._shortcut is None or ahead.crashed:
            return None
        came, started = ahead.came = ahead.came or _now()
        _time_begins(came)
        try:
            decision = ahead.decision = ahead.decision or self._reporter.decide("GET", asked.headers)
            if not ahead.counted:  # Else it has waited already.
                with self._reporter.announced(decision):
                    kept = await self._shortcut.in_time(asked, ahead, scheme, headers)
                if kept is not None:
                    return self._complete(kept, asked, decision, scheme=scheme, started=started)
        except Exception:  # noqa: BLE001 - as in `at_once`
            self._crashed(ahead)
            return None
        if ahead.way is None or ahead.way.call is None or not ahead.admitted:
            return None
        begun = self._reporter.began("GET", scheme, decision, started)
        return await self._called(self._shortcut, ahead.way, asked, ahead, begun=begun)

    async def _called(self, shortcut: "Shortcut", way: Way, asked: Asked, ahead: Ahead, *, begun: Begun) -> Whole:
        """The answer of the handler that the way leads to; a vendor may have been asked, so there is no other way."""
        exchange = self._exchange(asked.target.partition(b"?")[0], begun)
        exchange.principal, exchange.cache = ahead.caller, ahead.cache
        if ahead.standing is not None:
            exchange.standings.append(ahead.standing)
        try:
            try:
                answer = await shortcut.called(way, exchange)
            except Exception:  # noqa: BLE001 - the last resort, as on the long way
                exchange.problem = self._crash(exchange)
                answer = whole(exchange.problem, exchange)
            stored = b"" if b"\ncache-control: " in b"\n" + answer.head else NO_STORE
            answer.head += stored + self._ending(exchange, asked.headers.get(b"origin"), begun.started)
            exchange.status = answer.status
        finally:
            self._reporter.ended(begun, way.route, asked.headers, exchange)
        return answer

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        ahead = Ahead.of(scope)
        if scope["method"] == "GET" and (asked := ahead.asked or read(request_target(scope), scope["headers"])):
            made = await self.later(asked, ahead, scope["scheme"], scope["headers"])
            if made is not None:
                await made.send(send)
                return
        came, started = ahead.came or _now()
        _time_begins(came)
        headers = _first_of_each(scope)
        decision = ahead.decision or self._reporter.decide(scope["method"], headers)
        # A copy: the server looks at its own to know that a HEAD has no body.
        scope = dict(scope)
        begun = self._reporter.began(scope["method"], scope["scheme"], decision, started)
        exchange = scope["gateway.exchange"] = self._exchange(scope["raw_path"], begun)
        ending = partial(self._ending, exchange, headers.get(b"origin"), started)
        answer = WayBack(send, exchange, ending, head=scope["method"] == "HEAD")
        try:
            await self._routed(scope, receive, answer, headers)
        finally:
            try:
                await exchange.conclude(None)
            finally:
                self._reporter.ended(begun, route_of(scope), headers, exchange)

    def _crashed(self, ahead: Ahead) -> None:
        ahead.crashed = True
        self._log.exception("shortcut crashed")

    def _complete(self, kept: Kept, asked: Asked, decision: Decision | None, *, scheme: str, started: float) -> Whole:
        """What is kept, with the headers that every answer has; the request is told of."""
        request_id, origin, answer = self._request_ids.new(), asked.headers.get(b"origin"), kept.answer
        standings = () if kept.standing is None else (kept.standing,)
        seconds = perf_counter() - started
        took = timings(seconds, (), kept.cached)
        answer.head += self._common(request_id, origin, kept.principal, standings, took=took)
        self._reporter.kept(kept, asked, decision, scheme=scheme, request_id=request_id, seconds=seconds)
        return answer

    async def _routed(self, scope: Scope, receive: Receive, answer: WayBack, headers: Headers) -> None:
        """Pass the request on, and answer whatever the application could not."""
        try:
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                origin = headers.get(b"origin")
                await answer.empty(204, self._cors.preflight(origin.decode("latin-1") if origin is not None else None))
                return
            if scope["method"] == "HEAD":
                scope["method"] = "GET"
            path = undecoded(scope["raw_path"])
            scope["path"] = self._namesakes.told_apart(path, scope["method"])
            largest = self._body_limits.get(path, LARGEST_BODY)
            _check_length(headers, largest)
            await self._inner(scope, _bounded(receive, largest), answer)
        except Problem as problem:
            await answer.problem(problem)
        except Exception:  # noqa: BLE001 - the last resort: whatever is wrong with us, the caller gets a problem
            await answer.problem(self._crash(answer.exchange))

    def _crash(self, exchange: Exchange) -> Problem:
        """What a caller is told of whatever is wrong with us, which is being handled."""
        self._log.exception("request crashed", request_id=exchange.occurrence.request_id)
        return crash()

    def _exchange(self, path: bytes, begun: Begun) -> Exchange:
        """The request, for all that have a part in its answer."""
        attempts.set([])
        exchange = Exchange(
            request_id=self._request_ids.new(),
            public_url=self._public_url,
            path=path.decode("latin-1"),
            trace_id=begun.trace_id,
        )
        current.set(exchange)
        return exchange

    def _ending(self, exchange: Exchange, origin: bytes | None, started: float) -> bytes:
        """The field lines that the answer of a request ends with."""
        took = timings(perf_counter() - started, attempts.get() or (), exchange.cached)
        return self._common(exchange.occurrence.request_id, origin, exchange.principal, exchange.standings, took=took)

    def _common(
        self,
        request_id: str,
        origin: bytes | None,
        principal: Principal | None,
        standings: Sequence[Standing],
        *,
        took: bytes,
    ) -> bytes:
        """The field lines of every answer."""
        said = _COMMON % (request_id.encode(), rates.field_lines(standings), took)
        if origin is not None:
            tenant = principal.tenant if principal is not None else None
            said += lines(self._cors.headers(origin.decode("latin-1"), tenant))
        return said + b"connection: close\r\n" if self._notice.given else said


_COMMON: Final = (
    b"x-request-id: %b\r\n"
    b"vary: Authorization, Origin\r\n"
    b"x-content-type-options: nosniff\r\n"
    b"referrer-policy: no-referrer\r\n"
    b"%b%b"
)  # fmt: skip


def _now() -> tuple[float, float]:
    """By the loop's clock and by `time.perf_counter`."""
    return asyncio.get_running_loop().time(), perf_counter()


def _time_begins(came: float) -> None:
    """The request has its own time from then on: one may begin within the context of the one before it."""
    began.set(came)
    patience.set(None)


def _first_of_each(scope: Scope) -> Headers:
    """The headers by name; of several with one name, the first."""
    return dict(reversed(scope["headers"]))


def _check_length(headers: Headers, largest: int) -> None:
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > largest:
        raise _too_large(largest)


def _bounded(receive: Receive, largest: int) -> Receive:
    """Counts a body that comes in chunks, whose length nobody announced."""
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > largest:
            raise _too_large(largest)
        return message

    return counted


def _too_large(largest: int) -> ContentTooLarge:
    return ContentTooLarge(f"The body is larger than {largest} bytes.")

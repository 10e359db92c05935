"""The outermost layer: what every request and every answer has, routed or not.

Litestar's own 404 and 405 pass no middleware, so request identity, the server
span, path decoding, body size, common headers and the last resort live here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clients.errors import Operation
from clients.timeouts import began
from clients.tracing import attempts
from gateway.http.ahead import Ahead
from gateway.http.asked import Asked, Headers, read
from gateway.http.cors import Cors
from gateway.http.exchange import Exchange
from gateway.http.field_lines import fields, lines
from gateway.http.paths import Namesakes, request_target, undecoded
from gateway.http.request_ids import RequestIds
from gateway.http.rfc9457 import Problem, UpstreamReference
from gateway.limits import rates
from gateway.observing.reporting import Reporter, current
from gateway.problems import (
    ContentTooLarge,
    InternalError,
    OutcomeUnknown,
)
from gateway.serving.stopping import Notice
from gateway.telemetry import Log
from gateway.telemetry.traces import Decision

if TYPE_CHECKING:
    from gateway.shortcut import Kept, Shortcut

# ASGI's own types, as loose as its servers and frameworks are among themselves.
Scope = Any
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI 3)."""
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self._inner(scope, receive, send)

    def at_once(self, asked: Asked, ahead: Ahead, scheme: str) -> "Kept | None":
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
            decision = self._reporter.decide("GET", asked.headers)
            return self._complete(kept, asked, decision, scheme=scheme, started=started)
        except Exception:  # noqa: BLE001 - whatever is wrong with the shortcut, the long way is there
            self._crashed(ahead)
            return None

    def soon(self, asked: Asked, ahead: Ahead, scheme: str, *, come: "Callable[[Kept | None], None]") -> bool:
        """Whether there will be an answer in a moment, since somebody else waits for the same.

        Args:
            asked: What is asked.
            ahead: As `at_once` has left it, which comes before this.
            scheme: As there.
            come: Called with the answer; with None: it has to be served like any other.
        """
        if self._shortcut is None or self._notice.given or ahead.crashed or ahead.caller is None:
            return False
        started = perf_counter()
        ahead.came = (asyncio.get_running_loop().time(), started)
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
            try:
                answer = over()
                if self._notice.given:
                    answer = None  # A process that stops ends its connections, each with an answer of the long way.
                elif answer is not None:
                    answer = self._complete(answer, asked, decision, scheme=scheme, started=started)
            except Exception:  # noqa: BLE001 - as in `at_once`
                self._crashed(ahead)
                answer = None
            come(answer)

        flight.then(landed)
        return True

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        ahead = Ahead.of(scope)
        came, started = ahead.came or (asyncio.get_running_loop().time(), perf_counter())
        began.set(came)
        headers = _first_of_each(scope)
        decision = ahead.decision or self._reporter.decide(scope["method"], headers)
        if (kept := await self._in_time(scope, ahead, decision, started=started)) is not None:
            await send({"type": "http.response.start", "status": kept.status, "headers": fields(kept.head)})
            await send({"type": "http.response.body", "body": kept.body})
            return
        # A copy: the server looks at its own to know that a HEAD has no body.
        scope = dict(scope)
        upstream_attempts: list[tuple[Operation, float]] = []
        attempts.set(upstream_attempts)
        begun = self._reporter.began(scope, decision, started)
        exchange = scope["gateway.exchange"] = Exchange(
            request_id=self._request_ids.new(),
            public_url=self._public_url,
            path=scope["raw_path"].decode("latin-1"),
            trace_id=begun.trace_id,
        )
        current.set(exchange)

        def common() -> bytes:
            tenant = exchange.principal.tenant if exchange.principal is not None else None
            return self._common(exchange.occurrence.request_id, headers.get(b"origin"), tenant)

        answer = _Answer(send, exchange, common, head=scope["method"] == "HEAD")
        answer.timings = lambda: _timings(begun.started, upstream_attempts, exchange.cached)
        try:
            await self._routed(scope, receive, answer, headers)
        finally:
            try:
                await exchange.conclude(None)
            finally:
                self._reporter.ended(begun, scope, headers, exchange)

    async def _in_time(self, scope: Scope, ahead: Ahead, decision: Decision, *, started: float) -> "Kept | None":
        """The answer with what is kept, or will be in a moment; None: the request takes the long way."""
        if self._shortcut is None or scope["method"] != "GET" or ahead.crashed:
            return None
        try:
            if (asked := ahead.asked or read(request_target(scope), scope["headers"])) is None:
                return None
            with self._reporter.announced(decision):
                kept = await self._shortcut.in_time(asked, ahead, scope)
            return kept and self._complete(kept, asked, decision, scheme=scope["scheme"], started=started)
        except Exception:  # noqa: BLE001 - as in `at_once`
            self._crashed(ahead)
            return None

    def _crashed(self, ahead: Ahead) -> None:
        ahead.crashed = True
        self._log.exception("shortcut crashed")

    def _complete(self, kept: "Kept", asked: Asked, decision: Decision, *, scheme: str, started: float) -> "Kept":
        """What is kept, with the headers that every answer has; the request is told of."""
        request_id = self._request_ids.new()
        kept.head += b"".join(
            (
                self._common(request_id, asked.headers.get(b"origin"), kept.principal.tenant),
                rates.field_lines((kept.standing,)) if kept.standing is not None else b"",
                _timings(started, (), kept.cached),
            )
        )
        self._reporter.kept(kept, asked, decision, scheme=scheme, request_id=request_id, started=started)
        return kept

    async def _routed(self, scope: Scope, receive: Receive, answer: "_Answer", headers: Headers) -> None:
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
            self._log.exception("request crashed", request_id=answer.exchange.occurrence.request_id)
            await answer.problem(crash())

    def _common(self, request_id: str, origin: bytes | None, tenant: str | None) -> bytes:
        """The field lines of every answer."""
        said = b"x-request-id: %b\r\n%b" % (request_id.encode(), _ALWAYS)
        if origin is not None:
            said += lines(self._cors.headers(origin.decode("latin-1"), tenant))
        return said + b"connection: close\r\n" if self._notice.given else said


_ALWAYS: Final = (
    b"vary: Authorization, Origin\r\n"
    b"x-content-type-options: nosniff\r\n"
    b"referrer-policy: no-referrer\r\n"
)  # fmt: skip


def _first_of_each(scope: Scope) -> Headers:
    """The headers by name; of several with one name, the first."""
    return dict(reversed(scope["headers"]))


class _Answer:
    """The way back: adds the common headers, drops the body of a HEAD, and can write a problem itself."""

    def __init__(self, send: Send, exchange: Exchange, common: Callable[[], bytes], *, head: bool) -> None:
        self.exchange = exchange
        self.timings: Callable[[], bytes] = bytes
        self._send = send
        self._common = common
        self._head = head
        self._held: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if self.exchange.keeper is None:
            await self._pass(message)
        elif message["type"] == "http.response.start":
            self._held = message
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._pass_whole()

    async def _pass_whole(self) -> None:
        """Have the answer kept, then let it go."""
        start, keeper = self._held, self.exchange.keeper
        assert start is not None  # noqa: S101 - ASGI's order of messages
        assert keeper is not None  # noqa: S101 - or nothing is held
        self.exchange.keeper = None
        given = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in start.get("headers", ())}
        more = await keeper(start["status"], given, self._body)
        added = [(name.encode(), value.encode("latin-1")) for name, value in more.items()]
        await self._pass({**start, "headers": [*start.get("headers", ()), *added]})
        await self._pass({"type": "http.response.body", "body": self._body})

    async def _pass(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            given = [(name.lower(), value) for name, value in message.get("headers", ())]
            for name, value in given:
                if name == b"location":  # Of what was made.
                    self.exchange.target["location"] = value.decode("latin-1")
            await self.exchange.conclude(message["status"])
            self.exchange.status = message["status"]
            if not any(name == b"cache-control" for name, _ in given):
                given.append((b"cache-control", b"no-store"))
            more = self._common() + rates.field_lines(self.exchange.standings) + self.timings()
            message["headers"] = [*given, *fields(more)]
        elif self._head and message["type"] == "http.response.body":
            message["body"] = b""
        await self._send(message)

    async def empty(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": b""})

    async def problem(self, problem: Problem) -> None:
        if self.exchange.status is not None:
            # Too late for an answer. Ending without the rest makes the server close the connection.
            return
        self.exchange.problem = problem
        body = rendered(problem, self.exchange)
        extra = [(name.lower().encode(), value.encode("latin-1")) for name, value in problem.headers.items()]
        await self(
            {
                "type": "http.response.start",
                "status": problem.status,
                "headers": [
                    (b"content-type", b"application/problem+json"),
                    (b"content-length", str(len(body)).encode()),
                    *extra,
                ],
            }
        )
        await self({"type": "http.response.body", "body": body})


def crash() -> Problem:
    """What a crash of ours is to the caller: after a write was sent, nobody knows what came of it."""
    sent = [operation for operation, _ in attempts.get() or () if not operation.repeatable]
    if sent:
        return OutcomeUnknown(
            "It was sent, and then something went wrong on our side.", upstream=UpstreamReference(sent[-1].upstream)
        )
    return InternalError("Something went wrong on our side.")


def rendered(problem: Problem, exchange: Exchange) -> bytes:
    """The problem's body as JSON."""
    if problem.outcome is not None and problem.operation is None:
        problem.operation = exchange.operation
    return msgspec.json.encode(problem.body(exchange.occurrence))


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


def _timings(started: float, upstream_attempts: Iterable[tuple[Operation, float]], cached: str | None) -> bytes:
    """The line of the `Server-Timing` field: the total, the cache, then each attempt at a vendor, in milliseconds."""
    told = f"server-timing: total;dur={(perf_counter() - started) * 1000:.1f}"
    if cached is not None:
        told += f", cache;desc={cached}"
    for operation, seconds in upstream_attempts:
        told += f", {operation.upstream};dur={seconds * 1000:.1f}"
    return f"{told}\r\n".encode()

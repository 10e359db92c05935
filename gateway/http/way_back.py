"""The way back to the caller: what every answer is given, and what is answered where the application could not."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import cache
from typing import Any, Final

import msgspec

from clients.errors import Operation
from clients.tracing import attempts
from gateway.http.exchange import Exchange
from gateway.http.field_lines import Field, fields, lines
from gateway.http.rfc9457 import Problem, UpstreamReference
from gateway.http.whole import Whole
from gateway.problems import InternalError, OutcomeUnknown

# ASGI's own types, as loose as its servers and frameworks are among themselves.
Message = MutableMapping[str, Any]
Send = Callable[[Any], Awaitable[None]]

_TENTHS: Final = tuple(b"%.1f" % (tenth / 10) for tenth in range(100))
"""Of a millisecond, written: to write a fraction takes as long as the rest of its line."""


class WayBack:
    """Adds what every answer has, drops the body of a HEAD, and can write a problem itself.

    Args:
        send: To the server (ASGI 3).
        exchange: Whose answer it is.
        common: The field lines that every answer ends with, as they are when it begins.
        head: Whether the caller asked with HEAD.
    """

    def __init__(self, send: Send, exchange: Exchange, common: Callable[[], bytes], *, head: bool) -> None:
        self.exchange = exchange
        self._send = send
        self._common = common
        self._head = head
        self._held: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        """Send what the application does (ASGI 3)."""
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
            message["headers"] = [*given, *fields(self._common())]
        elif self._head and message["type"] == "http.response.body":
            message["body"] = b""
        await self._send(message)

    async def empty(self, status: int, headers: list[Field]) -> None:
        """Answer without a body."""
        await Whole(status, lines(headers), b"").send(self)

    async def problem(self, problem: Problem) -> None:
        """Answer with a problem, if nothing was answered yet."""
        if self.exchange.status is not None:
            # Too late for an answer. Ending without the rest makes the server close the connection.
            return
        self.exchange.problem = problem
        await whole(problem, self.exchange).send(self)


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


def whole(problem: Problem, exchange: Exchange) -> Whole:
    """The problem as an answer."""
    body = rendered(problem, exchange)
    extra = [(name.lower().encode(), value.encode("latin-1")) for name, value in problem.headers.items()]
    about = b"content-type: application/problem+json\r\ncontent-length: %d\r\n" % len(body)
    return Whole(problem.status, lines(extra) + about, body)


def timings(seconds: float, upstream_attempts: Iterable[tuple[Operation, float]], cached: str | None) -> bytes:
    """The line of the `Server-Timing` field: the total, the cache, then each attempt at a vendor, in milliseconds."""
    told = b"server-timing: total;dur=%b%b" % (_milliseconds(seconds), _look(cached))
    for operation, taken in upstream_attempts:
        told += b", %b;dur=%b" % (operation.upstream.encode(), _milliseconds(taken))
    return told + b"\r\n"


def _milliseconds(seconds: float) -> bytes:
    """To the tenth."""
    tenths = int(seconds * 10_000 + 0.5)
    return _TENTHS[tenths] if tenths < len(_TENTHS) else b"%.1f" % (tenths / 10)


@cache
def _look(cached: str | None) -> bytes:
    return b"" if cached is None else b", cache;desc=%b" % cached.encode()

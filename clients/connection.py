"""One HTTP/1.1 connection to a vendor: a request goes out, a whole answer comes in, or it is known how far it got."""

import asyncio
from typing import Final, cast

import httptools
import msgspec
from typing_extensions import override

LARGEST_BODY: Final = 16 * 1024 * 1024
"""Bytes: ten times the largest list that a vendor is known to give; more is a fault, not an answer."""

LARGEST_HEAD: Final = 64 * 1024
"""Bytes of status line and headers; real ones have a few hundred."""

MOST_INTERIM: Final = 10
"""Informational (1xx) answers before the real one."""

FIRST_FINAL: Final = 200
"""Statuses below are informational: the real answer follows."""

_BODILESS: Final = frozenset({204, 304})
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


class Answer(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    headers: list[tuple[bytes, bytes]]
    """Their names are in lower case."""
    body: bytes


class Broken(Exception):
    """There is no whole answer.

    Args:
        reason: One sentence for people.
        status: The HTTP status, if that much arrived.
    """

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class Silent(Broken):
    """The connection ended before a byte of an answer came."""


class Late(Broken):
    """The time was up."""


class Nonsense(Broken):
    """What came is not a whole HTTP answer, or too large to be one."""


class _Incoming:
    """The answer to one request, as far as it has arrived; the parser calls the `on_` methods."""

    def __init__(self, result: asyncio.Future[Answer]) -> None:
        self.result = result
        self.status: int | None = None
        self.received = 0
        self.until_closed = False
        """Whether the end of the connection is the end of the body."""
        self.reusable = False
        """Whether another answer may come on the same connection."""
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = 0
        self._interim = 0
        self._head_complete = False

    def feed(self, data: bytes) -> None:
        self.received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.fail(Nonsense, "The answer changes the protocol.")
        except httptools.HttpParserError:
            self.fail(Nonsense, "The answer is not HTTP.")
        if not self._head_complete and self.received > LARGEST_HEAD:
            self.fail(Nonsense, "The head of the answer is too large.")

    def let_go(self) -> None:
        """Nobody asks any more, and the parser, which knows us, must not keep the whole answer alive."""
        del self._parser

    def on_message_begin(self) -> None:
        self.reusable = False  # If an answer is there already, this one was not asked for.

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._head_complete = True
        framed = not _FRAMING.isdisjoint(dict(self._headers)) or self.status in _BODILESS
        self.until_closed = not framed and self.status >= FIRST_FINAL

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        self._body.append(body)
        if self._size > LARGEST_BODY:
            self.fail(Nonsense, "The answer is too large.")

    def on_message_complete(self) -> None:
        if self.result.done():
            return
        if self.status is not None and self.status >= FIRST_FINAL:
            self.reusable = self._parser.should_keep_alive()
            self.complete()
            return
        self._interim += 1
        self._headers = []
        self._head_complete = False
        if self._interim > MOST_INTERIM:
            self.fail(Nonsense, "There are too many interim answers.")

    def complete(self) -> None:
        if not self.result.done() and self.status is not None:
            self.result.set_result(Answer(self.status, self._headers, b"".join(self._body)))

    def fail(self, kind: type[Broken], reason: str) -> None:
        if not self.result.done():
            self.result.set_exception(kind(reason, self.status))

    def ended(self) -> None:
        """The connection is gone."""
        if self.until_closed:
            self.complete()
        elif self.received:
            self.fail(Nonsense, "The answer broke off.")
        else:
            self.fail(Silent, "The connection broke before an answer.")


class Connection(asyncio.Protocol):
    """A connection that takes one request at a time.

    An answer is parsed as it arrives, so that an endless one is ended at its
    bound and not when memory is.
    """

    def __init__(self) -> None:
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._incoming: _Incoming | None = None

    @property
    def usable(self) -> bool:
        """Whether another request can be sent."""
        return self._transport is not None and self._incoming is None

    async def exchange(self, request: bytes, *, seconds: float) -> Answer:
        """Send `request` and wait for its whole answer.

        From the moment of the call the vendor may have received it.

        Args:
            request: Head and body.
            seconds: Until the last byte of the answer.

        Raises:
            Broken: There is no whole answer; the class says how far it came.
        """
        assert self._transport is not None  # noqa: S101 - `usable` was asked
        loop = asyncio.get_running_loop()
        incoming = self._incoming = _Incoming(loop.create_future())
        timer = loop.call_later(seconds, incoming.fail, Late, "No whole answer came in time.")
        try:
            self._transport.write(request)
            return await incoming.result
        finally:
            timer.cancel()
            self._incoming = None
            incoming.let_go()
            if not incoming.reusable:
                self.close()

    def close(self) -> None:
        """Drop the connection, and whatever is still under way on it."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its bases

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._incoming is not None:
            self._incoming.ended()

    @override
    def data_received(self, data: bytes) -> None:
        if self._incoming is not None:
            self._incoming.feed(data)
        else:
            self.close()  # Nobody asked for this: it must not be taken for the next answer.

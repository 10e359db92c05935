"""How much of what a caller sends is kept in memory: uvicorn keeps a head of any size, and any number of requests."""

import asyncio
from collections.abc import Sized
from typing import Final

from typing_extensions import override
from uvicorn.protocols.http.flow_control import FlowControl

from gateway.http.upgrades import Unupgraded

LARGEST_HEAD: Final = 64 * 1024
"""Bytes of request line and headers; usual servers and balancers take from 8 to 64 KiB."""

STEP: Final = 16 * 1024
"""Bytes that are parsed at once. What begins within a step is counted from its end on, so that the head of a request
that was sent before the answer to the one before may be larger by so much."""

MOST_WAITING: Final = 100
"""Requests of one connection that wait for the answers to those before; what comes after them is not parsed yet."""

ENDLESS: Final = 1 << 62
"""Within a body, which the edge counts."""

_SAID: Final = b"The head of the request is larger than %d bytes." % LARGEST_HEAD
_REFUSAL: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_SAID), _SAID)
)


class Bounded(Unupgraded):
    """HTTP/1.1 with an end to heads, and to requests that are sent before the answers to others.

    A larger head is answered 431, and the connection is closed; the trailers of
    a chunked body are bounded alike, and end the connection without an answer.
    Who sends many requests at once is read from as fast as they are answered.
    """

    _room = LARGEST_HEAD
    """Bytes within which the head must be complete."""
    _unread = b""
    """What came, and was not parsed yet."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.flow = _InTurn(transport, self.pipeline)

    @override
    def data_received(self, data: bytes) -> None:
        self._unread += data
        self._read()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._read()

    def _read(self) -> None:
        """Parse what came, as far as there is room for it."""
        while self._unread and len(self.pipeline) < MOST_WAITING and not self.transport.is_closing():
            most = min(self._room, STEP)
            if not most:
                self._unread = b""
                self._refuse()
                return
            step, self._unread = self._unread[:most], self._unread[most:]
            self._room -= len(step)
            super().data_received(step)

    @override
    def on_headers_complete(self) -> None:
        self._room = ENDLESS
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """A chunk begins: one without data is the last, and trailers follow."""
        self._room = LARGEST_HEAD

    @override
    def on_body(self, body: bytes) -> None:
        self._room = ENDLESS
        super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        self._await_head()
        super().on_message_complete()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._unread = b""
        super().connection_lost(exc)

    def _await_head(self) -> None:
        """What comes next is the head of another request."""
        self._room = LARGEST_HEAD

    @property
    def _idle(self) -> bool:
        """Whether every request that came has its answer."""
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]  # None before the first

    def _refuse(self) -> None:
        """Read no more."""
        if self._idle:
            self.transport.write(_REFUSAL)
            self.transport.close()
        else:
            self._end_in_turn()

    @override
    def send_400_response(self, msg: str) -> None:
        # It is an answer to the newest request, if that is the one being served, and was not answered yet.
        if self._idle or (self.cycle.more_body and not self.pipeline and not self.cycle.response_started):
            super().send_400_response(msg)
        else:
            self._end_in_turn()

    def _end_in_turn(self) -> None:
        """End the connection when the requests that came before are answered: nothing said now would be about them."""
        if self.cycle.more_body:
            self.transport.close()  # The newest one is not whole, and never will be.
        else:
            self.cycle.keep_alive = False


class _InTurn(FlowControl):
    """Reads on when every request that came has begun to be answered.

    Uvicorn reads on after each answer, whatever waits still.

    Args:
        transport: What is read from.
        waiting: The requests that have not begun.
    """

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    @override
    def resume_reading(self) -> None:
        # Only the newest request can lack a part of its body, and that one begins last.
        if not self._waiting:
            super().resume_reading()

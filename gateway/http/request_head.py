"""How much of a request is read before it is understood: uvicorn's parser keeps a head of any size in memory."""

from typing import Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD: Final = 64 * 1024
"""Bytes of request line and headers; usual servers and balancers take from 8 to 64 KiB."""

STEP: Final = 16 * 1024
"""Bytes that are parsed at once. What begins within a step is counted from its end on, so that the head of a request
that was sent before the answer to the one before may be larger by so much."""

ENDLESS: Final = 1 << 62
"""Within a body, which the edge counts."""

_SAID: Final = b"The head of the request is larger than %d bytes." % LARGEST_HEAD
_REFUSAL: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_SAID), _SAID)
)


class BoundedHead(HttpToolsProtocol):
    """Uvicorn's HTTP/1.1, with an end to heads: larger ones are answered 431, and the connection is closed.

    The trailers of a chunked body are bounded alike; they end the connection
    without an answer.
    """

    _room = LARGEST_HEAD
    """Bytes within which the head must be complete."""

    @override
    def data_received(self, data: bytes) -> None:
        while len(data) > (most := min(self._room, STEP)):
            if not most:
                self._refuse()
                return
            self._room -= most
            super().data_received(data[:most])
            if self.transport.is_closing():
                return
            data = data[most:]
        self._room -= len(data)
        super().data_received(data)

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

    def _await_head(self) -> None:
        """What comes next is the head of another request."""
        self._room = LARGEST_HEAD

    @property
    def _idle(self) -> bool:
        """Whether every request that came has its answer."""
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]  # None before the first

    def _refuse(self) -> None:
        """Read no more. Requests that came before on this connection are answered first."""
        if self._idle:
            self.transport.write(_REFUSAL)
            self.transport.close()
        elif self.cycle.more_body:
            self.transport.close()  # These are trailers: the request is not whole, and never will be.
        else:
            self.cycle.keep_alive = False  # The newest one: with its answer the connection ends.

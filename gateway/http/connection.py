"""One connection of a caller: what is kept is sent while the request is still being read.

A task for each request, and objects for answers that take time, cost more than
to look up an answer that is at hand. Everything else is uvicorn's.
"""

from asyncio import TimerHandle
from typing import Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.http.bounds import Bounded
from gateway.http.edge import Edge

MOST_AT_ONCE: Final = 32
"""Answers to requests that came together; what is beyond lets other callers have their turn, too."""


class Connection(Bounded):
    """Asks the edge for an answer that is at hand, before a request becomes a task."""

    app: Edge

    served = False
    """Whether there was any request yet."""
    _answered = False
    """Whether the request that is being read has its answer."""
    _left = MOST_AT_ONCE
    """Answers that may still be sent at once."""
    _heard_at = 0.0
    """When something came, by the loop's clock."""
    _watch: TimerHandle | None = None
    """Ends the connection if nothing comes after such an answer; one for many, for a new one each costs 5 µs."""

    @override
    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        self._left = MOST_AT_ONCE
        super().data_received(data)

    @override
    def on_headers_complete(self) -> None:
        self.served = True
        if not self._answers():
            super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        if self._answered:
            self._answered = False
            self._await_head()
        else:
            super().on_message_complete()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def _answers(self) -> bool:
        """Answer at once, if nobody waits for another answer on this connection, and it goes on after this one."""
        if (
            self.parser.get_method() != b"GET"
            or not self._idle
            or not self._left
            or self.flow.write_paused
            or not self.parser.should_keep_alive()
            or self.parser.get_http_version() != "1.1"
            or (kept := self.app.at_once(self.scope, self.url)) is None
        ):
            return False
        head = [STATUS_LINE[kept.status]]
        for name, value in (*self.server_state.default_headers, *kept.headers):
            head += (name, b": ", value, b"\r\n")
        self.transport.write(b"".join((*head, b"\r\n", kept.body)))
        self.server_state.total_requests += 1
        self._answered = True
        self._left -= 1
        if self._watch is None:
            self._watch = self.loop.call_later(self.timeout_keep_alive, self._end_if_idle)
        return True

    def _end_if_idle(self) -> None:
        self._watch = None
        if not self._idle or self.timeout_keep_alive_task is not None:
            return  # Other requests came since, after which uvicorn looks itself.
        if (left := self._heard_at + self.timeout_keep_alive - self.loop.time()) > 0:
            self._watch = self.loop.call_later(left, self._end_if_idle)
        else:
            self.transport.close()

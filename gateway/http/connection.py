"""One connection of a caller: what is kept is sent while the request is still being read.

A task for each request, and objects for answers that take time, cost more than
to look up an answer that is at hand. Everything else is uvicorn's.
"""

from asyncio import TimerHandle
from typing import Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.http.asked import Asked, read
from gateway.http.bounds import Bounded
from gateway.http.edge import Edge, Scope
from gateway.http.field_lines import lines

MOST_AT_ONCE: Final = 32
"""Answers to requests that came together; what is beyond lets other callers have their turn, too."""


class Connection(Bounded):
    """Asks the edge for an answer that is at hand, before a request becomes a task."""

    app: Edge

    served = False
    """Whether there was any request yet."""
    _between = True
    """Whether nothing was read of the next request."""
    _asked: Asked | None = None
    """What was asked by the last request that was answered while its head was parsed."""
    _found: Scope = None
    """What was found out of a request before it was parsed."""
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
        if not self._between or self._unread:
            super().data_received(data)
        elif (asked := self.app.heads.find(data)) is None or not self._repeated(asked):
            super().data_received(data)
            self._remember(data)

    @override
    def on_message_begin(self) -> None:
        self._between = False
        super().on_message_begin()

    @override
    def on_headers_complete(self) -> None:
        self.served = True
        if not self._answers():
            super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        self._between = True
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

    def _repeated(self, asked: Asked) -> bool:
        """Answer a request whose head was parsed before: it is known to be one that can be answered at once."""
        self.served = True
        self._unset_keepalive_if_required()
        self._found = {"scheme": self.scheme}
        if not self._answers_with(asked, self._found):
            return False
        self._found = None
        return True

    def _remember(self, data: bytes) -> None:
        """Know what came if it comes again, if it was one head, answered at once, and nothing else."""
        if self._left == MOST_AT_ONCE - 1 and self._between and self._idle and self._asked is not None:
            self.app.heads.remember(data, self._asked)

    def _answers(self) -> bool:
        """Answer a request whose head was parsed, if that can be done at once."""
        if (found := self._found) is not None:
            self._found = None
            self.scope.update(found)
            return False  # That was tried.
        if (
            self.parser.get_method() != b"GET"
            or not self.parser.should_keep_alive()
            or self.parser.get_http_version() != "1.1"
            or (asked := read(self.url, self.headers)) is None
            or not self._answers_with(asked, self.scope)
        ):
            return False
        self._asked = asked
        self._answered = True
        return True

    def _answers_with(self, asked: Asked, scope: Scope) -> bool:
        """Answer at once, if nobody waits for another answer on this connection."""
        if (
            not self._idle
            or not self._left
            or self.flow.write_paused
            or (kept := self.app.at_once(asked, scope)) is None
        ):
            return False
        usual = lines(self.server_state.default_headers)
        self.transport.write(b"".join((STATUS_LINE[kept.status], usual, kept.head, b"\r\n", kept.body)))
        self.server_state.total_requests += 1
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

"""One connection of a caller: what is kept is sent while the request is still being read.

A task for each request, and objects for answers that take time, cost more than
to look up an answer that is at hand. And what a head asks that came before need
not be parsed to be known. Everything else is uvicorn's.
"""

from asyncio import Task, TimerHandle, Transport
from collections.abc import Callable
from functools import partial
from typing import Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.http.ahead import Ahead
from gateway.http.asked import Asked, read
from gateway.http.bounds import Bounded
from gateway.http.edge import Edge
from gateway.http.field_lines import lines
from gateway.http.whole import Whole

MOST_HEADS: Final = 4
"""That are known of one connection; callers that ask for more in turn have theirs parsed."""

LONGEST_HEAD: Final = 2048
"""Bytes; longer ones are parsed each time."""

MOST_AT_ONCE: Final = 32
"""Answers to requests that came together; what is beyond lets other callers have their turn, too."""


class Connection(Bounded):
    """Asks the edge for an answer that is at hand, before a request becomes a task."""

    app: Edge

    served = False
    """Whether there was any request yet."""
    _between = True
    """Whether nothing was parsed of the next request."""
    _parsed = 0
    """Requests of which the end was found in what has come last."""
    _asked: Asked | None = None
    """What the last of them asks, if it may come again."""
    _scheme: str
    _known: dict[bytes, Asked]
    """What was asked on this connection lately, by the heads as they came."""
    _ahead: Ahead | None = None
    """What was found out of the request that is parsed next, whose head is known and could not be answered so."""
    _waits = False
    """Whether a request that was not parsed waits for what somebody else has asked for. Nothing is read meanwhile."""
    _repeated: tuple[bytes, Asked]
    """What waits for its turn: it was not parsed, since it came before."""
    _ends = False
    """Whether the connection has to end when that request is answered."""
    _answered = False
    """Whether the request that is being parsed has its answer."""
    _usual: tuple[object, bytes] = (None, b"")
    """What the server adds to each answer: fields, and their lines."""
    _left = MOST_AT_ONCE
    """Answers that may still be sent at once."""
    _heard_at: float
    """When something came, or was answered late, by the loop's clock."""
    _watch: TimerHandle
    """Ends the connection if nothing comes; one for its whole life, for a new one after each answer costs 5 µs."""

    @override
    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._known = {}
        self._scheme = self.scheme or "http"
        self._heard_at = self.loop.time()
        self._watch = self.loop.call_later(self.timeout_keep_alive, self._end_if_idle)

    @override
    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        self._left = MOST_AT_ONCE
        if self._waits:
            self._unread += data
            self.flow.pause_reading()
        elif not self._between or self._unread or not self._idle:
            super().data_received(data)
        elif (asked := self._known.get(data)) is not None:
            self._repeated = (data, asked)
            self._waits = True
            self.app.turns.wait(self, self.loop)
        else:
            self._parsed = 0
            super().data_received(data)
            self._remember(data)

    def turn(self) -> None:
        """Answer what has come, when everything was read that has come to others."""
        data, asked = self._repeated
        self._waits = False
        if self.transport.is_closing():
            return
        try:
            if not self._repeats(data, asked):
                self._unread = data + self._unread
            if not self._waits:
                self._go_on()
        except Exception as error:  # noqa: BLE001 - the others have their turn all the same
            self._fail(error)

    @override
    def on_message_begin(self) -> None:
        self._between = False
        self._asked = None
        super().on_message_begin()

    @override
    def on_headers_complete(self) -> None:
        self.served = True
        if not self._answers():
            super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        self._between = True
        self._parsed += 1
        if self._answered:
            self._answered = False
            self._await_head()
        else:
            super().on_message_complete()

    @override
    def shutdown(self) -> None:
        if self._waits:
            self._ends = True
        else:
            super().shutdown()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        super().connection_lost(exc)

    def _remember(self, data: bytes) -> None:
        """Know what came if it comes again, if it was the head of one request, and nothing else."""
        if self._asked is None or self._parsed != 1 or not self._between or len(data) > LONGEST_HEAD:
            return
        self._known[data] = self._asked
        if len(self._known) > MOST_HEADS:
            del self._known[next(iter(self._known))]

    def _repeats(self, data: bytes, asked: Asked) -> bool:
        """Whether a request that was not parsed is answered, or will be, as nobody waits for another answer here."""
        self.served = True
        self._await_head()
        self._unset_keepalive_if_required()
        ahead = Ahead()
        if self._answers_with(asked, ahead):
            return True
        come = partial(self._come, data, ahead)
        self._waits = self.app.soon(asked, ahead, self._scheme, come=come) or self._asks(asked, ahead, come)
        if not self._waits:
            self._ahead = ahead
        return self._waits

    def _asks(self, asked: Asked, ahead: Ahead, come: Callable[[Whole | None], None]) -> bool:
        """Whether a request that was not parsed is served all the same, since who asks is known."""
        if ahead.way is None or ahead.crashed or ahead.counted:
            return False

        def ended(task: Task[Whole | None]) -> None:
            self.tasks.discard(task)
            if task.cancelled():
                self.transport.close()  # The process stops, and has waited long enough.
            elif (error := task.exception()) is not None:
                self._fail(error)
            else:
                come(task.result())

        task = self.loop.create_task(self.app.later(asked, ahead, self._scheme))
        self.tasks.add(task)  # type: ignore[arg-type]  # uvicorn waits for their end, and for nothing else
        task.add_done_callback(ended)
        return True

    def _come(self, data: bytes, ahead: Ahead, answer: Whole | None) -> None:
        """What a request has waited for is there, or it has to be served like any other."""
        self._waits = False
        if self.transport.is_closing():
            return
        self._heard_at = self.loop.time()
        if answer is not None:
            self._send(answer)
            if self.app.stops:
                self.transport.close()
                return
        else:
            self._ahead = ahead
            self._unread = data + self._unread
        self._go_on()

    def _go_on(self) -> None:
        """Read what has come meanwhile, or end, after a request that was not parsed."""
        if self._unread:
            self.flow.resume_reading()
            self._read()
        if self._ends:
            super().shutdown()

    def _fail(self, error: BaseException) -> None:
        """Something is wrong with us, and nobody knows what was answered."""
        self.logger.error("Exception in ASGI application", exc_info=error)  # As uvicorn has it.
        self.transport.close()

    def _answers(self) -> bool:
        """Answer a request whose head was parsed, if that can be done at once."""
        if self._ahead is not None:
            self._ahead.into(self.scope)
            self._ahead = None
            return False  # That was tried.
        if (
            self.parser.get_method() != b"GET"
            or not self.parser.should_keep_alive()
            or self.parser.get_http_version() != "1.1"
            or not self._idle
            or (asked := read(self.url, self.headers)) is None
        ):
            return False
        ahead = Ahead.of(self.scope)
        self._answered = self._answers_with(asked, ahead)
        if ahead.caller is not None:
            self._asked = asked
        return self._answered

    def _answers_with(self, asked: Asked, ahead: Ahead) -> bool:
        """Answer at once."""
        if not self._left or self.flow.write_paused or (answer := self.app.at_once(asked, ahead, self._scheme)) is None:
            return False
        self._left -= 1
        self._send(answer)
        return True

    def _send(self, answer: Whole) -> None:
        if self._usual[0] is not (usual := self.server_state.default_headers):  # There are others each second.
            self._usual = (usual, lines(usual))
        self.transport.write(b"".join((STATUS_LINE[answer.status], self._usual[1], answer.head, b"\r\n", answer.body)))
        self.server_state.total_requests += 1

    def _end_if_idle(self) -> None:
        if not self._idle or self._waits or self.timeout_keep_alive_task is not None:
            left: float = self.timeout_keep_alive  # A request is being served; or was, and uvicorn looks itself.
        else:
            left = self._heard_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._watch = self.loop.call_later(left, self._end_if_idle)
        else:
            self.transport.close()

"""How one process stops: readiness fails first, then new connections end, then requests in flight finish.

A connection that a caller keeps alive is closed by the answer to its next
request, never between two: a request that meets the close would be lost.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socket
from types import FrameType
from typing import Final

from typing_extensions import override
from uvicorn import Config, Server

LINGER_SECONDS: Final = 3.0
"""For connections that were made in the last moment and have sent nothing yet: their requests are on the way."""

TURNS: Final = 5
"""Of the event loop, in which it reads what has arrived: after a pause it looks at its clock first."""

CUT_SECONDS: Final = 1.0
"""For requests that were cut off, to write down how far they came."""

POLL_SECONDS: Final = 0.02
"""Between two looks at whether all has ended."""

CUT_OFF: Final = 1
"""The exit code when requests in flight were cut off."""


class Notice:
    """Whether this process has been told to stop, for all in it who must know."""

    given = False


class StoppableServer(Server):
    """Uvicorn's server, with a way to stop that loses no request.

    SIGTERM begins with the drain; SIGINT, which a person sends, skips it. A
    second signal ends the process at once, requests or not.

    Args:
        config: Of uvicorn.
        notice: Given as soon as the process is told to stop.
        drain_seconds: During which new connections are still taken.
        grace_seconds: For requests in flight, after that.
        supervised: One of several workers: only their parent tells it to stop, and kills it if need be.
        told_ready: Called once requests are served.
    """

    def __init__(
        self,
        config: Config,
        notice: Notice,
        *,
        drain_seconds: float,
        grace_seconds: float,
        supervised: bool = False,
        told_ready: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(config)
        self.exit_code = 0
        self._notice = notice
        self._drain_seconds = drain_seconds
        self._grace_seconds = grace_seconds
        self._supervised = supervised
        self._told_ready = told_ready
        self._told: int | None = None
        self._told_at: float | None = None

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._told is None:
            self._told = sig
            self._notice.given = True
        elif not self._supervised:
            self.force_exit = True

    @override
    async def main_loop(self) -> None:
        if self._told_ready is not None:
            self._told_ready()
        await super().main_loop()

    @override
    async def on_tick(self, counter: int) -> bool:
        over = await super().on_tick(counter)
        if self._told is None:
            return over
        now = asyncio.get_running_loop().time()
        self._told_at = self._told_at or now
        return self._told != signal.SIGTERM or self.force_exit or now >= self._told_at + self._drain_seconds

    @override
    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        self._notice.given = True
        for server in self.servers:
            server.close()
        for listening in sockets or ():
            listening.close()
        state = self.server_state
        await self._read_what_came()
        if self._told == signal.SIGTERM:
            await self._until(lambda: not any(map(_is_new, state.connections)), LINGER_SECONDS)
        await self._read_what_came()
        for connection in list(state.connections):
            connection.shutdown()  # Closes the idle ones, and the others after their answer.
        if not await self._until(lambda: not (state.connections or state.tasks), self._grace_seconds):
            self.exit_code = CUT_OFF
            await self._cut()
        await self.lifespan.shutdown()

    async def _read_what_came(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def _cut(self) -> None:
        """End what does not end by itself."""
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CUT_SECONDS)
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    async def _until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Whether something came true in so many seconds; no longer than until a second signal."""
        ends = asyncio.get_running_loop().time() + seconds
        while not done():
            if self.force_exit or asyncio.get_running_loop().time() >= ends:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals for the length of the block; a stop that was asked for is no death by a signal."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heard = (signal.SIGTERM,) if self._supervised else (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self.handle_exit) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _is_new(connection: object) -> bool:
    """Whether no request has come on it yet."""
    return not getattr(connection, "served", False)

"""A port in front of a server, on which connections go wrong before HTTP begins."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Coroutine
from contextlib import suppress
from threading import Thread
from typing import Any, Self, TypeVar

from tests.support import ports

T = TypeVar("T")

# More than any test has connections at once.
_BACKLOG = 128

# Linger on, for no time: close() then sends RST.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

_CHUNK = 64 * 1024


class Front:
    """Passes connections on to a port of this machine, or treats them badly; it stays on its own port all the time.

    Each change of what it does cuts all connections, as an outage would.

    Args:
        target: The port of the server behind it.
        tls: What it shows to those who connect; None: it speaks no TLS.
    """

    def __init__(self, target: int, *, tls: ssl.SSLContext | None = None) -> None:
        self._target = target
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        # Handshakes that fail are what tests are about, and no news.
        self._loop.set_exception_handler(lambda *_: None)
        self._thread = Thread(target=self._loop.run_forever, name="front", daemon=True)
        self._server: asyncio.Server | None = None
        self._deaf: socket.socket | None = None
        self._held: list[socket.socket] = []
        self._passing: set[asyncio.Task[None]] = set()
        self.port = ports.unused()

    def __enter__(self) -> Self:
        self._thread.start()
        self.forwards()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def forwards(self) -> None:
        """Work as it should."""
        self._serve(self._tls)

    def shows(self, tls: ssl.SSLContext | None) -> None:
        """Forward, but begin each connection in another way."""
        self._serve(tls)

    def refuses(self) -> None:
        """Nobody listens."""
        self._stop()
        self._held.append(self._bound())

    def fills_up(self) -> None:
        """The queue of connections is full, so that a new one hears nothing at all."""
        self._stop()
        listening = self._bound()
        listening.listen(0)
        self._held.append(listening)
        for _ in range(2):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
            self._held.append(one)

    def never_accepts(self) -> None:
        """The system takes connections and what is sent on them, and nobody looks at it."""
        self._stop()
        self._deaf = self._bound()
        self._deaf.listen(_BACKLOG)
        self._deaf.setblocking(False)
        self._held.append(self._deaf)

    def hangs_up(self) -> None:
        """Every connection is broken off as soon as it is made."""
        self._stop()
        listening = self._bound()
        self._server = self._on_loop(asyncio.start_server(self._reset, sock=listening))

    def unheard(self) -> list[bytes]:
        """What has arrived on connections that were never accepted, one piece for each."""
        pieces: list[bytes] = []
        with suppress(BlockingIOError):
            while self._deaf is not None:
                connection, _ = self._deaf.accept()
                connection.setblocking(False)
                with connection, suppress(BlockingIOError):
                    pieces.append(connection.recv(_CHUNK))
        return pieces

    def _serve(self, tls: ssl.SSLContext | None) -> None:
        self._stop()
        self._server = self._on_loop(asyncio.start_server(self._forward, sock=self._bound(), ssl=tls))

    def _stop(self) -> None:
        self._deaf = None
        while self._held:
            self._held.pop().close()
        if self._server is not None:
            self._on_loop(self._closed(self._server))
            self._server = None

    async def _closed(self, server: asyncio.Server) -> None:
        server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)
        await server.wait_closed()

    def _bound(self) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", self.port))
        return bound

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._pass(reader, writer))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)
        await asyncio.wait([task])

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind_reader, behind = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                await asyncio.gather(_pumped(reader, behind), _pumped(behind_reader, writer))
            finally:
                behind.transport.abort()
        finally:
            writer.transport.abort()

    async def _reset(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        writer.transport.abort()


async def _pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(_CHUNK):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass  # One of both has left.
    writer.transport.abort()

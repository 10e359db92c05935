"""The connections to one vendor: how many there are, and who gets one."""

import asyncio
import ssl
from collections import deque
from typing import Final

from clients.connection import Connection

MOST_CONNECTIONS: Final = 100
"""To one vendor: more would not make it answer faster."""

KEEP_ALIVE_SECONDS: Final = 30.0
"""An idle connection is dropped before the usual 60 s of a vendor's load balancer."""

MOST_IDLE: Final = MOST_CONNECTIONS
"""Connections that are kept for the next call. Writes always open one, so that without a bound each would stay."""


class Pool:
    """Connections to one origin.

    A place is given back by whoever took it, however the call ended, so that
    callers who leave cost nothing.

    Args:
        host: A name or an address.
        port: Where it listens.
        tls: Whom to trust; None: plain HTTP.
        most: Connections at once.
    """

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None, most: int = MOST_CONNECTIONS) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._free = most
        self._idle: deque[Connection] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self, *, fresh: bool, connect_seconds: float) -> tuple[Connection, bool]:
        """A usable connection, and whether it was used before.

        Args:
            fresh: Never one that was used before.
            connect_seconds: For waiting, resolving, connecting and the TLS handshake together.

        Raises:
            TimeoutError: It took too long.
            OSError: There is no connection to be had.
        """
        async with asyncio.timeout(connect_seconds):
            await self._place()
            try:
                if not fresh and (idle := self._newest_idle()) is not None:
                    return idle, True
                loop = asyncio.get_running_loop()
                _, connection = await loop.create_connection(
                    Connection, self._host, self._port, ssl=self._tls, server_hostname=self._host if self._tls else None
                )
            except BaseException:
                self._give_back()
                raise
            return connection, False

    def put_back(self, connection: Connection, *, keep: bool) -> None:
        """End the use of a connection that was taken.

        Args:
            connection: The one.
            keep: Whether it may serve again.
        """
        if keep and connection.usable:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
            if len(self._idle) > MOST_IDLE:
                self._idle.popleft().close()
        else:
            connection.close()
        self._give_back()

    def close(self) -> None:
        """Drop all idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def _place(self) -> None:
        if self._free > 0 and not self._waiting:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()  # It was our turn in the very moment in which we left.
            raise

    def _give_back(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)  # The place goes over without becoming free.
                return
        self._free += 1

    def _newest_idle(self) -> Connection | None:
        """The one that was used last, which the vendor is least likely to have closed."""
        oldest = asyncio.get_running_loop().time() - KEEP_ALIVE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_since >= oldest:
                return connection
            connection.close()
        return None

"""The connections to one vendor: which one a call gets."""

import asyncio
import ssl
from collections import deque
from time import monotonic
from typing import Final

from clients.connection import Connection

KEEP_ALIVE_SECONDS: Final = 30.0
"""An idle connection is dropped before the usual 60 s of a vendor's load balancer."""

MOST_IDLE: Final = 80
"""Connections that are kept for the next call: as many as reads and probes, which alone use them, have places. Writes
always open one, so that without a bound each would stay."""


class Pool:
    """Connections to one origin; how many there are at once is for `clients.bulkhead` to say.

    Args:
        host: A name or an address.
        port: Where it listens.
        tls: Whom to trust; None: plain HTTP.
    """

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._idle: deque[Connection] = deque()

    def idle(self) -> Connection | None:
        """The usable one that was used last, which the vendor is least likely to have closed; None: there is none."""
        oldest = monotonic() - KEEP_ALIVE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_since >= oldest:
                return connection
            connection.close()
        return None

    async def open(self, seconds: float) -> Connection:
        """A new one.

        Args:
            seconds: For resolving, connecting and the TLS handshake together.

        Raises:
            TimeoutError: It took too long.
            OSError: There is no connection to be had.
        """
        async with asyncio.timeout(seconds):
            _, connection = await asyncio.get_running_loop().create_connection(
                Connection, self._host, self._port, ssl=self._tls, server_hostname=self._host if self._tls else None
            )
        return connection

    def put_back(self, connection: Connection, *, keep: bool) -> None:
        """End the use of a connection.

        Args:
            connection: The one.
            keep: Whether it may serve again.
        """
        if keep and connection.usable:
            connection.idle_since = monotonic()
            self._idle.append(connection)
            if len(self._idle) > MOST_IDLE:
                self._idle.popleft().close()
        else:
            connection.close()

    def close(self) -> None:
        """Drop all idle connections."""
        while self._idle:
            self._idle.pop().close()

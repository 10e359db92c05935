"""Many who ask for the same list at once, while nothing is kept of it."""

import selectors
import socket
from contextlib import ExitStack
from statistics import median
from time import perf_counter
from typing import Final, Self, cast
from urllib.parse import urlsplit

from bench.compare.contests import SMALL
from bench.compare.figures import Figure
from bench.compare.peers import Server
from bench.prove.caller import Caller

DELAY_MS: Final = 20

PATIENCE_SECONDS: Final = 10.0
"""Without any answer; more than a request may take."""


async def figures(vendor: str, server: Server, *, readers: int, rounds: int) -> list[Figure]:
    """Let them all ask, again and again.

    Args:
        vendor: Its URL.
        server: A gateway that keeps lists.
        readers: At once, each on a connection of its own.
        rounds: How often; the first is not counted.
    """
    calls, factors = [], []
    with Caller(vendor) as control, Caller(server.url, server.token) as caller, Crowd(server, readers) as crowd:
        await control.call("GET", f"/_delay/{DELAY_MS}")
        crowd.ask()
        for _ in range(rounds):
            await caller.call("POST", "/v1/cache/purge", {})
            before = int((await control.call("GET", "/_count")).body)
            factors.append(crowd.ask() * 1000 / DELAY_MS)
            calls.append(int((await control.call("GET", "/_count")).body) - before)
        await control.call("GET", "/_delay/0")
    return [
        Figure(what=f"vendor calls for {readers} cold readers", value=max(calls), must=1, aim=1, places=0),
        Figure(
            what=f"{readers} cold readers, until the last is answered",
            value=median(factors),
            noise=(max(factors) - min(factors)) / 2 / median(factors),
            must=2,
            aim=1.5,
            unit="x",
            how=f"of the vendor's {DELAY_MS} ms; they ask from one process, whose own time is in it",
        ),
    ]


class Crowd:
    """Callers who ask at the same moment, on bare sockets that are open, so that little of the time is theirs.

    Args:
        server: Whom they ask.
        size: How many they are.
    """

    def __init__(self, server: Server, size: int) -> None:
        url = urlsplit(server.url)
        self._address = (url.hostname or "", url.port or 80)
        self._size = size
        self._request = f"GET {SMALL} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {server.token}\r\n\r\n".encode()
        self._stack = ExitStack()
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        for _ in range(self._size):
            connection = self._stack.enter_context(socket.create_connection(self._address))
            self._selector.register(connection, selectors.EVENT_READ)
        return self

    def __exit__(self, *error: object) -> None:
        self._selector.close()
        self._stack.close()

    def ask(self) -> float:
        """Have all of them ask; gives the seconds until the last has its answer.

        Raises:
            RuntimeError: One got no answer, or another than 200.
        """
        began = perf_counter()
        received: dict[socket.socket, bytes] = {}
        for key in self._selector.get_map().values():
            connection = cast("socket.socket", key.fileobj)
            connection.sendall(self._request)
            received[connection] = b""
        while received:
            ready = self._selector.select(PATIENCE_SECONDS)
            if not ready:
                raise RuntimeError(f"{len(received)} readers were not answered")
            for key, _ in ready:
                connection = cast("socket.socket", key.fileobj)
                received[connection] += connection.recv(65536)
                if _whole(received[connection]):
                    del received[connection]
        return perf_counter() - began


def _whole(answer: bytes) -> bool:
    """Whether this is all of an answer.

    Raises:
        RuntimeError: It is another than 200.
    """
    head, end, body = answer.partition(b"\r\n\r\n")
    if end and not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"a reader was answered {head!r}")
    return bool(end) and len(body) >= int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])

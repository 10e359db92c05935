"""Callers who send a request and do not read the answer, as many as a test wants, without a thread for each."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic, sleep
from typing import Final
from urllib.parse import urlsplit

PATIENCE: Final = 60.0
"""Seconds, on a machine that has much else to do."""


@contextmanager
def callers(count: int, method: str, url: str, secret: str) -> Iterator[list[socket.socket]]:
    """So many callers of one route, who have sent their request and hang up at the end of the block."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    head = f"{method} {parts.path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n\r\n".encode()
    with ExitStack() as stack:
        sockets = []
        for _ in range(count):
            sockets.append(stack.enter_context(socket.create_connection((parts.hostname, parts.port or 80))))
            sockets[-1].sendall(head)
        yield sockets


def until(come_true: Callable[[], bool]) -> None:
    """Wait for something to come true."""
    ends = monotonic() + PATIENCE
    while not come_true():
        assert monotonic() < ends, "it did not come true"
        sleep(0.005)

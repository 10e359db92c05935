"""Callers who send a request and do not read the answer, as many as a test wants, without a thread for each."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic, sleep
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

PATIENCE: Final = 60.0
"""Seconds, on a machine that has much else to do."""


@contextmanager
def callers(count: int, method: str, url: str, secret: str, body: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many callers of one route, who have sent their request and hang up at the end of the block.

    Args:
        count: How many.
        method: In upper case.
        url: What they call.
        secret: Their token.
        body: JSON; one with a body has an idempotency key, too.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    head = f"{method} {parts.path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n"
    if body:
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\nidempotency-key: {uuid4()}\r\n"
    request = f"{head}\r\n".encode() + body
    with ExitStack() as stack:
        sockets = []
        for _ in range(count):
            sockets.append(stack.enter_context(socket.create_connection((parts.hostname, parts.port or 80))))
            sockets[-1].sendall(request)
        yield sockets


def until(come_true: Callable[[], bool]) -> None:
    """Wait for something to come true."""
    ends = monotonic() + PATIENCE
    while not come_true():
        assert monotonic() < ends, "it did not come true"
        sleep(0.005)

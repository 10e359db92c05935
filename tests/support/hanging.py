"""Callers who send a request and do not read the answer, as many as a test wants, without a thread for each."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import msgspec

from tests.support.timing import until


@contextmanager
def callers(
    count: int, method: str, url: str, secret: str, body: bytes = b"", key: str | None = None
) -> Iterator[list[socket.socket]]:
    """So many callers of one route, who have sent their request and hang up at the end of the block.

    Args:
        count: How many.
        method: In upper case.
        url: What they call.
        secret: Their token.
        body: JSON; one with a body has an idempotency key, too.
        key: This one; None: a new one.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    head = f"{method} {parts.path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n"
    if body:
        head += (
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\nidempotency-key: {key or uuid4()}\r\n"
        )
    request = f"{head}\r\n".encode() + body
    with ExitStack() as stack:
        sockets = []
        for _ in range(count):
            sockets.append(stack.enter_context(socket.create_connection((parts.hostname, parts.port or 80))))
            sockets[-1].sendall(request)
        yield sockets


def hang_up(
    api: httpx.Client, method: str, path: str, body: object = None, *, key: str | None = None, when: Callable[[], bool]
) -> None:
    """Call as a client would, and hang up.

    Args:
        api: Whose token is used.
        method: In upper case.
        path: What is called.
        body: What is sent as JSON, with an idempotency key.
        key: This one; None: a new one.
        when: The call is so far that its caller hangs up.
    """
    secret = api.headers["authorization"].removeprefix("Bearer ")
    sent = b"" if body is None else msgspec.json.encode(body)
    with callers(1, method, str(api.base_url.join(path)), secret, sent, key):
        until(when)

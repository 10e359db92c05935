"""How large the head of a request may be, seen from the socket."""

import socket
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from gateway.http.bounds import LARGEST_HEAD
from tests.support.gateway import RunningGateway

GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
LAST = b"Connection: close\r\n\r\n"
CHUNKED = b"POST /v1/domains HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"


def answers(gateway: RunningGateway, *parts: bytes) -> bytes:
    """Send bytes as they are until nobody takes them, and read all that comes; nothing if the connection is cut."""
    address = urlsplit(gateway.url)
    answer = b""
    with (
        socket.create_connection((address.hostname, address.port), timeout=5) as connection,
        suppress(ConnectionError),
    ):
        with suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def statuses(answer: bytes) -> list[int]:
    """Of each answer on one connection."""
    return [int(line.split()[0]) for line in answer.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param((GET, b"X: ", b"a" * 70_000, b"\r\n", LAST), id="one line"),
        pytest.param((GET, b"".join(b"X-%d: %b\r\n" % (n, b"a" * 30) for n in range(2000)), LAST), id="many lines"),
        pytest.param((b"GET /", b"a" * 70_000, b" HTTP/1.1\r\nHost: x\r\n", LAST), id="the path"),
        pytest.param((GET, b"X: ", *[b"a" * 1_000_000] * 20), id="without an end"),
        pytest.param((GET + b"\r\n", GET, b"X: ", b"a" * 90_000, b"\r\n", LAST), id="the second request"),
    ],
)
def test_a_head_that_is_too_large_is_not_taken(gateway: RunningGateway, parts: tuple[bytes, ...]) -> None:
    """It is answered 431 or not at all, and the connection ends; the next caller notices nothing."""
    refused = answers(gateway, *parts)
    after = answers(gateway, GET, LAST)

    assert set(statuses(refused)) <= {200, 431}
    assert statuses(refused)[-1:] in ([431], []) or parts[0] == GET + b"\r\n"
    assert statuses(refused).count(200) <= (parts[0] == GET + b"\r\n")
    assert statuses(after) == [200]


def test_a_large_head_is_told_why(gateway: RunningGateway) -> None:
    """Nothing unread is left here, so that the answer is sure to arrive."""
    answer = answers(gateway, GET + b"X: " + b"a" * (LARGEST_HEAD - len(GET) - 3), b"a")

    assert statuses(answer) == [431]
    assert b"connection: close\r\n" in answer
    assert answer.endswith(b"The head of the request is larger than 65536 bytes.")


@pytest.mark.parametrize(("size", "status"), [(LARGEST_HEAD, 200), (LARGEST_HEAD + 1, 431)])
def test_the_bound_is_exact(gateway: RunningGateway, size: int, status: int) -> None:
    """However the bytes fall into packets."""
    filler = b"a" * (size - len(GET) - len(b"X: \r\n") - len(LAST))
    head = GET + b"X: " + filler + b"\r\n" + LAST
    pieces = [head[start : start + 1000] for start in range(0, size, 1000)]

    assert {*statuses(answers(gateway, head)), *statuses(answers(gateway, *pieces))} <= {status}
    assert statuses(answers(gateway, head)) in ([200], [431], [])


def test_each_request_of_a_connection_is_counted_anew(gateway: RunningGateway) -> None:
    """One after the other, and several at once."""
    padded = GET + b"X: " + b"a" * 50_000 + b"\r\n"

    assert statuses(answers(gateway, *[padded + b"\r\n"] * 5, padded + LAST)) == [200] * 6
    assert statuses(answers(gateway, (GET + b"\r\n") * 1000 + GET + LAST)) == [200] * 1001


@pytest.mark.parametrize("framed", [lambda body: body, None], ids=["whole", "chunked"])
def test_bodies_are_no_part_of_it(gateway: RunningGateway, framed: Callable[[bytes], bytes] | None) -> None:
    """A mebibyte is read, as before, and a request after it."""
    _, secret = gateway.token()
    body = b'{"hostname": "' + b"a" * (1024 * 1024 - 16) + b'"}'
    head = b"POST /v1/domains HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer %b\r\n"
    if framed is not None:
        sent = [head % secret.encode() + b"Content-Length: %d\r\n\r\n" % len(body), body]
    else:
        half = len(body) // 2
        chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:])]
        sent = [head % secret.encode() + b"Transfer-Encoding: chunked\r\n\r\n", *chunks, b"0\r\nX-Sum: 1\r\n\r\n"]

    assert statuses(answers(gateway, *sent, GET, LAST)) == [422, 200]


def test_trailers_have_the_same_bound(gateway: RunningGateway) -> None:
    """What stands behind a chunked body is kept by the parser, too."""
    _, secret = gateway.token()
    head = CHUNKED + b"Authorization: Bearer %b\r\n\r\n" % secret.encode()

    cut = answers(gateway, head, b"2\r\n{}\r\n0\r\nX: ", *[b"a" * 1_000_000] * 20)

    assert statuses(cut) == []

"""Streams of requests, in whatever packets they come."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from random import Random
from time import sleep
from typing import Final
from uuid import uuid4

import msgspec
import pytest

from clients.sandbox.emulator import Sandbox
from tests.support.gateway import Tenant
from tests.support.sockets import LIST, PATH, Caller, Watched, caller, get, shown

STREAMS: Final = 60

Sent = tuple[bytes, int, int | None]
"""A request, the status of its answer, and whose list that holds; None: it holds none."""


class Shop:
    """A tenant whose list tells it from others."""

    def __init__(self, running: Watched, sandbox: Sandbox, number: int) -> None:
        self.tenant = Tenant(f"t{uuid4().hex[:12]}", running, sandbox)
        with self.tenant.client() as owner:
            made = owner.post(PATH, json={"ident": f"own-{number}", "feature_type": "consumable"})
            assert made.status_code == 201
            self.rows = owner.get(PATH).json()["data"]
        self.head = get(shown(self.tenant))
        self._loads = 0

    def renew(self, random: Random) -> None:
        """Have the list loaded anew, in a moment or in a while."""
        if (loads := self.tenant.calls(LIST)) > self._loads:  # The last one that was slow is over.
            self._loads = loads
            self.tenant.fails(LIST, "latency", seconds=random.choice([0.01, 0.05, 0.1]), times=1)
        with self.tenant.client() as owner:
            assert owner.post("/v1/cache/purge", json={}).status_code == 200


def requests(shops: list[Shop], random: Random) -> list[Sent]:
    """Some, most of them such as are known, or hold one that is."""
    number = random.randrange(len(shops))
    head = shops[number].head
    kinds: list[Callable[[], Sent]] = [
        *[lambda: (head, 200, number)] * 6,
        lambda: (b"\r\n" + head, 200, number),
        lambda: (head.replace(b"Host: x", b"Host: x\r\nX-A: %d" % random.randrange(3)), 200, number),
        lambda: (head.replace(b"Host: x", b"Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c"), 200, number),
        lambda: (b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", 200, None),
        lambda: (
            b"POST /v1/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head),
            404,
            None,
        ),
        lambda: (
            b"POST /v1/nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
            % (len(head), head),
            404,
            None,
        ),
        lambda: (
            b"POST /v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(head), head),
            404,
            None,
        ),
    ]
    return [random.choice(kinds)() for _ in range(random.randrange(1, 12))]


def packets(stream: list[Sent], random: Random) -> list[bytes]:
    """The bytes of all of them, cut between most, and anywhere."""
    data = b"".join(request for request, _, _ in stream)
    ends, at = set(), 0
    for request, _, _ in stream:
        at += len(request)
        ends.add(at)
    cuts = {end for end in ends if random.random() < 0.7} | {random.randrange(len(data)) for _ in range(4)}
    return [data[begin:end] for begin, end in pairwise(sorted(cuts | {0, len(data)}))]


def answered(one: Caller, stream: list[Sent], shops: list[Shop]) -> None:
    """Each request has its own answer."""
    for request, status, number in stream:
        found, _, body = one.answer()
        assert found == status, (request, body)
        rows = msgspec.json.decode(body).get("data") if body else None
        assert rows == (shops[number].rows if number is not None else None), request


@pytest.mark.parametrize("seed", range(3))
def test_each_request_has_its_own_answer(watched: Watched, sandbox: Sandbox, seed: int) -> None:
    """In order, and of its own tenant, while what is kept is dropped and loaded anew all the time."""
    shops = [Shop(watched, sandbox, number) for number in range(3)]

    def exchanged(number: int) -> None:
        random = Random(f"{seed} {number}")  # noqa: S311 - the same each time
        with caller(watched) as one:
            one.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(4):
                stream = requests(shops, random)
                for packet in packets(stream, random):
                    one.send(packet)
                    sleep(random.choice([0, 0, 0.001, 0.005, 0.02]))
                answered(one, stream, shops)

    with ThreadPoolExecutor(9) as pool:
        streams = [pool.submit(exchanged, number) for number in range(STREAMS)]
        random = Random(seed)  # noqa: S311 - as above
        while not all(stream.done() for stream in streams):
            random.choice(shops).renew(random)
            sleep(0.03)
        for stream in streams:
            stream.result()

    assert watched.known > STREAMS

"""Answers that are sent while the request is still being read, seen from the socket."""

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from clients.sandbox.emulator import Sandbox
from clients.secret import Secret
from gateway.http.bounds import MOST_WAITING, STEP
from gateway.http.connection import LONGEST_HEAD, MOST_HEADS, Connection
from gateway.serving import server
from gateway.settings import Settings
from tests.support.gateway import Tenant
from tests.support.sockets import LIST, PATH, Caller, Watched, caller, get, known_head, sent_again, shown
from tests.support.timing import until


@pytest.fixture
def secret(watched: Watched, sandbox: Sandbox) -> str:
    """Of a caller to whom the list has been shown."""
    return shown(Tenant(f"t{uuid4().hex[:12]}", watched, sandbox))


def sent_at_once(running: Watched, one: Caller, secret: str) -> tuple[int, dict[str, str], bytes]:
    """An answer that was at hand, as it is within half a second after one that was not."""
    answers = []

    def at_once() -> bool:
        before = running.tasks
        one.send(get(secret))
        answers.append(one.answer())
        return running.tasks == before

    until(at_once)
    return answers[-1]


def test_what_is_at_hand_becomes_no_task(watched: Watched, secret: str) -> None:
    """The same answer as by the way that waits, and of the same form."""
    with caller(watched) as one:
        at_once = sent_at_once(watched, one, secret)
        before = watched.tasks
        one.send(get(secret, PATH, "X-A: 1", "X-A: 2"))
        by_task = one.answer()

    assert watched.tasks == before + 1
    assert at_once[0] == by_task[0] == 200
    assert list(at_once[1]) == list(by_task[1])
    assert at_once[2] == by_task[2]
    assert at_once[1]["x-request-id"] != by_task[1]["x-request-id"]


def test_a_head_that_is_known_is_not_parsed_again(watched: Watched, secret: str) -> None:
    """Its answer has the same form, and is a new one."""
    with caller(watched) as one:
        head = known_head(watched, one, secret)
        one.send(get(secret, PATH, "X-A: 1"))
        parsed = one.answer()
        before, known = watched.tasks, watched.known
        one.send(head)
        again = one.answer()

    assert (watched.known, again[0], again[2]) == (known + 1, 200, parsed[2])
    assert list(again[1]) == list(parsed[1])
    assert again[1]["x-request-id"] != parsed[1]["x-request-id"]
    assert watched.tasks <= before + 1


def test_heads_are_known_within_bounds(watched: Watched, secret: str) -> None:
    """Of one connection a few, none of them long."""
    with caller(watched) as one:
        for number in range(3 * MOST_HEADS):
            for _ in range(3):
                assert sent_again(one, get(secret, PATH, f"X-A: {number}"))
                assert sent_again(one, get(secret, PATH, f"X-A: {'a' * LONGEST_HEAD}{number}"))
        known = [each._known for each in gc.get_objects() if isinstance(each, Connection)]  # noqa: SLF001 - nothing outside tells

    assert max(len(heads) for heads in known) == MOST_HEADS
    assert all(len(head) <= LONGEST_HEAD for heads in known for head in heads)


@pytest.mark.parametrize(
    ("begun", "status"),
    [
        pytest.param(b"GET /health/live HTTP/1.1\r\nX-A: ", 200, id="in a header"),
        pytest.param(b"POST /v1/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 404, id="in a body"),
        pytest.param(
            b"POST /v1/nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", 404, id="in a chunk"
        ),
    ],
)
def test_a_known_head_within_a_request_is_none(watched: Watched, secret: str, begun: bytes, status: int) -> None:
    """What a request holds is never taken for another one, in whatever packets it comes."""
    with caller(watched) as one:
        head = known_head(watched, one, secret)
        begun = begun % len(head) if b"%" in begun else begun
        one.send(begun)
        until(lambda: any(not each._between for each in gc.get_objects() if isinstance(each, Connection)))  # noqa: SLF001 - nothing outside tells
        one.send(head)
        one.send(b"\r\n0\r\n\r\n" if b"chunked" in begun else b"")
        first = one.answer()
        one.send(head)
        second = one.answer()

    assert first[0] == status
    assert b'"data"' not in first[2]
    assert second[0] == 200
    assert b'"data"' in second[2]


def test_what_came_with_a_head_is_no_part_of_it(watched: Watched, secret: str) -> None:
    """Two requests in one packet stay two, however often they come."""
    both = get(secret, PATH, f"X-A: {uuid4()}") + get(secret, "/v1/nothing")
    with caller(watched) as one:
        for _ in range(3):
            one.send(both)
            assert [one.answer()[0] for _ in range(2)] == [200, 404]


def test_answers_keep_the_order_of_their_requests(watched: Watched, secret: str, sandbox: Sandbox) -> None:
    """One that is at hand waits for those that were asked for before it on the same connection."""
    slow = Tenant(f"t{uuid4().hex[:12]}", watched, sandbox)
    slow.fails(LIST, "latency", seconds=0.3, times=1)
    _, other = watched.token(tenant=slow.name)
    with caller(watched) as one:
        one.send(get(secret), get(other), get(secret), get(secret, "/v1/nothing"), get(secret), get(secret))
        answers = [one.answer() for _ in range(6)]

    assert [status for status, _, _ in answers] == [200, 200, 200, 404, 200, 200]
    assert ["fwd=miss" in headers.get("cache-status", "") for _, headers, _ in answers] == [
        False,
        True,
        False,
        False,
        False,
        False,
    ]


def test_a_request_may_come_in_pieces(watched: Watched, secret: str) -> None:
    """Of one byte each; it is answered after the last."""
    with caller(watched) as one:
        for _ in range(2):
            for byte in get(secret):
                one.send(bytes([byte]))
            assert one.answer()[0] == 200


@pytest.mark.parametrize(
    ("request_", "shown"),
    [
        pytest.param({"more": ("Connection: close",)}, "close", id="close"),
        pytest.param({"version": "1.0"}, "close", id="HTTP/1.0"),
    ],
)
def test_a_connection_ends_where_the_caller_wants_it(
    watched: Watched, secret: str, request_: dict[str, Any], shown: str
) -> None:
    """After the answer."""
    with caller(watched) as one:
        one.send(get(secret, PATH, *request_.pop("more", ()), **request_))
        status, headers, body = one.answer()

        assert (status, headers["connection"], bool(body)) == (200, shown, True)
        assert one.ended


@pytest.mark.parametrize(
    ("more", "body"),
    [
        pytest.param("Content-Length: 2", b"{}", id="body"),
        pytest.param("Transfer-Encoding: chunked", b"2\r\n{}\r\n0\r\n\r\n", id="chunked"),
        pytest.param("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings", b"", id="upgrade"),
    ],
)
def test_what_is_more_than_a_head_is_read_to_its_end(watched: Watched, secret: str, more: str, body: bytes) -> None:
    """And never taken for the next request."""
    with caller(watched) as one:
        one.send(get(secret, PATH, more), body)
        assert one.answer()[0] == 200
        one.send(get(secret))
        assert one.answer()[0] == 200


def test_who_does_not_read_is_waited_for(watched: Watched, secret: str) -> None:
    """Answers are not heaped up for it, and none is lost."""
    asked = 20_000
    with caller(watched) as one, ThreadPoolExecutor(1) as sender:
        before = watched.tasks
        sending = sender.submit(one.send, get(secret) * asked)
        until(lambda: watched.tasks > before)  # Nothing more is sent at once: writing has to wait.
        answers = [one.answer()[0] for _ in range(asked)]
        sending.result()

    assert answers == [200] * asked


def test_many_requests_in_one_packet_let_others_have_their_turn(watched: Watched, secret: str) -> None:
    """Some are answered at once, the rest one by one."""
    with caller(watched) as one:
        sent_at_once(watched, one, secret)
        before = watched.tasks
        one.send(get(secret) * 100)
        answers = [one.answer()[0] for _ in range(100)]

    assert answers == [200] * 100
    assert watched.tasks - before >= 50


def test_requests_are_not_heaped_up(watched: Watched) -> None:
    """Who sends more than is answered is not read from for a while, token or not; others are served meanwhile."""
    request_ = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    most = 0
    with caller(watched) as one, caller(watched) as other, suppress(TimeoutError):
        one.connection.settimeout(1)
        for _ in range(30):
            one.connection.send(request_ * 1000)
            other.send(request_)
            assert other.answer()[0] == 200
            waiting = sum(len(each.pipeline) for each in gc.get_objects() if isinstance(each, Connection))
            most = max(most, waiting)

    assert 0 < most <= MOST_WAITING + STEP // len(request_)


@pytest.fixture
def brief(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """A gateway that ends a connection on which nothing came for half a second."""
    monkeypatch.setattr(server, "KEEP_ALIVE_SECONDS", 0.5)
    own = msgspec.structs.replace(settings, database_url=Secret(f"sqlite:///{tmp_path / 'gateway.db'}"))
    with Watched(own) as running:
        yield running


def test_an_idle_connection_ends(brief: Watched, sandbox: Sandbox) -> None:
    """Also if all its answers were at hand."""
    secret = shown(Tenant(f"t{uuid4().hex[:12]}", brief, sandbox))
    with caller(brief) as one:
        sent_at_once(brief, one, secret)

        assert one.ended


def test_a_request_that_arrives_slowly_is_waited_for(brief: Watched, sandbox: Sandbox) -> None:
    """Its connection is not idle, however long the answer before is past."""
    secret = shown(Tenant(f"t{uuid4().hex[:12]}", brief, sandbox))
    with caller(brief) as one:
        sent_at_once(brief, one, secret)
        for byte in get(secret):
            one.send(bytes([byte]))
            sleep(0.01)  # It takes a second, twice as long as a connection may be idle.

        assert one.answer()[0] == 200


def test_a_connection_in_use_goes_on(brief: Watched, sandbox: Sandbox) -> None:
    """However long; and a slow answer is waited for."""
    tenant = Tenant(f"t{uuid4().hex[:12]}", brief, sandbox)
    secret = shown(tenant)
    ends = monotonic() + 1.5
    with caller(brief) as one:
        while monotonic() < ends:
            one.send(get(secret))
            assert one.answer()[0] == 200
        tenant.fails(LIST, "latency", seconds=1.2, times=1)
        one.send(get(secret, PATH, "Cache-Control: no-cache"))
        assert one.answer()[0] == 200
        one.send(get(secret))
        assert one.answer()[0] == 200
        assert one.ended


def test_line_ends_between_known_heads_do_not_end_a_connection(watched: Watched, sandbox: Sandbox) -> None:
    """Each request begins a new count of what its head may hold, parsed or not."""
    secret = shown(Tenant(f"t{uuid4().hex[:12]}", watched, sandbox))
    with caller(watched) as one:
        head = known_head(watched, one, secret)
        for _ in range(5):
            one.send(b"\r\n" * 7000)
            sleep(0.1)  # So that the head comes in a packet of its own.
            one.send(head)
            assert one.answer()[0] == 200


def test_what_can_not_be_read_is_no_answer_to_those_before(watched: Watched, sandbox: Sandbox) -> None:
    """Or the one before, which is being served, would seem to be refused; the connection ends after it."""
    tenant = Tenant(f"t{uuid4().hex[:12]}", watched, sandbox)
    secret = shown(tenant)
    with tenant.client() as owner:
        assert owner.post("/v1/cache/purge", json={}).status_code == 200
    with caller(watched) as one:
        one.send(get(secret), b"\x00\r\n\r\n")
        assert one.answer()[0] == 200


@pytest.mark.parametrize(
    "begun", [b"", b"\r\n", b"GET /health/live HTTP/1.1\r\nHost"], ids=["nothing", "a line end", "half a head"]
)
@pytest.mark.parametrize("before", [b"", b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["new", "used"])
def test_who_goes_on_sending_nothing_is_left(brief: Watched, before: bytes, begun: bytes) -> None:
    """Whatever was begun: an open connection is a place that another could have."""
    with caller(brief) as one:
        if before:
            one.send(before)
            assert one.answer()[0] == 200
        one.send(begun)
        assert one.ended

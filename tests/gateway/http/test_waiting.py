"""Requests that wait for what somebody else has asked for, seen from the socket: they are no task meanwhile."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from clients.sandbox.emulator import Sandbox
from clients.secret import Secret
from gateway.serving import server
from gateway.settings import Settings
from tests.support.gateway import Tenant
from tests.support.sockets import LIST, Caller, Watched, caller, get, known_head, shown
from tests.support.timing import until


def places(running: Watched) -> int:
    """How many requests are being answered, those that wait among them."""
    edge: Any = running.app
    in_flight: int = edge._shortcut._load._in_flight  # noqa: SLF001 - no answer tells, for to ask is one more
    return in_flight


@contextmanager
def crowd(
    running: Watched, sandbox: Sandbox, size: int, *, seconds: float = 0.5, fails: bool = False
) -> Iterator[tuple[Tenant, bytes, list[Caller]]]:
    """Callers who wait for a list that one before them has asked for; gives what each has sent, too.

    Args:
        running: Whom they ask.
        sandbox: The vendor.
        size: How many wait.
        seconds: How long the vendor takes.
        fails: Whether it fails after that.
    """
    tenant = Tenant(f"t{uuid4().hex[:12]}", running, sandbox)
    secret = shown(tenant)
    with ExitStack() as stack:
        first, *others = [stack.enter_context(caller(running)) for _ in range(size + 1)]
        head, *_ = [known_head(running, one, secret) for one in (first, *others)]
        with tenant.client() as owner:
            assert owner.post("/v1/cache/purge", json={}).status_code == 200
        tenant.fails(LIST, "latency", seconds=seconds, times=1)
        if fails:
            tenant.fails(LIST, "status", status=500)
        calls, tasks = tenant.calls(LIST), running.tasks
        first.send(head)
        until(lambda: tenant.calls(LIST) > calls and running.tasks > tasks)
        busy = places(running)
        for other in others:
            other.send(head)
        until(lambda: places(running) == busy + size)
        assert running.tasks == tasks + 1
        yield tenant, head, [first, *others]


def test_who_waits_becomes_no_task(watched: Watched, sandbox: Sandbox) -> None:
    """All get the one answer, each counts once, and none holds its place for longer."""
    with crowd(watched, sandbox, 20) as (tenant, _, waiting):
        calls = tenant.calls(LIST)
        answers = [one.answer() for one in waiting]
        until(lambda: places(watched) == 0)

    assert [status for status, _, _ in answers] == [200] * 21
    assert len({body for _, _, body in answers}) == 1
    assert ["; collapsed" in headers["cache-status"] for _, headers, _ in answers] == [False] + [True] * 20
    assert len({headers["x-request-id"] for _, headers, _ in answers}) == 21
    assert all(_total_ms(headers) > 100 for _, headers, _ in answers)
    assert tenant.calls(LIST) == calls


def test_each_counts_once(settings: Settings, sandbox: Sandbox, tmp_path: Path) -> None:
    """Also where the load fails, and each is told on the long way, with the time that it has waited."""
    own = {"limit_per_minute": 1000, "database_url": Secret(f"sqlite:///{tmp_path / 'gateway.db'}")}
    with Watched(msgspec.structs.replace(settings, **own)) as running:
        with crowd(running, sandbox, 8) as (_, _, waiting):
            answered = [one.answer() for one in waiting]
        with crowd(running, sandbox, 8, fails=True) as (_, _, waiting):
            refused = [one.answer() for one in waiting]
        until(lambda: places(running) == 0)

    assert {status for status, _, _ in answered} == {200}
    assert {status for status, _, _ in refused} == {502}
    assert all(_total_ms(headers) > 300 for _, headers, _ in refused)
    for answers in (answered, refused):
        left = [_left(headers) for _, headers, _ in answers]
        assert sorted(left) == list(range(max(left) - 8, max(left) + 1))


def _left(headers: dict[str, str]) -> int:
    """What is left of the caller's limit."""
    return int(headers["ratelimit"].partition("r=")[2].partition(";")[0])


def _total_ms(headers: dict[str, str]) -> float:
    return float(headers["server-timing"].partition("dur=")[2].partition(",")[0])


def test_what_is_sent_meanwhile_is_answered_after_it(watched: Watched, sandbox: Sandbox) -> None:
    """In the order of the requests, whatever they ask, in whatever pieces."""
    with crowd(watched, sandbox, 1) as (_, head, (_, one)):
        secret = head.partition(b"Bearer ")[2].partition(b"\r\n")[0].decode()
        one.send(get(secret, "/v1/nothing")[:20])
        sleep(0.05)  # So that it comes in pieces.
        one.send(get(secret, "/v1/nothing")[20:], head, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", head)
        answers = [one.answer() for _ in range(5)]

    assert [status for status, _, _ in answers] == [200, 404, 200, 200, 200]
    assert [b'"data"' in body for _, _, body in answers] == [True, False, True, False, True]


def test_who_leaves_takes_nothing_along(watched: Watched, sandbox: Sandbox) -> None:
    """The others are answered, and the places are free again."""
    with crowd(watched, sandbox, 10) as (_, _, waiting):
        for one in waiting[1:6]:
            one.read.close()
            one.connection.close()
        answers = [one.answer()[0] for one in waiting[6:]]
        until(lambda: places(watched) == 0)

    assert answers == [200] * 5


def test_a_load_that_is_outdated_answers_those_who_waited(watched: Watched, sandbox: Sandbox) -> None:
    """But is not kept: who asks after the purge is answered anew."""
    with crowd(watched, sandbox, 5, seconds=1.0) as (tenant, head, waiting):
        with tenant.client() as owner:
            assert owner.post("/v1/cache/purge", json={}).status_code == 200
        calls = tenant.calls(LIST)
        with caller(watched) as later:
            later.send(head)
            until(lambda: tenant.calls(LIST) > calls)
            assert later.answer()[0] == 200
        answers = [one.answer()[0] for one in waiting]

    assert answers == [200] * 6


def test_a_stop_waits_for_those_who_wait(
    settings: Settings, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their connections end with the answers."""
    monkeypatch.setattr(server, "GRACE_SECONDS", 60.0)
    own = msgspec.structs.replace(settings, database_url=Secret(f"sqlite:///{tmp_path / 'gateway.db'}"))
    with ExitStack() as running_, ThreadPoolExecutor(1) as thread:
        running = running_.enter_context(Watched(own))
        with crowd(running, sandbox, 5, seconds=1.0) as (_, _, waiting):
            stopping = thread.submit(running_.close)
            answers = [one.answer()[0] for one in waiting]
            assert all(one.ended for one in waiting)
            stopping.result()

    assert answers == [200] * 6


def test_who_waits_is_not_idle(
    settings: Settings, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection goes on while its request waits, and ends some time after the answer."""
    monkeypatch.setattr(server, "KEEP_ALIVE_SECONDS", 0.3)
    own = msgspec.structs.replace(settings, database_url=Secret(f"sqlite:///{tmp_path / 'gateway.db'}"))
    with Watched(own) as running, crowd(running, sandbox, 2, seconds=1.5) as (_, head, waiting):
        assert [one.answer()[0] for one in waiting] == [200] * 3
        waiting[1].send(head)
        assert waiting[1].answer()[0] == 200
        assert all(one.ended for one in waiting)


def test_who_waits_keeps_to_the_deadline(settings: Settings, sandbox: Sandbox, tmp_path: Path) -> None:
    """Counted from when the request came, not from when what it has waited for was there."""
    own = {"deadline_seconds": 2.0, "database_url": Secret(f"sqlite:///{tmp_path / 'gateway.db'}")}
    with Watched(msgspec.structs.replace(settings, **own)) as running:
        tenant = Tenant(f"t{uuid4().hex[:12]}", running, sandbox)
        secret = shown(tenant)
        with tenant.client() as owner, caller(running) as first, caller(running) as other:
            path = "/v1/domains?expand=readiness&limit=1"
            head, _ = [known_head(running, one, secret, path) for one in (first, other)]
            assert owner.post("/v1/cache/purge", json={}).status_code == 200
            tenant.fails("GET /domains", "latency", seconds=1.5, times=1)
            tenant.fails("GET /domains/{domain}", "latency", seconds=20)
            calls = tenant.calls("GET /domains")
            first.send(head)
            until(lambda: tenant.calls("GET /domains") > calls)
            at = monotonic()
            other.send(head)
            first.answer()
            _, headers, _ = other.answer()
            took = monotonic() - at

    assert took < 3.0  # Of 3.5 that it would take from then on.
    assert _total_ms(headers) > 1500  # With what it has waited.

"""Requests whose handlers are called without a router, seen from the socket: in order, and until a process stops."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any, Final
from uuid import uuid4

import pytest

from clients.sandbox.emulator import Sandbox
from clients.sandbox.server import SandboxServer
from gateway.serving import server
from gateway.settings import Settings
from gateway.shortcut import MOST_WAYS
from tests.support.gateway import Tenant
from tests.support.routing import Both, own, places
from tests.support.sockets import LIST, PATH, caller, get, known_head, sent_again, shown
from tests.support.timing import until

LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def watched(keeps_nothing: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """A gateway that keeps nothing."""
    with Both(own(keeps_nothing, tmp_path_factory.mktemp("sockets"), log_level="warning")) as running:
        yield running


@pytest.fixture
def shop(watched: Both, sandbox: Sandbox) -> Tenant:
    """A tenant of it that no other test knows."""
    return Tenant(f"t{uuid4().hex[:12]}", watched, sandbox)


def test_a_known_head_is_neither_parsed_nor_routed(watched: Both, shop: Tenant) -> None:
    """It is a task, and asks the vendor."""
    with caller(watched) as one:
        head = known_head(watched, one, shown(shop))
        before = (watched.routed, watched.known, watched.tasks, shop.calls(LIST))
        answers = []
        for _ in range(5):
            one.send(head)
            answers.append(one.answer())
        after = (watched.routed, watched.known, watched.tasks, shop.calls(LIST))

    assert [status for status, _, _ in answers] == [200] * 5
    assert len({headers["x-request-id"] for _, headers, _ in answers}) == 5
    assert [now - then for now, then in zip(after, before, strict=True)] == [0, 5, 5, 5]


def test_what_is_sent_together_is_answered_in_order(watched: Both, shop: Tenant, sandbox: Sandbox) -> None:
    """Whatever way each goes, and however long it takes."""
    secret = shown(shop)
    paths = [
        PATH,
        "/v1/domains",
        "/v1/nothing",
        "/v1/me",
        f"{PATH}?limit=1",
        "/v1/price-points/lifetime",
        "/v1/domains",
    ]
    with caller(watched) as one:
        for path in paths:
            one.send(get(secret, path))
            one.answer()
        for operation in (LIST, "GET /domains"):
            shop.fails(operation, "latency", seconds=0.2, times=2)
        before = watched.routed
        one.send(*(get(secret, path) for path in paths), LIVE, get(secret, PATH, "X-A: 1", "X-A: 2"), get(secret))
        answers = [one.answer() for _ in range(len(paths) + 3)]

    assert [status for status, _, _ in answers] == [200, 200, 404, 200, 200, 200, 200, 200, 200, 200]
    kinds = [_kind(body) for _, _, body in answers]
    assert kinds == [
        *("feature_type", "hostname", "code", "scopes", "feature_type", "lifetime_price", "hostname"),
        *("status", "feature_type", "feature_type"),
    ]
    assert watched.routed - before == 4
    assert sandbox is not None


def _kind(body: bytes) -> str:
    """What an answer is about."""
    names = ("feature_type", "hostname", "lifetime_price", "scopes", "code", "status")
    return next(name for name in names if b'"%b"' % name.encode() in body)


def test_nothing_of_one_request_is_told_of_another(
    keeps_nothing: Settings, sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also where one begins within the context of the one before it: each has its own lines, and its own attempts."""
    with Both(own(keeps_nothing, tmp_path)) as running:
        tenant = Tenant(f"t{uuid4().hex[:12]}", running, sandbox)
        secret = shown(tenant)
        with caller(running) as one:
            known_head(running, one, secret)
            capfd.readouterr()
            one.send(
                get(secret), get(secret, PATH, "X-A: 1", "X-A: 2"), get(secret), get(secret, "/v1/me"), get(secret)
            )
            answers = [one.answer() for _ in range(5)]
            one.send(get(secret))
            answers.append(one.answer())

    asked = [headers["x-request-id"] for _, headers, _ in answers]
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    lines = [line for line in lines if line["request_id"] in asked]  # Those before are written a moment later.
    told = [line for line in lines if line["event"] == "request"]
    assert [line["request_id"] for line in told] == asked
    assert [line.get("attempts") for line in told] == [1, 1, 1, None, 1, 1]
    assert len({line["trace_id"] for line in told}) == 6
    attempts = [line["request_id"] for line in lines if line["event"] == "upstream attempt"]
    assert attempts == [name for name, line in zip(asked, told, strict=True) if "attempts" in line]
    for line in lines:
        assert line["trace_id"] in {each["trace_id"] for each in told if each["request_id"] == line["request_id"]}


def test_what_comes_while_a_known_head_is_served_is_answered_after_it(watched: Both, shop: Tenant) -> None:
    """In whatever pieces, and with no second task beside the first on one connection."""
    secret = shown(shop)
    with caller(watched) as one:
        head = known_head(watched, one, secret)
        for _ in range(2):
            calls = shop.calls(LIST)
            shop.fails(LIST, "latency", seconds=1.0, times=1)
            one.send(head)
            until(lambda calls=calls: shop.calls(LIST) == calls + 1)  # type: ignore[misc]  # its default is what binds it
            one.send(head, get(secret, "/v1/nothing")[:20])
            one.send(get(secret, "/v1/nothing")[20:], LIVE, head, get(secret, "/v1/me"))
            assert shop.calls(LIST) == calls + 1
            answers = [one.answer() for _ in range(6)]

            assert [status for status, _, _ in answers] == [200, 200, 404, 200, 200, 200]
            assert [_kind(body) for _, _, body in answers] == [
                *("feature_type", "feature_type", "code", "status", "feature_type", "scopes")
            ]


def test_a_flood_meanwhile_is_neither_lost_nor_heaped_up(watched: Both, shop: Tenant) -> None:
    """Nothing is read on while a request waits that was not parsed; all of it is answered then."""
    with caller(watched) as one, ThreadPoolExecutor(1) as sender:
        head = known_head(watched, one, shown(shop))
        calls = shop.calls(LIST)
        shop.fails(LIST, "latency", seconds=0.5, times=1)
        one.send(head)
        until(lambda: shop.calls(LIST) == calls + 1)
        sending = sender.submit(one.send, LIVE * 20_000)
        answers = [one.answer()[0] for _ in range(20_001)]
        sending.result()

    assert answers == [200] * 20_001


def test_who_leaves_in_the_middle_leaves_nothing_behind(watched: Both, shop: Tenant) -> None:
    """Neither a place nor a task; others on their own connections are answered."""
    secret = shown(shop)
    with ExitStack() as stack:
        callers = [stack.enter_context(caller(watched)) for _ in range(6)]
        head, *_ = [known_head(watched, one, secret) for one in callers]
        until(lambda: places(watched) == 0)
        calls = shop.calls(LIST)
        shop.fails(LIST, "latency", seconds=0.5, times=6)
        for one in callers:
            one.send(head)
        until(lambda: shop.calls(LIST) == calls + 6)
        for one in callers[:3]:
            one.send(head)  # Comes while the first waits, and is never answered.
            one.read.close()
            one.connection.close()
        answers = [one.answer()[0] for one in callers[3:]]
        until(lambda: places(watched) == 0)

    assert answers == [200] * 3
    assert calls + 6 <= shop.calls(LIST) <= calls + 9


def test_a_failure_leaves_the_connection_as_it_was(watched: Both, shop: Tenant) -> None:
    """The next request on it is answered, and known."""
    with caller(watched) as one:
        head = known_head(watched, one, shown(shop))
        shop.fails(LIST, "status", status=400, times=1)
        one.send(head)
        failed = one.answer()
        before = (watched.routed, watched.known)
        one.send(head)
        answered = one.answer()

    assert (failed[0], answered[0]) == (422, 200)
    assert (watched.routed, watched.known) == (before[0], before[1] + 1)


def test_a_way_that_is_forgotten_meanwhile_is_gone_to_its_end(
    watched: Both, shop: Tenant, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Others may ask so much between a look and the task that follows it that there is no room for all ways."""
    edge: Any = watched.app
    look = edge.at_once

    def flooded(*asked: Any) -> Any:
        found = look(*asked)
        for number in range(MOST_WAYS):  # As many requests would do the same.
            scope = {"raw_path": PATH.encode(), "query_string": b"flood=%d" % number, "path_template": PATH}
            edge._shortcut.learn(scope, None, None, "")  # noqa: SLF001 - as above
        return found

    with caller(watched) as one:
        head = known_head(watched, one, shown(shop))
        before = watched.routed
        with monkeypatch.context() as patched:
            patched.setattr(edge, "at_once", flooded)
            one.send(head)
            assert one.answer()[0] == 200

        assert watched.routed == before
        assert sent_again(one, head)
    assert "crashed" not in capfd.readouterr().err


def test_who_waits_is_not_idle(keeps_nothing: Settings, sandbox: Sandbox, tmp_path: Path, monkeypatch: Any) -> None:
    """However long the vendor takes; after the answer the connection ends as others do."""
    monkeypatch.setattr(server, "KEEP_ALIVE_SECONDS", 0.3)
    with Both(own(keeps_nothing, tmp_path)) as running:
        tenant = Tenant(f"t{uuid4().hex[:12]}", running, sandbox)
        with caller(running) as one:
            head = known_head(running, one, shown(tenant))
            tenant.fails(LIST, "latency", seconds=1.5, times=1)
            one.send(head)

            assert one.answer()[0] == 200
            assert sent_again(one, head)
            assert one.ended


def test_the_time_of_one_request_is_not_the_next_ones(keeps_nothing: Settings, tmp_path: Path) -> None:
    """Where one that moves money, which may take longer, came just before a read on the same connection."""
    body = b'{"order_id": "5b8efff7-9803-4103-a269-b633813fc60c", "payment_method_token": "pmt_ok"}'
    changed: dict[str, Any] = {"deadline_seconds": 1.0, "money_deadline_seconds": 20.0}
    with SandboxServer() as vendor, Both(own(keeps_nothing, tmp_path, sandbox=vendor.url, **changed)) as running:
        tenant = Tenant("patient", running, vendor.sandbox)
        secret = shown(tenant)
        head = get(secret, "/v1/checkout/payments", "Content-Type: application/json", f"Content-Length: {len(body)}")
        money = head.replace(b"GET", b"POST", 1) + body
        with caller(running) as one:
            read = known_head(running, one, secret)
            tenant.fails(LIST, "latency", seconds=60)
            one.send(money, read)
            together = [one.answer() for _ in range(2)]
            one.send(read)
            alone = one.answer()
        vendor.stop()

    assert b"idempotency_key_required" in together[0][2]
    assert [status for status, _, _ in together] == [400, 504]
    assert alone[0] == 504
    assert [_total_ms(headers) < 5000 for _, headers, _ in (together[1], alone)] == [True, True]


def _total_ms(headers: dict[str, str]) -> float:
    return float(headers["server-timing"].partition("dur=")[2].partition(",")[0])


def test_what_was_never_answered_counts_once(keeps_nothing: Settings, sandbox: Sandbox, tmp_path: Path) -> None:
    """It is known who asks for what, but not who answers: it is routed, known head or not."""
    with Both(own(keeps_nothing, tmp_path, limit_per_minute=1000)) as running:
        tenant = Tenant(f"t{uuid4().hex[:12]}", running, sandbox)
        head = get(shown(tenant), "/v1/price-points/nobody")
        with caller(running) as one:
            answers = []
            for _ in range(6):
                one.send(head)
                answers.append(one.answer())
            until(lambda: places(running) == 0)

    assert [status for status, _, _ in answers] == [404] * 6
    left = [int(headers["ratelimit"].partition("r=")[2].partition(";")[0]) for _, headers, _ in answers]
    assert left == list(range(left[0], left[0] - 6, -1))
    assert running.routed == 7
    assert running.known >= 3


QUESTIONS: Final = {
    "known": ((PATH,), {200, 422, 502, 504}),
    "routed": ((PATH, "X-A: 1", "X-A: 2"), {200, 422, 502, 504}),
    "anew": ((PATH, "Cache-Control: no-cache"), {200, 422, 502, 504}),
    "nothing": (("/v1/nothing",), {404}),
}
"""What a crowd asks, and how it may be answered where the vendor often fails."""


def asks_at_random(running: Both, secret: str, *, mark: bytes, others: set[bytes], seed: int) -> list[Any]:
    """Answers that are not to what was asked, or not to who has asked."""
    rng = Random(seed)  # noqa: S311 - nothing secret
    wrong: list[Any] = []
    for _ in range(5):
        with caller(running) as one:
            for _ in range(rng.randrange(1, 12)):
                kinds = rng.choices(list(QUESTIONS), [6, 1, 1, 1], k=rng.choice((1, 1, 1, 2, 3)))
                sent = b"".join(get(secret, *QUESTIONS[kind][0]) for kind in kinds)
                cut = rng.choice((0, 0, rng.randrange(len(sent))))
                one.send(sent[:cut])
                one.send(sent[cut:])
                if rng.random() < 0.05:
                    break  # It leaves, and hears nothing of that.
                for kind in kinds:
                    status, _, body = one.answer()
                    mine = status != 200 or (mark in body and not any(other in body for other in others))
                    if status not in QUESTIONS[kind][1] or not mine:
                        wrong.append((kind, status, body))
    return wrong


@pytest.mark.parametrize("fresh", [0.0, 0.05])
def test_a_crowd_that_asks_leaves_and_fails_at_random_is_answered_in_order(
    keeps_nothing: Settings, sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str], fresh: float
) -> None:
    """Each on its connection what it has asked, from its own account; nothing crashes, and no place stays taken."""
    changed: dict[str, Any] = {"cache_list_fresh_seconds": fresh, "cache_list_stale_seconds": 0, "log_level": "warning"}
    with Both(own(keeps_nothing, tmp_path, **changed)) as running:
        tenants = [Tenant(f"t{uuid4().hex[:12]}", running, sandbox) for _ in range(3)]
        marks = {tenant.name: f"m{uuid4().hex}" for tenant in tenants}
        for tenant in tenants:
            made = {"ident": marks[tenant.name], "feature_type": "timebased"}
            with tenant.client() as owner:
                assert owner.post(PATH, json=made, headers={"idempotency-key": uuid4().hex}).status_code == 201
            tenant.fails(LIST, "latency", seconds=0.02, probability=0.5)
            tenant.fails(LIST, "status", status=400, probability=0.1)
            tenant.fails(LIST, "drop_after", probability=0.1)
        secrets = {tenant.name: running.token(tenant=tenant.name)[1] for tenant in tenants}

        def ask(seed: int) -> list[Any]:
            name = tenants[seed % 3].name
            others = {mark.encode() for other, mark in marks.items() if other != name}
            return asks_at_random(running, secrets[name], mark=marks[name].encode(), others=others, seed=seed)

        with ThreadPoolExecutor(24) as crowd:
            wrong = [each for found in crowd.map(ask, range(24)) for each in found]
        until(lambda: places(running) == 0)

    said = capfd.readouterr().err
    assert wrong == []
    assert "crashed" not in said
    assert "Traceback" not in said

"""Requests whose handlers are called without a router, seen from the socket: in order, and until a process stops."""

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from clients.sandbox.emulator import Sandbox
from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.serving import server
from gateway.settings import Settings
from gateway.shortcut import MOST_WAYS
from tests.support.gateway import RunningGateway, Tenant
from tests.support.processes import started
from tests.support.servers import Valkey
from tests.support.sockets import LIST, PATH, Caller, Watched, caller, get, known_head, sent_again, shown
from tests.support.timing import until

LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


class Both(Watched):
    """A gateway that counts what is routed, too."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.routed = 0
        edge: Any = self.app
        inner = edge._inner  # noqa: SLF001 - the one seam between what comes at once and the long way

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            self.routed += scope["type"] == "http"
            await inner(scope, receive, send)

        edge._inner = counted  # noqa: SLF001 - as above


def own(settings: Settings, tmp_path: Path, **changed: Any) -> Settings:
    """Settings of a gateway with a database of its own."""
    database = Secret(f"sqlite:///{tmp_path / 'gateway.db'}")
    return msgspec.structs.replace(settings, **{"database_url": database, **changed})


@pytest.fixture(scope="module")
def watched(keeps_nothing: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """A gateway that keeps nothing."""
    with Both(own(keeps_nothing, tmp_path_factory.mktemp("sockets"), log_level="warning")) as running:
        yield running


@pytest.fixture
def shop(watched: Both, sandbox: Sandbox) -> Tenant:
    """A tenant of it that no other test knows."""
    return Tenant(f"t{uuid4().hex[:12]}", watched, sandbox)


def places(running: RunningGateway) -> int:
    """How many requests are being answered."""
    edge: Any = running.app
    in_flight: int = edge._shortcut._load._in_flight  # noqa: SLF001 - no answer tells, for to ask is one more
    return in_flight


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


def test_what_comes_while_a_known_head_is_served_is_answered_after_it(watched: Both, shop: Tenant) -> None:
    """In whatever pieces, and with no second task beside the first on one connection."""
    secret = shown(shop)
    with caller(watched) as one:
        head = known_head(watched, one, secret)
        for _ in range(3):
            calls = shop.calls(LIST)
            shop.fails(LIST, "latency", seconds=0.3, times=1)
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


@pytest.fixture
def redis(keeps_nothing: Settings, valkey: Valkey, tmp_path: Path) -> Iterator[Both]:
    """A gateway that shares its limits and its cache."""
    changed = own(
        keeps_nothing, tmp_path, redis_url=Secret(valkey.url), limit_per_minute=1000, cache_list_fresh_seconds=60.0
    )
    with Both(changed) as running:
        yield running


def test_with_redis_a_known_head_is_served_unparsed(redis: Both, sandbox: Sandbox) -> None:
    """Hits, misses and direct calls are right, and each counts once."""
    tenant = Tenant(f"t{uuid4().hex[:12]}", redis, sandbox)
    secret = shown(tenant)
    detail = "/v1/domains/live.brightside.example"
    with caller(redis) as one, tenant.client() as owner:
        heads = [known_head(redis, one, secret, path) for path in (PATH, detail)]
        before = (redis.routed, redis.known, redis.tasks)
        answers = []
        for _ in range(3):
            for head in heads:
                one.send(head)
                answers.append(one.answer())
        after = (redis.routed, redis.known, redis.tasks)
        calls = tenant.calls(LIST)
        assert owner.post("/v1/cache/purge", json={}).status_code == 200
        routed = redis.routed
        one.send(heads[0])
        missed = one.answer()
        one.send(heads[0])
        hit = one.answer()

    assert [status for status, _, _ in answers] == [200] * 6
    assert [headers["cache-status"].split("; ")[1] for _, headers, _ in answers] == ["hit", "fwd=bypass"] * 3
    left = [int(headers["ratelimit"].partition("r=")[2].partition(";")[0]) for _, headers, _ in answers]
    assert left == list(range(left[0], left[0] - 6, -1))
    assert [now - then for now, then in zip(after, before, strict=True)] == [0, 6, 6]
    assert missed[1]["cache-status"].startswith("gateway; fwd=miss; ttl=")
    assert hit[1]["cache-status"].startswith("gateway; hit; ttl=")
    assert missed[2] == hit[2]
    assert (tenant.calls(LIST), redis.routed) == (calls + 1, routed)


def test_with_redis_nobody_goes_beyond_the_limit(
    keeps_nothing: Settings, valkey: Valkey, sandbox: Sandbox, tmp_path: Path
) -> None:
    """However a request is served."""
    changed = own(keeps_nothing, tmp_path, redis_url=Secret(valkey.url), limit_per_minute=20)
    with Both(changed) as running:
        tenant = Tenant(f"t{uuid4().hex[:12]}", running, sandbox)
        _, secret = running.token(tenant=tenant.name)
        with caller(running) as one:
            answers = []
            for _ in range(23):
                one.send(get(secret))
                answers.append(one.answer())

    assert [status for status, _, _ in answers] == [200] * 20 + [429] * 3
    assert tenant.calls(LIST) == 20
    assert 4 <= running.routed < 20


class Process:
    """A gateway that keeps nothing, as a process of its own."""

    def __init__(self, sandbox: SandboxServer, path: Path) -> None:
        settings = Settings(database_url=Secret(f"sqlite:///{path}"), sandbox=sandbox.url, log_level="error")
        with RunningGateway(settings) as running:
            self.tenant = Tenant("stopping", running, sandbox.sandbox)
            _, self.secret = running.token(tenant=self.tenant.name)
        self.environment = {
            "GATEWAY_DATABASE_URL": f"sqlite:///{path}",
            "GATEWAY_SANDBOX": sandbox.url,
            "GATEWAY_LOG_LEVEL": "error",
            "GATEWAY_LIMIT_PER_MINUTE": "0",
            "GATEWAY_CACHE_LIST_FRESH_SECONDS": "0",
            "PATH": "/usr/bin:/bin",
        }


@pytest.fixture
def process(database_path: Path) -> Iterator[Process]:
    """One that has not begun, with a vendor of its own."""
    with SandboxServer() as sandbox:
        yield Process(sandbox, database_path)


@pytest.mark.parametrize("more", [b"", LIVE], ids=["one", "and one behind it"])
@pytest.mark.parametrize("drain", ["0", "5"])
def test_a_process_that_stops_answers_what_is_under_way(process: Process, more: bytes, drain: str) -> None:
    """Then it ends the connection, as it says, and what came behind that is not answered; exit 0."""
    process.environment["GATEWAY_DRAIN_SECONDS"] = drain
    head, calls = get(process.secret), process.tenant.calls(LIST)
    with server.listen("127.0.0.1", 0) as listening, started(process.environment, listening) as running:
        address = listening.getsockname()
        with socket.create_connection(address, timeout=20) as connection:
            one = Caller(connection)
            for _ in range(5):
                assert sent_again(one, head)
            process.tenant.fails(LIST, "latency", seconds=2, times=1)
            calls = process.tenant.calls(LIST)
            one.send(head)
            until(lambda: process.tenant.calls(LIST) == calls + 1)
            running.send_signal(signal.SIGTERM)
            until(lambda: _stopping(address))
            with suppress(BrokenPipeError):
                one.send(more)
            status, headers, body = one.answer()

            assert (status, headers.get("connection")) == (200, "close")
            assert b'"data"' in body
            connection.settimeout(3)  # Less than the process drains.
            assert one.ended
        assert running.wait(timeout=30) == 0


def _stopping(address: tuple[str, int]) -> bool:
    """Whether the process has heard the signal."""
    try:
        return httpx.get(f"http://{address[0]}:{address[1]}/health/ready").status_code == 503
    except httpx.HTTPError:
        return True  # It takes no connections any more.


def test_what_is_cut_off_is_not_begun_anew(
    keeps_nothing: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """When the time to stop is over: the connection ends without an answer, and no vendor is asked again."""
    monkeypatch.setattr(server, "GRACE_SECONDS", 0.2)
    with SandboxServer() as vendor, ExitStack() as running_:
        running = running_.enter_context(Both(own(keeps_nothing, tmp_path, sandbox=vendor.url)))
        tenant = Tenant("cut", running, vendor.sandbox)
        with caller(running) as one:
            head = known_head(running, one, shown(tenant))
            tenant.fails(LIST, "latency", seconds=60)
            calls, before = tenant.calls(LIST), (running.tasks, running.routed)
            one.send(head)
            until(lambda: tenant.calls(LIST) == calls + 1)
            capfd.readouterr()
            running_.close()
            with suppress(ConnectionError):
                assert one.ended
        asked = tenant.calls(LIST)
        vendor.stop()

    said = capfd.readouterr().err
    assert (running.tasks, running.routed) == (before[0] + 1, before[1])
    assert asked == calls + 1
    assert "crashed" not in said
    assert "Traceback" not in said

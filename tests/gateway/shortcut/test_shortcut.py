"""What is answered before it is routed: the same answer, for the same callers, and for nobody else."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import msgspec
import pytest
from opentelemetry.trace import SpanKind

from clients.sandbox.emulator import Sandbox
from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.scopes import SCOPES
from gateway.settings import Settings
from gateway.shortcut import MOST_WAYS
from tests.support.gateway import Tenant
from tests.support.hanging import callers
from tests.support.routing import Counted, directly, own, remaining, routed, the_long_way, told, whole
from tests.support.sockets import LIST, PATH
from tests.support.timing import until

TRACE: Final = "5b8efff798038103d269b633813fc60c"
CALLER: Final = "b7ad6b7169203331"


def test_a_mistake_of_ours_costs_the_shortcut_only(
    counted: Counted, api: httpx.Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The long way answers, the log tells, and the request counts once."""
    left = remaining(api.get(PATH))
    edge: Any = counted.app
    monkeypatch.setattr(edge._reporter, "kept", None)  # noqa: SLF001 - no request makes it stumble

    reply, by_router = routed(counted, api)

    assert (reply.status_code, by_router, remaining(reply)) == (200, 1, left - 1)
    assert capfd.readouterr().err.count("shortcut crashed") == 1


@pytest.mark.parametrize("origin", [{}, {"origin": "https://app.example.com"}, {"origin": "https://evil.example"}])
def test_the_answer_is_the_same_on_both_ways(counted: Counted, api: httpx.Client, origin: dict[str, str]) -> None:
    """To the last header; `max-age` is what makes a request go the long way."""
    long_way, by_router = routed(counted, api, headers={**origin, "cache-control": "max-age=600"})
    at_once, none = routed(counted, api, headers=origin)

    assert (by_router, none) == (1, 0)
    assert (at_once.status_code, at_once.content) == (long_way.status_code, long_way.content)
    assert told(at_once) == told(long_way)
    assert at_once.headers["cache-status"].startswith("gateway; hit; ttl=")
    assert "cache;desc=hit" in at_once.headers["server-timing"]
    assert at_once.headers["x-request-id"] != long_way.headers["x-request-id"]


def test_who_has_the_answer_gets_304_at_once(counted: Counted, api: httpx.Client) -> None:
    """Without a body."""
    etag = api.get(PATH).headers["etag"]
    reply, none = routed(counted, api, headers={"if-none-match": etag})

    assert (reply.status_code, reply.content, none) == (304, b"", 0)
    assert reply.headers["etag"] == etag


@pytest.mark.parametrize(
    "request_",
    [
        {"headers": {"cache-control": "no-cache"}},
        {"headers": {"authorization": "bearer x"}},
        {"headers": [("x-a", "1"), ("x-a", "2")]},
        {"params": {"limit": "1"}},
        {"params": {"strange": "1"}},
    ],
)
def test_what_is_not_plain_goes_the_long_way(counted: Counted, api: httpx.Client, request_: dict[str, Any]) -> None:
    """Where every check is made from the beginning."""
    assert routed(counted, api, **request_)[1] == 1


def test_a_write_ends_it(counted: Counted, api: httpx.Client) -> None:
    """The next reader sees what was written."""
    made = {"ident": f"f{uuid4().hex[:8]}", "feature_type": "timebased"}
    assert api.post(PATH, json=made, headers={"idempotency-key": uuid4().hex}).status_code == 201

    reply, by_router = routed(counted, api)

    assert by_router == 0
    assert made["ident"] in reply.text


def test_a_neighbour_sees_its_own(counted: Counted, api: httpx.Client, tenant: Tenant) -> None:
    """The way is remembered for all; what stands at its end is each tenant's own."""
    neighbour = tenant.neighbour()
    with neighbour.client() as other:
        other.get("/v1/me")  # A token that nobody knows goes the long way while others are guessed.
        reply, by_router = routed(counted, other)

    assert (reply.headers["cache-status"].partition(" ttl")[0], by_router) == ("gateway; fwd=miss;", 0)
    assert neighbour.calls(LIST) == 1
    assert reply.headers["etag"] != api.get(PATH).headers["etag"]


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("scopes", "subject", "code"),
    [(["domains:read"], None, "insufficient_scope"), (["catalog:read"], "user-ada", None)],
)
def test_other_callers_are_asked_for_their_own_rights(
    tenant: Tenant, scopes: list[str], subject: str | None, code: str | None
) -> None:
    """A scope that is missing is missed, and a token of one customer goes where such tokens may."""
    with tenant.client(scopes, subject=subject) as other:
        reply = other.get(PATH)

    assert reply.json().get("code") == code
    assert reply.status_code == (200 if code is None else 403)


def test_a_revoked_token_is_refused(counted: Counted, tenant: Tenant) -> None:
    """Within a second, as everywhere."""
    record, secret = counted.token(tenant=tenant.name)
    with counted.client(secret) as caller:
        assert [caller.get(PATH).status_code for _ in range(3)] == [200] * 3
        counted.revoke(record.id)
        until(lambda: caller.get(PATH).status_code == 401)

        assert caller.get(PATH).json()["code"] == "token_revoked"


def test_a_token_ends_when_its_time_is_over(counted: Counted, tenant: Tenant) -> None:
    """Not only when it is looked up."""
    _, secret = counted.token(tenant=tenant.name, lifetime_seconds=2)
    with counted.client(secret) as caller:
        assert caller.get(PATH).status_code == 200
        until(lambda: caller.get(PATH).status_code == 401)

        assert caller.get(PATH).json()["code"] == "token_expired"


def test_each_answer_counts_against_the_limit_once(settings: Settings, sandbox: Sandbox, tmp_path: Path) -> None:
    """However it comes; beyond the limit it is 429."""
    changed = {"limit_per_minute": 5, "database_url": Secret(f"sqlite:///{tmp_path / 'gateway.db'}")}
    with Counted(msgspec.structs.replace(settings, **changed)) as running:
        tenant = Tenant(f"t{uuid4().hex[:12]}", running, sandbox)
        with tenant.client() as caller:
            replies = [caller.get(PATH) for _ in range(7)]

    left = [remaining(reply) for reply in replies]
    assert [reply.status_code for reply in replies] == [200] * 5 + [429] * 2
    assert left == [4, 3, 2, 1, 0, 0, 0]
    assert running.routed == 3  # The first, and the two that are refused.


def test_the_line_and_the_numbers_are_those_of_the_long_way(
    api: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever reads the log or the metrics can't tell which way it was."""
    capfd.readouterr()
    before = requests_counted(api)
    api.get(PATH, headers={"cache-control": "max-age=600", "x-request-id": "mine"})
    api.get(PATH, headers={"x-request-id": "mine"})
    until(lambda: requests_counted(api) == before + 2)

    lines: list[dict[str, Any]] = []

    def complete() -> bool:  # They are written together, a moment later.
        said = [json.loads(line) for line in capfd.readouterr().err.splitlines() if PATH in line]
        lines.extend(line for line in said if line["event"] == "request" and line.get("client_request_id") == "mine")
        return len(lines) >= 2

    until(complete)
    long_way, at_once = lines
    assert list(at_once) == list(long_way)
    passing = ("timestamp", "ms", "request_id", "trace_id")
    assert [at_once[name] for name in at_once if name not in passing] == [
        long_way[name] for name in long_way if name not in passing
    ]


@pytest.mark.parametrize("traced", [False, True])
def test_a_hit_of_which_no_line_is_written_is_told_where_it_can_be(
    settings: Settings, sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str], *, traced: bool
) -> None:
    """It is counted and answered as by the router, and has its span where somebody takes one."""
    with Counted(own(settings, tmp_path, log_level="warning"), traced=traced) as running:
        with Tenant(f"t{uuid4().hex[:12]}", running, sandbox).client() as api:
            api.get(PATH)
            by_router = the_long_way(running, api, PATH, ("traceparent", f"00-{TRACE}-{CALLER}-01"))
            until(lambda: requests_counted(api) == 1)
            at_once = directly(running, api, PATH, ("traceparent", f"00-{TRACE[::-1]}-{CALLER}-01"))
            until(lambda: requests_counted(api) == 2)
        spans = running.spans.get_finished_spans() if traced else ()

    assert whole(at_once) == whole(by_router)
    assert PATH not in capfd.readouterr().err
    told = [span for span in spans if span.context and span.context.trace_id == int(TRACE[::-1], 16)]
    assert [span.name for span in told if span.kind is SpanKind.SERVER] == [f"GET {PATH}"] * traced
    assert bool(told) is traced


def requests_counted(api: httpx.Client) -> int:
    """Hits on the list, as `/metrics` has them."""
    name = 'gateway_cache_requests_total{gateway_cache="hit",http_route="/v1/features"}'
    lines = api.get("/metrics").text.splitlines()
    return next((int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(name)), 0)


@pytest.mark.usefixtures("api")
def test_a_crowd_waits_for_one_answer(counted: Counted, tenant: Tenant) -> None:
    """Before they are routed: one request asks the vendor, for all."""
    tenant = tenant.neighbour()
    tenant.fails(LIST, "latency", seconds=0.5, times=1)
    with ThreadPoolExecutor(20) as crowd, tenant.client() as caller:
        caller.get("/v1/me")  # A token that nobody knows goes the long way while others are guessed.
        before = counted.routed
        replies = list(crowd.map(lambda _: caller.get(PATH), range(20)))

    assert {reply.content for reply in replies} == {replies[0].content}
    assert Counter("; collapsed" in reply.headers["cache-status"] for reply in replies) == {True: 19, False: 1}
    assert (tenant.calls(LIST), counted.routed - before) == (1, 0)


def test_a_crowd_is_told_when_the_answer_fails(counted: Counted, tenant: Tenant) -> None:
    """Each by the long way, counted once."""
    tenant.fails(LIST, "status", status=500)
    _, secret = counted.token(tenant=tenant.name)
    with ThreadPoolExecutor(8) as crowd, counted.client(secret) as caller:
        replies = list(crowd.map(lambda _: caller.get(PATH), range(8)))

    assert {reply.status_code for reply in replies} <= {502, 503}
    left = sorted(remaining(reply) for reply in replies)
    assert left == list(range(592, 600))


def test_a_flood_of_questions_leaves_room(counted: Counted, api: httpx.Client) -> None:
    """Ways that were remembered once make room for later ones, and are found again."""
    edge: Any = counted.app
    for number in range(MOST_WAYS):  # As many requests would do the same.
        scope = {"raw_path": PATH.encode(), "query_string": b"flood=%d" % number, "path_template": PATH}
        edge._shortcut.learn(scope, None, None, "")  # noqa: SLF001 - as above

    assert [routed(counted, api)[1] for _ in range(2)] == [1, 0]


@pytest.mark.usefixtures("api")
def test_a_vendor_that_failed_a_crowd_is_not_asked_again(counted: Counted, tenant: Tenant) -> None:
    """Who has waited for an answer is told how it failed, as often as one caller alone has it tried."""
    alone, together = tenant.neighbour(), tenant.neighbour()
    for each in (alone, together):
        each.fails(LIST, "never_answer", seconds=0.3)
    with alone.client() as caller:
        codes = {caller.get(PATH).json()["code"]}
    with together.client() as caller, ThreadPoolExecutor(8) as crowd:
        caller.get("/v1/me")
        secret = caller.headers["authorization"].removeprefix("Bearer ")
        with callers(1, "GET", f"{counted.url}{PATH}", secret):
            until(lambda: together.calls(LIST) == 1)
            codes |= {reply.json()["code"] for reply in crowd.map(lambda _: caller.get(PATH), range(8))}

    assert len(codes) == 1
    assert together.calls(LIST) == alone.calls(LIST)


@pytest.fixture
def hanging() -> Iterator[SandboxServer]:
    """Both vendors, of which calls hang until they are stopped."""
    with SandboxServer() as server:
        yield server


def test_who_is_beyond_the_limit_waits_for_nobody(settings: Settings, hanging: SandboxServer, tmp_path: Path) -> None:
    """And so takes no place from those who are within theirs."""
    changed = {
        "sandbox": hanging.url,
        "limit_per_minute": 1,
        "deadline_seconds": 60.0,
        "database_url": Secret(f"sqlite:///{tmp_path / 'gateway.db'}"),
    }
    with Counted(msgspec.structs.replace(settings, **changed)) as running:
        tenant = Tenant("known", running, hanging.sandbox)
        with tenant.client() as caller:
            assert caller.get(PATH).status_code == 200
        tenant = tenant.neighbour()
        tenant.fails(LIST, "latency", seconds=60)
        with tenant.client() as caller:
            secret = caller.headers["authorization"].removeprefix("Bearer ")
            with callers(1, "GET", f"{running.url}{PATH}", secret):
                until(lambda: tenant.calls(LIST) == 1)
                refused = caller.get(PATH, timeout=10)
                hanging.stop()

    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")


def test_a_crowd_beyond_all_places_is_turned_away(settings: Settings, hanging: SandboxServer, tmp_path: Path) -> None:
    """With a problem, also if all came before any of them was known."""
    changed = {
        "sandbox": hanging.url,
        "concurrency": 5,
        "database_url": Secret(f"sqlite:///{tmp_path / 'gateway.db'}"),
    }
    with Counted(msgspec.structs.replace(settings, **changed)) as running:
        tenant = Tenant("known", running, hanging.sandbox)
        with tenant.client() as caller:
            assert caller.get(PATH).status_code == 200
        tenant = tenant.neighbour()
        secrets = [running.token(tenant=tenant.name)[1] for _ in range(20)]
        tenant.fails(LIST, "latency", seconds=1)
        with callers(1, "GET", f"{running.url}{PATH}", secrets[0]), ThreadPoolExecutor(20) as crowd:
            until(lambda: tenant.calls(LIST) == 1)
            replies = list(
                crowd.map(
                    lambda secret: httpx.get(
                        f"{running.url}{PATH}", headers={"authorization": f"Bearer {secret}"}, timeout=30
                    ),
                    secrets,
                )
            )

    assert {(reply.status_code, reply.json().get("code")) for reply in replies} == {(200, None), (503, "overloaded")}


def test_a_database_that_is_gone_is_told(settings: Settings, sandbox: Sandbox, tmp_path: Path) -> None:
    """As on the long way: with a problem, since nobody knows whether the token was revoked."""
    path = tmp_path / "gateway.db"
    own = msgspec.structs.replace(settings, database_url=Secret(f"sqlite:///{path}"))
    with Counted(own) as running, Tenant(f"t{uuid4().hex[:12]}", running, sandbox).client() as caller:
        assert caller.get(PATH).status_code == 200
        with closing(sqlite3.connect(path)) as database:
            database.execute("DROP TABLE token_changes")
        until(lambda: caller.get(PATH).status_code != 200)

        refused = caller.get(PATH)

    assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable")


@pytest.mark.parametrize(
    ("scopes", "subject"), [(["domains:read"], None), (["catalog:read"], "user-ada"), (list(SCOPES), None)]
)
def test_a_token_is_looked_up_once(api: httpx.Client, tenant: Tenant, scopes: list[str], subject: str | None) -> None:
    """For each request, whichever way it goes."""
    with tenant.client(scopes, subject=subject) as other:
        other.get("/v1/me")
        before = looked_up(api)
        for _ in range(5):
            other.get(PATH)

        assert looked_up(api) - before == 5


def looked_up(api: httpx.Client) -> int:
    """Tokens, so far, as `/metrics` has them."""
    lines = api.get("/metrics").text.splitlines()
    return sum(int(float(line.split()[1])) for line in lines if line.startswith("gateway_token_lookups_total{"))

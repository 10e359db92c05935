"""What is seen below a request: the database, Redis, the cache; and what goes on behind it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import msgspec
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from clients.sandbox.emulator import Sandbox
from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.settings import Settings
from tests.support.gateway import RunningGateway, Tenant
from tests.support.servers import Valkey
from tests.support.timing import until


@pytest.fixture
def settings(sandbox_server: SandboxServer, database_path: object) -> Settings:
    """A gateway that keeps what it reads, as by default."""
    return Settings(
        database_url=Secret(f"sqlite:///{database_path}"),
        sandbox=sandbox_server.url,
        log_level="error",
        breaker_calls=10**8,
    )


@pytest.fixture
def keeping(settings: Settings) -> Iterator[RunningGateway]:
    """Served."""
    with RunningGateway(settings) as running:
        yield running


def named(running: RunningGateway, name: str) -> list[ReadableSpan]:
    """The finished spans of a name, the oldest first."""
    found = [span for span in running.spans.get_finished_spans() if span.name == name]
    return sorted(found, key=lambda span: span.start_time or 0)


def told(span: ReadableSpan) -> dict[str, object]:
    """Its attributes."""
    return dict(span.attributes or {})


def test_what_a_token_costs_is_seen(keeping: RunningGateway, sandbox: Sandbox) -> None:
    """The first request looks it up, statement by statement, without a value; the second does not."""
    with Tenant("within", keeping, sandbox).client() as api:
        api.get("/v1/me")
        until(lambda: len(named(keeping, "GET /v1/me")) == 1)
        first = [span.name for span in keeping.spans.get_finished_spans()]
        keeping.spans.clear()
        api.get("/v1/me")
        until(lambda: len(named(keeping, "GET /v1/me")) == 1)
        second = [span.name for span in keeping.spans.get_finished_spans()]

    assert "token lookup" in first
    assert any(name.startswith("SELECT ") for name in first)
    assert "token lookup" not in second


def test_a_statement_is_told_without_its_values(keeping: RunningGateway, sandbox: Sandbox) -> None:
    """By the stable conventions; its values travel beside it, and stay out."""
    with Tenant("canary-tenant", keeping, sandbox).client() as api:
        api.get("/v1/me")
    until(lambda: len(named(keeping, "GET /v1/me")) == 1)

    statements = [span for span in keeping.spans.get_finished_spans() if span.name.startswith("SELECT ")]
    assert statements
    for span in statements:
        assert span.kind is SpanKind.CLIENT
        assert span.parent is not None
        assert told(span)["db.system.name"] == "sqlite"
        assert told(span)["db.operation.name"] == "SELECT"
        assert "canary" not in str(told(span))


def test_a_hit_and_a_miss_are_told(keeping: RunningGateway, sandbox: Sandbox) -> None:
    """On the request and below it; the vendor's call is below the look that caused it."""
    with Tenant("hitting", keeping, sandbox).client() as api:
        api.get("/v1/features")
        api.get("/v1/features")
    until(lambda: len(named(keeping, "GET /v1/features")) == 2)

    miss, hit = named(keeping, "cache")
    assert told(miss) == {"gateway.cache": "miss", "gateway.cache.topic": "features"}
    assert told(hit) == {"gateway.cache": "hit", "gateway.cache.topic": "features"}
    assert [told(span)["gateway.cache"] for span in named(keeping, "GET /v1/features")] == ["miss", "hit"]
    (call,) = named(keeping, "POST /features")
    assert call.parent == miss.context


def test_what_was_found_out_before_the_long_way_is_in_the_same_trace(keeping: RunningGateway, sandbox: Sandbox) -> None:
    """Who asks for what is kept, and may not have it, was looked up for one request."""
    tenant = Tenant("within", keeping, sandbox)
    with tenant.client() as api:
        api.get("/v1/features")
    until(lambda: len(named(keeping, "GET /v1/features")) == 1)
    keeping.spans.clear()

    with tenant.client(["domains:read"]) as api:
        refused = api.get("/v1/features")

    until(lambda: len(named(keeping, "GET /v1/features")) == 1)
    (request,), (lookup,) = named(keeping, "GET /v1/features"), named(keeping, "token lookup")
    assert refused.status_code == 403
    assert told(request)["gateway.problem"] == "insufficient_scope"
    assert lookup.parent == request.context
    assert (request.start_time or 0) <= (lookup.start_time or 0)


def test_who_waits_for_anothers_load_refers_to_it(keeping: RunningGateway, sandbox: Sandbox) -> None:
    """A collapsed request has no call of its own, but a link to the look that made it."""
    caller = Tenant("crowd", keeping, sandbox)
    caller.fails("POST /features", "latency", seconds=0.5)
    with caller.client() as api, ThreadPoolExecutor(6) as callers:
        replies = list(callers.map(lambda _: api.get("/v1/features").status_code, range(6)))

    assert replies == [200] * 6
    until(lambda: len(named(keeping, "GET /v1/features")) == 6)
    looks = named(keeping, "cache")
    (leader,) = [look for look in looks if told(look)["gateway.cache"] == "miss"]
    waiting = [look for look in looks if told(look)["gateway.cache"] == "collapsed"]
    assert waiting
    assert {look.links[0].context.span_id for look in waiting} == {leader.context.span_id if leader.context else 0}
    assert len(named(keeping, "POST /features")) == 1


def test_what_goes_on_behind_an_answer_is_a_trace_of_its_own(settings: Settings, sandbox: Sandbox) -> None:
    """Nobody waits for it, and it leads back to who caused it."""
    short = msgspec.structs.replace(settings, cache_list_fresh_seconds=0.05)
    with RunningGateway(short) as running, Tenant("behind", running, sandbox).client() as api:
        api.get("/v1/features")
        until(lambda: "stale" in api.get("/v1/features").headers["cache-status"])
        until(lambda: len(named(running, "revalidate")) >= 1)

    behind = named(running, "revalidate")[0]
    assert behind.context is not None
    assert behind.parent is None
    (link,) = behind.links
    stale = [span for span in named(running, "GET /v1/features") if told(span)["gateway.cache"] == "stale"]
    assert link.context.trace_id in {span.context.trace_id for span in stale if span.context}
    call = named(running, "POST /features")[1]
    assert call.parent == behind.context


def test_the_renewal_of_a_vendor_token_is_a_trace_of_its_own(keeping: RunningGateway, sandbox: Sandbox) -> None:
    """It may outlast who began it, who has a span for the time it waited."""
    with Tenant(f"t{uuid4().hex[:8]}", keeping, sandbox).client() as api:
        api.get("/v1/domains")
    until(lambda: len(named(keeping, "GET /v1/domains")) == 1)

    (renewal,) = named(keeping, "renew vendor token")
    (waited,) = named(keeping, "vendor token")
    (call,) = named(keeping, "POST /validate")
    assert renewal.parent is None
    assert renewal.links[0].context.trace_id == (waited.context.trace_id if waited.context else 0)
    assert call.parent == renewal.context


def test_redis_is_seen_and_its_keys_are_not(settings: Settings, sandbox: Sandbox, valkey: Valkey) -> None:
    """The limit, and the second level of the cache; keys hold tenants and callers."""
    shared = msgspec.structs.replace(settings, redis_url=Secret(valkey.url))
    with RunningGateway(shared) as running, Tenant("canary-key", running, sandbox).client() as api:
        api.get("/v1/features")
        until(lambda: len(named(running, "GET /v1/features")) == 1)

    assert len(named(running, "rate limit")) == 1
    commands = [span for span in running.spans.get_finished_spans() if told(span).get("db.system.name") == "redis"]
    assert len(commands) > 1
    assert all("canary" not in str(told(span)) for span in commands)


def test_a_breaker_that_opens_is_told(settings: Settings) -> None:
    """In readiness, with since when, and as a number; and it takes nobody out of service."""
    dead = msgspec.structs.replace(
        settings,
        funnelfox=msgspec.structs.replace(
            settings.funnelfox, url="http://127.0.0.1:1", org_id="org", secret_key=Secret("x")
        ),
        breaker_calls=2,
        cache_list_fresh_seconds=0.0,
    )
    with RunningGateway(dead) as running:
        _, secret = running.token(mode="live")
        with running.client(secret) as api:
            for _ in range(4):
                api.get("/v1/features")
        ready = httpx.get(f"{running.url}/health/ready")
        metrics = httpx.get(f"{running.url}/metrics").text

    vendor = ready.json()["dependencies"]["funnelfox"]
    assert ready.status_code == 200
    assert vendor.pop("since")
    assert vendor == {
        "state": "failing",
        "required": False,
        "detail": "It is left alone for some seconds: read.",
    }
    assert (
        'gateway_breaker_open{gateway_mode="live",gateway_operation_kind="read",gateway_upstream="funnelfox"} 1.0'
        in metrics
    )

"""What is counted, and who can read it."""

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from clients.sandbox.emulator import Sandbox
from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.metrics import Metrics
from gateway.settings import Settings
from gateway.telemetry.names import METRICS
from tests.support import ports, processes
from tests.support.charging import CHARGE, order_for, pay
from tests.support.commands import running
from tests.support.gateway import RunningGateway, Tenant
from tests.support.servers import Valkey
from tests.support.timing import until


def value(text: str, sample: str, **labels: str) -> float:
    """The sum of all series of a sample that have these labels."""
    return sum(
        one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == sample and labels.items() <= one.labels.items()
    )


def numbers(url: str) -> str:
    """What Prometheus would read."""
    reply = httpx.get(f"{url}/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain")
    return reply.text


def test_a_request_and_its_attempts_are_counted(api: httpx.Client, gateway: RunningGateway, tenant: Tenant) -> None:
    """By route template and documented operation, as OpenTelemetry's conventions name them."""
    tenant.fails("POST /features", "status", status=503, times=1)
    before = numbers(gateway.url)
    here = {"http_route": "/v1/features", "http_request_method": "GET", "http_response_status_code": "200"}
    there = {"url_template": "/features", "gateway_upstream": "funnelfox", "gateway_mode": "test"}

    api.get("/v1/features")

    def grown(sample: str, **labels: str) -> float:
        return value(numbers(gateway.url), sample, **labels) - value(before, sample, **labels)

    until(lambda: grown("http_server_request_duration_seconds_count", **here) == 1)
    assert grown("http_client_request_duration_seconds_count", **there) == 2
    assert grown("http_client_request_duration_seconds_count", **there, error_type="Unavailable") == 1
    assert grown("gateway_upstream_retries_total", **there) == 1
    assert grown("gateway_token_lookups_total") >= 1


def test_no_metric_names_a_caller(api: httpx.Client, gateway: RunningGateway, tenant: Tenant) -> None:
    """Tenants, tokens, customers, paths and methods of their own making are no labels: their number has no bound."""
    api.get("/v1/customers/canary-customer/payments")
    api.get("/canary-path")
    api.request("PROPFIND", "/v1/features")
    api.get("/v1/domains?q=canary-query")

    text = numbers(gateway.url)

    assert tenant.name not in text
    assert "canary" not in text.lower()
    assert 'http_request_method="_OTHER"' in text


def test_a_problem_is_counted_by_its_code(api: httpx.Client, gateway: RunningGateway) -> None:
    """Limits, overload and unknown outcomes are problems, too."""
    told = {"gateway_problem": "not_found", "http_route": "/v1/subscriptions/{subscription_id}"}
    before = value(numbers(gateway.url), "gateway_problems_total", **told)

    api.get("/v1/subscriptions/8b0f5d0e-2c8f-4f0e-8f55-000000000000")

    until(lambda: value(numbers(gateway.url), "gateway_problems_total", **told) == before + 1)


def test_what_is_kept_is_told(sandbox_server: SandboxServer, sandbox: Sandbox, database_path: Path) -> None:
    """How many entries, and how much they take; nothing once they were dropped."""
    settings = Settings(
        database_url=Secret(f"sqlite:///{database_path}"), sandbox=sandbox_server.url, log_level="error"
    )
    with RunningGateway(settings) as running, Tenant("kept", running, sandbox).client() as api:
        api.get("/v1/features")
        api.get("/v1/price-points")
        full = numbers(running.url)
        api.post("/v1/cache/purge", json={})
        empty = numbers(running.url)

    assert value(full, "gateway_cache_entries") == 2
    assert value(full, "gateway_cache_size_bytes") > 2 * 1024
    assert (value(empty, "gateway_cache_entries"), value(empty, "gateway_cache_size_bytes")) == (0, 0)


def test_an_operation_is_counted_when_it_is_lost_and_when_it_is_settled(
    sandbox_server: SandboxServer, sandbox: Sandbox, database_path: Path
) -> None:
    """A request that died told nobody that the outcome is unknown: who finds the operation does."""
    settings = Settings(
        database_url=Secret(f"sqlite:///{database_path}"), sandbox=sandbox_server.url, log_level="error"
    )
    with RunningGateway(settings) as running:
        tenant = Tenant("lost", running, sandbox)
        with tenant.client() as api:
            order = order_for(api)
            tenant.fails(CHARGE, "drop_after", times=1)
            tenant.fails("POST /payments_history", "status", status=500)
            assert pay(api, order).status_code == 504
        with closing(sqlite3.connect(database_path)) as database, database:  # As if its process had been killed.
            database.execute("UPDATE operations SET state = 'pending', answer = NULL, lease_until = 1, due_at = 1")
        until(lambda: value(numbers(running.url), "gateway_outcomes_unknown_total", http_route="") == 1)
        before = numbers(running.url)
        sandbox.faults.clear()
        with closing(sqlite3.connect(database_path)) as database, database:
            database.execute("UPDATE operations SET lease_until = 1, due_at = 1, looked_at = 1")
        told = {"gateway_outcome": "succeeded", "gateway_mode": "test"}
        until(lambda: value(numbers(running.url), "gateway_operations_settled_total", **told) == 1)

    assert value(before, "gateway_outcomes_unknown_total", http_route="/v1/checkout/payments") == 1
    assert value(before, "gateway_operations_settled_total") == 0


@pytest.mark.parametrize("accept", ["application/openmetrics-text", "application/openmetrics-text; version=x", "*/*"])
def test_any_accept_header_is_answered(gateway: RunningGateway, accept: str) -> None:
    """In the form that is asked for, or else the usual one."""
    assert httpx.get(f"{gateway.url}/metrics", headers={"accept": accept}).status_code == 200


def test_every_metric_is_defined_once() -> None:
    """Names and labels are those of the table."""
    text, _ = Metrics(sent=False).exposition.text("")

    assert len({metric.prometheus for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert f"# HELP {metric.prometheus}" in text.decode()


@pytest.mark.parametrize(
    ("seconds", "bound"), [(0.0, "0.005"), (0.005, "0.005"), (0.0051, "0.01"), (10.0, "10.0"), (10.1, "+Inf")]
)
def test_a_time_counts_from_the_bucket_on_that_holds_it(seconds: float, bound: str) -> None:
    """A bucket holds what takes at most as long as its bound says, and so does each after it."""
    metrics = Metrics(sent=False)

    metrics.answered("GET", "http", route="/v1/me", status=200, problem=None, seconds=seconds)

    text = metrics.exposition.text("")[0].decode()
    buckets = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "http_server_request_duration_seconds_bucket"
    ]
    first = next(at for at, bucket in enumerate(buckets) if bucket.labels["le"] == bound)
    assert [bucket.value for bucket in buckets] == [0.0] * first + [1.0] * (len(buckets) - first)
    assert value(text, "http_server_request_duration_seconds_sum") == seconds


def test_who_met_no_route_is_counted_without_one() -> None:
    """What is not there has an empty label, as has what is there and empty."""
    metrics = Metrics(sent=False)

    metrics.answered("GET", "http", route=None, status=None, problem=None, seconds=1.0)
    metrics.cached("miss", None)
    metrics.cached("miss", "")

    text = metrics.exposition.text("")[0].decode()
    labels = 'error_type="disconnected",http_request_method="GET",http_response_status_code="",http_route=""'
    assert f'http_server_request_duration_seconds_count{{{labels},url_scheme="http"}} 1.0' in text
    assert 'gateway_cache_requests_total{gateway_cache="miss",http_route=""} 2.0' in text


def test_numbers_are_summed_over_workers_on_a_port_of_their_own(
    valkey: Valkey, database_path: Path, sandbox_server: SandboxServer
) -> None:
    """Whoever answers, it counts; a worker that dies takes its levels along, and not what it has counted."""
    port = ports.unused()
    environment = {
        "GATEWAY_DATABASE_URL": f"sqlite:///{database_path}",
        "GATEWAY_REDIS_URL": valkey.url,
        "GATEWAY_SANDBOX": sandbox_server.url,
        "GATEWAY_METRICS_PORT": str(port),
        "GATEWAY_LOG_LEVEL": "error",
    }
    metrics = f"http://127.0.0.1:{port}"
    with running("serve", "--port", "0", "--workers", "2", environment=environment) as (process, url):
        until(lambda: answers(f"{url}/health/live"))

        def asked() -> float:
            return value(numbers(metrics), "http_server_request_duration_seconds_count", http_route="/v1/me")

        for _ in range(40):
            assert httpx.get(f"{url}/v1/me").status_code == 401
        until(lambda: asked() == 40)
        before = processes.workers(process.pid)
        os.kill(before[0], signal.SIGKILL)
        until(lambda: set(processes.workers(process.pid)) - set(before) != set())
        until(lambda: answers(f"{url}/health/live"))
        after = asked()
        on_main_port = httpx.get(f"{url}/metrics")

    assert after == 40
    assert on_main_port.status_code == 404


def answers(url: str) -> bool:
    """Whether anybody is there."""
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False

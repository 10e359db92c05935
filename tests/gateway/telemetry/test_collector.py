"""A collector that takes nothing: requests do not notice, operators do."""

import json
from collections.abc import Callable, Iterator

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from clients.sandbox.emulator import Sandbox
from tests.support.collector import Collector
from tests.support.gateway import RunningGateway, Tenant
from tests.support.timing import until


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A receiver that gateways made from now on send to, soon."""
    running = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("OTEL_BSP_EXPORT_TIMEOUT", "500")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "100")
    yield running
    running.stop()


def state_of(gateway: RunningGateway) -> str | None:
    """How the collector is, as readiness has it."""
    reply = httpx.get(f"{gateway.url}/health/ready")
    assert reply.status_code == 200
    found: str | None = reply.json()["dependencies"]["collector"]["state"]
    return found


def test_traces_and_metrics_arrive_from_one_instance(
    gateway: RunningGateway, sandbox: Sandbox, collector: Collector
) -> None:
    """The same process has the same name in both; no secret is in either."""
    with RunningGateway(gateway.settings) as running:
        caller = Tenant("sent", running, sandbox)
        with caller.client() as api:
            secret = api.headers["authorization"].removeprefix("Bearer ")
            api.get("/v1/customers/canary@example.com/payments?limit=5")
            api.get("/v1/domains?q=canary-query")
            api.post("/v1/domains", json={"hostname": "canary.example.com"})
        until(lambda: state_of(running) == "ok")

    traces = [ExportTraceServiceRequest.FromString(body) for path, body in collector.bodies if path == "/v1/traces"]
    metrics = [ExportMetricsServiceRequest.FromString(body) for path, body in collector.bodies if path == "/v1/metrics"]
    instances = {
        attribute.value.string_value
        for resource in [
            *(found.resource for trace in traces for found in trace.resource_spans),
            *(found.resource for metric in metrics for found in metric.resource_metrics),
        ]
        for attribute in resource.attributes
        if attribute.key == "service.instance.id"
    }
    names = {
        metric.name
        for sent in metrics
        for resource in sent.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert len(instances) == 1
    assert {"http.server.request.duration", "http.client.request.duration", "gateway.token.lookups"} <= names
    raw = b"".join(body for _, body in collector.bodies)
    made = caller.account.credentials
    for canary in ("canary", secret, made.access_token, made.refresh_token, made.secret_key):
        assert canary.encode() not in raw


@pytest.mark.parametrize("status", [None, 500, 503, 401])
def test_a_collector_that_takes_nothing_is_no_concern_of_requests(
    gateway: RunningGateway, sandbox: Sandbox, collector: Collector, status: int | None
) -> None:
    """It hangs, fails or refuses: every request is answered, readiness says it, and a stop is no slower for long."""
    collector.status = status
    with RunningGateway(gateway.settings) as running, Tenant("unsent", running, sandbox).client() as api:
        replies = [api.get("/v1/features") for _ in range(20)]
        until(lambda: state_of(running) == "unavailable")

    assert {reply.status_code for reply in replies} == {200}


def test_a_collector_that_is_not_there_is_told_and_comes_back(
    gateway: RunningGateway, sandbox: Sandbox, collector: Collector
) -> None:
    """From gone to back, with since when."""
    collector.status = 401
    with RunningGateway(gateway.settings) as running, Tenant("back", running, sandbox).client() as api:

        def is_now(state: str) -> Callable[[], bool]:
            return lambda: api.get("/v1/features").is_success and state_of(running) == state

        until(is_now("unavailable"))
        collector.status = 200
        until(is_now("ok"))
        metrics = httpx.get(f"{running.url}/metrics").text

    assert "gateway_collector_failing 0.0" in metrics


def test_without_an_endpoint_there_is_no_collector_to_speak_of(gateway: RunningGateway) -> None:
    """Nothing is sent, so nothing can be wrong with it; each other dependency tells since when it is so."""
    dependencies = httpx.get(f"{gateway.url}/health/ready").json()["dependencies"]

    assert "collector" not in dependencies
    assert all(json.dumps(one["since"]).endswith('Z"') for one in dependencies.values())

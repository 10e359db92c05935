"""The same numbers in both forms: as Prometheus reads them, and as OTLP has them."""

from collections.abc import Iterator
from itertools import accumulate, pairwise

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp
from opentelemetry.sdk.resources import Resource
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import Metrics
from gateway.metrics.instruments import MOST_SERIES
from gateway.telemetry.names import STANDARD_BUCKETS
from tests.support.collector import Collector
from tests.support.timing import until

SECONDS = (0.001, 0.005, 0.0051, 0.3, 11.0)
"""One on a bound, one beyond the last."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Is sent the numbers of whatever is made from now on."""
    running = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
    yield running
    running.stop()


def record(metrics: Metrics) -> None:
    """A bit of everything, on one route."""
    for seconds in SECONDS:
        metrics.began("GET", "https")
        metrics.ended("GET", "https", route="/v1/x", status=404, problem="not_found", seconds=seconds)
    metrics.began("GET", "https")
    metrics.token_expires("funnelflux", "live", 1e9)


def messages(collector: Collector) -> list[dict[str, otlp.Metric]]:
    """What was sent: for each message its metrics by name."""
    return [
        {metric.name: metric for metric in resource.scope_metrics[0].metrics}
        for _, body in collector.bodies
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
    ]


def attributes(point: otlp.NumberDataPoint | otlp.HistogramDataPoint) -> dict[str, str | int]:
    """Its attributes as plain values."""
    return {
        one.key: one.value.int_value if one.value.HasField("int_value") else one.value.string_value
        for one in point.attributes
    }


def test_a_histogram_is_the_same_in_both_forms(collector: Collector) -> None:
    """Buckets, sum and count; cumulative since the process began."""
    metrics = Metrics(Resource({"service.instance.id": "one"}))
    record(metrics)

    metrics.close()

    text, _ = metrics.exposition.text("")
    (shown,) = [one for one in text_string_to_metric_families(text.decode()) if one.name.startswith("http_server_req")]
    by_name = {(sample.name.rpartition("_")[2], sample.labels.get("le")): sample.value for sample in shown.samples}
    (sent,) = messages(collector)
    histogram = sent["http.server.request.duration"].histogram
    (point,) = histogram.data_points
    assert histogram.aggregation_temporality == otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
    assert tuple(point.explicit_bounds) == STANDARD_BUCKETS
    assert list(point.bucket_counts) == [2, 1, *[0] * 4, 0, 1, *[0] * 6, 1]
    assert list(accumulate(point.bucket_counts)) == [value for (kind, _), value in by_name.items() if kind == "bucket"]
    assert point.sum == pytest.approx(by_name["sum", None]) == pytest.approx(sum(SECONDS))
    assert point.count == by_name["count", None] == len(SECONDS)
    assert 0 < point.start_time_unix_nano < point.time_unix_nano
    assert attributes(point) == {
        "http.request.method": "GET",
        "http.route": "/v1/x",
        "http.response.status_code": 404,
        "url.scheme": "https",
    }


def test_counts_and_levels_are_what_they_are(collector: Collector) -> None:
    """A count only grows, requests in flight come and go, an expiry is a level; nothing is sent of what never was."""
    metrics = Metrics(Resource({"service.instance.id": "one"}))
    record(metrics)

    metrics.close()

    (sent,) = messages(collector)
    problems, active, expiry = (
        sent[name] for name in ("gateway.problems", "http.server.active_requests", "gateway.upstream.token.expiry")
    )
    assert problems.sum.is_monotonic
    assert [point.as_double for point in problems.sum.data_points] == [5.0]
    assert not active.sum.is_monotonic
    assert [point.as_double for point in active.sum.data_points] == [1.0]
    assert [point.as_double for point in expiry.gauge.data_points] == [1e9]
    assert "gateway.upstream.retries" not in sent


def test_growth_is_told_where_it_is_asked_for(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message has what came since the one before, and begins where that ended; levels stay levels."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "20")
    metrics = Metrics(Resource({"service.instance.id": "one"}))
    record(metrics)
    until(
        lambda: any(
            "gateway.problems" in message and message["gateway.problems"].sum.data_points
            for message in messages(collector)
        )
    )
    record(metrics)

    metrics.close()

    sent = messages(collector)
    problems = [message["gateway.problems"].sum for message in sent if "gateway.problems" in message]
    points = [point for one in problems for point in one.data_points]
    spread = [
        point
        for message in sent
        if "http.server.request.duration" in message
        for point in message["http.server.request.duration"].histogram.data_points
    ]
    assert {one.aggregation_temporality for one in problems} == {otlp.AGGREGATION_TEMPORALITY_DELTA}
    assert sum(point.as_double for point in points) == 10
    assert sum(point.count for point in spread) == 10
    assert all(before.time_unix_nano <= after.start_time_unix_nano for before, after in pairwise(points))
    assert sent[-1]["http.server.active_requests"].sum.data_points[0].as_double == 2


def test_labels_without_bound_share_a_series() -> None:
    """Should a label ever hold what callers make up, memory is safe, and nothing goes uncounted."""
    metrics = Metrics(sent=False)

    for number in range(MOST_SERIES + 100):
        metrics.cached("hit", f"/{number}")

    text, _ = metrics.exposition.text("")
    shown = [line for line in text.decode().splitlines() if line.startswith("gateway_cache_requests_total{")]
    assert len(shown) == MOST_SERIES + 1
    assert 'gateway_cache_requests_total{gateway_cache="_OTHER",http_route="_OTHER"} 100.0' in shown

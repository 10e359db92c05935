"""One metric, recorded for Prometheus and for OpenTelemetry at once."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry.metrics import Meter
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.telemetry.names import STANDARD_BUCKETS, Metric

MOST_SERIES: Final = 5000
"""Of one metric. Labels are bounded by what they can be; should that be wrong, the rest share one series."""

REST: Final = "_OTHER"

Labels = tuple[str, ...]


class Instrument:
    """Records one metric.

    Args:
        metric: Which.
        registry: Of Prometheus.
        meter: Of OpenTelemetry; None: nothing is sent there.
    """

    def __init__(self, metric: Metric, *, registry: CollectorRegistry, meter: Meter | None) -> None:
        self._metric = metric
        self._prometheus = _prometheus(metric, registry)
        self._series: dict[Labels, Any] = {}
        self._record = _otel(metric, meter) if meter is not None else None
        self._attributes: dict[Labels, Mapping[str, str | int]] = {}

    def add(self, labels: Labels, amount: float = 1) -> None:
        """Count.

        Args:
            labels: Their values in the metric's order; an empty one is left out of OTLP.
            amount: Less than 0 only where it may go down.
        """
        self._of(labels).inc(amount)
        if self._record is not None:
            self._record(amount, self._as_attributes(labels))

    def observe(self, labels: Labels, value: float) -> None:
        """Add to a histogram; `labels` as in `add`."""
        self._of(labels).observe(value)
        if self._record is not None:
            self._record(value, self._as_attributes(labels))

    def set(self, labels: Labels, value: float) -> None:
        """Set a level; `labels` as in `add`."""
        self._of(labels).set(value)
        if self._record is not None:
            self._record(value, self._as_attributes(labels))

    def _of(self, labels: Labels) -> Any:
        if (series := self._series.get(labels)) is None:
            if len(self._series) >= MOST_SERIES:
                labels = (REST,) * len(labels)
            series = self._series[labels] = self._prometheus.labels(*labels) if labels else self._prometheus
        return series

    def _as_attributes(self, labels: Labels) -> Mapping[str, str | int]:
        if (known := self._attributes.get(labels)) is None:
            if labels not in self._series:
                labels = (REST,) * len(labels)
            known = self._attributes[labels] = {
                name: int(value) if name in _NUMBERS and value.isdigit() else value
                for name, value in zip(self._metric.labels, labels, strict=True)
                if value
            }
        return known


_NUMBERS: Final = frozenset({"http.response.status_code", "server.port"})
"""Attributes that OpenTelemetry has as numbers."""


def _prometheus(metric: Metric, registry: CollectorRegistry) -> Any:
    labels = [name.replace(".", "_") for name in metric.labels]
    about: tuple[str, str, list[str]] = (metric.prometheus, metric.meaning, labels)
    match metric.kind:
        case "counter":
            return Counter(*about, registry=registry)
        case "histogram":
            return Histogram(*about, registry=registry, buckets=STANDARD_BUCKETS)
        case "up_down" | "gauge":
            return Gauge(*about, registry=registry, multiprocess_mode=metric.over_workers)


def _otel(metric: Metric, meter: Meter) -> Callable[[float, Mapping[str, str | int]], None]:
    about: dict[str, str] = {"name": metric.name, "unit": metric.unit, "description": metric.meaning}
    match metric.kind:
        case "counter":
            return meter.create_counter(**about).add
        case "histogram":
            return meter.create_histogram(**about, explicit_bucket_boundaries_advisory=STANDARD_BUCKETS).record
        case "up_down":
            return meter.create_up_down_counter(**about).add
        case "gauge":
            return meter.create_gauge(**about).set

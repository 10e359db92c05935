"""The numbers as OTLP has them: read from where Prometheus reads them, when they are sent.

The SDK's own instruments would record each number a second time, which costs
every request ten times what the first recording does.
"""

import os
from collections.abc import Iterator, Sequence
from time import time_ns
from typing import Final, NamedTuple

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    PeriodicExportingMetricReader,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from gateway.metrics.instruments import Instrument, Labels
from gateway.telemetry import names
from gateway.telemetry.names import STANDARD_BUCKETS

SCOPE: Final = InstrumentationScope("funnel-gateway")

_NUMBERS: Final = frozenset({"http.response.status_code", "server.port"})
"""Attributes that OpenTelemetry has as numbers."""

_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE
_DELTA: Final = AggregationTemporality.DELTA


class Series(NamedTuple):
    """One series at one moment."""

    labels: Labels
    values: tuple[float, ...]
    """A value alone; of a histogram the counts of its buckets, and the sum."""


class Sending(PeriodicExportingMetricReader):
    """Sends the numbers of this process now and then, and once more at the end, as the `OTEL_*` variables have it.

    Args:
        instruments: What is sent.
        who: We.
    """

    def __init__(self, instruments: Sequence[Instrument], who: Resource) -> None:
        self._instruments = instruments
        self._who = who
        preferred = os.environ.get(OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE, "").strip().lower()
        self._growth = preferred in {"delta", "lowmemory"}
        """Whether what only grows is told as what came since the last time."""
        self._since = time_ns()
        self._told: dict[tuple[names.Metric, Labels], tuple[float, ...]] = {}
        super().__init__(OTLPMetricExporter())
        self._set_collect_callback(lambda *_, **__: self.data())  # What a provider of the SDK's does.

    def data(self) -> MetricsData:
        """The numbers at this moment."""
        now = time_ns()
        metrics = [told for one in self._instruments if (told := self._metric(one, now)) is not None]
        if self._growth:
            self._since = now
        return MetricsData([ResourceMetrics(self._who, [ScopeMetrics(SCOPE, metrics, "")], "")])

    def _metric(self, instrument: Instrument, now: int) -> Metric | None:
        metric = instrument.metric
        growing = metric.kind in {"counter", "histogram"}
        series = [Series(labels, values) for labels, values in instrument.read()]
        if growing and self._growth:
            series = list(self._grown(metric, series))
        if not series:
            return None
        temporality = _DELTA if growing and self._growth else _CUMULATIVE
        data: Sum | Gauge | Histogram
        match metric.kind:
            case "histogram":
                data = Histogram([self._spread(metric, one, now) for one in series], temporality)
            case "gauge":
                data = Gauge([self._point(metric, one, now) for one in series])
            case _:
                data = Sum([self._point(metric, one, now) for one in series], temporality, growing)
        return Metric(metric.name, metric.meaning, metric.unit, data)

    def _grown(self, metric: names.Metric, series: Sequence[Series]) -> Iterator[Series]:
        """What came since the last time; a series that nothing came to is left out."""
        for labels, values in series:
            before = self._told.get((metric, labels), (0.0,) * len(values))
            self._told[metric, labels] = values
            if values != before:
                yield Series(labels, tuple(value - then for value, then in zip(values, before, strict=True)))

    def _point(self, metric: names.Metric, series: Series, now: int) -> NumberDataPoint:
        return NumberDataPoint(_attributes(metric, series.labels), self._since, now, series.values[0])

    def _spread(self, metric: names.Metric, series: Series, now: int) -> HistogramDataPoint:
        *counts, total = series.values
        buckets = [int(count) for count in counts]
        return HistogramDataPoint(
            _attributes(metric, series.labels),
            self._since,
            now,
            sum(buckets),
            total,
            buckets,
            STANDARD_BUCKETS,
            min=None,  # type: ignore[arg-type]  # as protobuf has what is not known
            max=None,  # type: ignore[arg-type]  # the same
        )


def _attributes(metric: names.Metric, labels: Labels) -> dict[str, str | int]:
    return {
        name: int(value) if name in _NUMBERS and value.isdigit() else value
        for name, value in zip(metric.labels, labels, strict=True)
        if value
    }

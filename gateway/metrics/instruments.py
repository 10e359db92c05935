"""One metric, recorded for Prometheus; what is sent by OTLP is read from there."""

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.samples import Sample

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
    """

    def __init__(self, metric: Metric, *, registry: CollectorRegistry) -> None:
        self.metric = metric
        self._prometheus = _prometheus(metric, registry)
        self._names = tuple(_label(name) for name in metric.labels)
        self._series: dict[Labels, Any] = {}

    def add(self, labels: Labels, amount: float = 1) -> None:
        """Count.

        Args:
            labels: Their values in the metric's order; an empty one is left out of OTLP.
            amount: Less than 0 only where it may go down.
        """
        self._of(labels).inc(amount)

    def observe(self, labels: Labels, value: float) -> None:
        """Add to a histogram; `labels` as in `add`."""
        self._of(labels).observe(value)

    def set(self, labels: Labels, value: float) -> None:
        """Set a level; `labels` as in `add`."""
        self._of(labels).set(value)

    def read(self) -> Iterator[tuple[Labels, tuple[float, ...]]]:
        """Each series of this process: its value, or the counts of its buckets and the sum of its values."""
        samples = (sample for family in self._prometheus.collect() for sample in family.samples)
        for labels, found in groupby(samples, self._labels):
            if self.metric.kind != "histogram":
                yield labels, (next(found).value,)
                continue
            by_name = [(sample.name.rpartition("_")[2], sample.value) for sample in found]
            cumulated = [value for name, value in by_name if name == "bucket"]
            total = next(value for name, value in by_name if name == "sum")
            yield labels, (*(after - before for before, after in pairwise((0.0, *cumulated))), total)

    def _labels(self, sample: Sample) -> Labels:
        return tuple(sample.labels[name] for name in self._names)

    def _of(self, labels: Labels) -> Any:
        if (series := self._series.get(labels)) is not None:
            return series
        if len(self._series) >= MOST_SERIES:
            labels = (REST,) * len(labels)
        if (series := self._series.get(labels)) is None:
            series = self._series[labels] = self._prometheus.labels(*labels) if labels else self._prometheus
        return series


def _label(name: str) -> str:
    return name.replace(".", "_")


def _prometheus(metric: Metric, registry: CollectorRegistry) -> Any:
    about: tuple[str, str, list[str]] = (metric.prometheus, metric.meaning, [_label(name) for name in metric.labels])
    match metric.kind:
        case "counter":
            return Counter(*about, registry=registry)
        case "histogram":
            return Histogram(*about, registry=registry, buckets=STANDARD_BUCKETS)
        case "up_down" | "gauge":
            return Gauge(*about, registry=registry, multiprocess_mode=metric.over_workers)

"""One metric, recorded for Prometheus; what is sent by OTLP is read from there."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.samples import Sample
from prometheus_client.values import MutexValue
from typing_extensions import override

from gateway.telemetry.names import STANDARD_BUCKETS, Metric

MOST_SERIES: Final = 5000
"""Of one metric. Labels are bounded by what they can be; should that be wrong, the rest share one series."""

REST: Final = "_OTHER"

Labels = tuple[str, ...]

Told = tuple[str | int | None, ...]
"""The same as whoever records has them; None, like nothing, is left out of OTLP."""


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
        self._series = _Series(self._prometheus)

    def add(self, labels: Told, amount: float = 1) -> None:
        """Count.

        Args:
            labels: Their values in the metric's order.
            amount: Less than 0 only where it may go down.
        """
        self._series[labels].inc(amount)

    def observe(self, labels: Told, value: float) -> None:
        """Add to a histogram; `labels` as in `add`."""
        self._series[labels].observe(value)

    def set(self, labels: Told, value: float) -> None:
        """Set a level; `labels` as in `add`."""
        self._series[labels].set(value)

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


class _Series(dict[Told, Any]):
    """What the library records each series with, made when it is first asked for."""

    def __init__(self, metric: Any) -> None:
        super().__init__()
        self._metric = metric

    def __missing__(self, told: Told) -> Any:
        if len(self) >= MOST_SERIES:
            told = (REST,) * len(told)
        if (series := self.get(told)) is None:
            labels = ["" if value is None else str(value) for value in told]
            series = self[told] = self._metric.labels(*labels) if labels else self._metric
        return series


class _Value:
    """A number that grows in one thread: the library's has a lock, which takes longer than all the rest."""

    def __init__(self) -> None:
        self._value = 0.0

    def inc(self, amount: float) -> None:
        self._value += amount

    def get(self) -> float:
        return self._value

    def get_exemplar(self) -> None:
        """There is none."""


def _unlocked(value: Any) -> Any:
    """In place of a value of the library's; one that workers share stays as it is."""
    return _Value() if isinstance(value, MutexValue) else value


class _Counter(Counter):
    """The library's, less its lock, and its asking each time whether there are labels: of a series there are."""

    @override
    def _metric_init(self) -> None:
        super()._metric_init()
        self._value = _unlocked(self._value)
        self.inc = self._value.inc  # type: ignore[method-assign]  # without exemplars


class _Histogram(Histogram):
    """The same; and no more buckets are looked at than must be."""

    @override
    def _metric_init(self) -> None:
        super()._metric_init()
        self._sum = _unlocked(self._sum)
        self._buckets = [_unlocked(bucket) for bucket in self._buckets]

    @override
    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        self._sum.inc(amount)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(1)


def _label(name: str) -> str:
    return name.replace(".", "_")


def _prometheus(metric: Metric, registry: CollectorRegistry) -> Any:
    about: tuple[str, str, list[str]] = (metric.prometheus, metric.meaning, [_label(name) for name in metric.labels])
    match metric.kind:
        case "counter":
            return _Counter(*about, registry=registry)
        case "histogram":
            return _Histogram(*about, registry=registry, buckets=STANDARD_BUCKETS)
        case "up_down" | "gauge":
            return Gauge(*about, registry=registry, multiprocess_mode=metric.over_workers)

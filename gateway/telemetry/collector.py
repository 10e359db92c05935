"""What is known of the collector, by what it takes."""

from collections.abc import Callable, Sequence
from time import time

import msgspec
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from typing_extensions import override


class CollectorState(msgspec.Struct, frozen=True):
    """Whether the collector took what it was last sent."""

    reachable: bool
    since: float
    """Unix time."""


class Collector:
    """What is known of the collector, by what it takes.

    Args:
        turned: Is told when that changes.
    """

    def __init__(self, turned: Callable[[CollectorState], None] = lambda _: None) -> None:
        self.state: CollectorState | None = None
        """None: nothing was sent yet."""
        self._turned = turned

    def took(self, *, well: bool) -> None:
        """Something was sent."""
        if self.state is None or self.state.reachable != well:
            before, self.state = self.state, CollectorState(well, time())
            if before is not None or not well:
                self._turned(self.state)


class Watched(SpanExporter):
    """An exporter that tells whether what it sends is taken.

    Args:
        inner: What sends.
        collector: Is told.
    """

    def __init__(self, inner: SpanExporter, collector: Collector) -> None:
        self._inner = inner
        self._collector = collector

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._inner.export(spans)
        self._collector.took(well=result is SpanExportResult.SUCCESS)
        return result

    @override
    def shutdown(self) -> None:
        self._inner.shutdown()

    @override
    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._inner.force_flush(timeout_millis)

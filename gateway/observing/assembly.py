"""All that tells of what the gateway does, set up together."""

from functools import partial

import msgspec
from opentelemetry.sdk.trace import SpanProcessor

from gateway import telemetry
from gateway.metrics import Metrics
from gateway.observing.reporting import Reporter
from gateway.observing.watching import Vendors, collector_turned
from gateway.settings import Settings
from gateway.telemetry import Log, Provider
from gateway.telemetry.collector import Collector
from gateway.telemetry.traces import exports


class Observing(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything that is to be told goes."""

    log: Log
    metrics: Metrics
    provider: Provider
    reporter: Reporter
    """Tells of requests."""
    vendors: Vendors
    """Tells of calls to vendors."""
    collector: Collector | None
    """What is known of the collector; None: nothing is sent."""

    @classmethod
    def of(cls, settings: Settings, *processors: SpanProcessor, metrics: Metrics | None = None) -> "Observing":
        """As the settings and the standard variables of OpenTelemetry have it.

        Args:
            settings: How the log looks.
            processors: Further receivers of finished spans.
            metrics: Where numbers go, if somebody else reads them too.
        """
        log = telemetry.logger(settings.log_level, settings.log_format)
        metrics = metrics or Metrics()
        collector = Collector(partial(collector_turned, log, metrics))
        provider = telemetry.tracer_provider(*processors, collector=collector, who=metrics.who)
        return cls(
            log=log,
            metrics=metrics,
            provider=provider,
            reporter=Reporter(provider, metrics, log),
            vendors=Vendors(metrics, log),
            collector=collector if exports("traces") else None,
        )

    def stop(self) -> None:
        """Send and write what is left; waits for the collector, but not for long."""
        telemetry.stop(self.provider.shutdown, self.metrics.close)
        self.log.flush()

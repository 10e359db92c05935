"""Numbers about what the gateway does: recorded once, read as Prometheus' text and sent as OTLP."""

from gateway.metrics.recording import Metrics

__all__ = ["Metrics"]

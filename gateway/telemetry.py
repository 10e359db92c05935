"""Traces and logs: where they go, and the span around each request.

Everything standard is set by the `OTEL_*` variables; without an endpoint
nothing is exported.
"""

import logging
import os
import sys
from collections.abc import Mapping
from threading import Thread
from typing import Any, Final

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler
from structlog.typing import FilteringBoundLogger

from gateway import VERSION

Log = FilteringBoundLogger

FLUSH_SECONDS: Final = 3.0
"""A stop waits so long for the collector, and no longer."""

LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def tracer_provider(*processors: SpanProcessor) -> TracerProvider:
    """A provider set up from the environment.

    Args:
        processors: Further receivers of finished spans; the demo's tree is one.
    """
    # The SDK reads the sampler, the resource and the batch sizes from the environment by itself.
    resource = Resource.create({SERVICE_VERSION: VERSION})
    if "OTEL_SERVICE_NAME" not in os.environ and "service.name" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        resource = resource.merge(Resource({SERVICE_NAME: "funnel-gateway"}))
    provider = TracerProvider(resource=resource, sampler=_sampler())
    endpoints = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    if "otlp" in os.environ.get("OTEL_TRACES_EXPORTER", "otlp").replace(" ", "").split(",") and any(
        os.environ.get(name) for name in endpoints
    ):
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    for processor in processors:
        provider.add_span_processor(processor)
    return provider


def _sampler() -> Sampler | None:
    """Samples everything, also where a caller's `traceparent` says not to: its flag is a hint, the decision is ours.

    Returns:
        None where the environment names a sampler, which the SDK then reads by itself.
    """
    if "OTEL_TRACES_SAMPLER" in os.environ:
        return None
    return ParentBased(ALWAYS_ON, remote_parent_not_sampled=ALWAYS_ON)


def stop(provider: TracerProvider) -> None:
    """Send what is left of the spans; a collector that does not answer is given `FLUSH_SECONDS`."""
    flush = Thread(target=provider.shutdown, daemon=True)
    flush.start()
    flush.join(FLUSH_SECONDS)


def logger(level: str, form: str) -> Log:
    """One logger for the process, writing lines to standard error.

    Args:
        level: The least severe level that is written; a key of `LEVELS`.
        form: `json` for machines, `console` for people.
    """
    common: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if form == "console"
        # Without the values of local variables: tokens and vendor credentials are among them.
        else [
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
    )
    wrapped: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[*common, *last],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
    )
    return wrapped

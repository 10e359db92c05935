"""Traces and logs: where they go, and the span around each request.

Everything standard is set by the `OTEL_*` variables; without an endpoint
nothing is exported.
"""

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from structlog.typing import FilteringBoundLogger

from gateway import VERSION

Log = FilteringBoundLogger

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
    provider = TracerProvider(resource=resource)
    endpoints = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp" and any(os.environ.get(name) for name in endpoints):
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    for processor in processors:
        provider.add_span_processor(processor)
    return provider


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

"""Spans: which are kept, and where they go.

Everything standard is set by the `OTEL_*` variables; without an endpoint
nothing is exported, and nothing is kept.
"""

import os
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from threading import Thread
from time import time, time_ns
from typing import Final

import msgspec
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, SynchronousMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    SamplingResult,
)
from opentelemetry.sdk.trace.sampling import Decision as SamplingDecision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.semconv.attributes.http_attributes import HTTP_REQUEST_METHOD
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    get_current_span,
)
from opentelemetry.util.types import Attributes
from typing_extensions import override

from gateway.optional_parts import load
from gateway.telemetry.collector import Collector, Watched
from gateway.telemetry.resource import resource

FLUSH_SECONDS: Final = 3.0
"""A stop waits so long for the collector, and no longer."""

SERVER_FAILURES: Final = 500
"""Statuses from here on are ours, and mark a span."""

WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""Methods whose traces are always kept."""

OPERATION: Final = "gateway.operation_id"
"""The attribute that names the operation that a span is about."""


SCOPE: Final = "funnel-gateway"
"""Who makes the spans of requests and of what the gateway does for them."""

_SCOPE: Final = InstrumentationScope(SCOPE, "")

_UNSET: Final = Status(StatusCode.UNSET)
_FAILED: Final = Status(StatusCode.ERROR)

_DROPPED: Final = SamplingResult(SamplingDecision.DROP)

_KEPT: Final = SamplingDecision.RECORD_AND_SAMPLE
_SERVER: Final = SpanKind.SERVER
"""Members of enumerations that each request needs: to look one up takes Python longer than all that is done with it."""


class Decision(msgspec.Struct, frozen=True):
    """Whether a trace is kept, before anything of it is made."""

    context: Context
    """What the request came with."""
    parent: SpanContext
    """The caller's span; an invalid one: there is none."""
    trace_id: int
    span_id: int
    """Of its first span."""
    sampling: SamplingResult

    @property
    def sampled(self) -> bool:
        """Whether it is kept."""
        return self.sampling.decision is _KEPT

    def span_context(self, *, kept: bool) -> SpanContext:
        """Of its first span.

        Args:
            kept: Whether that is kept, also where the rest of the trace is not.
        """
        # Whether somebody else's identifier is random, only they know (W3C Trace Context 2, 2.2.5).
        random = self.parent.trace_flags if self.parent.is_valid else TraceFlags.RANDOM_TRACE_ID
        flags = random & TraceFlags.RANDOM_TRACE_ID | (TraceFlags.SAMPLED if kept else TraceFlags.DEFAULT)
        return SpanContext(self.trace_id, self.span_id, False, TraceFlags(flags), self.sampling.trace_state)


class Announced(NonRecordingSpan):
    """The first span of a kept trace while nothing is known of it but its identifiers: others can be below it."""

    _ended = False

    @override
    def is_recording(self) -> bool:
        return not self._ended

    @override
    def end(self, end_time: int | None = None) -> None:
        self._ended = True


class _Ids(RandomIdGenerator):
    """Random identifiers; those of a trace and of its first span may be known before that is made."""

    known_trace: int | None = None
    known_span: int | None = None

    @override
    def generate_trace_id(self) -> int:
        known, self.known_trace = self.known_trace, None
        return known or super().generate_trace_id()

    @override
    def generate_span_id(self) -> int:
        known, self.known_span = self.known_span, None
        return known or super().generate_span_id()


class Provider(TracerProvider):
    """Makes spans, and takes ones that were made otherwise.

    Args:
        resource: Who we are.
        sampler: Which traces are kept, of those that are not kept anyway (see `Deciding`).
        processors: Receivers of finished spans.
    """

    def __init__(self, *, resource: Resource, sampler: Sampler, processors: Sequence[SpanProcessor]) -> None:
        self._receivers = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]  # the SDK's own
        for processor in processors:
            self._receivers.add_span_processor(processor)
        self.receives = bool(processors)
        """Whether anybody is there to take a span."""
        self._random = RandomIdGenerator()
        self._ids = _Ids()
        self._deciding = Deciding(sampler)
        super().__init__(
            sampler=self._deciding if self.receives else ALWAYS_OFF,
            resource=resource,
            active_span_processor=self._receivers,
            id_generator=self._ids,
        )

    def decide(self, name: str, context: Context) -> Decision:
        """Whether the trace of a request is kept that comes with `context`; most are not, and are nothing but this."""
        parent = get_current_span(context).get_span_context() if context else INVALID_SPAN_CONTEXT
        trace_id = parent.trace_id if parent.is_valid else self._random.generate_trace_id()
        sampling = _DROPPED
        if self.receives:
            about = {HTTP_REQUEST_METHOD: name}
            sampling = self._deciding.sampler(about).should_sample(context, trace_id, name, _SERVER, about)
        return Decision(context, parent, trace_id, self._random.generate_span_id(), sampling)

    def begin(self, tracer: Tracer, name: str, decision: Decision, *, since: int | None = None) -> Span:
        """The first span of a trace, as was decided.

        Args:
            tracer: Makes it.
            name: Of the method.
            decision: About the trace.
            since: When it began, as Unix time in nanoseconds; None: now.
        """
        if not decision.sampled:
            return NonRecordingSpan(decision.span_context(kept=False))
        self._deciding.known = decision
        self._ids.known_span = decision.span_id
        if not decision.parent.is_valid:
            self._ids.known_trace = decision.trace_id
        try:
            return tracer.start_span(
                name,
                decision.context,
                kind=SpanKind.SERVER,
                attributes={HTTP_REQUEST_METHOD: name},
                start_time=since,
                record_exception=False,
                set_status_on_exception=False,
            )
        finally:  # A tracer that is switched off asks for none of them.
            self._deciding.known = self._ids.known_trace = self._ids.known_span = None

    def whole(
        self,
        name: str,
        decision: Decision,
        attributes: Attributes,
        *,
        seconds: float,
        failed: bool = False,
        looks: Sequence[tuple[str, Attributes]] = (),
    ) -> None:
        """Keep the first span of a trace, which ends now, at once: nothing was made of it before.

        Args:
            name: Its name.
            decision: About the trace, of which this may be the only span that is kept.
            attributes: All of them.
            seconds: How long it took.
            failed: Whether it went wrong.
            looks: Names and attributes of what was done within it, and took no time.
        """
        own, ended = decision.span_context(kept=True), time_ns()
        finished = partial(ReadableSpan, resource=self.resource, instrumentation_scope=_SCOPE, end_time=ended)
        for look, found in looks:
            below = SpanContext(own.trace_id, self._random.generate_span_id(), False, own.trace_flags, own.trace_state)
            self._receivers.on_end(finished(look, context=below, parent=own, attributes=found, start_time=ended))
        self._receivers.on_end(
            finished(
                name,
                context=own,
                parent=decision.parent if decision.parent.is_valid else None,
                attributes=attributes,
                kind=SpanKind.SERVER,
                status=_FAILED if failed else _UNSET,
                start_time=ended - int(seconds * 1e9),
            )
        )


class Deciding(Sampler):
    """Decides once per trace, when it begins.

    What changes something is always kept, and what finds out how that ended;
    so is what a kept trace links to. The rest is for the usual sampler to say.
    Spans within a trace follow its first one.

    Args:
        usual: As the environment has it.
    """

    def __init__(self, usual: Sampler) -> None:
        self._usual = usual
        self.known: Decision | None = None
        """What was decided about the trace that is just being begun."""

    @override
    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if (known := self.known) is not None and known.trace_id == trace_id:
            self.known = None
            return known.sampling
        parent = get_current_span(parent_context).get_span_context()
        if parent.is_valid and not parent.is_remote:
            follows = _KEPT if parent.trace_flags.sampled else SamplingDecision.DROP
            return SamplingResult(follows, attributes, parent.trace_state)
        sampler = self.sampler(attributes, links)
        return sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def sampler(self, attributes: Attributes, links: Sequence[Link] | None = None) -> Sampler:
        """Who decides about a span that none of ours stands above."""
        attributes = attributes or {}
        kept = (
            attributes.get(HTTP_REQUEST_METHOD) in WRITES
            or OPERATION in attributes
            or (links and any(link.context.trace_flags.sampled for link in links))
        )
        return ALWAYS_ON if kept else self._usual

    @override
    def get_description(self) -> str:
        return f"Deciding({self._usual.get_description()})"


def tracer_provider(
    *processors: SpanProcessor, collector: Collector | None = None, who: Resource | None = None
) -> Provider:
    """A provider set up from the environment.

    Args:
        processors: Further receivers of finished spans; the demo's tree is one.
        collector: Is told how sending goes.
        who: We, as in `resource()`.
    """
    # The SDK reads the sampler and the batch sizes from the environment by itself.
    exporters = []
    load_sender()
    if exports("traces"):
        exporters.append(BatchSpanProcessor(Watched(OTLPSpanExporter(), collector or Collector())))
    receivers = (*exporters, *processors)
    return Provider(resource=who or resource(), sampler=_usual(), processors=receivers)


def load_sender() -> None:
    """Import what exporters send with, if anything is sent, before the first of them does so.

    It would bring three megabytes of guesses at how a text is encoded, for
    texts that do not say; a collector's answers are bytes that do.
    """
    if exports("traces") or exports("metrics"):
        warnings.filterwarnings("ignore", message="Unable to find acceptable character detection dependency")
        load("requests", without=("chardet", "charset_normalizer"))


def exports(signal: str) -> bool:
    """Whether the environment wants `traces` or `metrics` sent, and says where to."""
    wanted = os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "otlp").replace(" ", "").split(",")
    endpoints = (f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not disabled and "otlp" in wanted and any(os.environ.get(name) for name in endpoints)


def _usual() -> Sampler:
    """The sampler of the environment.

    Without one, everything is kept, also where a caller's `traceparent` says
    not to: its flag is a hint, the decision is ours.
    """
    if "OTEL_TRACES_SAMPLER" in os.environ:
        return TracerProvider(shutdown_on_exit=False).sampler  # Read by the SDK itself.
    return ParentBased(ALWAYS_ON, remote_parent_not_sampled=ALWAYS_ON)


def stop(*flushes: Callable[[], object]) -> None:
    """Send what is left; a collector that does not answer is given `FLUSH_SECONDS`.

    Args:
        flushes: Each sends what is left of one signal, and may wait.
    """
    threads = [Thread(target=flush, daemon=True) for flush in flushes]
    for thread in threads:
        thread.start()
    ends = time() + FLUSH_SECONDS
    for thread in threads:
        thread.join(max(0.0, ends - time()))

"""Spans within what is being traced, for whoever has something to tell there.

The tracer goes with the request, as the current span does, so that nobody has
to be handed one. Outside of a trace that is kept, a span costs next to nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Final

from opentelemetry.context import Context
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
)

tracer: ContextVar[Tracer | None] = ContextVar("tracer", default=None)
"""Where the current request, or the work behind requests, has its spans; None: nowhere."""

Attributes = Mapping[str, str | int | float | bool]

_NONE: Final = nullcontext(INVALID_SPAN)


def child(
    name: str,
    attributes: Attributes | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    links: tuple[SpanContext, ...] = (),
) -> AbstractContextManager[Span]:
    """A span below the current one, for the length of a block; an exception that ends the block marks it.

    Args:
        name: Of low cardinality.
        attributes: Known at its beginning.
        kind: `CLIENT` where something outside is asked.
        links: Other spans that it has to do with.
    """
    if (spans := tracer.get()) is None or not get_current_span().is_recording():
        return _NONE
    return _marked(spans, name, None, attributes, kind, links)


def started(about: Callable[[], tuple[str, Attributes]]) -> Span | None:
    """A span below the current one that its maker ends, and that never is the current one itself.

    For callbacks, between which anything may happen.

    Args:
        about: Its name and attributes; asked only where the trace is kept.
    """
    if (spans := tracer.get()) is None or not get_current_span().is_recording():
        return None
    name, attributes = about()
    return spans.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)


def background(name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
    """The first span of a trace of its own, linked to what it was begun by.

    For work that nobody waits for, or that may outlast who began it.
    """
    if (spans := tracer.get()) is None:
        return _NONE
    begun_by = get_current_span().get_span_context()
    links = (begun_by,) if begun_by.is_valid else ()
    return _marked(spans, name, Context(), attributes, SpanKind.INTERNAL, links)


def within(name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
    """A span below the current one, or where none is kept, the first of a trace of its own."""
    return child(name, attributes) if get_current_span().is_recording() else background(name, attributes)


@contextmanager
def _marked(  # noqa: PLR0917 - called twice, above
    spans: Tracer,
    name: str,
    context: Context | None,
    attributes: Attributes | None,
    kind: SpanKind,
    links: tuple[SpanContext, ...],
) -> Iterator[Span]:
    with spans.start_as_current_span(
        name,
        context,
        kind=kind,
        attributes=attributes,
        links=[Link(linked) for linked in links],
        # The message of an exception may hold what no span may.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            mark(span, error)
            raise


def mark(span: Span, error: BaseException) -> None:
    """Record a failure: its kind, and none of its words."""
    span.set_status(Status(StatusCode.ERROR))
    span.set_attribute(ERROR_TYPE, getattr(error, "low_cardinality", type(error).__name__))

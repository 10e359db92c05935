"""Spans within what is being traced, for whoever has something to tell there.

The tracer goes with the request, as the current span does, so that nobody has
to be handed one. Outside of a trace that is kept, a span costs next to nothing.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Final

from opentelemetry.context import Context, attach, detach
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
    set_span_in_context,
)
from typing_extensions import override

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
    return Entered(spans.start_span(name, kind=kind, attributes=attributes, links=[Link(linked) for linked in links]))


def started(about: Callable[[], tuple[str, Attributes]], kind: SpanKind = SpanKind.CLIENT) -> Span | None:
    """A span below the current one that its maker ends, and that never is the current one itself.

    For callbacks, between which anything may happen, and for what takes no time.

    Args:
        about: Its name and attributes; asked only where the trace is kept.
        kind: As in `child`.
    """
    if (spans := tracer.get()) is None or not get_current_span().is_recording():
        return None
    name, attributes = about()
    return spans.start_span(name, kind=kind, attributes=attributes)


def background(name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
    """The first span of a trace of its own, linked to what it was begun by.

    For work that nobody waits for, or that may outlast who began it.
    """
    if (spans := tracer.get()) is None:
        return _NONE
    begun_by = get_current_span().get_span_context()
    links = [Link(begun_by)] if begun_by.is_valid else []
    return Entered(spans.start_span(name, Context(), attributes=attributes, links=links))


def within(name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
    """A span below the current one, or where none is kept, the first of a trace of its own."""
    return child(name, attributes) if get_current_span().is_recording() else background(name, attributes)


class Entered(AbstractContextManager[Span]):
    """Makes a span the current one for the length of a block, and ends it; an exception that ends the block marks it.

    What the API has for this is three generators within each other, and takes three times as long.

    Args:
        span: One that was just started.
    """

    __slots__ = ("_before", "_span")

    def __init__(self, span: Span) -> None:
        self._span = span
        self._before: Token[Context] | None = None

    @override
    def __enter__(self) -> Span:
        self._before = attach(set_span_in_context(self._span))
        return self._span

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._before is not None:
            detach(self._before)
        if isinstance(error, Exception):
            mark(self._span, error)
        self._span.end()


def mark(span: Span, error: BaseException) -> None:
    """Record a failure: its kind, and none of its words."""
    span.set_status(Status(StatusCode.ERROR))
    span.set_attribute(ERROR_TYPE, getattr(error, "low_cardinality", type(error).__name__))

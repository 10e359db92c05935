"""One CLIENT span per attempt, and what is told of each attempt besides."""

from collections.abc import Coroutine
from contextvars import ContextVar
from time import perf_counter
from typing import Any, Final

import httpx
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.http_attributes import (
    HTTP_REQUEST_METHOD,
    HTTP_REQUEST_RESEND_COUNT,
    HTTP_RESPONSE_STATUS_CODE,
)
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT
from opentelemetry.trace import (
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TracerProvider,
    get_current_span,
)
from typing_extensions import override

from clients.call import Call
from clients.errors import Operation, Unanswered, UpstreamError
from clients.spans import Entered
from clients.watch import Attempt, Unwatched, Watcher

attempts: ContextVar[list[tuple[Operation, float]] | None] = ContextVar("attempts", default=None)
"""Where the current request collects each attempt and its seconds; None: nobody asks."""


_LONGEST_ID: Final = 64
"""Characters of a vendor's request id; what is longer is none."""


class Traced(httpx.AsyncBaseTransport):
    """The layer that makes each attempt visible.

    In a trace that is not kept, no span is made; every attempt is measured.
    The span is named after the operation, never after the path, and carries
    neither query, body nor credentials. `traceparent` travels on; baggage does not.
    `gateway.deadline.remaining` is what the whole request had left as the attempt began, in seconds.

    Args:
        inner: The next layer.
        tracer_provider: Where spans go.
        watcher: Is told of each attempt, and of each answer in which the vendor says yes.
    """

    def __init__(
        self, inner: httpx.AsyncBaseTransport, *, tracer_provider: TracerProvider, watcher: Watcher | None = None
    ) -> None:
        self._inner = inner
        self._tracer = tracer_provider.get_tracer("funnel-gateway.clients")
        self._watcher = watcher or Unwatched()

    @override
    def handle_async_request(self, request: httpx.Request) -> Coroutine[Any, Any, httpx.Response]:
        call: Call = request.extensions["call"]
        current = get_current_span()
        context = current.get_span_context()
        if current.is_recording() or not context.is_valid:
            return self._recorded(request, call)
        return self._measured(request, call, context)

    async def _recorded(self, request: httpx.Request, call: Call) -> httpx.Response:
        with Entered(self._tracer.start_span(call.operation.name, kind=SpanKind.CLIENT)) as span:
            if span.is_recording():
                _describe(span, request.method, call)
            try:
                reply = await self._measured(request, call, span.get_span_context())
            except UpstreamError as error:
                _describe_failure(span, error)
                raise
            span.set_attribute(HTTP_RESPONSE_STATUS_CODE, reply.status_code)
            if (failure := reply.extensions.get("failure")) is not None:
                # A business failure, that the vendor reports as a success.
                span.set_status(Status(StatusCode.ERROR))
                span.set_attribute(ERROR_TYPE, failure)
            return reply

    async def _measured(self, request: httpx.Request, call: Call, context: SpanContext) -> httpx.Response:
        started = perf_counter()
        _continue(context, call.headers)
        try:
            reply = await self._inner.handle_async_request(request)
        except UpstreamError as error:
            self._ended(request.method, call, started, status=error.status, error=error.low_cardinality)
            raise
        except BaseException:
            self._ended(request.method, call, started, status=None, error="Abandoned")
            raise
        failure: str | None = reply.extensions.get("failure")
        self._ended(request.method, call, started, status=reply.status_code, error=failure)
        self._watcher.answered(call.operation, reply)
        return reply

    def _ended(self, method: str, call: Call, started: float, *, status: int | None, error: str | None) -> None:
        seconds = perf_counter() - started
        if (seen := attempts.get()) is not None:
            seen.append((call.operation, seconds))
        self._watcher.attempted(
            Attempt(
                operation=call.operation,
                method=method,
                host=call.origin.host,
                port=call.origin.port,
                status=status,
                error=error,
                resend=call.resends,
                seconds=seconds,
            )
        )

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()


def _continue(context: SpanContext, headers: dict[str, str]) -> None:
    """Have the trace go on at the vendor: what `TraceContextTextMapPropagator` writes, in a third of its time."""
    trace_id, span_id, _, flags, state, valid = context
    if valid:
        headers["traceparent"] = f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}"
        if state:
            headers["tracestate"] = state.to_header()


def _describe(span: Span, method: str, call: Call) -> None:
    span.set_attributes(
        {
            HTTP_REQUEST_METHOD: method,
            SERVER_ADDRESS: call.origin.host,
            SERVER_PORT: call.origin.port,
            "url.template": call.operation.name.partition(" ")[2],
            "gateway.upstream": call.operation.upstream,
            "gateway.deadline.remaining": round(call.remaining, 3),
        }
    )
    if call.resends:
        span.set_attribute(HTTP_REQUEST_RESEND_COUNT, call.resends)


def _describe_failure(span: Span, error: UpstreamError) -> None:
    """Record what is known of a failure, beside its kind; also of one that came under HTTP 200."""
    if error.status is not None:
        span.set_attribute(HTTP_RESPONSE_STATUS_CODE, error.status)
    if error.request_id is not None and len(error.request_id) <= _LONGEST_ID:
        span.set_attribute("gateway.upstream.request_id", error.request_id)
    if isinstance(error, Unanswered):
        span.set_attribute("gateway.upstream.sent", error.sent)

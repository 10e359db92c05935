"""What is told of each request: its span, its line in the log, its numbers."""

import re
import time
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.propagators.textmap import Getter
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.http_attributes import (
    HTTP_REQUEST_METHOD,
    HTTP_REQUEST_METHOD_ORIGINAL,
    HTTP_RESPONSE_STATUS_CODE,
    HTTP_ROUTE,
)
from opentelemetry.semconv.attributes.url_attributes import URL_SCHEME
from opentelemetry.trace import Span, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from typing_extensions import override

from clients.spans import Entered, tracer
from clients.tracing import attempts
from gateway.http.asked import Asked, Headers
from gateway.metrics import Metrics
from gateway.problems import OutcomeUnknown
from gateway.telemetry import Line, Log, Provider
from gateway.telemetry.names import CACHE_STATUS, CACHE_TOPIC
from gateway.telemetry.traces import SCOPE, SERVER_FAILURES, Announced, Decision
from gateway.ways import Kept

if TYPE_CHECKING:
    from gateway.http.exchange import Exchange
    from gateway.principal import Principal

KNOWN_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})

LONGEST_TRACESTATE: Final = 512
"""Characters that everyone passes on (W3C Trace Context, 3.3.1.5); a longer one is dropped, and the trace goes on."""

LONGEST_METHOD: Final = 32
"""Characters of a method that nobody knows."""

current: ContextVar["Exchange | None"] = ContextVar("exchange", default=None)
"""The request that is being answered, for whoever writes a line about what it does."""

_CLIENT_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._~+/=:-]{1,128}")

_NOT_KEPT: Final = nullcontext()
_NOTHING: Final = Context()


class _Headers(Getter[Headers]):
    @override
    def get(self, carrier: Headers, key: str) -> list[str] | None:
        value = carrier.get(key.encode())
        return [value.decode("latin-1")] if value is not None else None

    @override
    def keys(self, carrier: Headers) -> list[str]:
        return [name.decode("latin-1") for name in carrier]


class RequestLine(Line, kw_only=True):
    """What the log says of a request; None: there is nothing to say."""

    method: str
    route: str | None = None
    status: int | None = None
    problem: str | None = None
    cache: str | None = None
    operation_id: str | None = None
    ms: float
    upstream_ms: float | None = None
    attempts: int | None = None
    request_id: str
    client_request_id: str | None = None
    trace_id: str
    tenant: str | None = None
    mode: str | None = None
    token_id: str | None = None


class Begun(msgspec.Struct, frozen=True):
    """A request, from the moment it came."""

    span: Span
    started: float
    """By `time.perf_counter`."""
    method: str
    """As it came."""
    scheme: str
    """`http` or `https`."""
    decision: Decision
    """About its trace."""
    attached: Any

    @property
    def trace_id(self) -> str:
        """As 32 hexadecimal digits."""
        return trace.format_trace_id(self.span.get_span_context().trace_id)


class Reporter:
    """Tells of requests.

    A trace that is not kept costs no more than its identifiers: nothing is
    looked up for it.

    Args:
        provider: Where spans go.
        metrics: Where numbers go.
        log: Where lines go.
    """

    _propagator: Final = TraceContextTextMapPropagator()
    _getter: Final = _Headers()

    def __init__(self, provider: Provider, metrics: Metrics, log: Log) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(SCOPE)
        self._metrics = metrics
        self._log = log
        self.tells = provider.receives or log.tells("info")
        """Whether anybody is told more of an answer at once than numbers."""

    def decide(self, method: str, headers: Headers) -> Decision:
        """Whether the trace of a request is kept: the first thing to know of it."""
        return self._provider.decide(known(method), self._came_with(headers))

    def announced(self, decision: Decision) -> AbstractContextManager[object]:
        """A block in which what belongs to a kept trace stands below its first span, though that is not made yet."""
        if not decision.sampled:
            return _NOT_KEPT
        tracer.set(self._tracer)
        return Entered(Announced(decision.span_context(kept=True)))

    def began(self, method: str, scheme: str, decision: Decision, started: float) -> Begun:
        """A request came.

        Args:
            method: As it came.
            scheme: `http` or `https`.
            decision: About its trace.
            started: When, by `time.perf_counter`.
        """
        since = time.time_ns() - int((time.perf_counter() - started) * 1e9)
        span = self._provider.begin(self._tracer, known(method), decision, since=since)
        tracer.set(self._tracer)
        self._metrics.began(known(method), scheme)
        attached = attach(trace.set_span_in_context(span, decision.context))
        return Begun(span, started, method, scheme, decision, attached)

    def kept(
        self, kept: Kept, asked: Asked, decision: Decision | None, *, scheme: str, request_id: str, seconds: float
    ) -> None:
        """A request was answered at once with what is kept; what waited in between was `announced`.

        Args:
            kept: The answer.
            asked: What was asked.
            decision: About its trace; None: that does not matter, since nobody is told.
            scheme: `http` or `https`.
            request_id: Its name.
            seconds: Since it came.
        """
        way, who = kept.way, kept.principal
        if decision is not None and decision.sampled:
            told = {
                HTTP_REQUEST_METHOD: "GET",
                URL_SCHEME: scheme,
                HTTP_ROUTE: way.route,
                HTTP_RESPONSE_STATUS_CODE: kept.answer.status,
                "gateway.request_id": request_id,
                CACHE_STATUS: kept.cached,
                **_who(who),
            }
            # Who had to wait has told of it meanwhile.
            looks = [("cache", {CACHE_TOPIC: way.topic.family, CACHE_STATUS: "hit"})] if kept.cached == "hit" else []
            self._provider.whole(_name("GET", way.route), decision, told, seconds=seconds, looks=looks)
        self._metrics.answered("GET", scheme, route=way.route, status=kept.answer.status, problem=None, seconds=seconds)
        self._metrics.cached(kept.cached, way.route)
        if decision is not None and self._log.tells("info"):
            line = RequestLine(
                event="request",
                method="GET",
                route=way.route,
                status=kept.answer.status,
                cache=kept.cached,
                ms=_ms(seconds),
                request_id=request_id,
                client_request_id=_claimed(asked.headers),
                trace_id=trace.format_trace_id(decision.trace_id),
                tenant=who.tenant,
                mode=who.mode,
                token_id=who.token_id,
            )
            self._log.line("info", line)

    def ended(self, begun: Begun, route: str | None, headers: Headers, exchange: "Exchange") -> None:
        """It was answered, or its caller left."""
        seconds = time.perf_counter() - begun.started
        method = known(begun.method)
        span = begun.span
        if span.is_recording():
            span.update_name(_name(method, route))
            span.set_attributes(_attributes(begun, route, exchange))
            if _failed(exchange):
                span.set_status(Status(StatusCode.ERROR))
        elif exchange.status is not None and exchange.status >= SERVER_FAILURES and self._provider.receives:
            attributes = _attributes(begun, route, exchange)
            self._provider.whole(_name(method, route), begun.decision, attributes, seconds=seconds, failed=True)
        detach(begun.attached)
        span.end()
        self._metrics.ended(
            method,
            begun.scheme,
            route=route,
            status=exchange.status,
            problem=exchange.problem.code if exchange.problem else None,
            seconds=seconds,
        )
        if isinstance(exchange.problem, OutcomeUnknown) and exchange.principal is not None:
            self._metrics.unknown(route, exchange.principal.mode)
        if (cached := exchange.cached) is not None:
            self._metrics.cached(cached, route)
        self._line(begun, headers, route, exchange, seconds=seconds)

    def _came_with(self, headers: Headers) -> Context:
        if b"traceparent" not in headers:
            return _NOTHING
        if len(headers.get(b"tracestate", b"")) > LONGEST_TRACESTATE:
            headers = {b"traceparent": headers[b"traceparent"]}
        return self._propagator.extract(headers, Context(), getter=self._getter)

    def _line(self, begun: Begun, headers: Headers, route: str | None, exchange: "Exchange", *, seconds: float) -> None:
        failed = _failed(exchange)
        if not failed and not self._log.tells("info"):
            return
        principal = exchange.principal
        tried = attempts.get() or ()
        told = RequestLine(
            event="request",
            method=known(begun.method),
            route=route,
            status=exchange.status,
            problem=exchange.problem.code if exchange.problem else None,
            cache=exchange.cached,
            operation_id=exchange.named_operation.get("gateway.operation_id"),
            ms=_ms(seconds),
            upstream_ms=_ms(sum(taken for _, taken in tried)) if tried else None,
            attempts=len(tried) or None,
            request_id=exchange.occurrence.request_id,
            client_request_id=_claimed(headers),
            trace_id=trace.format_trace_id(begun.span.get_span_context().trace_id),
            tenant=principal.tenant if principal else None,
            mode=principal.mode if principal else None,
            token_id=principal.token_id if principal else None,
        )
        self._log.line("error" if failed else "info", told)


def _claimed(headers: Headers) -> str | None:
    """What the caller calls the request, if that is plausible."""
    if (claimed := headers.get(b"x-request-id")) is None:
        return None
    text = claimed.decode("latin-1")
    return text if _CLIENT_REQUEST_ID.fullmatch(text) else None


def _failed(exchange: "Exchange") -> bool:
    return exchange.status is None or exchange.status >= SERVER_FAILURES


def _name(method: str, route: str | None) -> str:
    return f"{method} {route}" if route else method


def _attributes(begun: Begun, route: str | None, exchange: "Exchange") -> dict[str, str | int]:
    method = known(begun.method)
    # Without `url.path`: a customer's identifier in it may be an e-mail address.
    told: dict[str, str | int | None] = {
        HTTP_REQUEST_METHOD: method,
        HTTP_REQUEST_METHOD_ORIGINAL: begun.method[:LONGEST_METHOD] if method == OTHER else None,
        URL_SCHEME: begun.scheme,
        HTTP_ROUTE: route,
        HTTP_RESPONSE_STATUS_CODE: exchange.status,
        "gateway.request_id": exchange.occurrence.request_id,
        CACHE_STATUS: exchange.cached,
        **exchange.named_operation,
        "gateway.problem": exchange.problem.code if exchange.problem else None,
        "gateway.outcome": exchange.problem.outcome if exchange.problem else None,
    }
    if _failed(exchange):
        told[ERROR_TYPE] = exchange.problem.code if exchange.problem else "disconnected"
    if (principal := exchange.principal) is not None:
        told |= _who(principal)
    return {name: value for name, value in told.items() if value is not None}


def _who(principal: "Principal") -> dict[str, str]:
    who = {"gateway.tenant": principal.tenant, "gateway.mode": principal.mode}
    return who if principal.token_id is None else {**who, "gateway.token_id": principal.token_id}


OTHER: Final = "_OTHER"
"""A method that nobody knows, as OpenTelemetry has it, so that nobody can invent names."""


def known(method: str) -> str:
    """The method, or `OTHER`."""
    return method if method in KNOWN_METHODS else OTHER


def route_of(scope: Any) -> str | None:
    """The template of the route, as in `/v1/domains/{hostname}`; None if nothing was routed."""
    template: str | None = scope.get("path_template")
    return _template(template) if template is not None else None


@lru_cache(maxsize=1024)  # More than there are routes.
def _template(template: str) -> str:
    return re.sub(r":[a-z]+}", "}", template)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)

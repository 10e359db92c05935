"""Which traces are kept: decided when one begins, but for what fails."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from clients.sandbox.emulator import Sandbox
from clients.secret import Secret
from gateway.telemetry import Provider
from tests.support.charging import CHARGE, order_for, pay
from tests.support.gateway import RunningGateway, Tenant
from tests.support.timing import until

TRACE = "5b8efff798038103d269b633813fc60c"


@pytest.fixture
def sparing(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch, database_path: Path) -> Iterator[RunningGateway]:
    """A gateway that keeps no trace of its own accord, and finds no operations of others to settle."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    own = msgspec.structs.replace(gateway.settings, database_url=Secret(f"sqlite:///{database_path}"))
    with RunningGateway(own) as running:
        yield running


@pytest.fixture
def caller(sparing: RunningGateway, sandbox: Sandbox) -> Tenant:
    """A tenant of its own."""
    return Tenant("sparing", sparing, sandbox)


def requests_in(running: RunningGateway) -> list[ReadableSpan]:
    """The spans of requests."""
    return [span for span in running.spans.get_finished_spans() if span.kind is SpanKind.SERVER]


def test_a_read_leaves_no_span(sparing: RunningGateway, caller: Tenant) -> None:
    """Neither its own nor those below it; the problem's trace id is there all the same."""
    with caller.client() as api:
        done = api.get("/v1/features")
        refused = api.get("/v1/nothing-here")

    assert done.status_code == 200
    assert len(refused.json()["trace_id"]) == 32
    assert sparing.spans.get_finished_spans() == ()


def test_a_write_is_always_kept_whole(sparing: RunningGateway, caller: Tenant) -> None:
    """Money and all that changes something can be explained for ever after."""
    with caller.client() as api:
        made = api.post("/v1/domains", json={"hostname": "kept.example.com"})

    assert made.status_code == 201
    until(lambda: len(requests_in(sparing)) == 1)
    (server,) = requests_in(sparing)
    mine = [
        span
        for span in sparing.spans.get_finished_spans()
        if span.context and server.context and span.context.trace_id == server.context.trace_id
    ]
    assert "POST /domains" in {span.name for span in mine}


def test_what_finds_out_how_a_write_ended_is_kept(sparing: RunningGateway, caller: Tenant) -> None:
    """As the write itself is, also where a read that is not kept has caused it."""
    with caller.client() as api:
        order = order_for(api)
        caller.fails(CHARGE, "drop_after", times=1)
        lost = pay(api, order)
        api.get(f"/v1/operations/{lost.headers['gateway-operation']}")

    until(lambda: "settle operation" in {span.name for span in sparing.spans.get_finished_spans()})
    assert [span.name for span in requests_in(sparing)] == ["POST /v1/checkout/sessions", "POST /v1/checkout/payments"]


def test_a_read_that_fails_leaves_its_span(sparing: RunningGateway, caller: Tenant) -> None:
    """With the trace id that the problem shows, below the caller's own span."""
    caller.fails("GET /domains", "status", status=500)

    with caller.client() as api:
        failed = api.get("/v1/domains", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"})

    until(lambda: len(requests_in(sparing)) == 1)
    (server,) = sparing.spans.get_finished_spans()
    assert server.context is not None
    assert server.parent is not None
    assert f"{server.context.trace_id:032x}" == TRACE == failed.json()["trace_id"]
    assert f"{server.parent.span_id:016x}" == "b7ad6b7169203331"
    assert server.name == "GET /v1/domains"
    assert server.status.status_code is StatusCode.ERROR
    assert (server.attributes or {})["gateway.problem"] == "upstream_error"
    assert (server.attributes or {})["http.response.status_code"] == 502
    assert (server.end_time or 0) > (server.start_time or 0)


def test_a_vendor_is_told_the_trace_even_if_it_is_not_kept(caller: Tenant) -> None:
    """Its own logs may lead back to ours."""
    with caller.client() as api:
        api.get("/v1/features", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"})

    seen = [arrived for arrived in caller._sandbox.requests if arrived.account == caller.name][-1]  # noqa: SLF001 - what arrived
    assert "traceparent" in seen.header_names


@pytest.mark.parametrize(
    "headers",
    [
        {"tracestate": "a=b," * 12_000},
        {"traceparent": "00-" + "a" * 60_000},
        {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": "k=" + "v" * 60_000},
        {"baggage": "k=" + "v" * 60_000},
        {"x-request-id": "\t\x7f" * 20_000},
        {"traceparent": f"ff-{TRACE}-b7ad6b7169203331-01"},
        {"traceparent": f"00-{TRACE}-{'0' * 16}-01", "tracestate": "\x00=\xff"},
    ],
)
def test_huge_and_hostile_headers_do_no_harm(api: httpx.Client, headers: dict[str, str]) -> None:
    """They are dropped, or the request is refused before it is one; the next is served."""
    try:
        reply = api.get(
            "/v1/features", headers=[(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        )
    except httpx.TransportError:
        reply = None  # The server ended the connection: it is no HTTP.

    assert reply is None or reply.status_code in {200, 400, 431}
    assert api.get("/v1/features").status_code == 200


def test_nobody_who_takes_spans_is_nobody_for_whom_they_are_made() -> None:
    """Without an endpoint a trace costs its identifiers, and no more."""
    from gateway.telemetry import tracer_provider  # noqa: PLC0415 - the one test of it

    span = tracer_provider().get_tracer("test").start_span("GET")

    assert not span.is_recording()
    assert span.get_span_context().is_valid


def test_a_trace_that_is_not_kept_says_of_its_identifier_what_its_maker_said() -> None:
    """Whether it is random: nobody else can know."""
    receiver = SimpleSpanProcessor(InMemorySpanExporter())
    provider = Provider(resource=Resource({}), sampler=ALWAYS_OFF, processors=[receiver])
    flags = []
    for given in (0, TraceFlags.SAMPLED, TraceFlags.RANDOM_TRACE_ID, None):
        parent = SpanContext(1, 1, is_remote=True, trace_flags=TraceFlags(given or 0))
        context = set_span_in_context(NonRecordingSpan(parent), Context()) if given is not None else Context()
        begun = provider.begin(provider.get_tracer("test"), "GET", provider.decide("GET", context))
        flags.append(begun.get_span_context().trace_flags)

    assert flags == [0, 0, TraceFlags.RANDOM_TRACE_ID, TraceFlags.RANDOM_TRACE_ID]

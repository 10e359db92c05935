"""One request, one trace: what leaves for the collector."""

from collections.abc import Sequence
from time import monotonic, sleep

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from tests.support.gateway import RunningGateway, Tenant
from tests.support.timing import PATIENCE

TRACE = "0af7651916cd43dd8448eb211c80319c"


def trace_of(reply: httpx.Response, gateway: RunningGateway) -> list[ReadableSpan]:
    """The whole trace that a reply belongs to, in the order of its spans' beginning."""
    ends = monotonic() + PATIENCE
    while monotonic() < ends:
        spans: Sequence[ReadableSpan] = gateway.spans.get_finished_spans()
        ours = [
            span for span in spans if (span.attributes or {}).get("gateway.request_id") == reply.headers["x-request-id"]
        ]
        if ours:
            mine = [
                span
                for span in spans
                if span.context and ours[0].context and span.context.trace_id == ours[0].context.trace_id
            ]
            return sorted(mine, key=lambda span: span.start_time or 0)
        sleep(0.005)  # The answer leaves a moment before its span ends.
    raise AssertionError("the server span did not end")


def calls_in(spans: Sequence[ReadableSpan]) -> list[ReadableSpan]:
    """The attempts at vendors among spans; what is asked of the database is not."""
    return [span for span in spans if "url.template" in (span.attributes or {})]


def test_a_merged_call_is_one_trace(api: httpx.Client, gateway: RunningGateway, tenant: Tenant) -> None:
    """The caller's trace goes on: one server span, and a client span for each vendor call under it."""
    tenant.account.domains.add("track.trace-test.com")
    api.get("/v1/domains/track.trace-test.com")

    reply = api.get("/v1/domains/track.trace-test.com", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})

    server, *below = trace_of(reply, gateway)
    calls = calls_in(below)
    assert server.context is not None
    assert f"{server.context.trace_id:032x}" == TRACE
    assert (server.name, server.kind) == ("GET /v1/domains/{hostname}", SpanKind.SERVER)
    assert server.parent is not None
    assert f"{server.parent.span_id:016x}" == "b7ad6b7169203331"
    attributes = dict(server.attributes or {})
    assert attributes.pop("gateway.request_id")
    assert attributes.pop("gateway.token_id")
    assert attributes == {
        "http.request.method": "GET",
        "http.route": "/v1/domains/{hostname}",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "gateway.tenant": tenant.name,
        "gateway.mode": "test",
        "gateway.cache": "bypass",
    }
    assert sorted(call.name for call in calls) == ["GET /domains/{domain}", "POST /domains/check"]
    for call in calls:
        assert call.kind is SpanKind.CLIENT
        assert call.parent == server.context
        attributes = dict(call.attributes or {})
        remaining = attributes.pop("gateway.deadline.remaining")
        assert isinstance(remaining, float)
        assert 0 < remaining <= 15
        assert attributes == {
            "http.request.method": call.name.split()[0],
            "url.template": call.name.split()[1],
            "server.address": "127.0.0.1",
            "server.port": int(gateway.settings.sandbox.rpartition(":")[2]),
            "http.response.status_code": 200,
            "gateway.upstream": "funnelflux",
        }


def test_a_refusal_under_http_200_marks_the_span(api: httpx.Client, gateway: RunningGateway) -> None:
    """A vendor that says no with a smile is still seen to have said no."""
    reply = api.post("/v1/domains", json={"hostname": "owned.example.net"})

    server, *below = trace_of(reply, gateway)
    (call,) = calls_in(below)
    assert call.status.status_code is StatusCode.ERROR
    assert (call.attributes or {})["error.type"] == "DOMAIN_ALREADY_OWNED"
    assert (call.attributes or {})["http.response.status_code"] == 200
    assert (server.attributes or {})["gateway.problem"] == "domain_already_owned"
    assert server.status.status_code is StatusCode.UNSET


def test_a_failure_of_ours_marks_the_server_span(api: httpx.Client, gateway: RunningGateway, tenant: Tenant) -> None:
    """5xx is an error of the request, with the problem as its type."""
    tenant.fails("GET /domains", "status", status=500)

    reply = api.get("/v1/domains")

    server, *_ = trace_of(reply, gateway)
    assert server.status.status_code is StatusCode.ERROR
    assert (server.attributes or {})["error.type"] == "upstream_error"


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": "00-zz-zz-01"},
        {"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"},
        {"traceparent": "x" * 8000},
        {"traceparent": f"00-{TRACE[::-1]}-b7ad6b7169203331-01", "tracestate": "=,;" * 500},
        {"baggage": "user=secret-canary"},
    ],
)
def test_hostile_trace_headers_do_no_harm(api: httpx.Client, headers: dict[str, str]) -> None:
    """What is malformed begins a trace of our own."""
    assert api.get("/v1/features", headers=headers).status_code == 200


def test_the_trace_travels_on_and_baggage_does_not(api: httpx.Client, tenant: Tenant) -> None:
    """The vendor sees traceparent; what the caller's baggage and cookies hold is nobody's business."""
    api.get("/v1/features", headers={"baggage": "a=b", "cookie": "c=d", "x-forwarded-for": "1.2.3.4", "te": "trailers"})

    seen = [arrived for arrived in tenant._sandbox.requests if arrived.account == tenant.name][-1]  # noqa: SLF001 - what arrived
    assert set(seen.header_names) == {
        "accept", "accept-encoding", "content-length", "content-type", "host", "traceparent",
    }  # fmt: skip


def test_a_callers_flag_does_not_switch_our_traces_off(api: httpx.Client, gateway: RunningGateway) -> None:
    """It is a hint; what is kept is for us to decide."""
    reply = api.get("/v1/features", headers={"traceparent": f"00-{'7' * 32}-b7ad6b7169203331-00"})

    assert len(calls_in(trace_of(reply, gateway))) == 1


def test_a_vendors_code_is_a_label_only_if_it_is_documented(
    api: httpx.Client, gateway: RunningGateway, tenant: Tenant
) -> None:
    """A vendor can't make up labels without end."""
    tenant.fails("GET /domains", "success_false", code="ODD-1234")

    (call,) = calls_in(trace_of(api.get("/v1/domains"), gateway))

    assert (call.attributes or {})["error.type"] == "Refused"


def test_no_secret_is_in_any_span(api: httpx.Client, gateway: RunningGateway, tenant: Tenant) -> None:
    """Neither the caller's token nor the vendors' credentials nor the query."""
    api.get("/v1/domains?q=canary-in-a-query")
    api.post("/v1/domains", json={"hostname": "canary-in-a-body.example.com"})
    secrets = tenant.account.credentials

    trace_of(api.get("/v1/features"), gateway)
    exported = "".join(span.to_json() for span in gateway.spans.get_finished_spans())

    for canary in (
        "canary-in-a-query",
        "canary-in-a-body",
        api.headers["authorization"].removeprefix("Bearer "),
        secrets.access_token,
        secrets.refresh_token,
        secrets.secret_key,
    ):
        assert canary not in exported

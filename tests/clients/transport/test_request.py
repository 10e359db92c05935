"""What a request says on the wire, however little of it is written anew for each call."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest
from opentelemetry.context import attach, detach
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from typing_extensions import override

from clients.budget import Budget
from clients.call import Call, Origin, Outgoing
from clients.errors import Operation, Unavailable
from clients.secret import Secret
from clients.timeouts import Timed
from clients.tracing import Traced
from clients.transport import Socket, Upstream, layered
from tests.support.plain import PLAIN
from tests.support.scripted_vendor import ScriptedVendor
from tests.support.timing import timeouts

pytestmark = pytest.mark.anyio

LOOK: Final = Operation("vendor", "GET /x", "read")
TELL: Final = Operation("vendor", "POST /x", "read")

ALWAYS: Final = {"accept": "application/json", "accept-encoding": "identity"}

STATES: Final = [None, TraceState([("vendor", "a=b"), ("other", "1")])]


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    """A vendor that keeps what it heard."""
    async with ScriptedVendor() as listening:
        yield listening


def socket() -> Socket:
    """The socket layer, which takes every whole answer for a yes."""
    return Socket(lambda _reply, _operation: None, tls=PLAIN, budget=Budget())


def host(vendor: ScriptedVendor) -> str:
    """As the vendor's URL has it."""
    return vendor.url.removeprefix("http://")


async def test_a_call_that_is_printed_shows_no_secret() -> None:
    """Wherever one is shown by mistake, in a log or a traceback."""
    call = Call(
        operation=LOOK,
        origin=Origin("http", "vendor", 80),
        head=b"GET / HTTP/1.1\r\nhost: vendor\r\n",
        headers={"authorization": "Bearer hush"},
        body=b"hush",
        secrets=(Secret("hush"),),
    )

    assert "GET /x" in repr(call)
    assert "hush" not in repr(call) + repr(Outgoing("GET", httpx.URL("http://vendor/"), call))


async def test_a_request_is_written_whole(vendor: ScriptedVendor) -> None:
    """Each kind of body says what it is and how long; where none may be, nothing is said of one."""
    upstream = Upstream(vendor.url, Timed(socket(), timeouts(5)))

    await upstream.call(LOOK, "/x?y=%20z")
    await upstream.call(TELL, "/x")
    await upstream.call(TELL, "/x", json=b"{}")
    await upstream.call(TELL, "/x", csv=b"a,b")

    same = {"host": host(vendor), **ALWAYS}
    assert [(heard.method, heard.path, heard.headers, heard.body) for heard in vendor.heard] == [
        ("GET", "/x?y=%20z", same, b""),
        ("POST", "/x", {**same, "content-length": "0"}, b""),
        ("POST", "/x", {**same, "content-length": "2", "content-type": "application/json"}, b"{}"),
        ("POST", "/x", {**same, "content-length": "3", "content-type": "text/csv"}, b"a,b"),
    ]
    await upstream.aclose()


async def test_a_header_of_one_call_takes_the_place_of_the_usual(vendor: ScriptedVendor) -> None:
    """In that call alone."""
    upstream = Upstream(vendor.url, Timed(socket(), timeouts(5)))

    await upstream.call(LOOK, "/x", headers={"accept": "text/csv"})
    await upstream.call(LOOK, "/x")

    assert [heard.headers for heard in vendor.heard] == [
        {"host": host(vendor), **ALWAYS, "accept": "text/csv"},
        {"host": host(vendor), **ALWAYS},
    ]
    await upstream.aclose()


async def test_a_whole_url_brings_its_host(vendor: ScriptedVendor) -> None:
    """Where there is no base, for addresses that somebody else names."""
    upstream = Upstream("", Timed(socket(), timeouts(5)))

    await upstream.call(LOOK, f"{vendor.url}/x")

    assert vendor.heard[0].headers["host"] == host(vendor)
    await upstream.aclose()


class Last(httpx.AsyncBaseTransport):
    """Keeps what would be sent, for addresses where nobody can listen."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request.extensions["call"])
        return httpx.Response(200)


@pytest.mark.parametrize(
    ("base", "origin", "named"),
    [
        ("https://vendor.example/v1", ("https", "vendor.example", 443), "vendor.example"),
        ("https://vendor.example:443", ("https", "vendor.example", 443), "vendor.example"),
        ("http://vendor.example:443", ("http", "vendor.example", 443), "vendor.example:443"),
        ("HTTP://Vendor.EXAMPLE:8080", ("http", "vendor.example", 8080), "vendor.example:8080"),
        ("http://[::1]", ("http", "::1", 80), "[::1]"),
        ("http://[::1]:8080/v1", ("http", "::1", 8080), "[::1]:8080"),
        ("http://user:hush@vendor.example:81", ("http", "vendor.example", 81), "vendor.example:81"),
        ("https://b\u00fccher.example", ("https", "b\u00fccher.example", 443), "xn--bcher-kva.example"),
    ],
)
async def test_every_kind_of_address_is_named_as_http_has_it(
    base: str, origin: tuple[str, str, int], named: str
) -> None:
    """With its port where it is not the usual one, in ASCII, and without what stands before it."""
    last = Last()

    await Upstream(base, last).call(LOOK, "/x")

    (call,) = last.calls
    assert call.origin == origin
    assert call.head.split(b"\r\n")[1] == b"host: " + named.encode()
    assert b"hush" not in call.written()


@pytest.mark.parametrize("path", ["/x\r\nevil: b", "/x\nevil", "/x\r", "/x\0", "/x\t"])
async def test_a_path_can_not_end_its_line(path: str) -> None:
    """Whatever escapes its escaping goes nowhere."""
    last = Last()

    with pytest.raises(httpx.InvalidURL):
        await Upstream("http://vendor.example", last).call(LOOK, path)

    assert last.calls == []


async def test_any_pool_of_httpx_sends_the_same(vendor: ScriptedVendor) -> None:
    """To httpx a call is a request like any other, so that another pool can stand in the place of ours."""
    ours = Upstream(vendor.url, Timed(socket(), timeouts(5)))
    theirs = Upstream(vendor.url, httpx.AsyncHTTPTransport(verify=PLAIN))

    our_reply, their_reply = [
        await upstream.call(TELL, "/x", json=b"{}", headers={"authorization": "Bearer a: b"})
        for upstream in (ours, theirs)
    ]

    first, second = vendor.heard
    assert (second.method, second.path, second.headers, second.body) == (
        first.method,
        first.path,
        first.headers,
        first.body,
    )
    assert await their_reply.aread() == our_reply.content
    assert their_reply.headers == our_reply.headers
    await asyncio.gather(ours.aclose(), theirs.aclose())


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("flags", [0, 1])
async def test_a_trace_goes_on_as_its_standard_has_it(
    vendor: ScriptedVendor, flags: int, state: TraceState | None
) -> None:
    """Where nothing is recorded the caller's own identifiers go on, to the byte as OpenTelemetry would write them."""
    parent = SpanContext(0x0AF, 0xB7, is_remote=True, trace_flags=TraceFlags(flags), trace_state=state)
    upstream = Upstream(
        vendor.url, Timed(Traced(socket(), tracer_provider=TracerProvider(sampler=ALWAYS_OFF)), timeouts(5))
    )
    before = attach(set_span_in_context(NonRecordingSpan(parent)))
    written: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(written)

    await upstream.call(LOOK, "/x")

    detach(before)
    assert vendor.heard[0].headers == {"host": host(vendor), **ALWAYS, **written}
    await upstream.aclose()


@pytest.mark.parametrize(("sampler", "kept"), [(ALWAYS_ON, 1), (ALWAYS_OFF, 0)])
async def test_outside_of_a_trace_each_attempt_begins_one(vendor: ScriptedVendor, sampler: Sampler, kept: int) -> None:
    """Whether or not it is kept."""
    upstream = Upstream(
        vendor.url, Timed(Traced(socket(), tracer_provider=TracerProvider(sampler=sampler)), timeouts(5))
    )

    await upstream.call(LOOK, "/x")

    assert not get_current_span().get_span_context().is_valid
    version, trace_id, span_id, flags = vendor.heard[0].headers["traceparent"].split("-")
    assert (version, len(trace_id), len(span_id), int(flags, 16) & 1) == ("00", 32, 16, kept)
    assert int(trace_id, 16)
    assert int(span_id, 16)
    await upstream.aclose()


@pytest.mark.parametrize("kept", [True, False])
async def test_each_attempt_says_once_in_which_trace_it_is(vendor: ScriptedVendor, *, kept: bool) -> None:
    """Where the trace is kept each has a span of its own to name; nothing of the attempt before is left."""
    vendor.says("", status=503)
    provider = TracerProvider(sampler=ALWAYS_ON)
    upstream = Upstream(
        vendor.url, layered(_judge, timeouts=timeouts(5), tracer_provider=provider, tls=PLAIN, sleep=_at_once)
    )
    parent = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(0), trace_state=TraceState([("a", "b")]))
    unkept = set_span_in_context(NonRecordingSpan(parent))
    first = provider.get_tracer("test").start_span("request", unkept)
    before = attach(set_span_in_context(first) if kept else unkept)

    with pytest.raises(Unavailable):
        await upstream.call(LOOK, "/x")

    detach(before)
    told = [(heard.headers["traceparent"].split("-"), heard.headers["tracestate"]) for heard in vendor.heard]
    assert len(told) == 3
    assert {(trace, flags, state) for (_, trace, _, flags), state in told} == {(f"{1:032x}", f"0{kept:d}", "a=b")}
    spans = {span for (_, _, span, _), _ in told}
    assert len(spans) == 3 if kept else spans == {f"{2:016x}"}
    await upstream.aclose()


def _judge(reply: httpx.Response, operation: Operation) -> None:
    raise Unavailable("Down.", operation=operation, status=reply.status_code)


async def _at_once(_: float) -> None:
    """Waits for nothing."""

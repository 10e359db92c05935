"""What is told of a request whose handler was called without a router: whoever reads it can't tell which way it was."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from uuid import uuid4

import httpx
import msgspec
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind
from typing_extensions import override

from clients.sandbox.emulator import Sandbox
from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.settings import Settings
from tests.support.collector import Collector
from tests.support.gateway import Tenant
from tests.support.routing import Counted, directly, own, the_long_way
from tests.support.servers import Valkey
from tests.support.sockets import LIST, PATH, caller, get, sent_again, shown
from tests.support.timing import until
from tests.support.traces import arrived

DETAIL: Final = "/v1/domains/live.brightside.example"
EXPANDED: Final = "/v1/domains?expand=readiness&limit=3"
TRACE: Final = "5b8efff798038103d269b633813fc60c"
CALLER: Final = "b7ad6b7169203331"

FAULTS: Final = [
    pytest.param(PATH, None, None, id="list"),
    pytest.param(DETAIL, None, None, id="detail"),
    pytest.param(EXPANDED, None, None, id="expanded"),
    pytest.param(PATH, LIST, {"kind": "status", "status": 400}, id="refused"),
    pytest.param(PATH, LIST, {"kind": "garbage"}, id="garbled"),
    pytest.param(PATH, LIST, {"kind": "status", "status": 500}, id="failed"),
    pytest.param(DETAIL, "POST /domains/check", {"kind": "status", "status": 400}, id="partial"),
]


class Lines:
    """What a gateway writes to standard error."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self._all: list[dict[str, Any]] = []

    def of(self, reply: httpx.Response) -> list[dict[str, Any]]:
        """Those about one request, once its own is there."""
        name = reply.headers["x-request-id"]

        def come() -> bool:
            said = self._capture.readouterr().err.splitlines()
            self._all += [json.loads(line) for line in said if line.startswith("{")]
            return any(line["event"] == "request" and line["request_id"] == name for line in self._all)

        until(come)
        return [line for line in self._all if line.get("request_id") == name]


@pytest.mark.parametrize(("path", "operation", "fault"), FAULTS)
def test_the_lines_are_those_of_the_router(
    keepless: Counted,
    shop: Tenant,
    capfd: pytest.CaptureFixture[str],
    path: str,
    operation: str | None,
    fault: dict[str, Any] | None,
) -> None:
    """One for the request with the same members in the same order, and one for each attempt; errors are errors."""
    lines = Lines(capfd)
    with shop.client() as api:
        api.get(path)
        if operation is not None and fault is not None:
            shop.fails(operation, **fault)
        said = ("x-request-id", "mine")
        long_way, direct = the_long_way(keepless, api, path, said), directly(keepless, api, path, said)

    by_router, itself = lines.of(long_way), lines.of(direct)
    assert _members(itself) == _members(by_router)
    (line,) = [line for line in itself if line["event"] == "request"]
    assert line["level"] == ("error" if direct.status_code >= 500 else "info")
    assert (line["status"], line["client_request_id"], line["route"]) == (
        direct.status_code,
        "mine",
        path.partition("?")[0].replace("live.brightside.example", "{hostname}"),
    )
    assert line["upstream_ms"] >= 0
    assert line["attempts"] == sum(each["event"] == "upstream attempt" for each in itself) or operation is not None


def _members(lines: list[dict[str, Any]]) -> set[str]:
    """Names and values in their order, without those that are never the same; attempts differ in number."""
    passing = {"timestamp", "ms", "upstream_ms", "request_id", "trace_id", "attempts"}
    return {json.dumps([(name, name in passing or value) for name, value in line.items()]) for line in lines}


def measured(api: httpx.Client) -> dict[str, float]:
    """All counters of `/metrics` that are about requests, those for the metrics themselves aside."""
    names = (
        "http_server_request_duration_seconds_count",
        "gateway_cache_requests_total",
        "gateway_token_lookups_total",
    )
    lines = api.get("/metrics").text.splitlines()
    found = (line.rpartition(" ") for line in lines if line.startswith(names) and "/metrics" not in line)
    return {name: float(value) for name, _, value in found}


def active(api: httpx.Client) -> int:
    """Requests that are being answered, this one aside."""
    lines = api.get("/metrics").text.splitlines()
    counts = (float(line.rpartition(" ")[2]) for line in lines if line.startswith("http_server_active_requests{"))
    return int(sum(counts)) - 1


def grown(api: httpx.Client, act: Callable[[], httpx.Response]) -> dict[str, float]:
    """By how much numbers grow with what is done."""
    before = measured(api)
    act()
    found: dict[str, float] = {}

    def all_told() -> bool:
        now = measured(api)
        found.clear()
        found.update({name: now[name] - before.get(name, 0) for name in now if now[name] != before.get(name, 0)})
        return any(name.startswith("http_server_request_duration") for name in found)

    until(all_told)
    return found


@pytest.mark.parametrize(("path", "operation", "fault"), FAULTS)
def test_the_numbers_are_those_of_the_router(
    keepless: Counted, shop: Tenant, path: str, operation: str | None, fault: dict[str, Any] | None
) -> None:
    """Each request counts once, by the same names, and nothing is active afterwards."""
    with shop.client() as api:
        api.get(path)
        if operation is not None and fault is not None:
            shop.fails(operation, **fault)
        by_router = grown(api, lambda: the_long_way(keepless, api, path))
        itself = grown(api, lambda: directly(keepless, api, path))
        until(lambda: active(api) == 0)

    assert itself == by_router
    assert set(itself.values()) == {1.0}
    assert len(itself) == 3


@pytest.fixture
def sandbox_of_its_own() -> Iterator[SandboxServer]:
    """Of which nobody else sees what arrives."""
    with SandboxServer() as server:
        yield server


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Where spans are sent."""
    receiver = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    yield receiver
    receiver.stop()


@pytest.mark.parametrize(("path", "operation", "fault"), FAULTS)
@pytest.mark.parametrize("keeps", [False, True], ids=["keeps nothing", "keeps"])
def test_the_trace_is_that_of_the_router(
    keeps_nothing: Settings,
    settings: Settings,
    sandbox_of_its_own: SandboxServer,
    collector: Collector,
    tmp_path: Path,
    path: str,
    operation: str | None,
    fault: dict[str, Any] | None,
    *,
    keeps: bool,
) -> None:
    """Names, kinds, attributes and what is below what; below the caller's own span."""
    changes = {"database_url": Secret(f"sqlite:///{tmp_path / 'gateway.db'}"), "sandbox": sandbox_of_its_own.url}
    changed = msgspec.structs.replace(settings if keeps else keeps_nothing, **changes)
    with Counted(changed) as running:
        tenant = Tenant("journey", running, sandbox_of_its_own.sandbox)
        with tenant.client() as api:
            api.get(path)
            if operation is not None and fault is not None:
                tenant.fails(operation, **fault)
            for way, trace in ((the_long_way, TRACE), (directly, TRACE[::-1])):
                assert api.post("/v1/cache/purge", json={}).status_code == 200
                way(running, api, path, ("traceparent", f"00-{trace}-{CALLER}-01"))

    by_router, itself = (_text(collector, trace) for trace in (TRACE, TRACE[::-1]))
    assert itself == by_router
    assert f"GET {path.partition('?')[0]}".removesuffix("/live.brightside.example") in itself


def test_the_trace_is_that_of_the_router_with_redis(
    keeps_nothing: Settings, sandbox_of_its_own: SandboxServer, collector: Collector, valkey: Valkey, tmp_path: Path
) -> None:
    """Where the limit is counted before anything is known of the request's own span."""
    changed = msgspec.structs.replace(
        keeps_nothing,
        database_url=Secret(f"sqlite:///{tmp_path / 'gateway.db'}"),
        sandbox=sandbox_of_its_own.url,
        redis_url=Secret(valkey.url),
    )
    with Counted(changed) as running, Tenant("journey", running, sandbox_of_its_own.sandbox).client() as api:
        api.get(PATH)
        for way, trace in ((the_long_way, TRACE), (directly, TRACE[::-1])):
            way(running, api, PATH, ("traceparent", f"00-{trace}-{CALLER}-01"))

    by_router, itself = (_text(collector, trace) for trace in (TRACE, TRACE[::-1]))
    assert itself == by_router
    assert "rate limit" in itself


def _text(collector: Collector, trace: str) -> str:
    """One trace, without what is due twice a second in whichever request comes then."""
    spans = [span for span in collector.spans if span.trace_id == trace and span.name != "SELECT token_changes"]
    (first,) = [span for span in spans if span.kind == "SERVER"]
    assert first.parent_id == CALLER
    return arrived([msgspec.structs.replace(span, parent_id="") if span is first else span for span in spans])


@pytest.fixture
def sparing(
    keeps_nothing: Settings,
    sandbox_of_its_own: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Counted]:
    """A gateway that keeps no trace of a read of its own accord."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    changes = {"database_url": Secret(f"sqlite:///{tmp_path / 'gateway.db'}"), "sandbox": sandbox_of_its_own.url}
    with Counted(msgspec.structs.replace(keeps_nothing, **changes), traced=True) as running:
        yield running


def test_requests_that_come_together_have_each_a_trace(
    keeps_nothing: Settings, sandbox: Sandbox, tmp_path: Path
) -> None:
    """One of its own, with its own call, though it begins within the context of the one before it."""
    with Counted(own(keeps_nothing, tmp_path), traced=True) as running:
        tenant = Tenant(f"t{uuid4().hex[:12]}", running, sandbox)
        secret = shown(tenant)
        with caller(running) as one:
            for _ in range(3):
                assert sent_again(one, get(secret))
            until(lambda: len(running.spans.get_finished_spans()) >= 8)
            running.spans.clear()
            before = running.routed
            refused = get(secret, PATH, "Content-Length: 0").replace(b"GET", b"POST", 1)
            one.send(refused, get(secret), get(secret, PATH, "X-A: 1", "X-A: 2"), get(secret), get(secret))
            statuses = [one.answer()[0] for _ in range(5)]
        spans = running.spans.get_finished_spans()

    assert (statuses, running.routed - before) == ([422, 200, 200, 200, 200], 2)
    traces = Counter(span.context.trace_id for span in spans if span.kind is SpanKind.SERVER and span.context)
    assert list(traces.values()) == [1] * 5
    calls = [span for span in spans if span.name == LIST]
    parents = {span.context.span_id for span in spans if span.kind is SpanKind.SERVER and span.context}
    assert len({span.context.trace_id for span in calls if span.context}) == len(calls) == 4
    assert {span.parent.span_id for span in calls if span.parent} < parents


class Vendor(ThreadingHTTPServer):
    """Has no features, and remembers which trace it was asked in."""

    def __init__(self) -> None:
        heard = self.heard = list[str]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Answer a call."""
                self.rfile.read(int(self.headers["content-length"]))
                heard.append(self.headers["traceparent"])
                body = b'{"status": "success", "data": {"features": []}}'
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            @override
            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """Of which the headers are known that it was sent."""
    with Vendor() as served:
        thread = Thread(target=served.serve_forever)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


@pytest.mark.parametrize(("sampler", "flag"), [("always_on", "01"), ("always_off", "00")])
def test_a_vendor_is_told_the_trace(
    keeps_nothing: Settings,
    vendor: Vendor,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    sampler: str,
    flag: str,
) -> None:
    """The caller's, and whether it is kept, on both ways."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    account = msgspec.structs.replace(
        keeps_nothing.funnelfox,
        url=f"http://127.0.0.1:{vendor.server_port}",
        org_id="org",
        secret_key=Secret("x"),
    )
    changes = {"database_url": Secret(f"sqlite:///{tmp_path / 'gateway.db'}"), "funnelfox": account}
    with Counted(msgspec.structs.replace(keeps_nothing, **changes), traced=True) as running:
        _, secret = running.token(mode="live")
        with running.client(secret) as api:
            assert api.get(PATH).status_code == 200
            for way in (the_long_way, directly, directly):
                way(running, api, PATH, ("traceparent", f"00-{TRACE}-{CALLER}-01"))
            directly(running, api, PATH)

    *continued, new = (heard.split("-") for heard in vendor.heard[1:])
    assert [(trace, flags) for _, trace, _, flags in continued] == [(TRACE, flag)] * 3
    assert len({span for _, _, span, _ in continued} | {CALLER}) == 4
    assert new[1] != TRACE


def test_a_trace_that_is_not_kept_leaves_no_span(sparing: Counted, sandbox_of_its_own: SandboxServer) -> None:
    """But for a failure of ours, which leaves the request's own: below the caller's, as on the long way."""
    tenant = Tenant("journey", sparing, sandbox_of_its_own.sandbox)
    with tenant.client() as api:
        api.get(PATH)
        for _ in range(3):
            directly(sparing, api, PATH, ("traceparent", f"00-{TRACE}-{CALLER}-00"))
        assert sparing.spans.get_finished_spans() == ()
        tenant.fails(LIST, "status", status=500)
        for way in (the_long_way, directly):
            failed = way(sparing, api, PATH, ("traceparent", f"00-{TRACE}-{CALLER}-00"))
            assert failed.json()["trace_id"] == TRACE
        until(lambda: len(sparing.spans.get_finished_spans()) == 2)

    by_router, itself = (_told(span) for span in sparing.spans.get_finished_spans())
    assert itself == by_router
    assert itself["parent"] == int(CALLER, 16)


def _told(span: ReadableSpan) -> dict[str, Any]:
    attributes = {name: value for name, value in (span.attributes or {}).items() if name != "gateway.request_id"}
    parent = span.parent.span_id if span.parent is not None else None
    trace = span.context.trace_id if span.context is not None else None
    return {
        "name": span.name,
        "kind": span.kind,
        "status": span.status.status_code,
        "attributes": attributes,
        "parent": parent,
        "trace": trace,
    }

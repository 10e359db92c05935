"""What goes wrong with a handler that is called without a router: told as with one, and forgotten with the request."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from clients.sandbox.emulator import Sandbox
from clients.sandbox.server import SandboxServer
from gateway import shortcut
from gateway.settings import Settings
from tests.support.gateway import Tenant
from tests.support.hanging import callers
from tests.support.routing import Counted, directly, own, places, remaining, the_long_way, whole
from tests.support.sockets import LIST, PATH
from tests.support.timing import until

DETAIL: Final = "/v1/domains/live.brightside.example"
DOMAIN: Final = "GET /domains/{domain}"
DOMAINS: Final = "GET /domains"


@pytest.mark.parametrize(
    ("path", "operation", "fault", "status"),
    [
        pytest.param(PATH, LIST, {"kind": "status", "status": 500}, 502, id="500"),
        pytest.param(PATH, LIST, {"kind": "status", "status": 503}, 502, id="503"),
        pytest.param(PATH, LIST, {"kind": "rate_limited", "retry_after": "7"}, 503, id="429"),
        pytest.param(PATH, LIST, {"kind": "garbage"}, 502, id="garbled"),
        pytest.param(PATH, LIST, {"kind": "truncated"}, 502, id="cut off"),
        pytest.param(PATH, LIST, {"kind": "wrong_type"}, 502, id="another type"),
        pytest.param(PATH, LIST, {"kind": "drop_after"}, 502, id="hung up"),
        pytest.param(PATH, LIST, {"kind": "success_false"}, None, id="refused"),
        pytest.param("/v1/domains", DOMAINS, {"kind": "status", "status": 401}, 502, id="401"),
        pytest.param("/v1/domains?q=live", DOMAINS, {"kind": "html"}, 502, id="a page"),
        pytest.param("/v1/price-points", "POST /price_points", {"kind": "empty"}, 502, id="nothing"),
        pytest.param(DETAIL, DOMAIN, {"kind": "status", "status": 500}, 502, id="500 for one"),
        pytest.param(DETAIL, DOMAIN, {"kind": "success_false", "code": "NOT_FOUND"}, 404, id="404 for one"),
    ],
)
def test_a_vendors_failure_is_told_as_by_the_router(
    keepless: Counted, shop: Tenant, path: str, operation: str, fault: dict[str, Any], status: int | None
) -> None:
    """The same problem with the same headers; the one after the failure is called directly again, and succeeds."""
    with shop.client() as api:
        api.get(path)
        shop.fails(operation, **fault)
        long_way = the_long_way(keepless, api, path)
        direct = [directly(keepless, api, path) for _ in range(3)]
        shop._sandbox.faults.clear()  # noqa: SLF001 - the vendor is well again
        after = directly(keepless, api, path)

    assert long_way.headers["content-type"] == "application/problem+json"
    assert long_way.status_code == status or status is None
    assert [whole(answer) for answer in direct] == [whole(long_way)] * 3
    assert all(answer.json()["request_id"] == answer.headers["x-request-id"] for answer in direct)
    assert after.status_code == 200


def test_what_is_gone_is_told_as_by_the_router(keepless: Counted, shop: Tenant) -> None:
    """404 for a domain that there was; its way is still known."""
    name = f"{uuid4().hex[:8]}.example.com"
    with shop.client() as api:
        shop.account.domains.add(name)
        api.get(f"/v1/domains/{name}")
        assert api.delete(f"/v1/domains/{name}").status_code == 204
        long_way = the_long_way(keepless, api, f"/v1/domains/{name}")
        direct = [directly(keepless, api, f"/v1/domains/{name}") for _ in range(3)]

    assert long_way.status_code == 404
    assert [whole(answer) for answer in direct] == [whole(long_way)] * 3


@pytest.fixture
def hanging() -> Iterator[SandboxServer]:
    """Both vendors, of which calls hang until they are stopped."""
    with SandboxServer() as server:
        yield server


def test_a_deadline_is_told_as_by_the_router(keeps_nothing: Settings, hanging: SandboxServer, tmp_path: Path) -> None:
    """It begins with the request, and ends it."""
    changed = own(keeps_nothing, tmp_path, sandbox=hanging.url, deadline_seconds=1.0)
    with Counted(changed) as running:
        tenant = Tenant("late", running, hanging.sandbox)
        with tenant.client() as api:
            api.get(PATH)
            tenant.fails(LIST, "latency", seconds=60)
            long_way = the_long_way(running, api, PATH)
            direct = [directly(running, api, PATH) for _ in range(2)]
        hanging.stop()

    assert long_way.status_code == 504
    assert [whole(answer)[0] for answer in direct] == [504] * 2
    assert [whole(answer)[2] for answer in direct] == [whole(long_way)[2]] * 2
    assert [list(answer.headers) for answer in direct] == [list(long_way.headers)] * 2
    assert [answer.elapsed.total_seconds() < 30 for answer in direct] == [True] * 2


def test_a_breaker_that_is_open_is_told_as_by_the_router(
    keeps_nothing: Settings, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Nobody is called, by either way."""
    changed = own(keeps_nothing, tmp_path, breaker_calls=4, breaker_open_seconds=600.0)
    with Counted(changed) as running:
        tenant = Tenant(f"t{uuid4().hex[:12]}", running, sandbox)
        with tenant.client() as api:
            api.get(PATH)
            tenant.fails(LIST, "status", status=500)
            until(lambda: api.get(PATH).json()["code"] != "upstream_error")
            calls = tenant.calls(LIST)
            long_way = the_long_way(running, api, PATH)
            direct = [directly(running, api, PATH) for _ in range(3)]

    assert (long_way.status_code, "retry-after" in long_way.headers) == (503, True)
    assert [whole(answer)[0] for answer in direct] == [503] * 3
    assert [list(answer.headers) for answer in direct] == [list(long_way.headers)] * 3  # The time to wait has begun.
    assert [whole(answer)[2] for answer in direct] == [whole(long_way)[2]] * 3
    assert tenant.calls(LIST) == calls


def test_who_has_no_account_is_told_as_by_the_router(keepless: Counted, reader: httpx.Client) -> None:
    """Though others have shown the way."""
    directly(keepless, reader, PATH)
    _, secret = keepless.token(tenant=f"t{uuid4().hex[:12]}", mode="live")
    with keepless.client(secret) as api:
        api.get("/v1/me")
        long_way = the_long_way(keepless, api, PATH)
        direct = [directly(keepless, api, PATH) for _ in range(3)]

    assert (long_way.status_code, long_way.json()["code"]) == (503, "upstream_not_configured")
    assert [whole(answer) for answer in direct] == [whole(long_way)] * 3


def test_a_mistake_of_ours_is_told_once(
    keepless: Counted, reader: httpx.Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One problem for the caller, one line for us with its request id, and nothing of what it was."""

    def stumbles(_: Any) -> None:
        raise RuntimeError("canary")

    directly(keepless, reader, PATH)
    capfd.readouterr()
    edge: Any = keepless.app
    with monkeypatch.context() as patched:
        patched.setattr(edge._shortcut, "context", stumbles)  # noqa: SLF001 - no request makes it stumble
        crashed = directly(keepless, reader, PATH)
    after = directly(keepless, reader, PATH)

    lines: list[dict[str, Any]] = []

    def written() -> bool:
        lines.extend(json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{"))
        return any(line["event"] == "request" and line["request_id"] == after.headers["x-request-id"] for line in lines)

    until(written)
    assert (crashed.status_code, crashed.json()["code"]) == (500, "internal_error")
    assert "canary" not in crashed.text
    (line,) = [line for line in lines if line["event"] == "request crashed"]
    assert line["request_id"] == crashed.json()["request_id"] == crashed.headers["x-request-id"]
    assert line["trace_id"] == crashed.json()["trace_id"]
    assert not [line for line in lines if line["event"] == "shortcut crashed"]
    assert after.status_code == 200


def test_a_mistake_of_ours_asks_no_vendor_twice(
    keepless: Counted, reader: httpx.Client, shop: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is made after the handler has answered: there is no other way then."""

    def stumbles(*_: Any) -> None:
        raise RuntimeError("canary")

    directly(keepless, reader, PATH)
    calls = shop.calls(LIST)
    with monkeypatch.context() as patched:
        patched.setattr(shortcut, "sealed", stumbles)
        crashed = directly(keepless, reader, PATH)

    assert (crashed.status_code, crashed.json()["code"]) == (500, "internal_error")
    assert shop.calls(LIST) == calls + 1
    assert directly(keepless, reader, PATH).status_code == 200


def test_each_counts_once_and_no_further_than_the_limit(
    keeps_nothing: Settings, sandbox: Sandbox, tmp_path: Path
) -> None:
    """However it ends; who is beyond is told on the long way, and asks no vendor."""
    with Counted(own(keeps_nothing, tmp_path, limit_per_minute=7)) as running:
        tenant = Tenant(f"t{uuid4().hex[:12]}", running, sandbox)
        with tenant.client() as api:
            replies = [api.get(PATH) for _ in range(3)]
            tenant.fails(LIST, "status", status=400, times=2)
            replies += [api.get(PATH) for _ in range(6)]
            calls = tenant.calls(LIST)

    left = [remaining(reply) for reply in replies]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 422, 422, 200, 200, 429, 429]
    assert left == [6, 5, 4, 3, 2, 1, 0, 0, 0]
    assert calls == 7
    assert running.routed == 3  # The first, and the two that are refused.


def test_it_takes_a_place_while_it_waits(keeps_nothing: Settings, hanging: SandboxServer, tmp_path: Path) -> None:
    """And gives it back when it is answered; who finds none is turned away."""
    with Counted(own(keeps_nothing, tmp_path, sandbox=hanging.url, concurrency=5)) as running:
        tenant = Tenant("crowd", running, hanging.sandbox)
        with tenant.client() as api, ThreadPoolExecutor(4) as crowd:
            api.get(PATH)
            tenant.fails(LIST, "latency", seconds=2, times=4)
            before = running.routed
            waiting = [crowd.submit(api.get, PATH) for _ in range(4)]
            until(lambda: places(running) == 4)
            refused = api.get(PATH)
            answered = [reply.result().status_code for reply in waiting]
            by_router = running.routed - before
            until(lambda: places(running) == 0)
            after = directly(running, api, PATH)

    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert (answered, by_router) == ([200] * 4, 1)
    assert after.status_code == 200


@pytest.mark.parametrize("fault", [{}, {"kind": "status", "status": 500}, {"kind": "drop_after"}])
def test_its_place_is_free_again_however_it_ends(keepless: Counted, shop: Tenant, fault: dict[str, Any]) -> None:
    """With an answer or a failure."""
    with shop.client() as api:
        api.get(PATH)
        if fault:
            shop.fails(LIST, **fault)
        for _ in range(3):
            directly(keepless, api, PATH)

        until(lambda: places(keepless) == 0)


def test_who_hangs_up_leaves_nothing_behind(keepless: Counted, shop: Tenant, reader: httpx.Client) -> None:
    """The place is free again, the request is no longer active, and others are served."""
    shop.fails(LIST, "latency", seconds=2, times=10)
    secret = reader.headers["authorization"].removeprefix("Bearer ")
    calls = shop.calls(LIST)
    with callers(10, "GET", f"{keepless.url}{PATH}", secret):
        until(lambda: shop.calls(LIST) == calls + 10)
        assert places(keepless) == 10
    until(lambda: places(keepless) == 0)
    until(lambda: active(reader) == 1)  # The one that asks.

    assert directly(keepless, reader, PATH).status_code == 200


def active(api: httpx.Client) -> int:
    """Requests that are being answered, as `/metrics` has them."""
    name = 'http_server_active_requests{http_request_method="GET",url_scheme="http"}'
    lines = api.get("/metrics").text.splitlines()
    return next((int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(name)), 0)

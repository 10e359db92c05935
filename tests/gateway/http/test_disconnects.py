"""What becomes of a request whose caller hangs up."""

import json
from pathlib import Path
from typing import Any

import pytest

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.settings import Settings
from tests.support.gateway import RunningGateway, Tenant
from tests.support.hanging import callers
from tests.support.timing import until

SESSION = {
    "price_point": "yearly-premium",
    "external_id": "new-customer",
    "email_address": "a@example.com",
    "integration_type": "fakeintegration",
}


class Recorded:
    """The log of a gateway that writes to standard error."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self._text = ""

    def requests(self, route: str) -> list[dict[str, Any]]:
        """The lines about one route."""
        self._text += self._capture.readouterr().err
        lines = [json.loads(line) for line in self._text.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == "request" and line["route"] == route]


def settings(sandbox: SandboxServer, path: Path) -> Settings:
    """A gateway that writes a line for each request."""
    return Settings(database_url=Secret(f"sqlite:///{path}"), sandbox=sandbox.url)


def test_a_write_goes_on_and_its_end_is_recorded(
    sandbox_server: SandboxServer, database_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The domain is gone, and the log and the trace say how it ended, though nobody waited for the answer."""
    log = Recorded(capfd)
    with RunningGateway(settings(sandbox_server, database_path)) as gateway:
        tenant = Tenant("hangs-up", gateway, sandbox_server.sandbox)
        tenant.account.domains.add("track.hangs-up.com")
        tenant.fails("DELETE /domains/{domain}", "latency", seconds=0.3)
        _, secret = gateway.token(tenant=tenant.name)

        with callers(1, "DELETE", f"{gateway.url}/v1/domains/track.hangs-up.com", secret):
            until(lambda: tenant.calls("DELETE /domains/{domain}") == 1)
        until(lambda: bool(log.requests("/v1/domains/{hostname}")))

        (line,) = log.requests("/v1/domains/{hostname}")
        with tenant.client() as api:
            gone = api.get("/v1/domains/track.hangs-up.com")
        attributes = [dict(span.attributes or {}) for span in gateway.spans.get_finished_spans()]

    sandbox_server.sandbox.faults.clear()
    assert (line["method"], line["status"], line.get("problem")) == ("DELETE", 204, None)
    assert gone.status_code == 404
    (server,) = [span for span in attributes if span.get("gateway.request_id") == line["request_id"]]
    assert server["http.response.status_code"] == 204
    (call,) = [span for span in attributes if span.get("url.template") == "/domains/{domain}" and _deletes(span)]
    assert call["http.response.status_code"] == 200


def _deletes(span: dict[str, Any]) -> bool:
    return bool(span["http.request.method"] == "DELETE")


def test_a_charge_goes_on_and_its_end_is_recorded(
    sandbox_server: SandboxServer, database_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Once, in full, though the vendor was slow and the caller gone; the log and the trace have the outcome."""
    log = Recorded(capfd)
    with RunningGateway(settings(sandbox_server, database_path)) as gateway:
        tenant = Tenant("pays-and-leaves", gateway, sandbox_server.sandbox)
        tenant.fails("POST /checkout/create_payment", "latency", seconds=0.3)
        _, secret = gateway.token(tenant=tenant.name)
        with tenant.client() as api:
            order = api.post("/v1/checkout/sessions", json=SESSION).json()["order_id"]
        body = json.dumps({"order_id": order, "payment_method_token": "pmt_ok-leaves"}).encode()

        with callers(1, "POST", f"{gateway.url}/v1/checkout/payments", secret, body):
            until(lambda: tenant.calls("POST /checkout/create_payment") == 1)
        until(lambda: bool(log.requests("/v1/checkout/payments")))

        (line,) = log.requests("/v1/checkout/payments")
        attributes = [dict(span.attributes or {}) for span in gateway.spans.get_finished_spans()]

    sandbox_server.sandbox.faults.clear()
    assert (line["status"], line.get("problem"), line["tenant"]) == (200, None, tenant.name)
    charges = [entry for entry in tenant.account.ledger.entries if str(entry.order_id) == order]
    assert len(charges) == 1
    (server,) = [span for span in attributes if span.get("gateway.request_id") == line["request_id"]]
    assert server["http.response.status_code"] == 200
    (call,) = [span for span in attributes if span.get("url.template") == "/checkout/create_payment"]
    assert call["http.response.status_code"] == 200


def test_a_write_whose_answer_is_lost_is_recorded_as_unknown(
    sandbox_server: SandboxServer, database_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever looks into it later finds that it was sent, and that nobody knows what came of it."""
    log = Recorded(capfd)
    with RunningGateway(settings(sandbox_server, database_path)) as gateway:
        tenant = Tenant("hangs-up", gateway, sandbox_server.sandbox)
        tenant.fails("DELETE /domains/{domain}", "never_answer", seconds=0.3)
        _, secret = gateway.token(tenant=tenant.name)

        with callers(1, "DELETE", f"{gateway.url}/v1/domains/a.hangs-up.com", secret):
            until(lambda: tenant.calls("DELETE /domains/{domain}") > 0)
        until(lambda: bool(log.requests("/v1/domains/{hostname}")))

    sandbox_server.sandbox.faults.clear()
    (line,) = log.requests("/v1/domains/{hostname}")
    assert (line["status"], line.get("problem")) == (504, "outcome_unknown")


def test_readers_who_leave_cost_no_place(sandbox_server: SandboxServer, database_path: Path) -> None:
    """More of them than there are places at the vendor and in the gateway; the next caller is served."""
    with RunningGateway(
        Settings(
            database_url=Secret(f"sqlite:///{database_path}"),
            sandbox=sandbox_server.url,
            log_level="error",
            concurrency=50,
            cache_list_fresh_seconds=0,
        )
    ) as gateway:
        tenant = Tenant("readers", gateway, sandbox_server.sandbox)
        tenant.fails("GET /domains", "latency", seconds=0.1)
        with tenant.client() as api:
            secret = api.headers["authorization"].removeprefix("Bearer ")
            for wave in range(1, 6):
                with callers(40, "GET", f"{gateway.url}/v1/domains", secret):
                    until(lambda wave=wave: tenant.calls("GET /domains") == wave * 40)  # type: ignore[misc]  # its default is what binds it
                until(lambda wave=wave: _ended(gateway, "GET /v1/domains") == wave * 40)  # type: ignore[misc]  # the same
            sandbox_server.sandbox.faults.clear()

            served = api.get("/v1/domains")

    assert served.status_code == 200


def _ended(gateway: RunningGateway, name: str) -> int:
    return sum(span.name == name for span in gateway.spans.get_finished_spans())

"""A day on which everything that is watched happens: each metric has a series, each alert a reason."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from clients.sandbox.faults import Fault
from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.settings import FunnelFluxSettings, FunnelFoxSettings, Settings
from tests.support.gateway import RunningGateway
from tests.support.timing import until

ORDER = {
    "price_point": "yearly-premium",
    "external_id": "somebody",
    "email_address": "somebody@example.com",
    "integration_type": "primer",
}

NEW = '{"success": true, "domains": [], "surprise": 1}'
"""More than the vendor documents."""


@contextmanager
def bad_day(folder: Path) -> Iterator[httpx.Client]:
    """A gateway in mode live that has had one; gives a client of it."""
    path = folder / "gateway.db"
    with SandboxServer() as server:
        made = server.sandbox.account("default").credentials
        settings = Settings(
            database_url=Secret(f"sqlite:///{path}"),
            sandbox="off",
            log_level="error",
            funnelflux=FunnelFluxSettings(
                url=f"{server.url}/v1/billing",
                auth_url=f"{server.url}/v1/auth",
                access_token=Secret(made.access_token),
                refresh_token=Secret(made.refresh_token),
            ),
            funnelfox=FunnelFoxSettings(url=server.url, org_id=made.org_id, secret_key=Secret(made.secret_key)),
            limit_probe_per_minute=1,
            breaker_calls=4,
        )
        with RunningGateway(settings) as running:
            _, secret = running.token(mode="live")
            with running.client(secret) as api:
                _calls(api, server)
                _lost(api, server, path)
                _limits(api)
                _breaks(api, server)
                _database_fails(api, path)
                yield api


def _calls(api: httpx.Client, server: SandboxServer) -> None:
    """What is in order: a miss, a hit; and an answer that is not as documented."""
    assert api.get("/v1/price-points").status_code == api.get("/v1/price-points").status_code == 200
    assert api.post("/v1/checkout/sessions", json=ORDER).status_code == 201
    server.sandbox.faults.add(Fault(operation="GET /domains", kind="status", status=200, body=NEW, times=1))
    assert api.get("/v1/domains").status_code == 200
    server.sandbox.faults.add(Fault(operation="POST /my_assets", kind="status", status=401, times=1))
    assert api.get("/v1/customers/user-ada/assets").json()["code"] == "upstream_auth_failed"


def _lost(api: httpx.Client, server: SandboxServer, path: Path) -> None:
    """Two writes whose answers are lost: one is settled, one is open for a day."""
    for hostname in ("settled.example.com", "open.example.com"):
        server.sandbox.faults.add(Fault(operation="POST /domains", kind="drop_after", times=1))
        lost = api.post("/v1/domains", json={"hostname": hostname})
        assert lost.status_code == 504
        if hostname.startswith("settled"):
            assert api.get(lost.json()["operation"]).json()["state"] == "succeeded"
    server.sandbox.faults.add(Fault(operation="GET /domains/{domain}", kind="status", status=400, times=1))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE operations SET created_at = 1, due_at = 1, looked_at = 1 WHERE state = 'unknown'")
    until(lambda: 'gateway_outcome="review"' in api.get("/metrics").text)


def _limits(api: httpx.Client) -> None:
    replies = [api.post("/v1/domains/check", json={"hostname": "live.brightside.example"}) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 429]


def _breaks(api: httpx.Client, server: SandboxServer) -> None:
    """Billing fails for good: reads are tried again, and then it is left alone."""
    server.sandbox.faults.add(Fault(operation="funnelfox", kind="status", status=500))
    until(lambda: api.get("/v1/features").json()["code"] == "upstream_unavailable")


def _database_fails(api: httpx.Client, path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("ALTER TABLE audit_events RENAME TO gone")
    assert api.get("/v1/audit-events").json()["code"] == "storage_unavailable"

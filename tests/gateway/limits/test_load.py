"""What the gateway takes on at once, and what it turns away."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from litestar import Litestar

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.app import DEPENDENCIES
from gateway.openapi.surface import operations
from gateway.settings import Settings
from routes import ROUTERS
from tests.support.gateway import RunningGateway, Tenant
from tests.support.hanging import callers
from tests.support.timing import until

REFUND = {"external_id": "user-ada", "order_id": "3f0c8a52-6f0b-4a53-9d2e-0b1b1c7f9a10"}


@pytest.fixture
def hanging() -> Iterator[SandboxServer]:
    """Both vendors, of which calls hang until the test ends; to stop it cuts them."""
    with SandboxServer() as server:
        yield server


def started(sandbox: SandboxServer, path: Path, **numbers: int) -> RunningGateway:
    """A gateway of the test's own."""
    database = Secret(f"sqlite:///{path}")
    return RunningGateway(
        Settings(
            database_url=database,
            sandbox=sandbox.url,
            log_level="error",
            cache_list_fresh_seconds=0,
            **numbers,  # type: ignore[arg-type]  # they are ints
        )
    )


def test_beyond_its_places_the_gateway_says_so_at_once(hanging: SandboxServer, database_path: Path) -> None:
    """503 with a time to come back; money has places of its own, and health is always told."""
    with started(hanging, database_path, concurrency=5) as gateway:
        tenant = Tenant("load", gateway, hanging.sandbox)
        tenant.fails("GET /domains", "latency", seconds=60)
        with tenant.client() as api:
            secret = api.headers["authorization"].removeprefix("Bearer ")
            with callers(4, "GET", f"{gateway.url}/v1/domains", secret):
                until(lambda: tenant.calls("GET /domains") == 4)

                turned_away = api.get("/v1/features")
                stranger = httpx.get(f"{gateway.url}/v1/features")
                paid = api.post("/v1/refunds", json=REFUND, headers={"idempotency-key": "k"})
                alive = [api.get(f"/health/{state}").status_code for state in ("live", "ready")]
                page = api.get("/problems/overloaded", headers={"accept": "application/json"})
                hanging.stop()

            until(lambda: api.get("/v1/me").status_code != 503)  # Places are free again.

    assert (turned_away.status_code, turned_away.json()["code"]) == (503, "overloaded")
    assert turned_away.json()["retryable"] is True
    assert int(turned_away.headers["retry-after"]) >= 1
    assert stranger.json()["code"] == "overloaded"
    assert (paid.status_code, paid.json()["code"]) == (404, "not_found")  # The vendor was asked.
    assert alive == [200, 200]
    assert page.json()["status"] == 503
    assert tenant.calls("POST /features") == 0


def test_places_become_free_when_requests_end(hanging: SandboxServer, database_path: Path) -> None:
    """However they end: one place serves any number, one after the other."""
    with started(hanging, database_path, concurrency=1) as gateway:
        tenant = Tenant("load", gateway, hanging.sandbox)
        tenant.fails("GET /domains", "drop_before", times=3)
        with tenant.client() as api:
            paths = ("/v1/domains", "/v1/features", "/v1/domains?odd=1", "/v1/features", "/v1/price-points/none")
            answered = [api.get(path).status_code for path in paths]

    assert answered == [502, 200, 422, 200, 404]


def test_a_vendor_that_hangs_leaves_the_gateway_and_the_other_vendor_alone(
    hanging: SandboxServer, database_path: Path
) -> None:
    """It holds its own places, callers beyond them are told that it has none, and the rest goes on."""
    with started(hanging, database_path) as gateway:
        tenant = Tenant("load", gateway, hanging.sandbox)
        tenant.fails("POST /features", "latency", seconds=60)
        with tenant.client() as api:
            secret = api.headers["authorization"].removeprefix("Bearer ")
            with callers(120, "GET", f"{gateway.url}/v1/features", secret):
                until(lambda: tenant.calls("POST /features") == 80)

                crowded = api.get("/v1/price-points")
                domains = [api.get("/v1/domains").status_code for _ in range(20)]
                paid = api.post("/v1/checkout/one-click", json={"external_id": "user-ada", "price_point": "none"})
                session = api.post(
                    "/v1/checkout/sessions",
                    json={"external_id": "user-ada", "price_point": "none", "integration_type": "primer"},
                )
                hanging.stop()

    assert (crowded.status_code, crowded.json()["code"]) == (503, "overloaded")
    assert crowded.json()["upstream"]["name"] == "funnelfox"
    assert domains == [200] * 20
    assert paid.json()["code"] == "idempotency_key_required"
    assert session.status_code == 422  # The vendor's own no: it was asked.
    assert tenant.calls("POST /price_points") == 0


def test_every_route_that_needs_a_key_says_that_it_is_about_money() -> None:
    """And it takes one, as every other write does that is not harmless to repeat."""
    app = Litestar(ROUTERS, dependencies=DEPENDENCIES, openapi_config=None, logging_config=None)
    surface = list(operations(app))

    with_key = {
        operation.id for operation in surface if any(one.name == "Idempotency-Key" for one in operation.parameters)
    }
    money = {operation.id for operation in surface if operation.needs.money}
    writes = {operation.id for operation in surface if operation.method != "GET" and not operation.needs.reads}

    assert money == {
        "createPayment",
        "resumePayment",
        "payWithOneClick",
        "createRefund",
        "migrateSubscription",
        "discountSubscription",
    }
    assert writes - with_key == {"purgeCache"}
    assert with_key <= writes

"""What callers see of a vendor that is left alone."""

from pathlib import Path

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.settings import Settings
from tests.support.gateway import RunningGateway, Tenant


def test_a_failing_vendor_is_left_alone_and_the_other_is_not(
    sandbox_server: SandboxServer, database_path: Path
) -> None:
    """503 with a time to come back, the vendor is not called, and billing goes on."""
    settings = Settings(
        database_url=Secret(f"sqlite:///{database_path}"),
        sandbox=sandbox_server.url,
        log_level="error",
        breaker_calls=4,
    )
    with RunningGateway(settings) as gateway:
        tenant = Tenant("breaker", gateway, sandbox_server.sandbox)
        with tenant.client() as api:
            tenant.fails("GET /domains", "status", status=503)
            failed = [api.get("/v1/domains").status_code for _ in range(4)]
            before = tenant.calls("GET /domains")

            left_alone = api.get("/v1/domains")

            assert failed == [502] * 4
            assert (left_alone.status_code, left_alone.json()["code"]) == (503, "upstream_unavailable")
            assert 1 <= int(left_alone.headers["retry-after"]) <= 5
            assert left_alone.json()["retryable"] is True
            assert tenant.calls("GET /domains") == before
            assert api.post("/v1/domains", json={"hostname": "a.breaker-test.com"}).status_code == 201
            assert api.get("/v1/features").status_code == 200
    sandbox_server.sandbox.faults.clear()

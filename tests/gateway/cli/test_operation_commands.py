"""`gateway operation ...`: what the operator sees and says of changes that were sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.settings import Settings
from tests.support.charging import CHARGE, key, order_for, payment
from tests.support.commands import gateway
from tests.support.gateway import RunningGateway, Tenant

KEYS = "an-encryption-key-that-nobody-guesses"


@pytest.fixture
def lost(sandbox_server: SandboxServer, database_path: Path) -> dict[str, Any]:
    """A payment whose answer was lost, and which never reached the vendor."""
    settings = Settings(
        database_url=Secret(f"sqlite:///{database_path}"),
        sandbox=sandbox_server.url,
        log_level="error",
        encryption_keys=Secret(KEYS),
    )
    with RunningGateway(settings) as running:
        tenant = Tenant("commands", running, sandbox_server.sandbox)
        tenant.fails(CHARGE, "drop_before", times=1)
        with tenant.client() as api:
            reply = api.post("/v1/checkout/payments", json=payment(order_for(api)), headers=key())
    environment = {"GATEWAY_DATABASE_URL": f"sqlite:///{database_path}", "GATEWAY_ENCRYPTION_KEYS": KEYS}
    return {"id": reply.headers["gateway-operation"], "environment": environment}


def test_an_operation_is_listed_shown_and_resolved(lost: dict[str, Any]) -> None:
    """The same store as the API's, of all tenants."""
    environment, ident = lost["environment"], lost["id"]

    listed = json.loads(gateway("operation", "list", "--json", environment=environment).stdout)
    lines = gateway("operation", "list", "--state", "unknown", environment=environment).stdout.splitlines()
    reviewed = gateway("operation", "list", "--needs-review", environment=environment).stdout
    resolved = gateway(
        "operation", "resolve", ident, "--state", "failed", "--note", "Not in the books.", environment=environment
    )
    shown = json.loads(gateway("operation", "show", ident, environment=environment).stdout)
    twice = gateway("operation", "resolve", ident, "--state", "failed", "--note", "x", environment=environment)

    assert [(row["id"], row["tenant"], row["state"]) for row in listed] == [(ident, "commands", "unknown")]
    assert [line.split()[0] for line in lines] == [ident]
    assert reviewed == ""
    assert (resolved.returncode, resolved.stdout) == (0, f"{ident} has failed.\n")
    assert (shown["state"], shown["result"]["body"]["code"]) == ("failed", "payment_failed")
    assert shown["evidence"]["resolved"]["by"].startswith("cli:")
    assert (twice.returncode, twice.stderr) == (2, "gateway: It is settled already: failed.\n")


def test_what_is_not_there_is_said_so(lost: dict[str, Any]) -> None:
    """And nothing changes."""
    environment = lost["environment"]

    shown = gateway("operation", "show", "op_0", environment=environment)
    resolved = gateway("operation", "resolve", "op_0", "--state", "failed", "--note", "x", environment=environment)
    blind = gateway("operation", "list", environment={"GATEWAY_DATABASE_URL": environment["GATEWAY_DATABASE_URL"]})

    assert [reply.returncode for reply in (shown, resolved, blind)] == [1, 1, 1]
    assert "there is no operation op_0" in shown.stderr
    assert "GATEWAY_ENCRYPTION_KEYS" in blind.stderr

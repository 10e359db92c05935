"""`gateway doctor`: what works, what drifts, and what to do."""

import json
from pathlib import Path

import pytest

from clients.sandbox.credentials import credentials
from clients.sandbox.server import SandboxServer
from tests.support.commands import gateway


@pytest.fixture
def environment(sandbox_server: SandboxServer, database_path: Path) -> dict[str, str]:
    """A gateway whose live vendors are the sandbox."""
    made = credentials("doctor")
    return {
        "GATEWAY_DATABASE_URL": f"sqlite:///{database_path}",
        "FUNNELFLUX_URL": f"{sandbox_server.url}/v1/billing",
        "FUNNELFLUX_AUTH_URL": f"{sandbox_server.url}/v1/auth",
        "FUNNELFLUX_ACCESS_TOKEN": made.access_token,
        "FUNNELFLUX_REFRESH_TOKEN": made.refresh_token,
        "FUNNELFOX_URL": sandbox_server.url,
        "FUNNELFOX_ORG_ID": made.org_id,
        "FUNNELFOX_SECRET_KEY": made.secret_key,
    }


def test_all_is_well(environment: dict[str, str]) -> None:
    """Each vendor is asked for what changes nothing, and nothing is to be done."""
    done = gateway("doctor", "--strict", "--json", environment=environment)

    findings = json.loads(done.stdout)
    assert {(one["upstream"], one["operation"], one["state"]) for one in findings} == {
        ("funnelflux", "GET /domains", "ok"),
        ("funnelfox", "POST /price_points", "ok"),
        ("funnelfox", "POST /features", "ok"),
        ("funnelfox", "POST /pp/export_csv", "ok"),
    }
    assert all(one["drift"] == [] and one["remedy"] is None for one in findings)
    assert done.returncode == 0


def test_refused_credentials_are_told_with_a_remedy(environment: dict[str, str]) -> None:
    """What works is told beside it, and no secret is shown."""
    done = gateway("doctor", environment={**environment, "FUNNELFOX_SECRET_KEY": "wrong-key-canary"})

    assert done.returncode == 1
    assert "POST /features           ok" in done.stdout
    assert "POST /pp/export_csv      CredentialsRefused" in done.stdout
    assert "do: Mint new credentials" in done.stdout
    assert "canary" not in done.stdout + done.stderr
    assert environment["FUNNELFLUX_ACCESS_TOKEN"] not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("changes", "code", "state"),
    [
        ({"FUNNELFLUX_URL": "http://127.0.0.1:1/v1/billing"}, 1, "Unreachable"),
        ({"FUNNELFLUX_ACCESS_TOKEN": "", "FUNNELFOX_ORG_ID": ""}, 2, "NotConfigured"),
        ({"FUNNELFLUX_ACCESS_TOKEN": ""}, 0, "NotConfigured"),
    ],
)
def test_the_exit_code_tells_scripts(
    environment: dict[str, str], changes: dict[str, str], code: int, state: str
) -> None:
    """1: something configured does not work; 2: nothing is configured; what one does without is no failure."""
    done = gateway("doctor", environment={**environment, **changes})

    assert done.returncode == code
    assert state in done.stdout


def test_an_unknown_tenant_is_refused(environment: dict[str, str]) -> None:
    """With the command that lists the known ones."""
    done = gateway("doctor", "--tenant", "nobody", environment=environment)

    assert done.returncode == 2
    assert "gateway tenant list" in done.stderr

"""`gateway tenant`, as operators type it."""

import json
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.support.commands import GATEWAY, gateway


@pytest.fixture
def environment(database_path: Path) -> dict[str, str]:
    """A database of the test's own, and a key."""
    return {"GATEWAY_DATABASE_URL": f"sqlite:///{database_path}", "GATEWAY_ENCRYPTION_KEYS": "k" * 40}


def test_a_tenant_lives_its_whole_life(environment: dict[str, str], tmp_path: Path) -> None:
    """Made, shown, changed, listed and deleted; a credential goes in by a file, and never comes out."""
    (tmp_path / "key").write_text("hunter2\n")

    made = gateway(
        "tenant", "create", "acme", "--cname-target", "c.acme.example", "--cors-origin", "https://a.example",
        "--funnelfox-org-id", "org_acme", "--funnelfox-secret-key-file", str(tmp_path / "key"), "--json",
        environment=environment,
    )  # fmt: skip
    changed = gateway(
        "tenant", "update", "acme", "--remove", "cname-target", "--remove", "funnelfox-org-id",
        "--funnelflux-access-token-from", "env:TENANT_ACME_TOKEN", environment=environment,
    )  # fmt: skip
    shown = json.loads(gateway("tenant", "show", "acme", "--json", environment=environment).stdout)
    listed = gateway("tenant", "list", "--json", environment=environment)
    deleted = gateway("tenant", "delete", "acme", environment=environment)
    gone = gateway("tenant", "show", "acme", environment=environment)

    assert made.returncode == changed.returncode == deleted.returncode == 0
    assert json.loads(made.stdout)["credentials"]["funnelfox_secret_key"]["source"] == "encrypted"
    assert {**shown, "created_at": None, "credentials": [*shown["credentials"]]} == {
        "name": "acme",
        "created_at": None,
        "cname_target": None,
        "cors_origins": ["https://a.example"],
        "credentials": ["funnelflux_access_token", "funnelfox_secret_key"],
    }
    assert json.loads(listed.stdout) == [shown]
    assert (gone.returncode, "Traceback" in gone.stderr) == (1, False)
    with sqlite3.connect(environment["GATEWAY_DATABASE_URL"].removeprefix("sqlite:///")) as database:
        actions = [action for (action,) in database.execute("SELECT action FROM audit_events ORDER BY id")]
    database.close()
    assert actions == ["createTenant", "updateTenant", "deleteTenant"]
    assert "hunter2" not in made.stdout + changed.stdout + listed.stdout


def test_a_secret_may_come_from_standard_input(environment: dict[str, str]) -> None:
    """So that it is in no file either."""
    made = subprocess.run(
        [GATEWAY, "tenant", "create", "acme", "--funnelfox-secret-key-file", "-"],
        env=environment, input="hunter2\n", capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert made.returncode == 0
    assert "funnelfox_secret_key  encrypted" in made.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "default"),
        ("create", "a/b"),
        ("create", "a", "--cors-origin", "nonsense"),
        ("create", "a", "--funnelfox-org-id", "../x"),
        ("create", "a", "--funnelfox-secret-key", "hunter2"),
        ("create", "a", "--funnelfox-secret-key-from", "hunter2"),
        ("create", "a", "--funnelfox-secret-key-from", "env:PATH"),
        ("create", "a", "--funnelfox-secret-key-file", "/dev/zero"),
        ("create", "a", "--funnelfox-org-id", "x", "--funnelfox-org-id-from", "env:TENANT_X"),
        ("create", "a", "--funnelfox-org-id-file", "-", "--funnelfox-secret-key-file", "-"),
        ("update", "a", "--remove", "name"),
    ],
)
def test_a_tenant_that_can_not_be_meant_is_refused(environment: dict[str, str], arguments: tuple[str, ...]) -> None:
    """Exit 2 and a sentence; nothing was tried."""
    refused = gateway("tenant", *arguments, environment=environment)

    assert refused.returncode == 2
    assert refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_default_tenants_account_is_taken(environment: dict[str, str]) -> None:
    """The environment of the command describes the default tenant, too."""
    environment["FUNNELFOX_ORG_ID"] = "org_1"

    refused = gateway("tenant", "create", "acme", "--funnelfox-org-id", "org_1", environment=environment)

    assert refused.returncode == 1
    assert "tenant default" in refused.stderr


@pytest.mark.parametrize("command", ["serve", "check-config"])
def test_postgresql_wants_a_key(command: str) -> None:
    """Exit 2: what a vendor renews would otherwise lie there in clear, or be lost."""
    refused = gateway(command, environment={"GATEWAY_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})

    assert refused.returncode == 2
    assert "GATEWAY_ENCRYPTION_KEYS" in refused.stderr


@pytest.mark.parametrize("keys", ["short", f"{'k' * 40},short", "," * 40])
def test_a_key_that_could_be_guessed_is_refused(environment: dict[str, str], keys: str) -> None:
    """Exit 2, and the key is not repeated."""
    refused = gateway("check-config", environment={**environment, "GATEWAY_ENCRYPTION_KEYS": keys})

    assert refused.returncode == 2
    assert "openssl rand" in refused.stderr
    assert "k" * 40 not in refused.stderr

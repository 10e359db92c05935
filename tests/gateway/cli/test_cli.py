"""The `gateway` command, as operators type it."""

import contextlib
import json
import re
import signal
import socket
import sqlite3
from pathlib import Path

import httpx
import pytest

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.principal import Principal
from gateway.settings import Settings
from gateway.tokens.secret_form import new_secret
from tests.support.commands import gateway, running
from tests.support.databases import as_owner, emptied
from tests.support.gateway import RunningGateway
from tests.support.servers import Valkey

KEY = "an-encryption-key-of-32-characters-or-more"


@pytest.fixture
def environment(database_path: Path) -> dict[str, str]:
    """A database of the test's own, and nothing else."""
    return {"GATEWAY_DATABASE_URL": f"sqlite:///{database_path}"}


def test_a_token_is_made_listed_and_revoked(environment: dict[str, str]) -> None:
    """The whole life, from the command line, in the form that scripts read."""
    made = gateway(
        "token", "create", "--name", "ci", "--scope", "domains:read", "--scope", "catalog:read",
        "--mode", "test", "--expires-in", "12h", "--json", environment=environment,
    )  # fmt: skip
    token = json.loads(made.stdout)
    revoked = gateway("token", "revoke", token["id"], environment=environment)
    listed = json.loads(gateway("token", "list", "--json", environment=environment).stdout)

    assert list(token) == ["id", "token", "scopes", "tenant", "mode", "subject", "expires_at"]
    assert re.fullmatch(r"fgw_test_[0-9A-Za-z]{38}", token["token"])
    assert (token["scopes"], token["tenant"], token["mode"]) == (["catalog:read", "domains:read"], "default", "test")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", token["expires_at"])
    assert revoked.returncode == 0
    assert [(row["id"], row["revoked_at"] is not None) for row in listed] == [(token["id"], True)]
    assert token["token"] not in json.dumps(listed)


def test_a_token_is_shown_and_rotated(environment: dict[str, str]) -> None:
    """For people and for scripts, who read the same members as from the API."""
    made = gateway(
        "token", "create", "--name", "ci", "--scope", "domains:read", "--subject", "a\x1b[2J",
        "--limit-per-minute", "50", "--limit-money-per-minute", "5", "--json", environment=environment,
    )  # fmt: skip
    token = json.loads(made.stdout)
    rotated = gateway("token", "rotate", token["id"], "--overlap", "0s", "--json", environment=environment)
    plain = gateway("token", "rotate", token["id"], environment=environment)
    shown = gateway("token", "show", token["id"], "--json", environment=environment)
    read = gateway("token", "show", token["id"], environment=environment)
    revoked = gateway("token", "revoke", token["id"], environment=environment)
    too_late = gateway("token", "rotate", token["id"], environment=environment)

    record = json.loads(shown.stdout)
    answer = json.loads(rotated.stdout)
    assert (record["limit_per_minute"], record["limit_money_per_minute"], record["created_by"]) == (50, 5, None)
    assert answer.keys() == record.keys() | {"token", "old_secret_ends_at"}
    assert answer["id"] == token["id"]
    assert answer["token"] != token["token"]
    assert re.fullmatch(r"fgw_live_[0-9A-Za-z]{38}\n", plain.stdout)
    assert "old one ends at 20" in plain.stderr
    assert "valid" in read.stdout
    assert "\x1b" not in read.stdout
    assert (revoked.returncode, too_late.returncode) == (0, 1)
    assert "revoked" in too_late.stderr
    assert "Traceback" not in too_late.stderr


@pytest.mark.parametrize("command", ["show", "rotate", "revoke"])
def test_a_token_that_is_not_there_is_named(environment: dict[str, str], command: str) -> None:
    """Exit 1 and a sentence."""
    failed = gateway("token", command, "tok_nobody", environment=environment)

    assert failed.returncode == 1
    assert failed.stderr.startswith("gateway: there is no token 'tok_nobody'")
    assert "Traceback" not in failed.stderr


def test_a_list_tells_whose_a_token_is_and_when_it_ends(environment: dict[str, str]) -> None:
    """Names and customers are made up by callers: nothing of them reaches the terminal as it is."""
    made = gateway(
        "token", "create", "--name", "ci", "--scope", "customers:read", "--subject", "a\x1b[2J", "--expires-in", "1h",
        "--json", environment=environment,
    )  # fmt: skip
    gateway("token", "create", "--name", "other", "--scope", "domains:read", environment=environment)

    listed = gateway("token", "list", environment=environment).stdout

    # Made in one second, they stand in any order.
    first, second = sorted(listed.splitlines(), key=lambda line: line.endswith("other"))
    assert json.loads(made.stdout)["expires_at"] in first
    assert first.endswith('  ci  subject="a\\u001b[2J"')
    assert "does not expire" in second
    assert "subject" not in second


def test_the_audit_is_read(environment: dict[str, str]) -> None:
    """The newest first, narrowed as through the API, and in the same form for scripts."""
    ids = [
        json.loads(gateway(
            "token", "create", "--name", "x", "--scope", "domains:read", "--json", environment=environment
        ).stdout)["id"]
        for _ in range(2)
    ]  # fmt: skip
    gateway("token", "revoke", ids[0], environment=environment)

    def audit(*arguments: str) -> list[tuple[str, str]]:
        read = gateway("audit", "--json", *arguments, environment=environment)
        return [(event["action"], event["target"]["token_id"]) for event in json.loads(read.stdout)]

    everything = audit()
    text = gateway("audit", "--limit", "1", environment=environment)
    event = json.loads(gateway("audit", "--json", "--limit", "1", environment=environment).stdout)[0]

    assert everything == [("revokeToken", ids[0]), ("createToken", ids[1]), ("createToken", ids[0])]
    assert audit("--action", "createToken", "--limit", "1") == everything[1:2]
    assert audit("--about", ids[1]) == everything[1:2]
    assert audit("--since", "2000-01-01T00:00:00+01:00", "--actor", event["actor"]) == everything
    assert audit("--since", "2999-01-01T00:00:00Z") == audit("--tenant", "t") == audit("--actor", "cli:x y") == []
    assert re.fullmatch(rf"20\S+Z  done  revokeToken  by {event['actor']}  token_id={ids[0]}\n", text.stdout)


def test_the_audit_obeys_nobody(environment: dict[str, str]) -> None:
    """What callers sent is escaped, and can't be taken for another member or line."""
    gateway("tenant", "create", "shop", environment=environment)
    with contextlib.closing(sqlite3.connect(environment["GATEWAY_DATABASE_URL"].removeprefix("sqlite:///"))) as file:
        hostile = json.dumps({"name": "a\x1b[2J\n2026  done", "note": "b  by=c"})
        file.execute("UPDATE audit_events SET actor = ?, subject = ?, target = ?", ("x\ry", "\u202eada", hostile))
        file.commit()

    text = gateway("audit", environment=environment).stdout

    assert text.count("\n") == 1
    assert text.rstrip("\n").isprintable()
    assert text.rstrip("\n").endswith(r'by "x\ry"  subject="\u202eada"  name="a\u001b[2J\n2026  done"  note="b  by=c"')


def test_a_purge_of_the_cache_is_recorded(environment: dict[str, str], valkey: Valkey) -> None:
    """As through the API; one that reached nobody is none."""
    given = {**environment, "GATEWAY_REDIS_URL": valkey.url}

    purged = gateway("cache", "purge", "--tenant", "t1", "--topic", "domains", environment=given)
    unheard = gateway("cache", "purge", environment={**environment, "GATEWAY_REDIS_URL": "redis://127.0.0.1:1"})
    events = json.loads(gateway("audit", "--json", environment=environment).stdout)

    assert (purged.returncode, unheard.returncode) == (0, 1)
    assert [(event["action"], event["target"]) for event in events] == [
        ("purgeCache", {"tenant": "t1", "topic": "domains"})
    ]


@pytest.mark.parametrize("schema", ["none", "an older one"])
def test_a_database_that_was_not_migrated_is_told(
    schema: str, sandbox_server: SandboxServer, request: pytest.FixtureRequest
) -> None:
    """By every command before it acts, and by the API, with what to do."""
    url = emptied("postgresql", request.getfixturevalue)
    given = {"GATEWAY_DATABASE_URL": url.reveal(), "GATEWAY_ENCRYPTION_KEYS": KEY}
    create = ("token", "create", "--name", "x", "--scope", "domains:read")
    if schema != "none":
        gateway("migrate", environment=given)
        as_owner(
            url.reveal(), "UPDATE alembic_version SET version_num = '0001'", "ALTER TABLE tokens DROP COLUMN subject"
        )

    refused = [gateway(*command, environment=given) for command in (create, ("audit",), ("token", "list"))]
    settings = Settings(database_url=url, sandbox=sandbox_server.url, log_level="error", encryption_keys=Secret(KEY))
    with RunningGateway(settings) as running, running.client(new_secret("test").reveal()) as client:
        reply = client.get("/v1/me")

    assert {command.returncode for command in refused} == {1}
    assert all("is not current; run `gateway migrate`" in command.stderr for command in refused)
    assert (reply.status_code, reply.json()["code"]) == (503, "storage_unavailable")
    assert reply.json()["detail"] == "The schema of the gateway's database is not current: run `gateway migrate`."


def test_a_secret_alone_is_on_standard_output(environment: dict[str, str]) -> None:
    """So that it can be caught in a variable."""
    made = gateway("token", "create", "--name", "x", "--scope", "domains:read", environment=environment)

    assert re.fullmatch(r"fgw_live_[0-9A-Za-z]{38}\n", made.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ("token", "create", "--name", "x"),
        ("token", "create", "--name", "x", "--scope", "everything"),
        ("token", "create", "--name", "x", "--scope", "domains:read", "--expires-in", "soon"),
        ("token", "create", "--name", "x", "--scope", "domains:read", "--expires-in", "99999d"),
        ("token", "create", "--name", "x", "--scope", "domains:read", "--tenant", "a/b"),
        ("token", "create", "--name", "x" * 300, "--scope", "domains:read"),
        ("token", "create", "--name", "a\x1b[2J", "--scope", "domains:read"),
        ("token", "create", "--name", "x", "--subject", "", "--scope", "domains:read"),
        ("token", "create", "--name", "x", "--scope", "domains:read", "--expires-in", "0s"),
        ("token", "create", "--name", "x", "--scope", "domains:read", "--limit-per-minute", "0"),
        ("token", "rotate", "tok_x", "--overlap", "31d"),
        ("cache", "purge"),
        ("cache", "purge", "--topic", "domainz"),
        ("serve", "--workers", "2"),
        ("serve", "--port", "99999"),
        ("sandbox", "--host", "0.0.0.0"),  # noqa: S104 - it must be refused
    ],
)
def test_a_command_that_can_not_be_meant_is_refused(environment: dict[str, str], arguments: tuple[str, ...]) -> None:
    """Exit 2 and a sentence; nothing was tried."""
    refused = gateway(*arguments, environment=environment)

    assert refused.returncode == 2
    assert refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_configuration_is_shown_without_its_secrets(environment: dict[str, str]) -> None:
    """Every variable with what it amounts to."""
    shown = gateway(
        "check-config",
        environment={
            **environment,
            "FUNNELFOX_SECRET_KEY": "hunter2",
            "GATEWAY_REDIS_URL": "redis://:hunter2@r:1/0?password=hunter2",
        },
    )

    assert shown.returncode == 0
    lines = dict(line.split("=", 1) for line in shown.stdout.splitlines())
    assert lines["FUNNELFOX_SECRET_KEY"] == "***"
    assert lines["FUNNELFLUX_URL"] == "https://api.funnelflux.pro/v1/billing"
    assert lines["GATEWAY_REDIS_URL"] == "redis://:***@r:1/0"
    assert "hunter2" not in shown.stdout


def test_every_fault_of_the_configuration_is_shown() -> None:
    """Exit 2, each on a line of its own."""
    shown = gateway("check-config", environment={"GATEWAY_SANDBOX": "maybe", "FUNNELFOX_ORG_ID": "a b"})

    assert shown.returncode == 2
    assert len(shown.stderr.splitlines()) == 2


def test_a_database_that_can_not_be_used_stops_the_start() -> None:
    """With a sentence, and without a traceback."""
    failed = gateway("serve", environment={"GATEWAY_DATABASE_URL": "sqlite:////nonexistent/gateway.db"})

    assert failed.returncode == 1
    assert "/nonexistent/gateway.db can't be used" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_taken_port_stops_the_start(environment: dict[str, str]) -> None:
    """With a sentence that names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        failed = gateway("serve", "--port", str(port), environment=environment)

    assert failed.returncode == 1
    assert f"127.0.0.1:{port}" in failed.stderr


def test_serving_ends_when_told_to(environment: dict[str, str]) -> None:
    """SIGTERM is answered by a clean exit."""
    with running("serve", "--port", "0", environment=environment) as (process, url):
        ready = httpx.get(f"{url}/health/ready")
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=30)

    dependencies = ready.json()["dependencies"]
    assert all(dependency.pop("since") for dependency in dependencies.values())
    assert ready.json() | {"dependencies": dependencies} == {
        "status": "ready",
        "dependencies": {
            "database": {"state": "ok", "required": True},
            "funnelflux": {"state": "not_configured", "required": False},
            "funnelfox": {"state": "not_configured", "required": False},
        },
    }
    assert code == 0


def test_a_revocation_reaches_a_running_gateway(environment: dict[str, str]) -> None:
    """Within a second, though the token was used a moment ago."""
    made = gateway(
        "token", "create", "--name", "x", "--scope", "catalog:read", "--mode", "test", "--json",
        environment=environment,
    )  # fmt: skip
    token = json.loads(made.stdout)
    with running("serve", "--port", "0", environment=environment) as (_, url):
        headers = {"Authorization": f"Bearer {token['token']}"}
        before = httpx.get(f"{url}/v1/features", headers=headers)
        gateway("token", "revoke", token["id"], environment=environment)  # takes longer than a lookup is believed

        after = httpx.get(f"{url}/v1/features", headers=headers)

    assert before.status_code == 200
    assert after.json()["code"] == "token_revoked"


def test_a_principal_has_no_secret() -> None:
    """Whatever is printed of a caller, there is nothing to steal in it."""
    assert not {name for name in Principal.__struct_fields__ if "secret" in name or "hash" in name}

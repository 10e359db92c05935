"""Tenants with vendor accounts of their own, from registering one to the vendor's door."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from sqlalchemy import text

from clients.sandbox.credentials import credentials
from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.settings import FunnelFluxSettings, FunnelFoxSettings, Settings
from gateway.storage.database import Database
from tests.support.gateway import RunningGateway
from tests.support.servers import Valkey
from tests.support.timing import until

KEY = "an-encryption-key-of-32-characters-or-more"


def emptied(url: str) -> None:
    """Begin anew on a PostgreSQL that others have used."""

    async def done() -> None:
        database = Database(Secret(url))
        async with database.transaction() as connection:
            await connection.execute(text("DROP SCHEMA public CASCADE"))
            await connection.execute(text("CREATE SCHEMA public"))
        await database.migrate()
        await database.close()

    asyncio.run(done())


@pytest.fixture
def vendors() -> Iterator[SandboxServer]:
    """Both vendors, as live ones: a sandbox of the test's own."""
    with SandboxServer() as server:
        yield server


@pytest.fixture
def settings(vendors: SandboxServer, tmp_path: Path) -> Settings:
    """A gateway whose live vendors are the sandbox, and whose default tenant has accounts there."""
    own = credentials("default")
    (tmp_path / "credentials").mkdir()
    return Settings(
        database_url=Secret(f"sqlite:///{tmp_path / 'gateway.db'}"),
        encryption_keys=Secret(KEY),
        credentials_dir=str(tmp_path / "credentials"),
        sandbox="off",
        log_level="error",
        funnelflux=FunnelFluxSettings(
            url=f"{vendors.url}/v1/billing",
            auth_url=f"{vendors.url}/v1/auth",
            access_token=Secret(own.access_token),
            refresh_token=Secret(own.refresh_token),
            cname_target="cname.default.example",
        ),
        funnelfox=FunnelFoxSettings(url=vendors.url, org_id=own.org_id, secret_key=Secret(own.secret_key)),
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def on_either(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """The same on each kind of database."""
    if request.param == "sqlite":
        return settings
    uri: str = request.getfixturevalue("postgresql")
    emptied(uri)
    return msgspec.structs.replace(settings, database_url=Secret(uri))


@pytest.fixture
def running(settings: Settings) -> Iterator[RunningGateway]:
    """The gateway of `settings`."""
    with RunningGateway(settings) as gateway:
        yield gateway


@pytest.fixture
def admin(running: RunningGateway) -> Iterator[httpx.Client]:
    """An operator's client."""
    with operator(running) as client:
        yield client


def operator(gateway: RunningGateway) -> httpx.Client:
    """A client with a live token that may register tenants."""
    return gateway.client(gateway.token(mode="live", scopes=["admin"])[1])


def caller(gateway: RunningGateway, tenant: str) -> httpx.Client:
    """A client with a live token of a tenant."""
    return gateway.client(gateway.token(tenant=tenant, mode="live", scopes=["catalog:read", "domains:read"])[1])


def accounts(name: str) -> dict[str, str]:
    """Everything that opens a tenant's accounts at the vendors."""
    made = credentials(name)
    return {
        "funnelflux_access_token": made.access_token,
        "funnelflux_refresh_token": made.refresh_token,
        "funnelfox_org_id": made.org_id,
        "funnelfox_secret_key": made.secret_key,
    }


def test_a_tenant_reaches_its_own_accounts_at_once(running: RunningGateway, admin: httpx.Client) -> None:
    """
    Before it is registered its calls are refused, afterwards they reach its
    accounts and nobody else's, without a restart; what was given is not shown.
    """
    with caller(running, "acme") as acme:
        before = acme.get("/v1/features")
        made = admin.post(
            "/v1/tenants",
            json={"name": "acme", "cname_target": "cname.acme.example", "credentials": accounts("acme")},
        )
        features, domains = acme.get("/v1/features"), acme.get("/v1/domains")

    assert (before.status_code, before.json()["code"]) == (503, "upstream_not_configured")
    assert (made.status_code, made.headers["location"]) == (201, "/v1/tenants/acme")
    assert made.json() == {
        "name": "acme",
        "created_at": made.json()["created_at"],
        "cname_target": "cname.acme.example",
        "cors_origins": [],
        "credentials": {
            slot: {"source": "encrypted", "set_at": made.json()["created_at"]} for slot in accounts("acme")
        },
        "unusable": {},
    }
    assert (features.status_code, domains.status_code) == (200, 200)
    for shown in (made, admin.get("/v1/tenants/acme"), admin.get("/v1/tenants")):
        assert not any(value in shown.text for value in accounts("acme").values())


def test_what_is_kept_of_a_credential_is_sealed(
    running: RunningGateway, admin: httpx.Client, settings: Settings
) -> None:
    """
    Whoever steals the database has no vendor credential, renewed ones included.
    """
    admin.post("/v1/tenants", json={"name": "acme", "credentials": accounts("acme")})
    with caller(running, "acme") as acme:
        assert acme.get("/v1/domains").status_code == 200

    folder = Path(settings.database_url.reveal().removeprefix("sqlite:///")).parent
    kept = b"".join(file.read_bytes() for file in folder.glob("gateway.db*"))

    assert b"encrypted" in kept
    assert not any(value.encode() in kept for value in accounts("acme").values())


def test_a_tenant_is_changed_listed_and_deleted(on_either: Settings) -> None:
    """
    What is left out of a change stays, null empties; after the end its calls
    are refused, its tokens are revoked, and its accounts are free again.
    """
    with RunningGateway(on_either) as running, operator(running) as admin, caller(running, "acme") as acme:
        admin.post("/v1/tenants", json={"name": "acme", "credentials": accounts("acme")})
        admin.post("/v1/tenants", json={"name": "beta"})
        assert acme.get("/v1/domains").status_code == 200

        changed = admin.patch(
            "/v1/tenants/acme",
            json={"cname_target": "c.acme.example", "credentials": {"funnelflux_access_token": None}},
        )
        domains, features = acme.get("/v1/domains"), acme.get("/v1/features")
        listed = admin.get("/v1/tenants", params={"limit": 1})
        rest = admin.get("/v1/tenants", params={"cursor": listed.json()["meta"]["next_cursor"]})
        deleted = admin.delete("/v1/tenants/acme")
        until(lambda: acme.get("/v1/features").status_code == 401)
        after = acme.get("/v1/features")
        gone = [
            admin.get("/v1/tenants/acme"),
            admin.delete("/v1/tenants/acme"),
            admin.patch("/v1/tenants/acme", json={}),
        ]
        again = admin.post("/v1/tenants", json={"name": "gamma", "credentials": accounts("acme")})

    assert changed.json()["cname_target"] == "c.acme.example"
    assert changed.json()["credentials"]["funnelflux_access_token"] is None
    assert changed.json()["credentials"]["funnelfox_org_id"] is not None
    assert (domains.json()["code"], features.status_code) == ("upstream_not_configured", 200)
    assert [row["name"] for row in listed.json()["data"] + rest.json()["data"]] == ["acme", "beta"]
    assert deleted.status_code == 204
    assert after.json()["code"] == "token_revoked"
    assert [reply.status_code for reply in gone] == [404, 404, 404]
    assert again.status_code == 201


@pytest.mark.parametrize("shared", ["funnelfox_org_id", "funnelflux_access_token", "funnelflux_refresh_token"])
@pytest.mark.parametrize("owner", ["acme", "default"])
def test_two_tenants_can_not_share_an_account(admin: httpx.Client, owner: str, shared: str) -> None:
    """
    Neither with each other nor with the default tenant of the environment, and
    not by a later change.
    """
    admin.post("/v1/tenants", json={"name": "acme", "credentials": accounts("acme")})
    stolen = {"credentials": {shared: accounts(owner)[shared]}}

    made = admin.post("/v1/tenants", json={"name": "beta", **stolen})
    admin.post("/v1/tenants", json={"name": "gamma"})
    changed = admin.patch("/v1/tenants/gamma", json=stolen)

    for refused in (made, changed):
        assert (refused.status_code, refused.json()["code"]) == (409, "vendor_account_taken")
        assert refused.json()["errors"][0]["pointer"] == f"/credentials/{shared}"
    assert admin.get("/v1/tenants/beta").status_code == 404
    assert admin.get("/v1/tenants/gamma").json()["credentials"][shared] is None


def test_a_name_is_given_once(admin: httpx.Client) -> None:
    """The second registration changes nothing."""
    admin.post("/v1/tenants", json={"name": "acme", "cname_target": "one.example"})

    again = admin.post("/v1/tenants", json={"name": "acme", "cname_target": "two.example"})

    assert (again.status_code, again.json()["code"]) == (409, "tenant_exists")
    assert admin.get("/v1/tenants/acme").json()["cname_target"] == "one.example"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "default"}, "/name"),
        ({"name": "a/b"}, "/name"),
        ({"name": "x" * 65}, "/name"),
        ({"name": "a\n"}, "/name"),
        ({"name": "a", "cname_target": "http://x"}, "/cname_target"),
        ({"name": "a", "cors_origins": ["https://ok.example", "nonsense"]}, "/cors_origins/1"),
        ({"name": "a", "cors_origins": ["https://a.example,https://b.example"]}, "/cors_origins/0"),
        ({"name": "a", "credentials": {"funnelfox_org_id": "../x"}}, "/credentials/funnelfox_org_id"),
        ({"name": "a", "credentials": {"funnelfox_secret_key": "a\r\nX: y"}}, "/credentials/funnelfox_secret_key"),
        ({"name": "a", "credentials": {"funnelfox_secret_key": "x" * 20_000}}, "/credentials/funnelfox_secret_key"),
        ({"name": "a", "credentials": {"funnelfox_secret_key": ""}}, "/credentials/funnelfox_secret_key"),
        (
            {"name": "a", "credentials": {"funnelfox_secret_key": "env:GATEWAY_ENCRYPTION_KEYS"}},
            "/credentials/funnelfox_secret_key",
        ),
        ({"name": "a", "credentials": {"funnelfox_secret_key": "env:PATH"}}, "/credentials/funnelfox_secret_key"),
        (
            {"name": "a", "credentials": {"funnelfox_secret_key": "file:/etc/passwd"}},
            "/credentials/funnelfox_secret_key",
        ),
        (
            {"name": "a", "credentials": {"funnelfox_secret_key": "file:{folder}/../gateway.db"}},
            "/credentials/funnelfox_secret_key",
        ),
        ({"name": "a", "credentials": {"funnelfox_url": "http://x"}}, "/credentials/funnelfox_url"),
    ],
)
def test_what_a_tenant_can_not_be_like_is_told(
    admin: httpx.Client, settings: Settings, body: dict[str, Any], pointer: str
) -> None:
    """
    Nothing that could end up in a header or a path, and no reference that leads
    to a secret which is none of a tenant's.
    """
    sent = msgspec.json.encode(body).decode().replace("{folder}", settings.credentials_dir or "")

    refused = admin.post("/v1/tenants", content=sent, headers={"content-type": "application/json"})

    assert (refused.status_code, [fault["pointer"] for fault in refused.json()["errors"]]) == (422, [pointer])
    assert admin.get("/v1/tenants").json()["data"] == []


@pytest.mark.parametrize("kind", ["device", "folder", "pipe", "missing", "escape", "binary", "empty", "huge"])
def test_a_file_that_is_no_credential_leaves_the_vendor_unconfigured(
    running: RunningGateway, admin: httpx.Client, settings: Settings, tmp_path: Path, kind: str
) -> None:
    """
    Whatever a path leads to, the gateway neither hangs nor sends it; calls say
    that there is nothing configured, and so do readiness and the tenant.
    """
    place = Path(settings.credentials_dir or "") / "org"
    (tmp_path / "outside").write_text("sandbox-acme")
    match kind:
        case "device":
            place.symlink_to("/dev/zero")
        case "folder":
            place.mkdir()
        case "pipe":
            os.mkfifo(place)
        case "escape":
            place.symlink_to(tmp_path / "outside")
        case "binary":
            place.write_bytes(b"\xff\xfe")
        case "empty":
            place.write_text("\n")
        case "huge":
            place.write_text("x" * 100_000)
        case _:
            assert not place.exists()

    made = admin.post("/v1/tenants", json={"name": "acme", "credentials": {"funnelfox_org_id": f"file:{place}"}})
    with caller(running, "acme") as acme:
        refused = acme.get("/v1/features")

    assert made.status_code == 201
    assert made.json()["credentials"]["funnelfox_org_id"]["source"] == f"file:{place}"
    assert [*made.json()["unusable"]] == ["funnelfox_org_id"]
    assert (refused.status_code, refused.json()["code"]) == (503, "upstream_not_configured")
    ready = admin.get("/health/ready").json()
    assert ready["dependencies"]["tenants"]["state"] == "credentials_unusable: 1"


def test_a_file_is_read_again_when_it_changes(
    running: RunningGateway, admin: httpx.Client, settings: Settings, vendors: SandboxServer
) -> None:
    """
    A secret that is mounted and replaced takes effect without anybody's doing,
    as long as it does not lead to somebody else's account.
    """
    place = Path(settings.credentials_dir or "") / "org"
    place.write_text("sandbox-acme\n")
    admin.post("/v1/tenants", json={"name": "acme", "credentials": {"funnelfox_org_id": f"file:{place}"}})
    admin.post("/v1/tenants", json={"name": "beta", "credentials": {"funnelfox_org_id": "sandbox-beta"}})

    with caller(running, "acme") as acme:
        first = acme.get("/v1/features").status_code
        place.write_text("sandbox-acme-the-second")
        until(lambda: acme.get("/v1/features").is_success and vendors.sandbox.requests[-1].account == "acme-the-second")
        place.write_text("sandbox-beta")
        until(lambda: acme.get("/v1/features").status_code == 503)

    assert first == 200
    assert "another tenant" in admin.get("/v1/tenants/acme").json()["unusable"]["funnelfox_org_id"]
    assert not any(seen.account == "beta" for seen in vendors.sandbox.requests)


def test_a_variable_is_a_reference_too(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator's own machinery puts into the environment need not be kept a second time."""
    monkeypatch.setenv("TENANT_ACME_ORG", "sandbox-acme")
    sources = {"funnelfox_org_id": "env:TENANT_ACME_ORG", "funnelfox_secret_key": "env:TENANT_NOT_SET"}

    with RunningGateway(settings) as gateway, operator(gateway) as admin, caller(gateway, "acme") as acme:
        made = admin.post("/v1/tenants", json={"name": "acme", "credentials": sources})
        other = admin.post("/v1/tenants", json={"name": "beta", "credentials": {"funnelfox_org_id": "sandbox-acme"}})
        features = acme.get("/v1/features")  # One of the vendor's calls that need no key.

    assert made.json()["unusable"] == {"funnelfox_secret_key": "The variable is not set."}
    assert other.json()["code"] == "vendor_account_taken"
    assert features.status_code == 200


def test_without_keys_only_references_are_kept(settings: Settings) -> None:
    """A value that could not be encrypted is refused, with what to do."""
    without = msgspec.structs.replace(settings, encryption_keys=None)

    with RunningGateway(without) as gateway, operator(gateway) as admin:
        refused = admin.post("/v1/tenants", json={"name": "acme", "credentials": accounts("acme")})
        made = admin.post("/v1/tenants", json={"name": "acme", "credentials": {"funnelfox_org_id": "env:TENANT_A"}})

    assert refused.status_code == 422
    assert all("GATEWAY_ENCRYPTION_KEYS" in fault["detail"] for fault in refused.json()["errors"])
    assert len(refused.json()["errors"]) == 4
    assert made.status_code == 201


@pytest.mark.parametrize(("keys", "works"), [(f"{'n' * 40},{KEY}", True), ("n" * 40, False)])
def test_keys_can_be_rotated(settings: Settings, keys: str, *, works: bool) -> None:
    """
    With the old key behind the new one everything can be read; without it the
    gateway runs on and says which credential it can't use.
    """
    with RunningGateway(settings) as gateway, operator(gateway) as admin:
        admin.post("/v1/tenants", json={"name": "acme", "credentials": accounts("acme")})
        with caller(gateway, "acme") as acme:
            assert acme.get("/v1/domains").status_code == 200

    rotated = msgspec.structs.replace(settings, encryption_keys=Secret(keys))
    with RunningGateway(rotated) as gateway, operator(gateway) as admin, caller(gateway, "acme") as acme:
        replies = [acme.get("/v1/domains").status_code, acme.get("/v1/features").status_code]
        shown = admin.get("/v1/tenants/acme").json()

    assert replies == ([200, 200] if works else [503, 503])
    assert len(shown["unusable"]) == (0 if works else 4)


def test_a_row_can_not_be_moved_to_another_tenant(
    running: RunningGateway, admin: httpx.Client, settings: Settings
) -> None:
    """Whoever can write to the database, but has no key, can't act as somebody else."""
    for name in ("acme", "beta"):
        admin.post("/v1/tenants", json={"name": name, "credentials": accounts(name)})

    async def moved() -> None:
        database = Database(settings.database_url)
        async with database.transaction() as connection:
            await connection.execute(
                text(
                    "UPDATE tenant_credentials SET sealed = (SELECT sealed FROM tenant_credentials b "
                    "WHERE b.tenant = 'beta' AND b.slot = tenant_credentials.slot) WHERE tenant = 'acme'"
                )
            )
            await connection.execute(text("UPDATE tenant_revision SET revision = revision + 1"))
        await database.close()

    asyncio.run(moved())
    with caller(running, "acme") as acme:
        until(lambda: acme.get("/v1/features").status_code == 503)

    assert len(admin.get("/v1/tenants/acme").json()["unusable"]) == 4


def test_a_test_token_is_no_key_to_live_credentials(running: RunningGateway) -> None:
    """Whoever operates the sandbox only, sees and changes no tenant; neither does anyone without the scope."""
    with running.client(running.token(scopes=["admin"])[1]) as admin, caller(running, "acme") as acme:
        replies = [
            client.request(method, path, json={"name": "acme"} if method in {"POST", "PATCH"} else None)
            for client in (admin, acme)
            for method, path in (
                ("GET", "/v1/tenants"),
                ("POST", "/v1/tenants"),
                ("GET", "/v1/tenants/acme"),
                ("PATCH", "/v1/tenants/acme"),
                ("DELETE", "/v1/tenants/acme"),
            )
        ]

    assert {(reply.status_code, reply.json()["code"]) for reply in replies} == {(403, "insufficient_scope")}


def test_pages_of_a_tenant_read_its_answers_only(running: RunningGateway, admin: httpx.Client) -> None:
    """
    A preflight has no token and is answered for any tenant's page; the answer
    itself is for the page only if its token is of the tenant that admits it.
    """
    origin = "https://app.acme.example"
    admin.post("/v1/tenants", json={"name": "acme", "cors_origins": [origin + "/"]})
    asked = {"origin": origin}

    with (
        caller(running, "acme") as acme,
        caller(running, "beta") as beta,
        running.client("fgw_live_nonsense") as nobody,
    ):
        preflight = acme.options("/v1/features", headers={**asked, "access-control-request-method": "GET"})
        own, others = acme.get("/v1/features", headers=asked), beta.get("/v1/features", headers=asked)
        nobodys = nobody.get("/v1/features", headers=asked)
        strange = acme.get("/v1/features", headers={"origin": "https://evil.example"})
        admin.patch("/v1/tenants/acme", json={"cors_origins": []})
        after = acme.get("/v1/features", headers=asked)

    allowed = [reply.headers.get("access-control-allow-origin") for reply in (preflight, own, others, nobodys, strange)]
    assert allowed == [origin, origin, None, origin, None]
    assert "access-control-allow-origin" not in after.headers
    assert all("access-control-allow-credentials" not in reply.headers for reply in (preflight, own, nobodys))


@pytest.mark.parametrize("redis", [False, True])
def test_another_replica_follows(
    settings: Settings, postgresql: str, request: pytest.FixtureRequest, *, redis: bool
) -> None:
    """What one replica was told counts on the other, too, with Redis and without."""
    valkey: Valkey | None = request.getfixturevalue("valkey") if redis else None
    emptied(postgresql)
    shared = msgspec.structs.replace(
        settings, database_url=Secret(postgresql), redis_url=Secret(valkey.url) if valkey is not None else None
    )

    with (
        RunningGateway(shared) as one,
        RunningGateway(shared) as other,
        operator(one) as admin,
        caller(other, "acme") as acme,
    ):
        admin.post("/v1/tenants", json={"name": "acme", "credentials": accounts("acme")})
        until(lambda: acme.get("/v1/features").status_code == 200)
        admin.delete("/v1/tenants/acme")
        until(lambda: acme.get("/v1/features").status_code == 401)


def test_of_two_admins_at_once_one_gets_the_account(on_either: Settings) -> None:
    """However close together, on different replicas."""

    async def together(urls: list[str], secret: str) -> list[int]:
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(headers=headers, timeout=30) as client:
            replies = await asyncio.gather(
                *(
                    client.post(f"{urls[n % 2]}/v1/tenants", json={"name": f"t{n}", "credentials": accounts("acme")})
                    for n in range(8)
                )
            )
        return sorted(reply.status_code for reply in replies)

    with RunningGateway(on_either) as one, RunningGateway(on_either) as other:
        _, secret = one.token(mode="live", scopes=["admin"])
        statuses = asyncio.run(together([one.url, other.url], secret))

    assert statuses == [201] + [409] * 7


def test_two_replicas_renew_an_expired_token_once(on_either: Settings, vendors: SandboxServer) -> None:
    """
    Both learn at the same moment that the token is over; one asks the vendor,
    the other reads the result. So it was at first use, and so it is after a restart.
    """

    async def together(urls: list[str], secret: str) -> set[int]:
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(headers=headers, timeout=30) as client:
            replies = await asyncio.gather(*(client.get(f"{urls[n % 2]}/v1/domains") for n in range(6)))
        return {reply.status_code for reply in replies}

    asking = msgspec.structs.replace(on_either, cache_list_fresh_seconds=0)
    counts, statuses = [], []
    with RunningGateway(asking) as one, RunningGateway(asking) as other:
        _, secret = one.token(mode="live", scopes=["domains:read"])
        statuses.append(asyncio.run(together([one.url, other.url], secret)))
        counts.append(vendors.sandbox.count("POST /validate"))
        vendors.sandbox.clock.advance(73 * 3600)
        statuses.append(asyncio.run(together([one.url, other.url], secret)))
        counts.append(vendors.sandbox.count("POST /validate"))
    with RunningGateway(asking) as restarted:
        statuses.append(asyncio.run(together([restarted.url, restarted.url], secret)))
        counts.append(vendors.sandbox.count("POST /validate"))

    assert statuses == [{200}] * 3
    assert counts == [1, 2, 2]


def test_a_burst_after_a_token_died_is_served(on_either: Settings, vendors: SandboxServer) -> None:
    """
    Nobody knows yet that it died, and at that moment each call only looks up
    what others have kept: the very token that the vendor then refuses. One asks
    the vendor, and every call is sent once more with what it says.
    """

    async def together(url: str, secret: str) -> list[int]:
        async with httpx.AsyncClient(headers={"authorization": f"Bearer {secret}"}, timeout=30) as client:
            bodies = [{"hostname": f"burst{number}.example-burst.com"} for number in range(10)]
            replies = await asyncio.gather(*(client.post(f"{url}/v1/domains", json=body) for body in bodies))
        return [reply.status_code for reply in replies]

    with RunningGateway(on_either) as gateway, operator(gateway) as admin, caller(gateway, "acme") as acme:
        admin.post("/v1/tenants", json={"name": "acme", "credentials": accounts("acme")}).raise_for_status()
        acme.get("/v1/domains").raise_for_status()
        admin.patch("/v1/tenants/acme", json={"credentials": {"funnelfox_org_id": "org_other"}}).raise_for_status()
        asked = vendors.sandbox.count("POST /validate")
        vendors.sandbox.clock.advance(73 * 3600)
        _, secret = gateway.token(tenant="acme", mode="live", scopes=["domains:write"])

        statuses = asyncio.run(together(gateway.url, secret))

    assert statuses == [201] * 10
    assert vendors.sandbox.count("POST /validate") == asked + 1


def test_a_new_pair_in_the_environment_wins_over_a_kept_one(settings: Settings, vendors: SandboxServer) -> None:
    """Whoever replaces the configured tokens means it: the kept ones came from others."""
    flux = settings.funnelflux
    new = credentials(f"t{uuid4().hex[:8]}")
    changed = msgspec.structs.replace(
        settings,
        funnelflux=msgspec.structs.replace(
            flux, access_token=Secret(new.access_token), refresh_token=Secret(new.refresh_token)
        ),
    )

    for configured in (settings, changed):
        with RunningGateway(configured) as gateway, caller(gateway, "default") as client:
            assert client.get("/v1/domains").status_code == 200

    called = [seen.account for seen in vendors.sandbox.requests if seen.operation == "GET /domains"]
    assert called == ["default", new.org_id.removeprefix("sandbox-")]


def test_the_default_tenant_yields_to_a_registered_one(settings: Settings) -> None:
    """
    Whoever configures the gateway with an account that a tenant has, does not
    get to it; and what the environment names no more, a tenant can have.
    """
    own, new = settings.funnelfox, credentials("acme")
    changed = msgspec.structs.replace(
        settings, funnelfox=FunnelFoxSettings(url=own.url, org_id=new.org_id, secret_key=Secret(new.secret_key))
    )
    with RunningGateway(settings) as gateway, operator(gateway) as admin:
        admin.post("/v1/tenants", json={"name": "acme", "credentials": accounts("acme")})

    with (
        RunningGateway(changed) as gateway,
        operator(gateway) as admin,
        caller(gateway, "default") as default,
        caller(gateway, "acme") as acme,
    ):
        refused, admitted = default.get("/v1/features"), acme.get("/v1/features")
        ready = admin.get("/health/ready").json()["dependencies"]
        moved = admin.post("/v1/tenants", json={"name": "beta", "credentials": {"funnelfox_org_id": own.org_id}})

    assert (refused.json()["code"], admitted.status_code) == ("upstream_not_configured", 200)
    assert (ready["funnelfox"]["state"], ready["tenants"]["state"]) == ("credentials_unusable", "ok")
    assert moved.status_code == 201


def test_a_file_of_the_environment_is_read_again_too(settings: Settings, tmp_path: Path) -> None:
    """A secret that is mounted for the default tenant can be replaced while the gateway runs."""
    place = tmp_path / "token"
    place.write_text(credentials("default").access_token)
    from_file = msgspec.structs.replace(
        settings, funnelflux=msgspec.structs.replace(settings.funnelflux, access_token_file=str(place))
    )

    with RunningGateway(from_file) as gateway, caller(gateway, "default") as client:
        first = client.get("/v1/domains").status_code
        place.unlink()
        until(lambda: client.get("/v1/domains").status_code == 503)
        place.write_text(credentials("default").access_token)
        until(lambda: client.get("/v1/domains").status_code == 200)

    assert first == 200


def test_nothing_is_kept_of_an_account_that_a_tenant_has_left(
    running: RunningGateway, admin: httpx.Client, vendors: SandboxServer
) -> None:
    """With other credentials the next read shows the other account, however fresh the last one was."""
    vendors.sandbox.account("acme").domains.add("first.acme-moves.com")
    vendors.sandbox.account("acme-two").domains.add("second.acme-moves.com")
    admin.post("/v1/tenants", json={"name": "acme", "credentials": accounts("acme")})

    with caller(running, "acme") as acme:
        before = acme.get("/v1/domains").text
        moved = admin.patch("/v1/tenants/acme", json={"credentials": accounts("acme-two")})
        after = acme.get("/v1/domains").text

    assert moved.status_code == 200
    assert "first.acme-moves.com" in before
    assert "second.acme-moves.com" in after
    assert "first.acme-moves.com" not in after

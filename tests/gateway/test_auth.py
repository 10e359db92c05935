"""Who is let in, and what the others are told."""

import asyncio
import json
import socket
from pathlib import Path

import httpx
import pytest
from litestar import Litestar, get

from clients.secret import Secret
from gateway import telemetry
from gateway.app import DEPENDENCIES, cache_of
from gateway.audit import Audit
from gateway.auth import Gate
from gateway.limits.client_address import ClientAddress, Guesses
from gateway.limits.load import Load
from gateway.limits.rates import Limits
from gateway.limits.windows import Windows
from gateway.needs import UndeclaredRoute, needs, needs_any
from gateway.problems import TokenExpired
from gateway.settings import Settings
from gateway.storage.audit_events import AuditStore
from gateway.storage.database import Database
from gateway.storage.tokens import TokenStore
from gateway.tokens.lifecycle import Tokens
from routes import ROUTERS
from routes.ownership import OWNERS
from tests.support.gateway import RunningGateway, Tenant


def get_domains(gateway: RunningGateway, *authorization: str) -> httpx.Response:
    """Ask for a guarded route with these Authorization headers."""
    with gateway.client() as client:
        return client.get(
            "/v1/domains", headers=[(b"authorization", value.encode("latin-1")) for value in authorization]
        )


@pytest.mark.parametrize("scheme", ["Bearer {}", "bearer {}", "BEARER  {}"])
def test_a_token_lets_in(gateway: RunningGateway, scheme: str) -> None:
    """The scheme is named in any case."""
    _, secret = gateway.token()

    assert get_domains(gateway, scheme.format(secret)).status_code == 200


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ((), "token_missing"),
        (("Basic dXNlcjpwYXNz",), "token_missing"),
        (("Bearer",), "token_missing"),
        (("Bearer\tx",), "token_missing"),
        (("Bearer fgw_live_short",), "token_invalid"),
        (("Bearer " + "x" * 7000,), "token_invalid"),
        (("Bearer \xff\xfe",), "token_invalid"),
        (("Bearer a", "Bearer b"), "token_invalid"),
    ],
)
def test_without_a_valid_token_nobody_gets_in(
    gateway: RunningGateway, authorization: tuple[str, ...], code: str
) -> None:
    """What was sent decides the code, and whether the challenge speaks of an invalid token (RFC 6750)."""
    reply = get_domains(gateway, *authorization)

    assert (reply.status_code, reply.json()["code"]) == (401, code)
    challenge = reply.headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="')
    assert ('error="invalid_token"' in challenge) is (code != "token_missing")


def get_raw(gateway: RunningGateway, *authorization: str) -> tuple[int, str]:
    """Ask with headers that no client would send; gives the status, and the code if it is a problem."""
    host, port = gateway.url.removeprefix("http://").split(":")
    lines = ["GET /v1/me HTTP/1.1", f"host: {host}", "connection: close"]
    lines += [f"authorization:{value}" for value in authorization]
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body).get("code", "") if body.startswith(b"{") else body.decode()


@pytest.mark.parametrize("value", ["Bearer {0} ", "Bearer {0}\t", "  \tBearer {0}", "Bearer   {0}  "])
def test_blanks_around_a_header_are_none_of_it(gateway: RunningGateway, value: str) -> None:
    """As HTTP has it (RFC 9110, section 5.5)."""
    _, secret = gateway.token()

    assert get_raw(gateway, value.format(secret)) == (200, "")


@pytest.mark.parametrize(
    "smuggled",
    [
        ("Bearer {0}", "Bearer {0}"),
        ("Bearer {0}", "Basic dXNlcjpwYXNz"),
        ("", "Bearer {0}"),
        ("Bearer {0}, Bearer {0}",),
        ("Bearer {0} {0}",),
        ("Bearer\t{0}",),
        ("Bearer \t{0}",),
        ("Bearer  Bearer {0}",),
        ("Bearer\xa0{0}",),
        ("Bearer {0}\xa0",),
        ("Bearer\x0b{0}",),
        ("Bearer {0}\x00",),
        ("Bearer {0}\r\n Bearer {0}",),
        ("Bearer '{0}'",),
        ("{0}",),
    ],
)
def test_a_good_token_in_a_doubtful_header_is_refused(gateway: RunningGateway, smuggled: tuple[str, ...]) -> None:
    """What two readers could read differently is nobody's token."""
    _, secret = gateway.token()

    status, code = get_raw(gateway, *(value.format(secret) for value in smuggled))

    # 400: the HTTP server itself can't read it.
    assert (status, code) in {
        (401, "token_invalid"),
        (401, "token_missing"),
        (400, "Invalid HTTP request received."),
    }


@pytest.mark.parametrize("place", ["query", "path", "cookie", "x-api-key", "proxy-authorization"])
def test_a_token_counts_in_its_header_only(gateway: RunningGateway, place: str) -> None:
    """Elsewhere it would end in logs and histories."""
    _, secret = gateway.token()
    with gateway.client() as client:
        if place == "query":
            reply = client.get("/v1/me", params={"access_token": secret})
        elif place == "path":
            reply = client.get(f"/v1/tokens/{secret}")
        else:
            reply = client.get("/v1/me", headers={place: f"Bearer {secret}"})

    assert (reply.status_code, reply.json()["code"]) == (401, "token_missing")
    assert secret not in reply.text or place == "path"  # `instance` repeats the path.


@pytest.mark.parametrize(("second", "code"), [(59.999, None), (60, "token_expired"), (61, "token_expired")])
def test_a_token_ends_in_its_last_second(database_path: Path, second: float, code: str | None) -> None:
    """To the second: not one later."""
    clock = [1000.0]

    async def asked() -> str | None:
        database = Database(Secret(f"sqlite:///{database_path}"))
        await database.migrate()
        tokens = Tokens(TokenStore(database), lambda: clock[0])
        _, secret = await tokens.create("x", ["domains:read"], lifetime_seconds=60)
        await tokens.principal(secret)
        clock[0] += second
        try:
            await tokens.principal(secret)
        except TokenExpired as problem:
            return problem.code
        finally:
            await database.close()
        return None

    assert asyncio.run(asked()) == code


def test_a_mistyped_token_is_refused_without_a_lookup(gateway: RunningGateway) -> None:
    """One wrong character breaks the checksum; a right checksum alone is not enough."""
    _, secret = gateway.token()
    wrong = secret[:20] + ("a" if secret[20] != "a" else "b") + secret[21:]

    reply = get_domains(gateway, f"Bearer {wrong}")

    assert reply.json()["code"] == "token_invalid"
    assert "copied whole" in reply.json()["detail"]


def test_expired_and_revoked_tokens_are_told_apart(gateway: RunningGateway) -> None:
    """Each has a code of its own."""
    _, expired = gateway.token(lifetime_seconds=0)
    record, revoked = gateway.token()
    gateway.revoke(record.id)

    assert get_domains(gateway, f"Bearer {expired}").json()["code"] == "token_expired"
    assert get_domains(gateway, f"Bearer {revoked}").json()["code"] == "token_revoked"


def test_no_scope_is_named_where_none_would_help(gateway: RunningGateway) -> None:
    """What keeps a test token of the operator out is its mode: an empty list of scopes is no list (RFC 6750)."""
    _, secret = gateway.token(scopes=["admin"], mode="test")

    with gateway.client(secret) as operator:
        reply = operator.get("/v1/tenants")

    assert (reply.status_code, reply.json()["code"]) == (403, "insufficient_scope")
    assert reply.headers["www-authenticate"].endswith(', error="insufficient_scope"')


def test_a_missing_scope_is_named(tenant: Tenant) -> None:
    """The challenge says what is needed, and the vendor is not called."""
    with tenant.client(scopes=["domains:read"]) as reader:
        reply = reader.post("/v1/domains", json={"hostname": "a.scope-test.com"})

    assert (reply.status_code, reply.json()["code"]) == (403, "insufficient_scope")
    assert reply.headers["www-authenticate"].endswith('error="insufficient_scope", scope="domains:write"')
    assert tenant.calls("POST /domains") == 0


def test_a_customers_token_reads_the_catalog_and_nothing_of_others(tenant: Tenant) -> None:
    """A route that does not say whose it is about refuses a token that is limited to one customer."""
    with tenant.client(subject="user-ada") as api:
        catalog = [api.get("/v1/price-points"), api.get("/v1/features")]
        refused = [
            api.get("/v1/domains"),
            api.post("/v1/domains", json={"hostname": "a.subject-test.com"}),
            api.get("/v1/transactions"),
            api.get("/v1/customers/user-bob"),
            api.post("/v1/refunds", json={}),
        ]

    assert {reply.status_code for reply in catalog} == {200}
    assert {(reply.status_code, reply.json()["code"]) for reply in refused} == {(403, "subject_mismatch")}
    assert tenant.calls("GET /domains") == tenant.calls("POST /domains") == tenant.calls("POST /my_assets") == 0


def test_a_live_token_never_reaches_the_sandbox(gateway: RunningGateway, tenant: Tenant) -> None:
    """Without live credentials the call is refused, and not sent elsewhere."""
    _, secret = gateway.token(mode="live")
    _, foreign = gateway.token(mode="live", tenant=tenant.name)

    for token in (secret, foreign):
        reply = get_domains(gateway, f"Bearer {token}")
        assert (reply.status_code, reply.json()["code"]) == (503, "upstream_not_configured")
        assert reply.json()["upstream"] == {"name": "funnelflux", "status": None, "code": None, "request_id": None}


def gate() -> Gate:
    """One that has not learned any route, on a database that is never opened."""
    database = Database(Secret("sqlite:///:memory:"))
    log = telemetry.logger("error", "json")
    audit = Audit(AuditStore(database), log, now=lambda: 0.0, keep_days=1)
    return Gate(
        Tokens(TokenStore(database), now=lambda: 0.0),
        OWNERS,
        audit,
        limits=Limits(Settings(), None, log),
        guesses=Guesses(0, ClientAddress(), Windows()),
        load=Load(1),
        cache=cache_of(Settings()),
    )


def test_every_route_declares_who_may_call_it() -> None:
    """Walked over the whole surface: a route without a declaration is not served."""
    app = Litestar(ROUTERS, dependencies=DEPENDENCIES, openapi_config=None, logging_config=None)

    gate().learn(app.routes)

    assert len(app.routes) > 10


@get("/open", sync_to_thread=False)
def undeclared() -> None:
    """Says nothing about its callers."""


@get("/odd", opt=needs("everything"), sync_to_thread=False)
def misdeclared() -> None:
    """Needs a scope that nobody can have."""


@get("/either", opt=needs_any("admin", "everything"), sync_to_thread=False)
def misdeclared_too() -> None:
    """Names a scope that does not exist beside one that does."""


@pytest.mark.parametrize("handler", [undeclared, misdeclared, misdeclared_too])
def test_a_route_without_a_declaration_is_refused(handler: object) -> None:
    """Forgetting it is found at start, and not by an attacker."""
    app = Litestar([handler], openapi_config=None, logging_config=None)  # type: ignore[list-item]  # both are route handlers

    with pytest.raises(UndeclaredRoute):
        gate().learn(app.routes)

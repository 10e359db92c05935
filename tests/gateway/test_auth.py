"""Who is let in, and what the others are told."""

import httpx
import pytest
from litestar import Litestar, get

from clients.secret import Secret
from gateway import telemetry
from gateway.app import DEPENDENCIES
from gateway.audit import Audit
from gateway.auth import Gate, UndeclaredRoute, needs
from gateway.client_address import ClientAddress, Guesses
from gateway.limits import Limits
from gateway.settings import Settings
from gateway.storage.audit_events import AuditStore
from gateway.storage.database import Database
from gateway.storage.tokens import TokenStore
from gateway.tokens import Tokens
from gateway.windows import Windows
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


@pytest.mark.parametrize("handler", [undeclared, misdeclared])
def test_a_route_without_a_declaration_is_refused(handler: object) -> None:
    """Forgetting it is found at start, and not by an attacker."""
    app = Litestar([handler], openapi_config=None, logging_config=None)  # type: ignore[list-item]  # both are route handlers

    with pytest.raises(UndeclaredRoute):
        gate().learn(app.routes)

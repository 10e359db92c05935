"""Who gets in: bearers at FunnelFlux, secret keys at FunnelFox."""

import httpx
import pytest

from clients.sandbox.billing.endpoints import ENDPOINTS
from clients.sandbox.choices import Choices
from clients.sandbox.credentials import credentials
from clients.sandbox.server import SandboxServer
from tests.clients.sandbox.shop import Shop
from tests.support.plain import PLAIN

PUBLIC = {
    "/checkout/create_client_session",
    "/checkout/update_client_session",
    "/checkout/create_payment",
    "/checkout/resume_payment",
    "/checkout/one_click",
    "/my_assets",
    "/price_points",
    "/features",
}
SECRET = {
    "/payment/refund",
    "/subscription/enable_autorenew",
    "/subscription/disable_autorenew",
    "/subscription/migration",
    "/subscription/defer",
    "/subscription/pause",
    "/subscription/resume",
    "/subscription/search",
    "/discount",
    "/pp/export_csv",
    "/pp/import_csv",
    "/pp/update",
    "/pp/create",
    "/feature/create",
    "/payments_history",
    "/transaction_report",
    "/search_users",
}
HOURS_72 = 72 * 3600


def test_credentials_are_the_same_for_everyone_who_derives_them() -> None:
    """Another process has to be able to name them without asking."""
    assert credentials("acme") == credentials("acme")
    assert credentials("acme") != credentials("acme-2")
    assert credentials("acme").org_id == "sandbox-acme"


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "ä", "a" * 65, "a\n"])
def test_a_tenant_has_a_plain_name(name: str) -> None:
    """It appears in paths and tokens, so it holds nothing that needs escaping."""
    with pytest.raises(ValueError, match="tenant"):
        credentials(name)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic dTpw", "Bearer sbx-access.shop.0.wrong"])
def test_a_missing_or_unknown_bearer_is_unauthorized(shop: Shop, header: str) -> None:
    """The answer is the vendor's generic error."""
    reply = shop.http.get(f"{shop.server.url}/v1/billing/domains", headers={"authorization": header})

    assert reply.status_code == 401
    assert reply.json() == {
        "error": "invalid_token",
        "error_description": "The access token is missing or not valid.",
    }


@pytest.mark.parametrize("status", [400, 401])
def test_an_access_token_dies_after_72_hours(status: int) -> None:
    """The vendor documents both 400 and 401 for it; the sandbox does as it is told."""
    choices = Choices(expired_token_status=status)

    with SandboxServer(choices=choices) as server, httpx.Client(trust_env=False, verify=PLAIN) as http:
        shop = Shop(server, http)
        shop.advance(seconds=HOURS_72 - 10)
        alive = shop.flux("GET", "/domains")
        shop.advance(seconds=20)
        dead = shop.flux("GET", "/domains")

    assert alive.status_code == 200
    assert dead.status_code == status
    assert dead.json()["error"] == "invalid_token"


def test_validating_a_living_token_returns_it(shop: Shop) -> None:
    """With the time at which it will end, in Unix seconds."""
    reply = shop.validate()

    assert reply.status_code == 200
    tokens = reply.json()["tokens"]
    assert tokens["access_token"] == shop.credentials.access_token
    assert 0 <= shop.sandbox.clock.now().timestamp() + HOURS_72 - tokens["expires_at"] < 10


def test_a_refresh_token_replaces_an_expired_token(shop: Shop) -> None:
    """The new one opens the door that the old one no longer does, for 72 hours again."""
    shop.advance(seconds=HOURS_72 + 1)

    reply = shop.validate({"refresh_token": shop.credentials.refresh_token})
    fresh = reply.json()["tokens"]["access_token"]

    assert reply.status_code == 200
    assert shop.flux("GET", "/domains").status_code == 401
    assert shop.flux("GET", "/domains", token=fresh).status_code == 200
    shop.advance(seconds=HOURS_72 + 1)
    assert shop.flux("GET", "/domains", token=fresh).status_code == 401


@pytest.mark.parametrize("body", [None, {}, {"refresh_token": "wrong"}])
def test_an_expired_token_needs_its_refresh_token(shop: Shop, body: object) -> None:
    """Without it, or with another, the operator has to authorize anew."""
    shop.advance(seconds=HOURS_72 + 1)

    reply = shop.validate(body)

    assert reply.status_code == 401
    assert set(reply.json()) == {"error", "error_description"}


def test_seventeen_operations_need_the_key_and_eight_do_not() -> None:
    """As the vendor's page lists them."""
    assert {path for path, endpoint in ENDPOINTS.items() if endpoint.public} == PUBLIC
    assert {path for path, endpoint in ENDPOINTS.items() if not endpoint.public} == SECRET


@pytest.mark.parametrize("path", sorted(SECRET))
@pytest.mark.parametrize("key", ["", "wrong", credentials("other").secret_key])
def test_a_secret_operation_refuses_any_other_key(shop: Shop, path: str, key: str) -> None:
    """No key, a wrong one and another organization's are all the same."""
    reply = shop.fox(path, key=key)

    assert reply.status_code == 401
    assert reply.json()["status"] == "error"
    assert set(reply.json()) == {"status", "req_id", "error"}


@pytest.mark.parametrize("path", sorted(PUBLIC))
def test_a_public_operation_ignores_the_key(shop: Shop, path: str) -> None:
    """Without a key and with a wrong one it looks at the body all the same."""
    statuses = {shop.fox(path, key=key).status_code for key in ("", "wrong")}

    assert statuses <= {200, 422}
    assert len(statuses) == 1


@pytest.mark.parametrize("org_id", ["nobody", "sandbox-", "sandbox-a.b", "SANDBOX-shop"])
def test_an_unknown_organization_is_refused(shop: Shop, org_id: str) -> None:
    """In the vendor's envelope."""
    reply = shop.http.post(f"{shop.server.url}/{org_id}/v1/features", json={})

    assert reply.status_code == 404
    assert reply.json()["status"] == "error"


def test_tenants_do_not_see_each_other(shop: Shop) -> None:
    """What one buys is nothing in the other's books."""
    other = Shop(shop.server, shop.http, "other")

    shop.buy("lifetime", "somebody")

    assert len(shop.data("/my_assets", {"external_id": "somebody"})["oneoffs"]) == 1
    assert other.data("/my_assets", {"external_id": "somebody"})["oneoffs"] == []

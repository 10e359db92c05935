"""What callers see of customers."""

import httpx
import pytest

from tests.support.gateway import Tenant


def test_customers_are_found_by_email(api: httpx.Client) -> None:
    """By the merchant's own id, in the form of every list."""
    reply = api.post("/v1/customers/search", json={"email": "ada@example.com"})

    assert reply.status_code == 200
    assert reply.json()["data"] == [{"external_id": "user-ada"}]
    assert reply.json()["meta"]["count"] == 1


def test_nobody_is_found_for_an_unknown_address(api: httpx.Client) -> None:
    """That is an empty list, and no failure."""
    assert api.post("/v1/customers/search", json={"email": "x@example.com"}).json()["data"] == []


def test_assets_are_what_the_customer_bought(api: httpx.Client) -> None:
    """Subscriptions and one-offs, each in the shape of its own."""
    reply = api.get("/v1/customers/user-grace/assets")

    assert reply.status_code == 200
    body = reply.json()
    assert body["subscriptions"] == []
    first = body["oneoffs"][0]
    assert first == {
        "oneoff_id": first["oneoff_id"],
        "is_active": True,
        "price_point": first["price_point"],
        "order_id": first["order_id"],
        "started_at": first["started_at"],
        "revoked_at": None,
        "initial_order_metadata": {"campaign": "story"},
    }
    assert first["started_at"].endswith("Z")
    assert {row["price_point"]["ident"] for row in body["oneoffs"]} == {"lifetime", "coach-session"}


def test_a_customer_is_one_answer_from_three(api: httpx.Client, tenant: Tenant) -> None:
    """Each part is what its own route shows."""
    merged = api.get("/v1/customers/user-ada")

    assert merged.status_code == 200
    assert merged.json() == {
        "external_id": "user-ada",
        "assets": api.get("/v1/customers/user-ada/assets").json(),
        "subscriptions": api.get("/v1/subscriptions", params={"external_id": "user-ada"}).json()["data"],
        "payments": merged.json()["payments"],
        "missing": [],
    }
    payments = api.get("/v1/customers/user-ada/payments").json()["data"]
    assert sorted(row["order_id"] for row in merged.json()["payments"]) == sorted(row["order_id"] for row in payments)
    assert tenant.calls("POST /my_assets") == 2


@pytest.mark.parametrize(
    ("operation", "part"),
    [
        ("POST /my_assets", "assets"),
        ("POST /subscription/search", "subscriptions"),
        ("POST /payments_history", "payments"),
    ],
)
def test_a_part_that_fails_is_named(api: httpx.Client, tenant: Tenant, operation: str, part: str) -> None:
    """The rest of the answer holds."""
    tenant.fails(operation, "html", status=200)

    reply = api.get("/v1/customers/user-ada")

    assert reply.status_code == 200
    body = reply.json()
    assert [(missing["part"], missing["problem"]["code"]) for missing in body["missing"]] == [
        (part, "upstream_invalid_response")
    ]
    assert {name for name, value in body.items() if value is None} == {part}


def test_a_part_without_its_scope_is_named_and_not_asked_for(tenant: Tenant) -> None:
    """Who may see customers may not see payments by that alone."""
    with tenant.client(scopes=["customers:read"]) as api:
        body = api.get("/v1/customers/user-ada").json()

    assert [(missing["part"], missing["problem"]["code"]) for missing in body["missing"]] == [
        ("subscriptions", "insufficient_scope"),
        ("payments", "insufficient_scope"),
    ]
    assert body["assets"] is not None
    assert tenant.calls("POST /payments_history") == tenant.calls("POST /subscription/search") == 0


def test_a_customer_of_whom_nothing_can_be_had_is_a_failure(api: httpx.Client, tenant: Tenant) -> None:
    """An answer without any part would be none."""
    tenant.fails("funnelfox", "status", status=500)

    reply = api.get("/v1/customers/user-ada")

    assert (reply.status_code, reply.json()["code"]) == (502, "upstream_error")


@pytest.mark.parametrize(
    "external_id",
    ["search", "a/assets", "../x", "a b", "ü", "?x=1", "#", "%2F", "a@example.com", "search/assets", "a\x00b"],
)
def test_an_id_may_hold_anything_and_reaches_no_other_route(
    api: httpx.Client, tenant: Tenant, external_id: str
) -> None:
    """Also where it is spelled like a path of ours."""
    escaped = "".join(f"%{byte:02X}" for byte in external_id.encode())

    shown = api.get(f"/v1/customers/{escaped}")
    assets = api.get(f"/v1/customers/{escaped}/assets")

    assert (shown.status_code, shown.json()["external_id"]) == (200, external_id)
    assert (assets.status_code, assets.json()) == (200, {"subscriptions": [], "oneoffs": []})
    assert tenant.calls("POST /search_users") == 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/email"), ({"email": 1}, "/email"), ({"email": "x" * 1025}, "/email"), ({"email": None, "q": 1}, "/q")],
)
def test_a_wrong_search_is_refused_here(api: httpx.Client, tenant: Tenant, body: object, pointer: str) -> None:
    """The key must be there, though it may be null."""
    reply = api.post("/v1/customers/search", json=body)

    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, pointer)
    assert tenant.calls("POST /search_users") == 0


def test_too_long_an_id_is_refused_here(api: httpx.Client, tenant: Tenant) -> None:
    """The vendor takes 256 characters."""
    reply = api.get(f"/v1/customers/{'x' * 257}/assets")

    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/external_id")
    assert tenant.calls("POST /my_assets") == 0

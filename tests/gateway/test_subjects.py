"""Tokens that are limited to one customer: what they reach, and what they never do."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from clients.secret import Secret
from gateway.settings import FunnelFoxSettings, Settings
from tests.support.gateway import RunningGateway, Tenant
from tests.support.scripted_vendor import ScriptedVendor

ADA = "user-ada"
GRACE = "user-grace"
"""Has payments."""

LINUS = "user-linus"
"""Has a subscription."""

SESSION = {"price_point": "yearly-premium", "email_address": "a@example.com", "integration_type": "fakeintegration"}


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the gateway runs on."""
    return "asyncio"


@pytest.fixture
def ada(tenant: Tenant) -> Iterator[httpx.Client]:
    """A client whose token is limited to one customer, with every scope."""
    with tenant.client(subject=ADA) as client:
        yield client


def key() -> dict[str, str]:
    """The header that a money call needs."""
    return {"Idempotency-Key": str(uuid4())}


def payment(order: str, method: str = "pmt_ok") -> dict[str, str]:
    """A body that pays an order."""
    return {"order_id": order, "payment_method_token": f"{method}_{uuid4().hex[:8]}"}


def vendor_calls(tenant: Tenant) -> int:
    """How many calls of any billing operation arrived from this tenant."""
    return sum(tenant.calls(f"POST {path}") for path in ("/my_assets", "/payments_history", "/subscription/search"))


@pytest.mark.parametrize("path", ["/v1/customers/{}", "/v1/customers/{}/assets", "/v1/customers/{}/payments"])
def test_a_customer_is_read_by_their_own_token_only(ada: httpx.Client, tenant: Tenant, path: str) -> None:
    """
    Their own data come; another's are refused before the vendor is called.
    """
    own = ada.get(path.format(ADA))
    before = vendor_calls(tenant)
    foreign = ada.get(path.format(GRACE))

    assert own.status_code == 200
    assert (foreign.status_code, foreign.json()["code"]) == (403, "subject_mismatch")
    assert vendor_calls(tenant) == before


def test_a_list_is_narrowed_to_the_subject(ada: httpx.Client, api: httpx.Client) -> None:
    """
    Left out, the customer is filled in; named, it must be the same.
    """
    everyone = api.get("/v1/subscriptions").json()["data"]

    unnamed = ada.get("/v1/subscriptions")
    named = ada.get("/v1/subscriptions", params={"external_id": ADA})
    foreign = ada.get("/v1/subscriptions", params={"external_id": GRACE})
    twice = ada.get("/v1/subscriptions", params={"external_id": [ADA, GRACE]})

    assert len({row["external_id"] for row in everyone}) > 1
    assert unnamed.json()["data"] == named.json()["data"] == [row for row in everyone if row["external_id"] == ADA]
    assert {foreign.json()["code"], twice.json()["code"]} == {"subject_mismatch"}


def test_a_search_is_narrowed_to_the_subject(ada: httpx.Client, tenant: Tenant) -> None:
    """
    Also by the body, and nothing in it may widen the search again.
    """
    found = ada.post("/v1/subscriptions/search", json={"intro_type": "free_trial"})
    foreign = ada.post("/v1/subscriptions/search", json={"external_id": GRACE})
    before = vendor_calls(tenant)
    raw = ada.post("/v1/subscriptions/search", json={"vendor_fields": {"external_id_in": [GRACE]}})

    assert [row["external_id"] for row in found.json()["data"]] == [ADA]
    assert {foreign.json()["code"], raw.json()["code"]} == {"subject_mismatch"}
    assert vendor_calls(tenant) == before


def test_rows_of_others_are_dropped_should_the_vendor_give_them(ada: httpx.Client, tenant: Tenant) -> None:
    """
    That the vendor's filter is exact is not documented, so nobody relies on it.
    """
    rows = f'[{{"subs_id":"{uuid4()}","external_id":"{ADA}-2"}},{{"subs_id":"{uuid4()}","external_id":"{ADA}"}}]'
    body = f'{{"status":"success","data":{{"subscriptions":{rows}}}}}'
    tenant.fails("POST /subscription/search", "status", status=200, body=body)

    found = ada.get("/v1/subscriptions").json()["data"]

    assert [row["external_id"] for row in found] == [ADA]


def test_anothers_subscription_does_not_exist(ada: httpx.Client, api: httpx.Client, tenant: Tenant) -> None:
    """
    Reading and changing one answer what they would if there were none, and nothing is changed.
    """
    (own,) = api.get("/v1/subscriptions", params={"external_id": ADA}).json()["data"]
    foreign = api.get("/v1/subscriptions", params={"external_id": LINUS}).json()["data"][0]
    absent = uuid4()

    shown = ada.get(f"/v1/subscriptions/{own['id'].upper()}")
    refused = [
        ada.request(method, f"/v1/subscriptions/{ident}{action}", json=body, headers=key())
        for ident in (foreign["id"], absent)
        for method, action, body in (
            ("GET", "", None),
            ("POST", "/pause", {"pause_till": None}),
            ("POST", "/disable-autorenew", None),
            ("POST", "/discount", {"percent": 10}),
            ("POST", "/migrate", {"price_point": "yearly-premium", "strategy": "price_prorate"}),
        )
    ]

    assert (shown.status_code, shown.json()["id"]) == (200, own["id"])
    assert {(reply.status_code, reply.json()["code"], reply.json()["detail"]) for reply in refused} == {
        (404, "not_found", "There is no such subscription.")
    }
    assert tenant.calls("POST /subscription/pause") == tenant.calls("POST /subscription/migration") == 0


def test_an_own_subscription_is_changed_in_the_subjects_name(ada: httpx.Client, api: httpx.Client) -> None:
    """
    The customer need not be repeated, and can't be another.
    """
    (own,) = api.get("/v1/subscriptions", params={"external_id": ADA}).json()["data"]
    path = f"/v1/subscriptions/{own['id']}"

    foreign = ada.post(f"{path}/disable-autorenew", json={"external_id": GRACE})
    changed = ada.post(f"{path}/disable-autorenew", json={"reason": "too dear"})

    assert foreign.json()["code"] == "subject_mismatch"
    assert (changed.status_code, "AUTORENEW_OFF" in changed.json()["status"]) == (200, True)


@pytest.mark.anyio
@pytest.mark.parametrize("action", ["enable-autorenew", "disable-autorenew", "resume"])
@pytest.mark.parametrize("body", [b"", b"null", b"{}"])
async def test_a_change_without_a_body_names_the_subject(database_path: Path, action: str, body: bytes) -> None:
    """
    The vendor learns whose subscription it is, also where the caller had nothing to say.
    """
    ident = str(uuid4())
    async with ScriptedVendor() as vendor:
        vendor.succeeds(f'{{"subscriptions": [{{"subs_id": "{ident}"}}]}}')
        fox = FunnelFoxSettings(url=vendor.url, org_id="acme", secret_key=Secret("sk_1"))
        url = Secret(f"sqlite:///{database_path}")
        with RunningGateway(Settings(database_url=url, sandbox="off", log_level="error", funnelfox=fox)) as gateway:
            _, secret = await asyncio.to_thread(gateway.token, mode="live", subject=ADA)
            headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
            async with httpx.AsyncClient(base_url=gateway.url, headers=headers) as client:
                changed = await client.post(f"/v1/subscriptions/{ident}/{action}", content=body)

    (sent,) = [
        heard.json() for heard in vendor.heard if heard.path == f"/acme/v1/subscription/{action.replace('-', '_')}"
    ]
    assert (changed.status_code, sent["external_id"]) == (200, ADA)


def test_a_customer_opens_and_pays_an_order_of_their_own(ada: httpx.Client) -> None:
    """
    From session to payment, and on with the new order that the vendor answers when the customer must act.
    """
    session = ada.post("/v1/checkout/sessions", json=SESSION)
    order = session.json()["order_id"]
    token = session.json()["client_token"]

    changed = ada.patch(f"/v1/checkout/sessions/{order}", json={"client_token": token, "price_point": "lifetime"})
    asked = ada.post("/v1/checkout/payments", json=payment(order, "pmt_3ds_new_order"), headers=key())
    resumed = ada.post(
        f"/v1/checkout/payments/{asked.json()['order_id']}/resume", json={"resume_token": "rt_ok"}, headers=key()
    )

    assert (session.status_code, changed.status_code) == (201, 200)
    assert asked.json()["state"] == "action_required"
    assert asked.json()["order_id"] != order
    assert (resumed.status_code, resumed.json()["state"]) == (200, "succeeded")


def test_an_order_is_paid_by_whom_it_was_opened_for(api: httpx.Client, tenant: Tenant) -> None:
    """
    A backend opens it; the customer pays; to others it does not exist, and the vendor is not called.
    """
    order = api.post("/v1/checkout/sessions", json=SESSION | {"external_id": ADA}).json()["order_id"]
    foreign = api.post("/v1/checkout/sessions", json=SESSION | {"external_id": GRACE}).json()["order_id"]

    with tenant.client(subject=ADA) as ada:
        refused = [
            ada.post("/v1/checkout/payments", json=payment(foreign), headers=key()),
            ada.post("/v1/checkout/payments", json=payment(str(uuid4())), headers=key()),
            ada.post(f"/v1/checkout/payments/{foreign}/resume", json={"resume_token": "r"}, headers=key()),
            ada.patch(f"/v1/checkout/sessions/{foreign}", json={"client_token": "c", "price_point": "p"}),
        ]
        calls = tenant.calls("POST /checkout/create_payment") + tenant.calls("POST /checkout/resume_payment")
        paid = ada.post("/v1/checkout/payments", json=payment(order), headers=key())

    assert {(reply.status_code, reply.json()["code"]) for reply in refused} == {(404, "not_found")}
    assert calls == 0
    assert paid.json()["state"] == "succeeded"


def test_a_session_names_the_subject_and_nobody_else(ada: httpx.Client, tenant: Tenant) -> None:
    """
    Neither a session nor a one-click charge can be made in another's name.
    """
    session = ada.post("/v1/checkout/sessions", json=SESSION | {"external_id": GRACE})
    charge = ada.post(
        "/v1/checkout/one-click", json={"external_id": GRACE, "price_point": "yearly-premium"}, headers=key()
    )

    assert {session.json()["code"], charge.json()["code"]} == {"subject_mismatch"}
    assert tenant.calls("POST /checkout/create_client_session") == tenant.calls("POST /checkout/one_click") == 0


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"null", b'{"external_id": 5}', b"{", b'{"external_id": {}}'])
def test_a_broken_body_is_told_as_to_anyone(ada: httpx.Client, body: bytes) -> None:
    """
    Filling the customer in never turns bad input into a crash or a call.
    """
    reply = ada.post("/v1/checkout/sessions", content=body, headers={"content-type": "application/json"})

    assert reply.status_code in {400, 403, 422}
    assert reply.json()["code"] in {"malformed_request", "subject_mismatch", "validation_failed"}


def test_an_owner_is_known_in_its_own_tenant_only(api: httpx.Client, tenant: Tenant) -> None:
    """
    The same order id elsewhere is another order.
    """
    order = api.post("/v1/checkout/sessions", json=SESSION | {"external_id": ADA}).json()["order_id"]

    with tenant.neighbour().client(subject=ADA) as stranger:
        reply = stranger.post("/v1/checkout/payments", json=payment(order), headers=key())

    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")

"""What callers see when a customer pays."""

import re
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.support.charging import eventually
from tests.support.gateway import RunningGateway, Tenant
from tests.support.hanging import hang_up

SESSION = {
    "price_point": "yearly-premium",
    "external_id": "new-customer",
    "email_address": "a@example.com",
    "integration_type": "fakeintegration",
}


def key() -> dict[str, str]:
    """The header that a money call needs."""
    return {"Idempotency-Key": str(uuid4())}


def order_for(api: httpx.Client, **wish: object) -> str:
    """A fresh session's order."""
    order: str = api.post("/v1/checkout/sessions", json=SESSION | wish).json()["order_id"]
    return order


def pay(api: httpx.Client, order_id: str, token: str) -> httpx.Response:
    """Charge a magic token."""
    body = {"order_id": order_id, "payment_method_token": f"{token}-{uuid4().hex[:8]}"}
    return api.post("/v1/checkout/payments", json=body, headers=key())


def test_a_session_carries_the_vendors_whole_object(api: httpx.Client) -> None:
    """Our names beside the vendor's own, which the payment form needs as they are."""
    reply = api.post("/v1/checkout/sessions", json=SESSION)

    assert reply.status_code == 201
    body = reply.json()
    assert body.keys() == {"order_id", "client_token", "vendor"}
    assert str(UUID(body["order_id"])) == body["order_id"]
    assert (body["vendor"]["order_id"], body["vendor"]["client_token"]) == (body["order_id"], body["client_token"])
    assert reply.headers["location"] == f"/v1/checkout/sessions/{body['order_id']}"


def test_numbers_of_the_vendors_object_stay_what_they_are(api: httpx.Client, tenant: Tenant) -> None:
    """Digit for digit, whether we know the member or not."""
    data = '{"client_token":"ct","order_id":"o","amount_total":1234567890123456789,"rate":0.1000000000000000000001}'
    tenant.fails(
        "POST /checkout/create_client_session", "status", status=200, body=f'{{"status":"success","data":{data}}}'
    )

    reply = api.post("/v1/checkout/sessions", json=SESSION)

    assert f'"vendor":{data}' in reply.text


@pytest.mark.parametrize("kind", ["drop_after", "empty", "truncated"])
def test_a_session_whose_answer_is_lost_may_be_opened_anew(api: httpx.Client, tenant: Tenant, kind: str) -> None:
    """An order that nobody pays is harmless, so the caller need not look for it."""
    tenant.fails("POST /checkout/create_client_session", kind)

    reply = api.post("/v1/checkout/sessions", json=SESSION)

    assert (reply.status_code, reply.json()["code"], reply.json()["retryable"]) == (504, "outcome_unknown", True)


@pytest.mark.parametrize("order", ["a\\r\\nX-Evil: 1", "\u043e\u0440\u0434", "../../x?y#z"])
def test_a_hostile_order_stays_in_its_place(api: httpx.Client, tenant: Tenant, order: str) -> None:
    """Whatever the vendor calls an order, our headers stay ours."""
    body = f'{{"status":"success","data":{{"client_token":"ct","order_id":"{order}"}}}}'
    tenant.fails("POST /checkout/create_client_session", "status", status=200, body=body)

    reply = api.post("/v1/checkout/sessions", json=SESSION)

    assert reply.status_code == 201
    assert "x-evil" not in reply.headers
    assert re.fullmatch(r"/v1/checkout/sessions/[A-Za-z0-9%._-]+", reply.headers["location"])


def test_a_long_refusal_is_one_bounded_line(api: httpx.Client, tenant: Tenant) -> None:
    """What the customer is told comes from the vendor, but it can't fill their screen."""
    words = "No\\nfunds. " + "x" * 9000
    data = f'{{"action_required_token":"","checkout_status":"failed","failed_message_for_user":"{words}"}}'
    tenant.fails("POST /checkout/create_payment", "status", status=200, body=f'{{"status":"success","data":{data}}}')

    detail = pay(api, order_for(api), "pmt_ok").json()["detail"]

    assert detail.startswith("No funds. xxx")
    assert len(detail) <= 500


def test_a_session_is_bound_to_another_price_point(api: httpx.Client, tenant: Tenant) -> None:
    """What is paid then is the new one."""
    session = api.post("/v1/checkout/sessions", json=SESSION).json()

    changed = api.patch(
        f"/v1/checkout/sessions/{session['order_id']}",
        json={"client_token": session["client_token"], "price_point": "quarterly-eur"},
    )
    pay(api, session["order_id"], "pmt_ok")

    assert (changed.status_code, changed.json()) == (
        200,
        {"order_id": session["order_id"], "price_point": "quarterly-eur"},
    )
    charge = tenant.account.ledger.entries[-1]
    assert (str(charge.amount), charge.currency) == ("24.90", "EUR")


def test_a_payment_is_charged_once(api: httpx.Client, tenant: Tenant) -> None:
    """And the customer owns what was bought."""
    order = order_for(api)

    reply = pay(api, order, "pmt_ok")

    assert (reply.status_code, reply.json()) == (
        200,
        {"state": "succeeded", "order_id": order, "action_required_token": None},
    )
    charges = [entry for entry in tenant.account.ledger.entries if str(entry.order_id) == order]
    assert [entry.amount for entry in charges] == [Decimal("79.99")]
    owned = api.get("/v1/customers/new-customer/assets").json()["subscriptions"]
    assert [row["price_point"]["ident"] for row in owned] == ["yearly-premium"]


@pytest.mark.parametrize(
    ("token", "status", "code", "detail"),
    [
        ("pmt_declined", 402, "payment_failed", "Your card was declined."),
        ("pmt_insufficient_funds", 402, "payment_failed", "Your card has insufficient funds."),
        ("pmt_cancelled", 409, "payment_cancelled", "The payment was cancelled."),
    ],
)
def test_a_payment_that_is_refused_is_a_problem(
    api: httpx.Client, token: str, status: int, code: str, detail: str
) -> None:
    """With the words for the customer, and the order that it was for."""
    order = order_for(api)

    reply = pay(api, order, token)

    assert reply.status_code == status
    body = reply.json()
    assert (body["code"], body["detail"], body["order_id"]) == (code, detail, order)
    assert body["upstream"]["name"] == "funnelfox"


@pytest.mark.parametrize("token", ["pmt_3ds", "pmt_3ds_new_order"])
@pytest.mark.parametrize(("resume", "status"), [("rt_ok", 200), ("rt_declined", 402), ("rt_cancelled", 409)])
def test_an_action_of_the_customer_comes_between(api: httpx.Client, token: str, resume: str, status: int) -> None:
    """The answer names the order to resume, which may be a new one."""
    order = order_for(api)

    asked = pay(api, order, token)
    newest = asked.json()["order_id"]
    resumed = api.post(f"/v1/checkout/payments/{newest}/resume", json={"resume_token": resume}, headers=key())

    assert (asked.status_code, asked.json()["state"]) == (200, "action_required")
    assert asked.json()["action_required_token"]
    assert (newest != order) is (token == "pmt_3ds_new_order")
    assert resumed.status_code == status


def result(**members: object) -> dict[str, Any]:
    """A payment result as the vendor sends it."""
    return {"status": "success", "data": members}


@pytest.mark.parametrize(
    ("members", "status", "state"),
    [
        ({"action_required_token": "t", "checkout_status": "failed"}, 200, "action_required"),
        ({"action_required_token": "t", "checkout_status": "succeeded"}, 200, "action_required"),
        ({"action_required_token": "", "checkout_status": "succeeded"}, 200, "succeeded"),
        ({"action_required_token": None, "checkout_status": "processing"}, 202, "processing"),
        ({"action_required_token": "", "checkout_status": "next_fridays"}, 202, "unknown"),
        ({"action_required_token": ""}, 202, "unknown"),
        ({}, 202, "unknown"),
    ],
)
def test_the_order_of_a_payments_signs(
    api: httpx.Client, tenant: Tenant, members: dict[str, object], status: int, state: str
) -> None:
    """An action that is required comes first; what nobody knows is never called failed."""
    order = order_for(api)
    body = httpx.Request("POST", "http://x", json=result(**members)).content.decode()
    tenant.fails("POST /checkout/create_payment", "status", status=200, body=body)

    reply = pay(api, order, "pmt_ok")

    assert (reply.status_code, reply.json()["state"], reply.json()["order_id"]) == (status, state, order)


def test_one_click_charges_the_saved_card(api: httpx.Client, tenant: Tenant) -> None:
    """Once, and not for what is owned already."""
    before = len(tenant.account.ledger.entries)

    bought = api.post(
        "/v1/checkout/one-click", json={"external_id": "user-ada", "price_point": "coach-session"}, headers=key()
    )
    again = api.post(
        "/v1/checkout/one-click", json={"external_id": "user-ada", "price_point": "monthly-premium"}, headers=key()
    )

    assert (bought.status_code, bought.json()["state"]) == (200, "succeeded")
    assert (again.status_code, again.json()["code"]) == (409, "double_purchase")
    assert len(tenant.account.ledger.entries) == before + 1


MONEY = [
    (
        "/v1/checkout/payments",
        {"order_id": str(UUID(int=1)), "payment_method_token": "pmt_ok"},
        "POST /checkout/create_payment",
    ),
    (f"/v1/checkout/payments/{UUID(int=2)}/resume", {"resume_token": "rt_ok"}, "POST /checkout/resume_payment"),
    ("/v1/checkout/one-click", {"external_id": "user-ada", "price_point": "coach-session"}, "POST /checkout/one_click"),
]


@pytest.mark.parametrize(("path", "body", "operation"), MONEY)
@pytest.mark.parametrize("kind", ["drop_after", "html", "truncated", "empty", "redirect", "garbage"])
def test_a_lost_answer_to_a_charge_is_unknown_and_not_repeated(
    api: httpx.Client, tenant: Tenant, path: str, body: object, operation: str, kind: str
) -> None:
    """Money may have moved, so nobody says that it failed, and nobody tries again."""
    tenant.fails(operation, kind)

    reply = api.post(path, json=body, headers=key())

    assert reply.status_code == 504
    assert (reply.json()["code"], reply.json()["outcome"]) == ("outcome_unknown", "unknown")
    assert tenant.calls(operation) == 1


@pytest.mark.parametrize(("path", "body", "operation"), MONEY)
def test_a_charge_without_a_key_is_not_made(
    api: httpx.Client, tenant: Tenant, path: str, body: object, operation: str
) -> None:
    """The vendor hears nothing of it."""
    reply = api.post(path, json=body)

    assert (reply.status_code, reply.json()["code"]) == (400, "idempotency_key_required")
    assert tenant.calls(operation) == 0


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/external_id", "/price_point"]),
        (SESSION | {"price_point": "", "region": "x" * 65}, ["/price_point", "/region"]),
        (SESSION | {"external_id": "x" * 257, "email_address": "x" * 1025}, ["/email_address", "/external_id"]),
        (SESSION | {"integration_type": "paper"}, ["/integration_type"]),
        (SESSION | {"client_metadata": [], "pp_ident": "a"}, ["/client_metadata", "/pp_ident"]),
    ],
)
def test_a_wrong_session_is_told_everything(
    api: httpx.Client, tenant: Tenant, body: object, pointers: list[str]
) -> None:
    """All faults at once, and nothing is sent."""
    reply = api.post("/v1/checkout/sessions", json=body)

    assert reply.status_code == 422
    assert sorted(fault["pointer"] for fault in reply.json()["errors"]) == pointers
    assert tenant.calls("POST /checkout/create_client_session") == 0


def test_a_caller_who_hangs_up_does_not_end_a_charge(
    api: httpx.Client, tenant: Tenant, gateway: RunningGateway
) -> None:
    """What was sent runs to its end, and its outcome is in the trace."""
    order = order_for(api)
    tenant.fails("POST /checkout/create_payment", "latency", seconds=0.3)
    body = {"order_id": order, "payment_method_token": f"pmt_ok-{uuid4().hex[:8]}"}

    hang_up(
        api,
        "POST",
        "/v1/checkout/payments",
        body,
        when=lambda: tenant.calls("POST /checkout/create_payment") == 1,
    )

    routes = eventually(lambda: payments_traced(gateway, tenant.name) or None)
    charges = [entry for entry in tenant.account.ledger.entries if str(entry.order_id) == order]
    assert [entry.amount for entry in charges] == [Decimal("79.99")]
    assert routes == [200]


def payments_traced(gateway: RunningGateway, tenant: str) -> list[object]:
    """The statuses of a tenant's payments, as their traces tell."""
    traced = [span.attributes or {} for span in gateway.spans.get_finished_spans()]
    return [
        attributes["http.response.status_code"]
        for attributes in traced
        if attributes.get("gateway.tenant") == tenant and attributes.get("http.route") == "/v1/checkout/payments"
    ]


def test_paying_needs_a_scope_and_charging_a_saved_card_another(tenant: Tenant) -> None:
    """A shop's frontend can open sessions without reaching anybody's saved card."""
    with tenant.client(scopes=["checkout:write"]) as shop:
        opened = shop.post("/v1/checkout/sessions", json=SESSION)
        charged = shop.post(
            "/v1/checkout/one-click", json={"external_id": "user-ada", "price_point": "a"}, headers=key()
        )

    assert opened.status_code == 201
    assert (charged.status_code, charged.json()["code"]) == (403, "insufficient_scope")


def test_no_secret_is_sent_where_none_is_needed(api: httpx.Client, tenant: Tenant) -> None:
    """Checkout is public at the vendor; the key stays at home."""
    pay(api, order_for(api), "pmt_ok")

    sent = [seen for seen in tenant._sandbox.requests if seen.account == tenant.name]  # noqa: SLF001 - what arrived
    assert len(sent) == 2
    assert not any(seen.with_credentials for seen in sent)

"""What is sent once, however often it is asked for."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.charging import CHARGE, charged, customer, eventually, key, order_for, pay, payment
from tests.support.gateway import Tenant
from tests.support.hanging import hang_up


def same(first: httpx.Response, again: httpx.Response) -> bool:
    """Whether the second answer is the first one, byte for byte, and says so."""
    return (
        (again.status_code, again.content) == (first.status_code, first.content)
        and again.headers["content-type"] == first.headers["content-type"]
        and again.headers["idempotency-replayed"] == "true"
        and "idempotency-replayed" not in first.headers
        and again.headers["x-request-id"] != first.headers["x-request-id"]
    )


@pytest.mark.parametrize("token", ["pmt_ok", "pmt_declined", "pmt_cancelled", "pmt_3ds", "pmt_processing"])
def test_the_same_key_gives_the_same_answer_and_charges_once(api: httpx.Client, tenant: Tenant, token: str) -> None:
    """Whatever the answer was: success, decline, a question of the bank, or that it takes time."""
    body = payment(order_for(api), token)
    header = key()

    first = api.post("/v1/checkout/payments", json=body, headers=header)
    again = [api.post("/v1/checkout/payments", json=body, headers=header) for _ in range(3)]

    assert all(same(first, each) for each in again)
    assert first.headers["gateway-operation"].startswith("op_")
    assert {each.headers["gateway-operation"] for each in again} == {first.headers["gateway-operation"]}
    assert tenant.calls(CHARGE) == 1


def test_the_order_of_members_and_spacing_do_not_make_another_request(api: httpx.Client, tenant: Tenant) -> None:
    """Two encoders of one program may write the same thing differently."""
    body = payment(order_for(api))
    header = key() | {"content-type": "application/json"}

    first = api.post("/v1/checkout/payments", content=json.dumps(body), headers=header)
    again = api.post(
        "/v1/checkout/payments", content=json.dumps(dict(reversed(body.items())), indent=2), headers=header
    )

    assert same(first, again)
    assert tenant.calls(CHARGE) == 1


def test_a_key_is_for_one_request_only(api: httpx.Client, tenant: Tenant) -> None:
    """Used for another body or another path, it is refused before anything is sent."""
    order, header = order_for(api), key()
    pay(api, order, name=header["Idempotency-Key"])

    other_body = api.post("/v1/checkout/payments", json=payment(order), headers=header)
    other_path = api.post(f"/v1/checkout/payments/{order}/resume", json={"resume_token": "rt_ok"}, headers=header)

    for reply in (other_body, other_path):
        assert (reply.status_code, reply.json()["code"]) == (422, "idempotency_mismatch")
    assert (tenant.calls(CHARGE), tenant.calls("POST /checkout/resume_payment")) == (1, 0)


def test_two_keys_are_none(api: httpx.Client, tenant: Tenant) -> None:
    """Nobody can say which one counts."""
    body = payment(order_for(api))

    reply = api.post("/v1/checkout/payments", json=body, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")])

    assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed")
    assert reply.json()["errors"] == [
        {"pointer": "/Idempotency-Key", "detail": "Send one Idempotency-Key.", "in": "header"}
    ]
    assert tenant.calls(CHARGE) == 0


def test_duplicates_at_once_lead_to_one_charge(api: httpx.Client, tenant: Tenant) -> None:
    """One leads; the others are told to wait, or get its answer if they come late enough."""
    order = order_for(api)
    body, header = payment(order), key()
    tenant.fails(CHARGE, "latency", seconds=0.3)

    with ThreadPoolExecutor(8) as callers:
        replies = list(callers.map(lambda _: api.post("/v1/checkout/payments", json=body, headers=header), range(8)))

    assert tenant.calls(CHARGE) == 1
    assert len(charged(tenant.account.ledger.entries, order)) == 1
    told = {(reply.status_code, reply.json().get("code")) for reply in replies}
    assert told <= {(200, None), (409, "idempotency_in_progress")}
    assert len({reply.content for reply in replies if reply.status_code == 200}) == 1


def test_a_duplicate_of_what_is_under_way_is_told_to_wait(api: httpx.Client, tenant: Tenant) -> None:
    """And where to read what becomes of it."""
    body, header = payment(order_for(api)), key()
    tenant.fails(CHARGE, "latency", seconds=2.0)

    with ThreadPoolExecutor(1) as caller:
        leading = caller.submit(api.post, "/v1/checkout/payments", json=body, headers=header)
        eventually(lambda: tenant.calls(CHARGE) or None)
        waiting = api.post("/v1/checkout/payments", json=body, headers=header)

    named = leading.result().headers["gateway-operation"]
    assert (waiting.status_code, waiting.json()["code"]) == (409, "idempotency_in_progress")
    assert waiting.headers["retry-after"] == "1"
    assert (waiting.headers["gateway-operation"], waiting.json()["operation"]) == (named, f"/v1/operations/{named}")


def test_other_tenants_modes_and_principals_have_keys_of_their_own(tenant: Tenant) -> None:
    """The same key means nothing to anybody else."""
    neighbour = tenant.neighbour()
    with tenant.client() as one, tenant.client() as two, neighbour.client() as three:
        replies = [pay(api, order_for(api), name="the-same") for api in (one, two, three)]

    assert [reply.status_code for reply in replies] == [200, 200, 200]
    assert not any("idempotency-replayed" in reply.headers for reply in replies)
    assert (tenant.calls(CHARGE), neighbour.calls(CHARGE)) == (2, 1)


def test_a_customers_tokens_share_their_keys(tenant: Tenant) -> None:
    """A new token in the same browser does not make a second charge."""
    who = customer()
    with tenant.client() as shop:
        body = payment(order_for(shop, external_id=who))
    with tenant.client(subject=who) as before, tenant.client(subject=who) as after:
        first = before.post("/v1/checkout/payments", json=body, headers=key("k"))
        again = after.post("/v1/checkout/payments", json=body, headers=key("k"))

    assert same(first, again)
    assert tenant.calls(CHARGE) == 1


@pytest.mark.parametrize(
    ("fault", "details"),
    [("rate_limited", {}), ("status", {"status": 429})],
)
def test_what_the_vendor_did_not_begin_releases_the_key(
    api: httpx.Client, tenant: Tenant, fault: str, details: dict[str, Any]
) -> None:
    """The same request may be sent again and is carried out then."""
    body, header = payment(order_for(api)), key()
    tenant.fails(CHARGE, fault, times=1, **details)

    slowed = api.post("/v1/checkout/payments", json=body, headers=header)
    again = api.post("/v1/checkout/payments", json=body, headers=header)

    assert (slowed.status_code, slowed.json()["code"]) == (503, "upstream_rate_limited")
    assert "gateway-operation" not in slowed.headers
    assert (again.status_code, again.json()["state"]) == (200, "succeeded")
    assert "idempotency-replayed" not in again.headers


def test_a_request_that_was_wrong_releases_the_key(api: httpx.Client, tenant: Tenant) -> None:
    """Mended, it may come with the same key."""
    paid = api.get("/v1/customers/user-ada/payments").json()["data"][-1]
    refund, header = {"external_id": "user-ada", "order_id": paid["order_id"]}, key()

    wrong = api.post("/v1/refunds", json=refund | {"amount": "99999.00"}, headers=header)
    right = api.post("/v1/refunds", json=refund | {"amount": "0.10", "soft_refund": True}, headers=header)

    assert (wrong.status_code, wrong.json()["code"]) == (422, "validation_failed")
    assert right.status_code == 200
    assert tenant.calls("POST /payment/refund") == 1


def test_a_vendors_refusal_is_kept(api: httpx.Client, tenant: Tenant) -> None:
    """It was sent, and that was the answer; a new intention takes a new key."""
    body, header = payment(order_for(api)), key()
    tenant.fails(CHARGE, "status_error", code="invalid_price", times=1)

    first = api.post("/v1/checkout/payments", json=body, headers=header)
    again = api.post("/v1/checkout/payments", json=body, headers=header)

    assert (first.status_code, first.json()["code"]) == (422, "invalid_price")
    assert same(first, again)
    assert tenant.calls(CHARGE) == 1


def test_a_lost_answer_is_told_the_same_again(api: httpx.Client, tenant: Tenant) -> None:
    """And nothing is sent, however often the caller asks."""
    order, body, header = "", {}, key()
    order = order_for(api)
    body = payment(order)
    tenant.fails(CHARGE, "drop_before")

    first = api.post("/v1/checkout/payments", json=body, headers=header)
    again = api.post("/v1/checkout/payments", json=body, headers=header)

    assert (first.status_code, first.json()["code"]) == (504, "outcome_unknown")
    assert first.json()["operation"] == f"/v1/operations/{first.headers['gateway-operation']}"
    assert same(first, again)
    assert tenant.calls(CHARGE) == 1


def test_a_caller_who_hung_up_gets_the_answer_later(api: httpx.Client, tenant: Tenant) -> None:
    """The charge runs to its end, and its answer waits for whoever comes with the key."""
    order, header = order_for(api), key()
    body = payment(order)
    tenant.fails(CHARGE, "latency", seconds=0.3, times=1)
    hang_up(
        api,
        "POST",
        "/v1/checkout/payments",
        body,
        key=header["Idempotency-Key"],
        when=lambda: tenant.calls(CHARGE) == 1,
    )

    def answered() -> httpx.Response | None:
        reply = api.post("/v1/checkout/payments", json=body, headers=header)
        return reply if reply.status_code != 409 else None

    reply = eventually(answered)

    assert (reply.status_code, reply.json()["state"]) == (200, "succeeded")
    assert reply.headers["idempotency-replayed"] == "true"
    assert len(charged(tenant.account.ledger.entries, order)) == 1


def write_calls(api: httpx.Client) -> list[tuple[str, str, Any, str, int]]:
    """Every other write: method, path, body, the vendor's operation, and the answer."""
    mark = uuid4().hex[:8]
    session = {"price_point": "lifetime", "external_id": "user-ada", "integration_type": "fakeintegration"}
    (ada, mika) = (
        api.get("/v1/subscriptions", params={"external_id": who}).json()["data"][0]["id"]
        for who in ("user-ada", "user-mika")
    )
    terms = {"ident": f"pp-{mark}", "currency_code": "USD", "lifetime_price": "5.00", "intro_type": "no_intro"}
    return [
        ("POST", "/v1/domains", {"hostname": f"w{mark}.example.com"}, "POST /domains", 201),
        ("DELETE", f"/v1/domains/w{mark}.example.com", None, "DELETE /domains/{domain}", 204),
        ("POST", "/v1/features", {"ident": f"f-{mark}", "feature_type": "lifetime"}, "POST /feature/create", 201),
        ("POST", "/v1/price-points", terms | {"features": ["premium-access"]}, "POST /pp/create", 201),
        ("PATCH", f"/v1/price-points/pp-{mark}", {"lifetime_price": "6.00"}, "POST /pp/update", 200),
        (
            "POST",
            "/v1/checkout/sessions",
            session | {"email_address": "a@example.com"},
            "POST /checkout/create_client_session",
            201,
        ),
        ("POST", f"/v1/subscriptions/{ada}/disable-autorenew", {}, "POST /subscription/disable_autorenew", 200),
        ("POST", f"/v1/subscriptions/{ada}/enable-autorenew", {}, "POST /subscription/enable_autorenew", 200),
        (
            "POST",
            f"/v1/subscriptions/{ada}/defer",
            {"defer_till": "2030-03-01T00:00:00Z"},
            "POST /subscription/defer",
            200,
        ),
        ("POST", f"/v1/subscriptions/{mika}/resume", {}, "POST /subscription/resume", 200),
        ("POST", f"/v1/subscriptions/{mika}/pause", {"pause_till": None}, "POST /subscription/pause", 200),
    ]


def test_every_other_write_honours_a_key(api: httpx.Client, tenant: Tenant) -> None:
    """It need not come with one; if it does, it is made once and its answer is given again."""
    for method, path, body, operation, status in write_calls(api):
        header = key()

        first = api.request(method, path, json=body, headers=header)
        again = api.request(method, path, json=body, headers=header)

        assert first.status_code == status, (path, first.text)
        assert (again.status_code, again.content) == (status, first.content)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers.get("location") == first.headers.get("location")
        assert tenant.calls(operation) == 1


def test_a_session_whose_answer_was_lost_may_be_opened_again_under_its_key(api: httpx.Client, tenant: Tenant) -> None:
    """An orphan does no harm, so the key is not spent."""
    wish = {"price_point": "lifetime", "external_id": customer(), "integration_type": "fakeintegration"}
    header = key()
    tenant.fails("POST /checkout/create_client_session", "drop_after", times=1)

    lost = api.post("/v1/checkout/sessions", json=wish | {"email_address": "a@b.co"}, headers=header)
    again = api.post("/v1/checkout/sessions", json=wish | {"email_address": "a@b.co"}, headers=header)

    assert (lost.status_code, lost.json()["retryable"], lost.json().get("operation")) == (504, True, None)
    assert again.status_code == 201


def test_a_third_charge_of_a_token_within_a_day_is_not_sent(api: httpx.Client, tenant: Tenant) -> None:
    """The vendor takes two, and would call the third one failed."""
    token = f"pmt_ok-{uuid4().hex[:8]}"
    bodies = [{"order_id": order_for(api), "payment_method_token": token} for _ in range(3)]

    replies = [api.post("/v1/checkout/payments", json=body, headers=key()) for body in bodies]

    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[2].json()["code"] == "rate_limited"
    assert 86_000 < int(replies[2].headers["retry-after"]) <= 86_401
    assert tenant.calls(CHARGE) == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/tokens", {"name": "ci", "scopes": ["domains:read"]}),
        ("/v1/tokens/delegated", {"subject": "user-ada", "scopes": ["catalog:read"]}),
    ],
)
def test_a_secret_is_not_shown_a_second_time(api: httpx.Client, path: str, body: dict[str, Any]) -> None:
    """It is not kept, so a replay can't give it; no second token is made either."""
    header = key()

    first = api.post(path, json=body, headers=header)
    again = api.post(path, json=body, headers=header)

    assert first.status_code == 201
    assert (again.status_code, again.json()["code"]) == (409, "secret_already_shown")
    assert first.json()["token"] not in again.text


def test_our_own_records_are_changed_once_under_one_key(api: httpx.Client) -> None:
    """Also what no vendor hears of honours a key."""
    token = api.post("/v1/tokens", json={"name": "a", "scopes": ["domains:read"]}).json()
    header = key()

    first = api.patch(f"/v1/tokens/{token['id']}", json={"name": "b"}, headers=header)
    api.patch(f"/v1/tokens/{token['id']}", json={"name": "c"})
    again = api.patch(f"/v1/tokens/{token['id']}", json={"name": "b"}, headers=header)

    assert same(first, again)
    assert api.get(f"/v1/tokens/{token['id']}").json()["name"] == "c"

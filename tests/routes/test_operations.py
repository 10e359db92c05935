"""What becomes of changes whose end nobody knows, and what they hold up meanwhile."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

from gateway.scopes import SCOPES
from tests.support.charging import CHARGE, SESSION, charged, customer, eventually, key, order_for, pay, payment
from tests.support.gateway import Tenant

REFUND = "POST /payment/refund"


def operation_of(api: httpx.Client, reply: httpx.Response) -> dict[str, Any]:
    """The operation that an answer names."""
    shown = api.get(f"/v1/operations/{reply.headers['gateway-operation']}")
    assert shown.status_code == 200, shown.text
    found: dict[str, Any] = shown.json()
    return found


class Bought(NamedTuple):
    """What somebody has bought."""

    customer: str
    order: str


def bought(api: httpx.Client) -> Bought:
    """A fresh customer with a paid order."""
    who = customer()
    order = order_for(api, external_id=who)
    assert pay(api, order).status_code == 200
    return Bought(who, order)


def one_click(who: str, price_point: str = "coach-session") -> dict[str, str]:
    """The body of a one-click purchase."""
    return {"external_id": who, "price_point": price_point}


def owned(api: httpx.Client, who: str) -> str:
    """The one subscription of a customer."""
    ident: str = api.get("/v1/subscriptions", params={"external_id": who}).json()["data"][0]["id"]
    return ident


def test_an_operation_that_went_well_is_shown(api: httpx.Client) -> None:
    """When it was sent, when it was settled, and what was answered."""
    reply = pay(api, order_for(api))

    operation = operation_of(api, reply)

    assert operation == {
        "id": reply.headers["gateway-operation"],
        "kind": "createPayment",
        "state": "succeeded",
        "created_at": operation["created_at"],
        "sent_at": operation["created_at"],
        "settled_at": operation["settled_at"],
        "attempts": 0,
        "result": {"status": 200, "body": reply.json()},
        "evidence": {},
        "needs_review": False,
    }
    assert operation["settled_at"] >= operation["sent_at"]
    assert operation["sent_at"].endswith("Z")


def test_a_decline_is_a_failed_operation(api: httpx.Client) -> None:
    """The vendor has said so, whole."""
    reply = pay(api, order_for(api), "pmt_declined")

    operation = operation_of(api, reply)

    assert (operation["state"], operation["result"]["body"]["code"]) == ("failed", "payment_failed")


def test_a_payment_that_went_through_is_found_in_the_payments(api: httpx.Client, tenant: Tenant) -> None:
    """The answer was lost; the customer's payments prove it, and the key gives the answer then."""
    order, header = order_for(api), key()
    body = payment(order)
    tenant.fails(CHARGE, "drop_after", times=1)

    lost = api.post("/v1/checkout/payments", json=body, headers=header)
    operation = operation_of(api, lost)
    again = api.post("/v1/checkout/payments", json=body, headers=header)

    assert (lost.status_code, lost.json()["code"]) == (504, "outcome_unknown")
    assert (operation["state"], operation["evidence"]) == ("succeeded", {"paid_order": order})
    assert (again.status_code, again.json()) == (
        200,
        {"state": "succeeded", "order_id": order, "action_required_token": None},
    )
    assert again.headers["idempotency-replayed"] == "true"
    assert len(charged(tenant.account.ledger.entries, order)) == tenant.calls(CHARGE) == 1


def test_a_payment_is_found_in_the_background(api: httpx.Client, tenant: Tenant) -> None:
    """Nobody has to ask: after some seconds the key gives the true answer."""
    order, header = order_for(api), key()
    body = payment(order)
    tenant.fails(CHARGE, "drop_after", times=1)
    api.post("/v1/checkout/payments", json=body, headers=header)

    def settled() -> httpx.Response | None:
        reply = api.post("/v1/checkout/payments", json=body, headers=header)
        return reply if reply.status_code != 504 else None

    reply = eventually(settled)

    assert (reply.status_code, reply.json()["state"]) == (200, "succeeded")
    assert len(charged(tenant.account.ledger.entries, order)) == tenant.calls(CHARGE) == 1


def test_a_payment_that_was_declined_is_found_in_the_transactions(api: httpx.Client, tenant: Tenant) -> None:
    """A decline made after sending, and nothing that may still move money, proves the failure."""
    order, header = order_for(api), key()
    body = payment(order, "pmt_declined")
    tenant.fails(CHARGE, "drop_after", times=1)

    lost = api.post("/v1/checkout/payments", json=body, headers=header)
    operation = operation_of(api, lost)
    again = api.post("/v1/checkout/payments", json=body, headers=header)

    assert operation["state"] == "failed"
    assert [*operation["evidence"]["transactions"].values()] == ["declined"]
    assert (again.status_code, again.json()["code"], again.json()["order_id"]) == (402, "payment_failed", order)
    assert again.json()["instance"] == "/v1/checkout/payments"


def test_absence_proves_nothing(api: httpx.Client, tenant: Tenant) -> None:
    """It never arrived, but nobody can know: it stays unknown."""
    order = order_for(api)
    tenant.fails(CHARGE, "drop_before", times=1)

    lost = pay(api, order)
    operation = operation_of(api, lost)

    assert (operation["state"], operation["result"], operation["settled_at"]) == ("unknown", None, None)
    assert operation["evidence"] == {"transactions": {}, "customer_known": True}


def test_an_earlier_decline_proves_nothing(api: httpx.Client, tenant: Tenant) -> None:
    """The first card was declined; of the second nobody knows."""
    order = order_for(api)
    assert pay(api, order, "pmt_declined").status_code == 402
    tenant.fails(CHARGE, "drop_before", times=1)

    operation = operation_of(api, pay(api, order))

    assert operation["state"] == "unknown"


def test_a_payment_under_another_order_is_found(api: httpx.Client, tenant: Tenant) -> None:
    """Every order that the vendor answers later stands for the session's first."""
    who = customer()
    first = order_for(api, external_id=who)
    asked = pay(api, first, "pmt_3ds_new_order")
    newest = asked.json()["order_id"]
    tenant.fails("POST /checkout/resume_payment", "drop_after", times=1)

    path = f"/v1/checkout/payments/{newest}/resume"
    lost = api.post(path, json={"resume_token": "rt_ok"}, headers=key())
    blocked = pay(api, first)
    operation = operation_of(api, lost)

    assert newest != first
    assert (blocked.status_code, blocked.json()["code"]) == (409, "operation_in_progress")
    assert (operation["state"], operation["evidence"]) == ("succeeded", {"paid_order": newest})


def test_a_payment_that_takes_its_time_is_an_open_operation(api: httpx.Client) -> None:
    """The answer leads to it, and it holds the order until the bank has decided."""
    order = order_for(api)

    reply = pay(api, order, "pmt_processing")
    before = operation_of(api, reply)
    blocked = pay(api, order)

    assert (reply.status_code, reply.json()["state"]) == (202, "processing")
    assert reply.json()["operation"] == f"/v1/operations/{reply.headers['gateway-operation']}"
    assert (before["state"], before["result"]) == ("pending", None)
    assert (blocked.status_code, blocked.json()["code"]) == (409, "operation_in_progress")
    assert blocked.json()["operation"] == reply.json()["operation"]


def test_a_result_that_nobody_understands_is_unknown(api: httpx.Client, tenant: Tenant) -> None:
    """The vendor answered in words of its own: it may have charged."""
    data = '{"status":"success","data":{"checkout_status":"next_friday"}}'
    order = order_for(api)
    tenant.fails(CHARGE, "status", status=200, body=data, times=1)

    reply = pay(api, order)

    assert (reply.status_code, reply.json()["state"]) == (202, "unknown")
    assert operation_of(api, reply)["state"] == "unknown"


def _pay(api: httpx.Client, what: Bought, **more: object) -> httpx.Response:
    return api.post("/v1/checkout/payments", json=payment(what.order) | more, headers=key())


def _resume(api: httpx.Client, what: Bought, **more: object) -> httpx.Response:
    body = {"resume_token": "rt_ok", **more}
    return api.post(f"/v1/checkout/payments/{what.order}/resume", json=body, headers=key())


def _refund(api: httpx.Client, what: Bought, **more: object) -> httpx.Response:
    body = {"external_id": what.customer, "order_id": what.order, "amount": "1.00", "soft_refund": True, **more}
    return api.post("/v1/refunds", json=body, headers=key())


def _one_click(api: httpx.Client, what: Bought, **more: object) -> httpx.Response:
    return api.post("/v1/checkout/one-click", json=one_click(what.customer) | more, headers=key())


def _discount(api: httpx.Client, what: Bought, **more: object) -> httpx.Response:
    path = f"/v1/subscriptions/{owned(api, what.customer)}/discount"
    return api.post(path, json={"percent": 10, **more}, headers=key())


def _migrate(api: httpx.Client, what: Bought, **more: object) -> httpx.Response:
    body = {"price_point": "quarterly-eur", "strategy": "delayed_start", "external_id": what.customer, **more}
    return api.post(f"/v1/subscriptions/{owned(api, what.customer)}/migrate", json=body, headers=key())


Call = Callable[..., httpx.Response]

GUARDED: list[tuple[Call, str, Call, str]] = [
    (_pay, CHARGE, _pay, CHARGE),
    (_pay, CHARGE, _resume, "POST /checkout/resume_payment"),
    (_resume, "POST /checkout/resume_payment", _pay, CHARGE),
    (_refund, REFUND, _refund, REFUND),
    (_refund, REFUND, _pay, CHARGE),
    (_one_click, "POST /checkout/one_click", _one_click, "POST /checkout/one_click"),
    (_discount, "POST /discount", _discount, "POST /discount"),
    (_discount, "POST /discount", _migrate, "POST /subscription/migration"),
    (_migrate, "POST /subscription/migration", _discount, "POST /discount"),
]


@pytest.mark.parametrize(
    ("first", "lost", "second", "called"), GUARDED, ids=lambda part: getattr(part, "__name__", "").strip("_") or "-"
)
def test_a_new_key_is_no_way_round_an_open_operation(
    api: httpx.Client, tenant: Tenant, first: Call, lost: str, second: Call, called: str
) -> None:
    """Another try on the same order, purchase or subscription is refused, and the vendor hears nothing of it."""
    what = bought(api)
    tenant.fails(lost, "drop_before")
    unknown = first(api, what)
    before = tenant.calls(called)

    blocked = second(api, what)

    assert (unknown.status_code, unknown.json()["code"]) == (504, "outcome_unknown")
    assert (blocked.status_code, blocked.json()["code"]) == (409, "operation_in_progress")
    assert blocked.json()["operation"] == unknown.json()["operation"]
    assert tenant.calls(called) == before


@pytest.mark.parametrize("call", [_pay, _resume, _refund, _one_click, _discount, _migrate])
def test_a_caller_may_go_on_knowingly(api: httpx.Client, tenant: Tenant, call: Call) -> None:
    """With the id of the one that is open; another id is not enough."""
    lost = next(name for done, name, _, _ in GUARDED if done is call)
    what = bought(api)
    tenant.fails(lost, "drop_before", times=1)
    unknown = call(api, what).headers["gateway-operation"]
    before = tenant.calls(lost)

    wrong = call(api, what, confirm_duplicate="op_0")
    called_by_wrong = tenant.calls(lost) - before
    right = call(api, what, confirm_duplicate=unknown)

    assert (wrong.status_code, wrong.json()["code"], called_by_wrong) == (409, "operation_in_progress", 0)
    assert right.headers["gateway-operation"] != unknown
    assert tenant.calls(lost) == before + 1


def test_going_on_knowingly_is_recorded(api: httpx.Client, tenant: Tenant) -> None:
    """Who took the risk is in the audit."""
    order = order_for(api)
    tenant.fails(CHARGE, "drop_before", times=1)
    unknown = pay(api, order).headers["gateway-operation"]

    _pay(api, Bought("", order), confirm_duplicate=unknown)

    events = api.get("/v1/audit-events", params={"tenant": tenant.name, "action": "createPayment"}).json()["data"]
    assert [event["target"] for event in events] == [
        {"order_id": order, "confirm_duplicate": unknown},
        {"order_id": order},
    ]


def test_what_was_gone_on_beside_is_not_settled_by_reading(api: httpx.Client, tenant: Tenant) -> None:
    """What is seen then may be the other one's: a refund could be counted for both."""
    what = bought(api)
    tenant.fails(REFUND, "drop_before", times=1)
    unknown = _refund(api, what)

    second = _refund(api, what, confirm_duplicate=unknown.headers["gateway-operation"])
    first = operation_of(api, unknown)

    assert second.status_code == 200
    assert (first["state"], first["evidence"]["contested"]) == ("unknown", True)


def test_the_two_may_be_about_different_things(api: httpx.Client, tenant: Tenant) -> None:
    """Another order, another customer, another price point: nobody is held up."""
    what = bought(api)
    other = bought(api)
    for lost in (CHARGE, "POST /checkout/one_click"):
        tenant.fails(lost, "drop_before", times=1)
    pay(api, order_for(api))
    _one_click(api, what)

    paid = pay(api, order_for(api))
    same_customer = api.post("/v1/checkout/one-click", json=one_click(what.customer, "lifetime"), headers=key())
    same_product = _one_click(api, other)

    assert [reply.status_code for reply in (paid, same_customer, same_product)] == [200, 200, 200]


def test_a_one_click_purchase_is_known_by_its_mark(api: httpx.Client, tenant: Tenant) -> None:
    """The order's metadata bears the operation; where the vendor gives it back, that is proof."""
    what = bought(api)
    tenant.fails("POST /checkout/one_click", "drop_after", times=1)

    operation = operation_of(api, _one_click(api, what))

    assert operation["state"] == "succeeded"
    assert operation["evidence"].keys() == {"oneoff_id"}


def test_a_one_click_purchase_without_a_mark_stays_unknown(api: httpx.Client, tenant: Tenant) -> None:
    """A payment of that moment is a candidate, and no proof."""
    what = bought(api)
    tenant.fails("POST /checkout/one_click", "drop_after", times=1)
    unknown = _one_click(api, what)
    tenant.fails("POST /my_assets", "status", status=200, body='{"status":"success","data":{"subscriptions":[]}}')

    operation = operation_of(api, unknown)

    assert operation["state"] == "unknown"
    (paid,) = [entry for entry in tenant.account.ledger.entries if entry.external_id == what.customer][1:]
    assert operation["evidence"] == {"candidate_orders": [str(paid.order_id)]}


@pytest.mark.parametrize("amount", ["1.00", None])
def test_a_refund_is_known_by_what_is_refunded(api: httpx.Client, tenant: Tenant, amount: str | None) -> None:
    """It rose by exactly the amount."""
    what = bought(api)
    tenant.fails(REFUND, "drop_after", times=1)

    lost = _refund(api, what, amount=amount)
    operation = operation_of(api, lost)

    given = amount or "79.99"
    assert operation["state"] == "succeeded"
    assert operation["evidence"] == {"refunded_before": "0.00", "refunded_now": given, "amount": given}
    assert operation["result"]["body"]["refunded"] == given


def test_a_refund_that_rose_by_something_else_is_unknown(api: httpx.Client, tenant: Tenant) -> None:
    """Somebody else may have refunded in the vendor's own surface."""
    what = bought(api)
    tenant.fails(REFUND, "drop_before", times=1)
    unknown = _refund(api, what)
    tenant.fails(
        "POST /payments_history",
        "status",
        status=200,
        body=json.dumps({"status": "success", "data": {"payments": [{"order_id": what.order, "refunded": "2.00"}]}}),
    )

    operation = operation_of(api, unknown)

    assert (operation["state"], operation["evidence"]["refunded_now"]) == ("unknown", "2.00")


def test_a_discount_is_settled_by_a_person_only(api: httpx.Client, tenant: Tenant) -> None:
    """It shows nowhere; who resolves it frees the subscription, and the key tells how it ended."""
    what = bought(api)
    path, header = f"/v1/subscriptions/{owned(api, what.customer)}/discount", key()
    tenant.fails("POST /discount", "drop_after", times=1)
    lost = api.post(path, json={"percent": 10}, headers=header)
    ident = lost.headers["gateway-operation"]

    resolved = api.post(
        f"/v1/operations/{ident}/resolve", json={"state": "succeeded", "note": "Seen in the dashboard."}
    )
    again = api.post(path, json={"percent": 10}, headers=header)
    another = _discount(api, what)
    twice = api.post(f"/v1/operations/{ident}/resolve", json={"state": "failed", "note": "No."})

    assert (resolved.status_code, resolved.json()["state"]) == (200, "succeeded")
    assert resolved.json()["evidence"]["resolved"]["note"] == "Seen in the dashboard."
    assert (again.status_code, again.json()["id"]) == (200, path.split("/")[3])
    assert another.status_code == 200
    assert (twice.status_code, twice.json()["code"]) == (422, "validation_failed")
    events = api.get("/v1/audit-events", params={"tenant": tenant.name, "action": "resolveOperation"}).json()["data"]
    assert events[-1]["target"] == {"operation_id": ident, "state": "succeeded", "note": "Seen in the dashboard."}


def test_what_a_person_found_failed_is_told_so(api: httpx.Client, tenant: Tenant) -> None:
    """And the order may be paid again."""
    order, header = order_for(api), key()
    body = payment(order)
    tenant.fails(CHARGE, "drop_before", times=1)
    lost = api.post("/v1/checkout/payments", json=body, headers=header)

    path = f"/v1/operations/{lost.headers['gateway-operation']}/resolve"
    api.post(path, json={"state": "failed", "note": "Not in the processor's books."})
    again = api.post("/v1/checkout/payments", json=body, headers=header)
    anew = pay(api, order)

    assert (again.status_code, again.json()["code"]) == (402, "payment_failed")
    assert anew.status_code == 200
    assert len(charged(tenant.account.ledger.entries, order)) == 1


OTHERS: list[tuple[str, str, str, Any, str]] = [
    ("POST /domains", "POST", "/v1/domains", {"hostname": "{mark}.example.com"}, "createDomain"),
    (
        "POST /feature/create",
        "POST",
        "/v1/features",
        {"ident": "{mark}", "feature_type": "lifetime"},
        "createFeature",
    ),
    (
        "POST /pp/create",
        "POST",
        "/v1/price-points",
        {
            "ident": "{mark}",
            "currency_code": "USD",
            "lifetime_price": "5.00",
            "intro_type": "no_intro",
            "features": ["premium-access"],
        },
        "createPricePoint",
    ),
    ("POST /pp/update", "PATCH", "/v1/price-points/lifetime", {"lifetime_price": "6.00"}, "updatePricePoint"),
    ("POST /subscription/pause", "POST", "/v1/subscriptions/{ada}/pause", {"pause_till": None}, "pauseSubscription"),
    (
        "POST /subscription/disable_autorenew",
        "POST",
        "/v1/subscriptions/{ada}/disable-autorenew",
        {},
        "disableAutorenew",
    ),
    (
        "POST /subscription/enable_autorenew",
        "POST",
        "/v1/subscriptions/{linus}/enable-autorenew",
        {},
        "enableAutorenew",
    ),
    ("POST /subscription/resume", "POST", "/v1/subscriptions/{mika}/resume", {}, "resumeSubscription"),
    (
        "POST /subscription/defer",
        "POST",
        "/v1/subscriptions/{ada}/defer",
        {"defer_till": "2030-03-01T00:00:00Z"},
        "deferSubscription",
    ),
]


@pytest.mark.parametrize(("operation", "method", "path", "body", "kind"), OTHERS, ids=lambda part: str(part)[:30])
def test_other_writes_are_settled_by_what_is_there(
    api: httpx.Client, tenant: Tenant, operation: str, method: str, path: str, body: dict[str, Any], kind: str
) -> None:
    """The answer was lost and the thing is done: reading shows it, and the key gives the answer of a success."""
    names = {"mark": f"m{uuid4().hex[:8]}"}
    names |= {who: owned(api, f"user-{who}") for who in ("ada", "linus", "mika") if f"{{{who}}}" in path}
    sent = {name: value.format(**names) if isinstance(value, str) else value for name, value in body.items()}
    header = key()
    tenant.fails(operation, "drop_after", times=1)

    lost = api.request(method, path.format(**names), json=sent, headers=header)
    settled = operation_of(api, lost)
    again = api.request(method, path.format(**names), json=sent, headers=header)

    assert (lost.status_code, lost.json()["code"]) == (504, "outcome_unknown")
    assert (settled["kind"], settled["state"]) == (kind, "succeeded")
    assert again.status_code in {200, 201}
    assert again.headers["idempotency-replayed"] == "true"
    assert tenant.calls(operation) == 1


def test_a_removal_is_not_settled_by_a_404_that_is_not_the_vendors(api: httpx.Client, tenant: Tenant) -> None:
    """Something on the way may say so as well, of whatever path; only the vendor's own words prove it."""
    tenant.account.domains.add("odd.removal-test.com")
    tenant.fails("DELETE /domains/{domain}", "drop_after", times=1)
    tenant.fails("GET /domains/{domain}", "status", status=404, body='{"detail":"Not Found"}')

    unknown = api.delete("/v1/domains/odd.removal-test.com")
    operation = api.get(unknown.json()["operation"]).json()

    assert unknown.json()["code"] == "outcome_unknown"
    assert (operation["state"], operation["evidence"]) == ("unknown", {"found": False})


def test_a_removal_is_settled_by_what_is_gone(api: httpx.Client, tenant: Tenant) -> None:
    """The vendor says that there is no such domain."""
    api.post("/v1/domains", json={"hostname": "gone.example.com"})
    tenant.fails("DELETE /domains/{domain}", "drop_after", times=1)

    lost = api.delete("/v1/domains/gone.example.com", headers=key("delete"))
    operation = operation_of(api, lost)
    again = api.delete("/v1/domains/gone.example.com", headers=key("delete"))

    assert operation["state"] == "succeeded"
    assert (again.status_code, again.content) == (204, b"")


def test_an_import_is_settled_by_its_rows(api: httpx.Client, tenant: Tenant) -> None:
    """Every price point of the file is there."""
    file = api.get("/v1/price-points.csv").text
    header, row = file.splitlines()[:2]
    ident = row.split(",")[header.split(",").index("ident")]
    one = f"{header}\r\n{row.replace(ident, 'imported-late')}\r\n"
    tenant.fails("POST /pp/import_csv", "drop_after", times=1)

    sent = {"content": one, "headers": key("csv") | {"content-type": "text/csv"}}
    lost = api.post("/v1/price-points/import", **sent)  # type: ignore[arg-type]  # names of httpx's own
    operation = operation_of(api, lost)

    assert operation["state"] == "succeeded"
    assert operation["result"]["body"] == {
        "inserted": ["imported-late"],
        "skipped_existing": [],
        "absent": [],
        "missing": [],
    }


def test_a_migration_names_what_it_may_have_led_to(api: httpx.Client, tenant: Tenant) -> None:
    """The subscription itself is as it was; another one is a candidate."""
    what = bought(api)
    tenant.fails("POST /subscription/migration", "drop_after", times=1)

    body = {"price_point": "monthly-premium", "strategy": "delayed_start", "external_id": what.customer}
    lost = api.post(f"/v1/subscriptions/{owned(api, what.customer)}/migrate", json=body, headers=key())
    operation = operation_of(api, lost)

    assert operation["state"] == "unknown"
    assert operation["evidence"]["price_point_before"] == operation["evidence"]["price_point"] == "yearly-premium"
    assert len(operation["evidence"]["candidates"]) == 1


def test_a_vendor_that_cannot_be_read_settles_nothing(api: httpx.Client, tenant: Tenant) -> None:
    """The operation stays unknown, and says why."""
    order = order_for(api)
    tenant.fails(CHARGE, "drop_after", times=1)
    unknown = pay(api, order)
    tenant.fails("POST /payments_history", "status", status=503)

    operation = operation_of(api, unknown)

    assert (operation["state"], operation["evidence"]) == ("unknown", {"unread": "upstream_error"})


def test_asking_often_does_not_call_the_vendor_often(api: httpx.Client, tenant: Tenant) -> None:
    """Once in five seconds is enough."""
    tenant.fails(CHARGE, "drop_before", times=1)
    unknown = pay(api, order_for(api))

    shown = [operation_of(api, unknown)["attempts"] for _ in range(5)]

    assert shown == [1] * 5
    assert tenant.calls("POST /payments_history") == 1


def test_operations_are_listed_the_newest_first(api: httpx.Client, tenant: Tenant) -> None:
    """By pages, and by state."""
    idents = [pay(api, order_for(api)).headers["gateway-operation"] for _ in range(3)]
    tenant.fails(CHARGE, "drop_before", times=1)
    idents.append(pay(api, order_for(api)).headers["gateway-operation"])

    first = api.get("/v1/operations", params={"limit": 3}).json()
    rest = api.get("/v1/operations", params={"limit": 3, "cursor": first["meta"]["next_cursor"]}).json()
    unknown = api.get("/v1/operations", params={"state": "unknown"}).json()
    wrong = api.get("/v1/operations", params={"state": "perhaps"})

    assert [row["id"] for row in first["data"] + rest["data"]] == idents[::-1]
    assert rest["meta"]["next_cursor"] is None
    assert [row["id"] for row in unknown["data"]] == idents[3:]
    assert wrong.status_code == 422


def test_a_session_is_no_operation(api: httpx.Client) -> None:
    """An order that nobody pays is harmless: there is nothing to find out."""
    reply = api.post("/v1/checkout/sessions", json=SESSION | {"external_id": "user-ada"}, headers=key())

    assert "gateway-operation" not in reply.headers
    assert api.get("/v1/operations").json()["data"] == []


def test_it_takes_the_scopes_of_the_request_to_see_it(tenant: Tenant) -> None:
    """Who may not refund sees no refunds; another tenant sees nothing, and nobody without `admin` resolves."""
    with tenant.client() as shop, tenant.neighbour().client() as stranger:
        what = bought(shop)
        refund = f"/v1/operations/{_refund(shop, what).headers['gateway-operation']}"
        with tenant.client(scopes=["checkout:write"]) as checkout:
            kinds = [row["kind"] for row in checkout.get("/v1/operations").json()["data"]]
            seen = checkout.get(refund)
        strange = [stranger.get(refund), stranger.get("/v1/operations")]
        resolution = {"state": "failed", "note": "x"}
        taken = stranger.post(f"{refund}/resolve", json=resolution)
        with tenant.client(scopes=[scope for scope in SCOPES if scope != "admin"]) as nobody:
            forbidden = nobody.post(f"{refund}/resolve", json=resolution)

    assert kinds == ["createPayment"]
    assert (seen.status_code, strange[0].status_code, taken.status_code) == (404, 404, 404)
    assert strange[1].json()["data"] == []
    assert (forbidden.status_code, forbidden.json()["code"]) == (403, "insufficient_scope")


def test_a_customer_sees_their_own_operations(tenant: Tenant) -> None:
    """Those that were begun with a token of theirs, and no others."""
    who = customer()
    with tenant.client() as shop, tenant.client(subject=who) as own, tenant.client(subject="user-ada") as other:
        shops = pay(shop, order_for(shop)).headers["gateway-operation"]
        theirs = pay(own, order_for(shop, external_id=who)).headers["gateway-operation"]

        mine = own.get(f"/v1/operations/{theirs}")
        not_mine = [own.get(f"/v1/operations/{shops}"), other.get(f"/v1/operations/{theirs}")]
        listed = [client.get("/v1/operations").json()["data"] for client in (own, other)]

    assert mine.status_code == 200
    assert [(reply.status_code, reply.json()["code"]) for reply in not_mine] == [(404, "not_found")] * 2
    assert [[row["id"] for row in rows] for rows in listed] == [[theirs], []]


def test_amounts_are_what_they_were(api: httpx.Client, tenant: Tenant) -> None:
    """Told, booked and proven: the same number."""
    what = bought(api)

    assert charged(tenant.account.ledger.entries, what.order) == [Decimal("79.99")]
    assert api.get(f"/v1/customers/{what.customer}/payments").json()["data"][0]["amount"] == "79.99"


def test_an_order_that_was_paid_before_proves_nothing(api: httpx.Client, tenant: Tenant) -> None:
    """What is used up can be bought again under one order; of the second charge nobody knows."""
    who = customer()
    order = order_for(api, external_id=who, price_point="coach-session")
    assert pay(api, order).status_code == 200
    tenant.fails(CHARGE, "drop_before", times=1)

    operation = operation_of(api, pay(api, order))

    assert operation["state"] == "unknown"
    assert len(charged(tenant.account.ledger.entries, order)) == 1

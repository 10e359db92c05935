"""Checkout: sessions, payments, and the tokens that decide how they end."""

from typing import Any

import httpx
import pytest

from clients.sandbox.choices import Choices
from clients.sandbox.server import SandboxServer
from tests.clients.sandbox.shop import Shop
from tests.support.plain import PLAIN


@pytest.mark.parametrize("integration", ["fakeintegration", "primer", "stripe"])
def test_a_session_is_opened_for_each_integration(shop: Shop, integration: str) -> None:
    """The answer holds a token for the payment form, and an order."""
    asked = {
        "region": "default",
        "integration_type": integration,
        "pp_ident": "monthly-paid-trial",
        "external_id": "buyer",
        "email_address": "buyer@example.com",
        "country_code": "DE",
    }

    session = shop.data("/checkout/create_client_session", asked)

    assert session["client_token"]
    assert session["is_livemode"] is False
    assert session["amount_total"] == 100
    assert ("stripe_public_key" in session) is (integration == "stripe")


def test_a_payment_brings_a_subscription_and_stands_in_every_book(shop: Shop) -> None:
    """My assets, the payments history, the transaction report and the ledger agree."""
    order_id = shop.session("yearly-premium")

    result = shop.pay(order_id, "pmt_ok")

    assert result == {
        "action_required_token": "",
        "checkout_status": "succeeded",
        "failed_message_for_user": "",
        "order_id": order_id,
    }
    subscription = shop.subscription()
    assert subscription["status"] == ["RECURRING"]
    assert subscription["initial_order_metadata"] == {"campaign": "test"}
    payment = shop.data("/payments_history", {"external_id": "buyer"})["payments"][-1]
    assert (payment["order_id"], payment["amount"]) == (order_id, "79.99")
    assert payment["subs_id"] == subscription["subs_id"]
    transactions = _report(shop, order_id)
    assert [(row["status"], row["meta_subs_id"]) for row in transactions] == [("settled", subscription["subs_id"])]
    assert shop.charges() == ["79.99"]


def test_a_lifetime_price_point_brings_a_oneoff(shop: Shop) -> None:
    """It does not renew, and belongs to the order that paid it."""
    result = shop.buy("lifetime")

    assets = shop.data("/my_assets", {"external_id": "buyer"})
    assert assets["subscriptions"] == []
    assert [(row["order_id"], row["is_active"]) for row in assets["oneoffs"]] == [(result["order_id"], True)]


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("pmt_declined", ("failed", "Your card was declined.", "declined")),
        ("pmt_declined-7", ("failed", "Your card was declined.", "declined")),
        ("pmt_insufficient_funds", ("failed", "Your card has insufficient funds.", "declined")),
        ("pmt_cancelled", ("cancelled", "", "cancelled")),
    ],
)
def test_what_fails_appears_in_the_report_only(shop: Shop, token: str, expected: tuple[str, str, str]) -> None:
    """No asset, no payment, no money moved."""
    result = shop.buy("yearly-premium", token=token)

    reported = [row["status"] for row in _report(shop, result["order_id"])]
    assert (result["checkout_status"], result["failed_message_for_user"], *reported) == expected
    assert shop.data("/my_assets", {"external_id": "buyer"}) == {"subscriptions": [], "oneoffs": []}
    assert shop.data("/payments_history", {"external_id": "buyer"}) == {"payments": []}
    assert shop.charges() == []


def test_a_declined_order_may_be_paid_with_another_card(shop: Shop) -> None:
    """The order stays open, and is charged once."""
    order_id = shop.session("yearly-premium")
    shop.pay(order_id, "pmt_declined")

    result = shop.pay(order_id, "pmt_ok")

    assert result["checkout_status"] == "succeeded"
    assert shop.charges() == ["79.99"]


@pytest.mark.parametrize(
    ("resume_token", "status", "charges"),
    [("rt_ok", "succeeded", ["79.99"]), ("rt_declined", "failed", []), ("rt_cancelled", "cancelled", [])],
)
def test_a_bank_may_ask_the_customer_first(shop: Shop, resume_token: str, status: str, charges: list[str]) -> None:
    """Nothing is charged until the payment is resumed, and then as the bank decides."""
    order_id = shop.session("yearly-premium")
    asked = shop.pay(order_id, "pmt_3ds")
    before = shop.charges()

    resumed = shop.data("/checkout/resume_payment", {"order_id": order_id, "resume_token": resume_token})

    assert asked["action_required_token"]
    assert before == []
    assert (resumed["action_required_token"], resumed["checkout_status"]) == ("", status)
    assert shop.charges() == charges


def test_the_newest_order_is_the_one_to_resume(shop: Shop) -> None:
    """A payment may be answered with another order; the first is not resumed any more."""
    first = shop.session("yearly-premium")
    newest = shop.pay(first, "pmt_3ds_new_order")["order_id"]

    stale = shop.refusal("/checkout/resume_payment", {"order_id": first, "resume_token": "rt_ok"})
    resumed = shop.data("/checkout/resume_payment", {"order_id": newest, "resume_token": "rt_ok"})

    assert newest != first
    assert stale == (400, None)
    assert (resumed["checkout_status"], resumed["order_id"]) == ("succeeded", newest)


def test_a_payment_is_resumed_once(shop: Shop) -> None:
    """The second time nothing waits."""
    order_id = shop.session("yearly-premium")
    shop.pay(order_id, "pmt_3ds")
    shop.data("/checkout/resume_payment", {"order_id": order_id, "resume_token": "rt_ok"})

    again = shop.refusal("/checkout/resume_payment", {"order_id": order_id, "resume_token": "rt_ok"})

    assert again == (400, None)
    assert shop.charges() == ["79.99"]


@pytest.mark.parametrize(
    ("token", "charges", "status"),
    [("pmt_processing", ["79.99"], "settled"), ("pmt_processing_declined", [], "declined")],
)
def test_a_bank_may_take_its_time(shop: Shop, token: str, charges: list[str], status: str) -> None:
    """A processing payment ends some seconds later, well or not."""
    result = shop.buy("yearly-premium", token=token)
    before = [row["status"] for row in _report(shop, result["order_id"])]

    shop.advance(seconds=11)

    assert result["checkout_status"] == "processing"
    assert before == ["authorized"]
    assert [row["status"] for row in _report(shop, result["order_id"])] == [status]
    assert shop.charges() == charges


def test_a_processing_order_is_not_paid_twice(shop: Shop) -> None:
    """A second payment is refused while the first is under way."""
    order_id = shop.session("yearly-premium")
    shop.pay(order_id, "pmt_processing")

    second = _pay_refused(shop, order_id, "pmt_ok")

    assert second == (200, "payment_failed")


def test_what_is_owned_is_not_sold_again(shop: Shop) -> None:
    """Neither to the same order nor to a new one, nor by one click."""
    order_id = shop.session("yearly-premium")
    shop.pay(order_id)

    same = _pay_refused(shop, order_id, "pmt_ok")
    new = _pay_refused(shop, shop.session("yearly-premium"), "pmt_ok")
    click = shop.refusal("/checkout/one_click", {"external_id": "buyer", "pp_ident": "yearly-premium"})

    assert same == new == click == (200, "double_purchase")
    assert shop.charges() == ["79.99"]


def test_a_consumable_is_charged_as_often_as_it_is_asked_for(shop: Shop) -> None:
    """No key makes the vendor's charges idempotent: a repeated call is a second charge."""
    order_id = shop.session("coach-session")

    results = [shop.pay(order_id, "pmt_ok") for _ in range(2)]

    assert [result["checkout_status"] for result in results] == ["succeeded", "succeeded"]
    assert results[0]["order_id"] != results[1]["order_id"]
    assert shop.charges() == ["29.00", "29.00"]


def test_a_token_is_charged_twice_a_day(shop: Shop) -> None:
    """The third charge is refused, until a day has passed."""
    for _ in range(2):
        shop.buy("coach-session", token="pmt_ok")

    third = _pay_refused(shop, shop.session("coach-session"), "pmt_ok")
    shop.advance(days=1)
    next_day = shop.buy("coach-session", token="pmt_ok")

    assert third == (200, "payment_failed")
    assert next_day["checkout_status"] == "succeeded"


def test_one_click_charges_the_card_that_was_left(shop: Shop) -> None:
    """The metadata of the click is kept with the purchase."""
    shop.buy("monthly-premium")

    result = shop.data(
        "/checkout/one_click", {"external_id": "buyer", "pp_ident": "lifetime", "client_metadata": {"by": "click"}}
    )

    oneoff = shop.data("/my_assets", {"external_id": "buyer"})["oneoffs"][0]
    assert result["checkout_status"] == "succeeded"
    assert oneoff["initial_order_metadata"] == {"by": "click"}
    assert shop.charges() == ["0.00", "149.00"]


@pytest.mark.parametrize(
    ("token", "expected"), [("pmt_ok_then_declined", ("failed", False)), ("pmt_ok_then_3ds", ("processing", True))]
)
def test_a_saved_card_may_fail_later(shop: Shop, token: str, expected: tuple[str, bool]) -> None:
    """It was good for the first payment, and is not for one click."""
    shop.buy("monthly-premium", token=token)

    result = shop.data("/checkout/one_click", {"external_id": "buyer", "pp_ident": "lifetime"})

    assert (result["checkout_status"], bool(result["action_required_token"])) == expected


def test_one_click_needs_a_customer_with_a_card(shop: Shop) -> None:
    """Someone who never paid has none."""
    shop.session("lifetime", "visitor")

    stranger = shop.refusal("/checkout/one_click", {"external_id": "stranger", "pp_ident": "lifetime"})
    visitor = shop.refusal("/checkout/one_click", {"external_id": "visitor", "pp_ident": "lifetime"})

    assert stranger == visitor == (200, "invalid_customer")


def test_an_unknown_price_point_is_an_invalid_price(shop: Shop) -> None:
    """Wherever it is named."""
    order_id = shop.session("lifetime")
    asked = {
        "region": "default",
        "integration_type": "primer",
        "pp_ident": "unknown",
        "external_id": "buyer",
        "email_address": "",
    }

    session = shop.refusal("/checkout/create_client_session", asked)
    update = shop.refusal(
        "/checkout/update_client_session", {"order_id": order_id, "client_token": _token(shop), "pp_ident": "unknown"}
    )
    click = shop.refusal("/checkout/one_click", {"external_id": "user-ada", "pp_ident": "unknown"})

    assert session == click == (200, "invalid_price")
    assert update == (404, None)


def test_a_session_can_be_bound_to_another_price_point(shop: Shop) -> None:
    """The order is then charged for that one."""
    session = _session(shop)
    change = {"order_id": session["order_id"], "client_token": session["client_token"], "pp_ident": "yearly-premium"}

    changed = shop.data("/checkout/update_client_session", change)
    shop.pay(session["order_id"])

    assert changed == {}
    assert shop.charges() == ["79.99"]


def test_the_four_codes_can_come_under_a_4xx() -> None:
    """Both were seen of the vendor."""
    choices = Choices(coded_status=400)

    with SandboxServer(choices=choices) as server, httpx.Client(trust_env=False, verify=PLAIN) as http:
        refusal = Shop(server, http).refusal("/checkout/one_click", {"external_id": "nobody", "pp_ident": "lifetime"})

    assert refusal == (400, "invalid_customer")


def test_browsers_may_call_checkout_and_read_its_errors(shop: Shop) -> None:
    """The vendor's SDK runs on other people's pages."""
    url = shop.fox_url("/checkout/create_payment")

    preflight = shop.http.options(url, headers={"origin": "https://shop.example"})
    refused = shop.http.post(url, json={}, headers={"origin": "https://shop.example"})
    secret = shop.http.options(shop.fox_url("/payment/refund"))

    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-methods"] == "POST"
    assert preflight.headers["access-control-allow-headers"] == "content-type, x-sdk-version"
    assert refused.status_code == 422
    assert refused.headers["access-control-allow-origin"] == "*"
    assert secret.status_code == 405
    assert shop.http.get(f"{shop.server.url}/sdk_report/org/crash").status_code == 204


def _session(shop: Shop) -> Any:
    asked = {
        "region": "default",
        "integration_type": "primer",
        "pp_ident": "lifetime",
        "external_id": "buyer",
        "email_address": "buyer@example.com",
    }
    return shop.data("/checkout/create_client_session", asked)


def _token(shop: Shop) -> str:
    token: str = _session(shop)["client_token"]
    return token


def _pay_refused(shop: Shop, order_id: str, token: str) -> tuple[int, str | None]:
    return shop.refusal("/checkout/create_payment", {"order_id": order_id, "payment_method_token": token})


def _report(shop: Shop, order_id: str) -> list[dict[str, Any]]:
    asked = {"last_transaction_date": "2020-01-01T00:00:00Z", "order_id": order_id}
    rows: list[dict[str, Any]] = shop.data("/transaction_report", asked)["transactions"]
    return rows

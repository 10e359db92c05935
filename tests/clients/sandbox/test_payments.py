"""Refunds, the payments history, the transaction report, and customer search."""

from typing import Any

import pytest

from tests.clients.sandbox.shop import Shop


def test_a_full_refund_ends_the_subscription(shop: Shop) -> None:
    """The money is back, and so is the access."""
    order_id = shop.buy("yearly-premium")["order_id"]

    done = shop.data("/payment/refund", {"external_id": "buyer", "order_id": order_id})

    assert done == {}
    assert shop.subscription()["status"] == ["EXPIRED"]
    assert _payment(shop)["refunded"] == "79.99"
    assert _refunds(shop) == ["79.99"]


def test_a_full_refund_revokes_a_oneoff(shop: Shop) -> None:
    """It stays in the list, with the time at which it was revoked."""
    order_id = shop.buy("lifetime")["order_id"]

    shop.data("/payment/refund", {"external_id": "buyer", "order_id": order_id})

    oneoff = shop.data("/my_assets", {"external_id": "buyer"})["oneoffs"][0]
    assert oneoff["is_active"] is False
    assert oneoff["revoked_at"] is not None


def test_a_partial_refund_turns_autorenewal_off(shop: Shop) -> None:
    """Access stays until the end of the period."""
    order_id = shop.buy("yearly-premium")["order_id"]

    shop.data("/payment/refund", {"external_id": "buyer", "order_id": order_id, "amount": "9.99"})

    assert shop.subscription()["status"] == ["RECURRING", "AUTORENEW_OFF"]
    assert _payment(shop)["refunded"] == "9.99"


@pytest.mark.parametrize("amount", [{}, {"amount": 10.5}])
def test_a_soft_refund_leaves_the_subscription_alone(shop: Shop, amount: dict[str, object]) -> None:
    """Full or partial."""
    order_id = shop.buy("yearly-premium")["order_id"]

    shop.data("/payment/refund", {"external_id": "buyer", "order_id": order_id, "soft_refund": True} | amount)

    assert shop.subscription()["status"] == ["RECURRING"]


def test_no_more_is_refunded_than_was_paid(shop: Shop) -> None:
    """Parts add up; the last call takes what is left."""
    order_id = shop.buy("yearly-premium")["order_id"]
    asked = {"external_id": "buyer", "order_id": order_id}

    too_much = shop.refusal("/payment/refund", asked | {"amount": "80.00"})
    shop.data("/payment/refund", asked | {"amount": "70.00"})
    too_much_together = shop.refusal("/payment/refund", asked | {"amount": "10.00"})
    shop.data("/payment/refund", asked)
    nothing_left = shop.refusal("/payment/refund", asked)

    assert too_much == too_much_together == nothing_left == (400, None)
    assert _refunds(shop) == ["70.00", "9.99"]


@pytest.mark.parametrize("amount", ["0", "-1", "1.999", "NaN", "1e99999999", "text", 1e300])
def test_an_amount_that_is_no_money_is_refused(shop: Shop, amount: object) -> None:
    """And nothing is refunded."""
    order_id = shop.buy("yearly-premium")["order_id"]

    refusal = shop.refusal("/payment/refund", {"external_id": "buyer", "order_id": order_id, "amount": amount})

    assert refusal == (422, None)
    assert _refunds(shop) == []


def test_only_the_customers_own_payment_is_refunded(shop: Shop) -> None:
    """Another's, an unpaid and an unknown order are all not there."""
    order_id = shop.buy("yearly-premium")["order_id"]
    unpaid = shop.session("lifetime")

    for asked in (
        {"external_id": "somebody-else", "order_id": order_id},
        {"external_id": "buyer", "order_id": unpaid},
        {"external_id": "buyer", "order_id": "00000000-0000-4000-8000-000000000000"},
    ):
        assert shop.refusal("/payment/refund", asked) == (404, None)


def test_a_payment_is_shown_whole(shop: Shop) -> None:
    """Amounts as strings, the currency as an object, the time without a zone."""
    order_id = shop.buy("weekly-jpy", token="pmt_ok")["order_id"]

    payment = _payment(shop)

    assert payment.pop("created_at").count("Z") == 0
    assert payment == {
        "order_id": order_id,
        "subs_id": shop.subscription()["subs_id"],
        "oneoff_id": None,
        "amount": "480",
        "refunded": "0",
        "currency": {"code": "JPY", "minor_units": 0, "title": "Yen", "symbol": "¥"},
        "last4": "4242",
        "network": "VISA",
        "payment_method": "PAYMENT_CARD",
    }


def test_the_report_is_read_page_by_page(shop: Shop) -> None:
    """The last time seen is where the next page begins; nothing comes twice, nothing is lost."""
    everything = shop.data("/transaction_report", {"last_transaction_date": "2020-01-01T00:00:00Z", "limit": 500})
    seen: list[Any] = []
    since = "2020-01-01T00:00:00Z"

    while page := shop.data("/transaction_report", {"last_transaction_date": since, "limit": 3})["transactions"]:
        seen += page
        since = page[-1]["trx_created_at"]

    assert seen == everything["transactions"]
    assert len(seen) > 20
    assert since.endswith("Z")


@pytest.mark.parametrize("limit", [0, 501, "10", 1.5])
def test_the_reports_limit_is_1_to_500(shop: Shop, limit: object) -> None:
    """As documented."""
    refusal = shop.refusal("/transaction_report", {"last_transaction_date": "2020-01-01T00:00:00Z", "limit": limit})

    assert refusal == (422, None)


@pytest.mark.parametrize(
    ("email", "customers"),
    [("ada@example.com", ["user-ada"]), ("ADA@EXAMPLE.COM", ["user-ada"]), ("x", []), (None, [])],
)
def test_customers_are_found_by_address(shop: Shop, email: str | None, customers: list[str]) -> None:
    """Whatever its case."""
    users = shop.data("/search_users", {"email": email})["users"]

    assert users == [{"external_id": customer} for customer in customers]


def test_the_address_key_must_be_there(shop: Shop) -> None:
    """Its value may be null, but it may not be missing."""
    assert shop.refusal("/search_users", {}) == (422, None)


def test_a_customer_who_is_unknown_owns_nothing(shop: Shop) -> None:
    """Empty lists, and no refusal."""
    assets = shop.data("/my_assets", {"external_id": "nobody"})
    payments = shop.data("/payments_history", {"external_id": "nobody"})

    assert (assets, payments) == ({"subscriptions": [], "oneoffs": []}, {"payments": []})


def _payment(shop: Shop) -> Any:
    return shop.data("/payments_history", {"external_id": "buyer"})["payments"][-1]


def _refunds(shop: Shop) -> list[str]:
    entries = [entry for entry in shop.account.ledger.entries if entry.external_id == "buyer"]
    return [str(entry.amount) for entry in entries if entry.kind == "refund"]

"""Subscriptions: what time does to them, and what a merchant can."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.clients.sandbox.shop import Shop


def test_a_free_trial_turns_into_a_paid_subscription(shop: Shop) -> None:
    """Nothing is charged on the first day, the regular price when the trial ends."""
    shop.buy("monthly-premium")
    trial = shop.subscription()

    shop.advance(days=7)

    paid = shop.subscription()
    assert (trial["status"], trial["iteration"]) == (["INTRO"], 0)
    assert (paid["status"], paid["iteration"]) == (["RECURRING"], 1)
    assert shop.charges() == ["0.00", "9.99"]


def test_a_paid_trial_is_charged_at_once(shop: Shop) -> None:
    """The introduction has a price of its own."""
    shop.buy("monthly-paid-trial")

    shop.advance(days=8)

    assert shop.charges() == ["1.00", "19.99"]


def test_renewal_is_charged_two_hours_before_the_period_ends(shop: Shop) -> None:
    """Not earlier, and not again when the period is over."""
    shop.buy("weekly-jpy")

    shop.advance(seconds=7 * 86_400 - 2 * 3600 - 60)
    before = shop.charges()
    shop.advance(seconds=120)
    after = shop.charges()
    shop.advance(seconds=3 * 3600)

    assert before == ["480"]
    assert after == ["480", "480"]
    assert shop.charges() == after


def test_a_jump_of_the_clock_renews_as_often_as_time_would(shop: Shop) -> None:
    """A year at once is twelve months, each charged at its own time."""
    shop.buy("monthly-premium")

    shop.advance(days=365 + 7)

    times = [entry.at for entry in shop.account.ledger.entries if entry.external_id == "buyer"]
    assert shop.charges() == ["0.00", *["9.99"] * 13]
    assert times == sorted(times)
    gaps = [later - earlier for earlier, later in pairwise(times[1:])]
    assert all(timedelta(days=27) < gap < timedelta(days=32) for gap in gaps)


def test_a_card_that_declines_leads_through_grace_and_retry_to_the_end(shop: Shop) -> None:
    """Access stays during grace, is gone during retry, and nothing is ever charged."""
    shop.buy("monthly-premium", token="pmt_ok_then_declined")
    seen = []

    for days in (7, 1, 3, 7, 14):
        shop.advance(days=days)
        subscription = shop.subscription()
        seen.append((subscription["status"], subscription["is_active"]))

    assert seen == [
        (["GRACE"], True),
        (["GRACE"], True),
        (["RETRY"], False),
        (["RETRY"], False),
        (["EXPIRED"], False),
    ]
    assert shop.charges() == ["0.00"]
    declined = [row for row in _report(shop) if row["status"] == "declined"]
    assert [row["meta_retry_step"] for row in declined] == [None, 1, 2, 3, 4]
    assert {row["is_cit"] for row in declined} == {False}


def test_a_cancelled_subscription_runs_to_the_end_of_its_period(shop: Shop) -> None:
    """No further charge, and access until then."""
    shop.buy("yearly-premium")
    subs_id = shop.subscription()["subs_id"]

    shop.data("/subscription/disable_autorenew", {"subs_id": subs_id, "external_id": "buyer"})
    cancelled = shop.subscription()
    shop.advance(days=366)

    assert (cancelled["status"], cancelled["is_active"]) == (["RECURRING", "AUTORENEW_OFF"], True)
    assert (shop.subscription()["status"], shop.subscription()["is_active"]) == (["EXPIRED"], False)
    assert shop.charges() == ["79.99"]


def test_a_cancellation_can_be_taken_back_while_access_lasts(shop: Shop) -> None:
    """Then it renews again; what has expired stays so."""
    shop.buy("weekly-jpy")
    subs_id = shop.subscription()["subs_id"]
    shop.data("/subscription/disable_autorenew", {"subs_id": subs_id})
    shop.data("/subscription/enable_autorenew", {"subs_id": subs_id})
    shop.advance(days=7)
    renewed = shop.charges()

    shop.data("/subscription/disable_autorenew", {"subs_id": subs_id})
    shop.advance(days=30)
    late = shop.refusal("/subscription/enable_autorenew", {"subs_id": subs_id})

    assert renewed == ["480", "480"]
    assert late == (400, None)


def test_deferring_puts_the_next_charge_off(shop: Shop) -> None:
    """Access goes on, free of charge, until the given time."""
    shop.buy("weekly-jpy")
    till = shop.sandbox.clock.now() + timedelta(days=20)

    shop.data("/subscription/defer", {"subs_id": shop.subscription()["subs_id"], "defer_till": till.isoformat()})
    shop.advance(days=19.9)
    before = (shop.subscription()["is_active"], shop.charges())
    shop.advance(days=0.2)

    assert before == (True, ["480"])
    assert shop.charges() == ["480", "480"]


def test_a_pause_ends_by_itself_and_gives_the_time_back(shop: Shop) -> None:
    """Neither access nor charges meanwhile; what was paid for is not lost."""
    shop.buy("weekly-jpy")
    subs_id = shop.subscription()["subs_id"]
    till = (shop.sandbox.clock.now() + timedelta(days=10)).isoformat()

    shop.data("/subscription/pause", {"subs_id": subs_id, "pause_till": till})
    paused = shop.subscription()
    shop.advance(days=11)
    resumed = shop.subscription()

    assert (paused["status"], paused["is_active"]) == (["RECURRING", "PAUSED"], False)
    assert paused["next_check_at"] is not None
    assert paused["available_actions"] == ["resume"]
    assert (resumed["status"], resumed["is_active"]) == (["RECURRING"], True)
    ends = datetime.fromisoformat(resumed["current_period_ends_at"]).replace(tzinfo=UTC)
    assert timedelta(days=5) < ends - shop.sandbox.clock.now() < timedelta(days=7)
    assert shop.charges() == ["480"]


def test_a_pause_without_end_lasts_until_it_is_resumed(shop: Shop) -> None:
    """Then there is no next check, and resuming twice makes no sense."""
    shop.buy("weekly-jpy")
    subs_id = shop.subscription()["subs_id"]
    shop.data("/subscription/pause", {"subs_id": subs_id, "pause_till": None})
    shop.advance(days=300)
    paused = shop.subscription()

    shop.data("/subscription/resume", {"subs_id": subs_id})
    again = shop.refusal("/subscription/resume", {"subs_id": subs_id})

    assert (paused["status"], paused["next_check_at"]) == (["RECURRING", "PAUSED"], None)
    assert shop.subscription()["status"] == ["RECURRING"]
    assert again == (400, None)
    assert shop.charges() == ["480"]


def test_a_discount_lasts_for_as_many_charges_as_it_says(shop: Shop) -> None:
    """The next two are cheaper, the third is not."""
    shop.buy("monthly-paid-trial")
    subs_id = shop.subscription()["subs_id"]

    shop.data("/discount", {"subs_id": subs_id, "percent": 50, "count_of_iterations": 2})
    shop.advance(days=7 + 95)

    assert shop.charges()[:4] == ["1.00", "10.00", "10.00", "19.99"]


def test_a_discount_without_a_count_stays(shop: Shop) -> None:
    """All charges that follow are cheaper."""
    shop.buy("weekly-jpy")

    shop.data("/discount", {"subs_id": shop.subscription()["subs_id"], "percent": 25, "count_of_iterations": None})
    shop.advance(days=21)

    assert shop.charges() == ["480", "360", "360", "360"]


def test_a_prorated_migration_charges_the_difference_at_once(shop: Shop) -> None:
    """What was not used of the old period is deducted; the old subscription ends."""
    shop.buy("monthly-paid-trial")
    shop.advance(days=7)
    old = shop.subscription()
    asked = _migration(old, "yearly-premium", "price_prorate")

    preview = shop.data("/subscription/migration", asked | {"dry_run": True})
    before = shop.charges()
    done = shop.data("/subscription/migration", asked)

    assert preview["payment_result"]["order_id"] is None
    assert before == ["1.00", "19.99"]
    assert done["migration_strategy"] == "price_prorate"
    assert done["charged_amount"] == preview["charged_amount"] == "60.00"
    assert done["payment_result"]["checkout_status"] == "succeeded"
    assert shop.charges() == ["1.00", "19.99", "60.00"]
    statuses = {row["subs_id"]: row["status"] for row in _owned(shop)}
    assert statuses == {old["subs_id"]: ["EXPIRED"], done["subs_id"]: ["RECURRING"]}


def test_a_delayed_migration_begins_when_the_old_period_ends(shop: Shop) -> None:
    """Until then the new subscription is upcoming, and nothing is charged for it."""
    shop.buy("weekly-jpy")
    shop.data("/pp/create", _price_point("monthly-jpy", "JPY", "1500"))
    old = shop.subscription()

    done = shop.data("/subscription/migration", _migration(old, "monthly-jpy", "delayed_start"))
    waiting = {row["subs_id"]: row["status"] for row in _owned(shop)}
    shop.advance(days=8)

    assert (done["migration_strategy"], done["charged_amount"], done["oneoff_id"]) == ("delayed_start", "0", None)
    assert waiting == {old["subs_id"]: ["RECURRING", "AUTORENEW_OFF"], done["subs_id"]: ["UPCOMING"]}
    assert {row["subs_id"]: row["status"] for row in _owned(shop)} == {
        old["subs_id"]: ["EXPIRED"],
        done["subs_id"]: ["RECURRING"],
    }
    assert shop.charges() == ["480", "1500"]


def test_a_migration_to_a_lifetime_price_point_brings_a_oneoff(shop: Shop) -> None:
    """There is no new subscription then."""
    shop.buy("yearly-premium")

    done = shop.data("/subscription/migration", _migration(shop.subscription(), "lifetime", "price_prorate"))

    assert done["subs_id"] is None
    assert [row["oneoff_id"] for row in shop.data("/my_assets", {"external_id": "buyer"})["oneoffs"]] == [
        done["oneoff_id"]
    ]


def test_strict_mode_refuses_a_strategy_that_does_not_apply(shop: Shop) -> None:
    """With 400, which is documented; without it the other strategy is used and named."""
    shop.buy("yearly-premium")
    shop.data("/pp/create", _price_point("cheaper", "USD", "5.00"))
    asked = _migration(shop.subscription(), "cheaper", "price_prorate")

    strict = shop.refusal("/subscription/migration", asked)
    lenient = shop.data("/subscription/migration", asked | {"strict_mode": False})

    assert strict == (400, None)
    assert lenient["migration_strategy"] == "delayed_start"
    assert shop.charges() == ["79.99"]


def test_a_migration_whose_card_declines_changes_nothing(shop: Shop) -> None:
    """The result says failed, and the old subscription goes on."""
    shop.buy("yearly-premium", token="pmt_ok_then_declined")

    done = shop.data("/subscription/migration", _migration(shop.subscription(), "lifetime", "price_prorate"))

    assert done["payment_result"]["checkout_status"] == "failed"
    assert (done["charged_amount"], done["subs_id"], done["oneoff_id"]) == ("0.00", None, None)
    assert shop.subscription()["status"] == ["RECURRING"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/subscription/enable_autorenew", {}),
        ("/subscription/disable_autorenew", {}),
        ("/subscription/defer", {"defer_till": "2040-01-01T00:00:00Z"}),
        ("/subscription/pause", {"pause_till": None}),
        ("/subscription/resume", {}),
        ("/discount", {"percent": 10}),
        ("/subscription/migration", {"pp_ident": "lifetime", "strategy": "price_prorate"}),
    ],
)
def test_another_customers_subscription_is_as_good_as_none(shop: Shop, path: str, fields: dict[str, object]) -> None:
    """An `external_id` that does not own it finds nothing, and neither does an unknown id."""
    shop.buy("yearly-premium")
    subs_id = shop.subscription()["subs_id"]

    foreign = shop.refusal(path, {"subs_id": subs_id, "external_id": "somebody-else"} | fields)
    unknown = shop.refusal(path, {"subs_id": "00000000-0000-4000-8000-000000000000"} | fields)

    assert foreign == unknown == (404, None)
    assert shop.subscription()["status"] == ["RECURRING"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/subscription/defer", {"defer_till": "2001-01-01T00:00:00Z"}),
        ("/subscription/pause", {"pause_till": "2001-01-01T00:00:00"}),
        ("/discount", {"percent": 0}),
        ("/discount", {"percent": 100}),
        ("/discount", {"percent": 10, "count_of_iterations": 0}),
        ("/subscription/migration", {"pp_ident": "lifetime", "strategy": "teleport"}),
    ],
)
def test_values_out_of_range_are_refused(shop: Shop, path: str, fields: dict[str, object]) -> None:
    """Times in the past, percentages that are none, unknown strategies."""
    shop.buy("yearly-premium")

    refusal = shop.refusal(path, {"subs_id": shop.subscription()["subs_id"]} | fields)

    assert refusal == (422, None)


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "2050-01-01T00:00:00"])
def test_a_time_at_the_edge_of_the_calendar_does_no_harm(shop: Shop, moment: str) -> None:
    """Nor does one without a zone."""
    shop.buy("yearly-premium")

    shop.data("/subscription/defer", {"subs_id": shop.subscription()["subs_id"], "defer_till": moment})

    assert shop.subscription()["is_active"] is True


@pytest.mark.parametrize(
    ("wanted", "customers"),
    [
        ({"external_id": "user-ada"}, ["user-ada"]),
        ({"status_eq": ["PAUSED"]}, ["user-mika"]),
        ({"status_eq": ["GRACE", "INTRO", 7]}, ["user-bob", "user-noor"]),
        ({"intro_type": "no_intro", "status_eq": ["RECURRING"]}, ["user-ken"]),
        ({"status_eq": []}, []),
        ({"external_id": None, "limit": 2, "offset": 1}, ["user-ada", "user-linus"]),
    ],
)
def test_subscriptions_are_found_by_all_that_is_given(shop: Shop, wanted: object, customers: list[str]) -> None:
    """Customer, introduction, and any of several statuses."""
    found = shop.data("/subscription/search", wanted)["subscriptions"]

    assert [row["external_id"] for row in found] == customers


def _migration(old: dict[str, Any], price_point: str, strategy: str) -> dict[str, Any]:
    return {"subs_id": old["subs_id"], "pp_ident": price_point, "strategy": strategy}


def _price_point(ident: str, currency: str, price: str) -> dict[str, Any]:
    return {
        "ident": ident,
        "intro_type": "no_intro",
        "currency_code": currency,
        "features": "premium-access",
        "next_price": price,
        "next_period": 1,
        "next_period_duration": "months",
    }


def _owned(shop: Shop) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = shop.data("/my_assets", {"external_id": "buyer"})["subscriptions"]
    return rows


def _report(shop: Shop) -> list[dict[str, Any]]:
    asked = {"last_transaction_date": "2020-01-01T00:00:00Z", "subs_id": shop.subscription()["subs_id"]}
    rows: list[dict[str, Any]] = shop.data("/transaction_report", asked)["transactions"]
    return rows

"""Price points and features at the billing vendor."""

from typing import Any

import pytest

from tests.clients.sandbox.shop import Shop

MONTHLY: dict[str, Any] = {
    "ident": "monthly-test",
    "intro_type": "no_intro",
    "currency_code": "USD",
    "features": ["premium-access"],
    "next_price": "9.99",
    "next_period": 1,
    "next_period_duration": "months",
}


def test_a_new_price_point_is_listed_whole(shop: Shop) -> None:
    """Every field comes back, and money is a string in major units."""
    created = shop.fox("/pp/create", MONTHLY)

    listed = shop.data("/price_points", {"ident": "monthly-test"})["price_points"]

    assert created.json() == {"status": "success", "data": {}}
    assert listed == [
        {
            "ident": "monthly-test",
            "currency": {"code": "USD", "minor_units": 2, "title": "US Dollar", "symbol": "$"},
            "intro_type": "no_intro",
            "features": [{"ident": "premium-access"}],
            "lifetime_price": None,
            "intro_free_trial_period": None,
            "intro_free_trial_period_duration": None,
            "intro_paid_trial_price": None,
            "intro_paid_trial_period": None,
            "intro_paid_trial_period_duration": None,
            "next_price": "9.99",
            "next_period": 1,
            "next_period_duration": "months",
        }
    ]


@pytest.mark.parametrize("price", [9.5, "9.5", "9.50"])
def test_a_price_may_be_a_number_or_a_string(shop: Shop, price: object) -> None:
    """It always comes back with the currency's decimal places."""
    shop.data("/pp/create", MONTHLY | {"next_price": price})

    listed = shop.data("/price_points", {"ident": "monthly-test"})["price_points"]

    assert listed[0]["next_price"] == "9.50"


@pytest.mark.parametrize(
    ("wanted", "idents"),
    [
        ({"ident": "lifetime"}, {"lifetime"}),
        ({"currency_code": "JPY"}, {"weekly-jpy"}),
        ({"feature_ident": "workout-plans"}, {"monthly-paid-trial", "yearly-premium"}),
        ({"feature_ident": "workout-plans", "ident": "lifetime"}, set()),
        ({"ident": "unknown", "currency_code": None, "feature_ident": None}, set()),
    ],
)
def test_price_points_are_filtered_by_all_that_is_given(shop: Shop, wanted: object, idents: set[str]) -> None:
    """Three filters, any of which may be absent or null."""
    listed = shop.data("/price_points", wanted)["price_points"]

    assert {row["ident"] for row in listed} == idents


def test_price_points_may_be_listed_without_a_body(shop: Shop) -> None:
    """As the vendor's own example does."""
    reply = shop.http.post(shop.fox_url("/price_points"))

    assert len(reply.json()["data"]["price_points"]) == 7


@pytest.mark.parametrize(
    "wrong",
    [
        {"ident": "with space"},
        {"ident": "trailing\n"},
        {"ident": "a" * 257},
        {"currency_code": "XXX"},
        {"features": ["unknown-feature"]},
        {"features": []},
        {"next_price": "9.999"},
        {"next_price": "-1"},
        {"next_price": "NaN"},
        {"next_price": "1e999999"},
        {"next_price": None},
        {"next_period": None},
        {"next_period": 0},
        {"next_period_duration": None},
        {"next_period_duration": "fortnights"},
        {"intro_type": "free_trial"},
        {"intro_type": "paid_trial", "intro_paid_trial_price": "1.00"},
        {"intro_free_trial_period": 7, "intro_free_trial_period_duration": "days"},
        {"lifetime_price": "99.00"},
        {"currency_code": "JPY", "next_price": "9.99"},
        {"descriptor": "more than twenty-two characters"},
    ],
)
def test_a_price_point_that_makes_no_sense_is_refused(shop: Shop, wrong: dict[str, object]) -> None:
    """Nothing is added, and the message names the field."""
    reply = shop.fox("/pp/create", MONTHLY | wrong)

    assert reply.status_code == 422
    assert any(field in reply.json()["error"][0]["msg"] for field in [*wrong, "next_p", "intro_"])
    assert shop.data("/price_points", {"ident": "monthly-test"})["price_points"] == []


def test_an_ident_is_taken_once(shop: Shop) -> None:
    """Create never changes what is there."""
    shop.data("/pp/create", MONTHLY)

    again = shop.refusal("/pp/create", MONTHLY | {"next_price": "1.00"})

    assert again == (422, None)
    assert shop.data("/price_points", {"ident": "monthly-test"})["price_points"][0]["next_price"] == "9.99"


def test_an_update_changes_what_it_names_and_nothing_else(shop: Shop) -> None:
    """Fields that are left out stay."""
    shop.data("/pp/create", MONTHLY)

    shop.data("/pp/update", {"ident": "monthly-test", "next_price": "12.00"})

    row = shop.data("/price_points", {"ident": "monthly-test"})["price_points"][0]
    assert (row["next_price"], row["next_period"]) == ("12.00", 1)


def test_an_update_is_held_to_the_same_rules(shop: Shop) -> None:
    """It can't make nonsense of a price point either."""
    unknown = shop.refusal("/pp/update", {"ident": "unknown", "next_price": "1.00"})
    nonsense = shop.refusal("/pp/update", {"ident": "lifetime", "lifetime_price": None})

    assert unknown == (404, None)
    assert nonsense == (422, None)


def test_the_version_in_the_report_rises_with_each_edit(shop: Shop) -> None:
    """An edit that changes nothing is none; who bought before keeps the old terms."""
    shop.data("/pp/create", MONTHLY)
    shop.buy("monthly-test", "before")
    shop.data("/pp/update", {"ident": "monthly-test", "next_price": "9.99"})
    shop.data("/pp/update", {"ident": "monthly-test", "next_price": "12.00"})
    shop.buy("monthly-test", "after")

    shop.advance(days=31)

    assert shop.charges("before") == ["9.99", "9.99"]
    assert shop.charges("after") == ["12.00", "12.00"]
    rows = shop.data("/transaction_report", {"last_transaction_date": "2020-01-01T00:00:00Z", "limit": 500})
    versions = {row["amount"]: row["pp_version"] for row in rows["transactions"] if row["pp_id"] == 8}
    assert versions == {"9.99": 1, "12.00": 2}


def test_the_export_can_be_imported(shop: Shop) -> None:
    """The file is its own template; another tenant gets the same price points by it."""
    other = Shop(shop.server, shop.http, "other")
    shop.data("/pp/create", MONTHLY | {"features": ["premium-access", "workout-plans"]})
    file = shop.fox("/pp/export_csv")

    done = other.http.post(
        other.fox_url("/pp/import_csv"),
        content=file.content,
        headers={"ff-secret-key": other.credentials.secret_key, "content-type": "text/csv"},
    )

    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert done.json() == {"status": "success", "data": {}}
    assert other.data("/price_points") == shop.data("/price_points")


def test_an_import_may_come_as_a_form(shop: Shop) -> None:
    """How the vendor wants it is not documented, so both common ways work."""
    rows = b"ident,intro_type,currency_code,features,lifetime_price\nfrom-form,no_intro,EUR,lifetime-access,5.00\n"

    done = shop.http.post(
        shop.fox_url("/pp/import_csv"),
        files={"file": ("price-points.csv", rows, "text/csv")},
        headers={"ff-secret-key": shop.credentials.secret_key},
    )

    assert done.json() == {"status": "success", "data": {}}
    assert len(shop.data("/price_points", {"ident": "from-form"})["price_points"]) == 1


def test_an_import_never_changes_what_exists(shop: Shop) -> None:
    """Known idents are skipped, whatever the file says of them."""
    rows = (
        "ident,intro_type,currency_code,features,lifetime_price\n"
        "lifetime,no_intro,USD,lifetime-access,1.00\n"
        "newcomer,no_intro,USD,lifetime-access,2.00\n"
        "newcomer,no_intro,USD,lifetime-access,3.00\n"
    )

    _import(shop, rows.encode())

    prices = {row["ident"]: row["lifetime_price"] for row in shop.data("/price_points")["price_points"]}
    assert (prices["lifetime"], prices["newcomer"]) == ("149.00", "2.00")


@pytest.mark.parametrize(
    "row",
    [
        "bad ident,no_intro,USD,lifetime-access,1.00",
        "one,no_intro,USD,lifetime-access",
        "one,no_intro,USD,lifetime-access,1.00,surplus",
        "one,no_intro,USD,unknown-feature,1.00",
        "one,no_intro,XXX,lifetime-access,1.00",
        "one,no_intro,USD,lifetime-access,much",
        'one,no_intro,USD,"lifetime-access,1.00',
        "one,no_intro,USD,lifetime-access,1.00\ntwo,no_intro,USD,lifetime-access,",
    ],
)
def test_one_wrong_row_refuses_the_whole_file(shop: Shop, row: str) -> None:
    """Half an import would be worse than none."""
    header = "ident,intro_type,currency_code,features,lifetime_price\n"

    reply = _import(shop, f"{header}{row}\n".encode())

    assert reply.status_code == 422
    assert len(shop.data("/price_points")["price_points"]) == 7


@pytest.mark.parametrize("file", [b"", b"\xff\xfe\x00", b"ident\nx\n", b"\x00", b'"', b"a" * 200_000])
def test_what_is_no_table_is_refused(shop: Shop, file: bytes) -> None:
    """Never a crash."""
    reply = _import(shop, file)

    assert reply.status_code == 422


def test_features_are_created_once_and_listed(shop: Shop) -> None:
    """Three kinds, each ident once."""
    created = shop.fox("/feature/create", {"ident": "new-feature", "feature_type": "consumable"})
    again = shop.refusal("/feature/create", {"ident": "new-feature", "feature_type": "lifetime"})
    unknown = shop.refusal("/feature/create", {"ident": "other", "feature_type": "eternal"})

    assert created.json() == {"status": "success", "data": {}}
    assert (again, unknown) == ((422, None), (422, None))
    listed = shop.data("/features")["features"]
    assert listed[-1] == {"ident": "new-feature", "feature_type": "consumable"}


def _import(shop: Shop, file: bytes) -> Any:
    return shop.http.post(
        shop.fox_url("/pp/import_csv"),
        content=file,
        headers={"ff-secret-key": shop.credentials.secret_key, "content-type": "text/csv"},
    )

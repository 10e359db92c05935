"""What callers see of price points and features."""

import httpx

from tests.support.gateway import Tenant

MONTHLY = {
    "ident": "monthly-premium",
    "currency": {"code": "USD", "minor_units": 2, "title": "US Dollar", "symbol": "$"},
    "intro_type": "free_trial",
    "features": [{"ident": "premium-access"}],
    "lifetime_price": None,
    "intro_free_trial_period": 7,
    "intro_free_trial_period_duration": "days",
    "intro_paid_trial_price": None,
    "intro_paid_trial_period": None,
    "intro_paid_trial_period_duration": None,
    "next_price": "9.99",
    "next_period": 1,
    "next_period_duration": "months",
}


def test_a_price_point_is_shown_whole(api: httpx.Client) -> None:
    """Money stays a decimal string, periods stay numbers, and no envelope shows."""
    reply = api.get("/v1/price-points/monthly-premium")

    assert reply.status_code == 200
    assert reply.json() == MONTHLY


def test_price_points_are_listed_and_filtered(api: httpx.Client) -> None:
    """Every filter narrows the same list."""
    everything = api.get("/v1/price-points").json()["data"]

    by_ident = api.get("/v1/price-points", params={"ident": "monthly-premium"}).json()["data"]
    by_currency = api.get("/v1/price-points", params={"currency": "jpy"}).json()["data"]
    by_feature = api.get("/v1/price-points", params={"feature": "workout-plans", "currency": "USD"}).json()["data"]

    assert [row["ident"] for row in everything] == sorted(row["ident"] for row in everything)
    assert by_ident == [MONTHLY]
    assert by_currency == [row for row in everything if row["currency"]["code"] == "JPY"] != []
    assert by_feature == [
        row for row in everything if {"ident": "workout-plans"} in row["features"] and row["currency"]["code"] == "USD"
    ]


def test_a_number_from_the_vendor_becomes_the_same_decimal_string(api: httpx.Client, tenant: Tenant) -> None:
    """The vendor's reference says number, its wire says string: both come out digit for digit."""
    body = (
        '{"status":"success","data":{"price_points":[{"ident":"a","next_price":9.90,"lifetime_price":"1E+3",'
        '"intro_paid_trial_price":0.10000000000000000001,"intro_type":"next_fridays","tomorrow":[1]}]}}'
    )
    tenant.fails("POST /price_points", "status", status=200, body=body)

    (row,) = api.get("/v1/price-points").json()["data"]

    assert (row["next_price"], row["lifetime_price"]) == ("9.90", "1000")
    assert row["intro_paid_trial_price"] == "0.10000000000000000001"
    assert (row["intro_type"], row["currency"], row["features"]) == ("next_fridays", None, [])


def test_data_without_the_envelope_is_read_all_the_same(api: httpx.Client, tenant: Tenant) -> None:
    """The vendor's reference shows the bare object."""
    tenant.fails("POST /price_points", "status", status=200, body='{"price_points":[{"ident":"a"}]}')

    assert [row["ident"] for row in api.get("/v1/price-points").json()["data"]] == ["a"]


def test_an_unknown_price_point_is_not_found(api: httpx.Client) -> None:
    """The list has no such row, so there is none."""
    reply = api.get("/v1/price-points/no-such")

    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


def test_features_are_listed(api: httpx.Client) -> None:
    """All features, sorted by ident."""
    reply = api.get("/v1/features")

    assert reply.status_code == 200
    idents = [row["ident"] for row in reply.json()["data"]]
    assert "premium-access" in idents
    assert idents == sorted(idents)


def test_reading_the_catalog_sends_no_secret(api: httpx.Client, tenant: Tenant) -> None:
    """Both calls are public at the vendor; the secret key stays at home."""
    api.get("/v1/price-points")
    api.get("/v1/features")

    sent = [seen for seen in tenant._sandbox.requests if seen.account == tenant.name]  # noqa: SLF001 - what arrived
    assert len(sent) == 2
    assert not any(seen.with_credentials for seen in sent)

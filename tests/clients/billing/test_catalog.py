"""Price points and features, against the sandbox: what is written reads back."""

from decimal import Decimal

import pytest

from clients.billing import wire
from clients.errors import Refused
from tests.support.billing import Billing

pytestmark = pytest.mark.anyio

USD = wire.Currency(code="USD", minor_units=2, title="US Dollar", symbol="$")


async def test_a_price_point_reads_back(shop: Billing) -> None:
    """What is created is listed with exactly its terms."""
    await shop.catalog.create_price_point(
        "winter",
        intro_type="paid_trial",
        currency_code="USD",
        features=["premium-access", "workout-plans"],
        intro_paid_trial_price=Decimal("0.5"),
        intro_paid_trial_period=3,
        intro_paid_trial_period_duration="days",
        next_price=Decimal("1E+1"),
        next_period=2,
        next_period_duration="months",
        descriptor="WINTER",
    )

    assert await shop.catalog.list_price_points(ident="winter") == [
        wire.PricePoint(
            ident="winter",
            currency=USD,
            intro_type="paid_trial",
            features=[wire.FeatureReference(ident="premium-access"), wire.FeatureReference(ident="workout-plans")],
            intro_paid_trial_price=Decimal("0.50"),
            intro_paid_trial_period=3,
            intro_paid_trial_period_duration="days",
            next_price=Decimal("10.00"),
            next_period=2,
            next_period_duration="months",
        )
    ]


async def test_a_price_point_changes_where_told(shop: Billing) -> None:
    """An update changes what it names, empties what it names as None, and leaves the rest."""
    (before,) = await shop.catalog.list_price_points(ident="monthly-premium")

    await shop.catalog.update_price_point(
        "monthly-premium",
        intro_type="no_intro",
        intro_free_trial_period=None,
        intro_free_trial_period_duration=None,
        next_price=Decimal("11.99"),
    )

    (after,) = await shop.catalog.list_price_points(ident="monthly-premium")
    assert (after.intro_type, after.intro_free_trial_period, after.next_price) == ("no_intro", None, Decimal("11.99"))
    assert (after.next_period, after.features) == (before.next_period, before.features)


async def test_price_points_are_filtered(shop: Billing) -> None:
    """Each filter narrows the list by itself, and together they narrow it more."""
    every = await shop.catalog.list_price_points()
    yen = await shop.catalog.list_price_points(currency_code="JPY")
    lifetime = await shop.catalog.list_price_points(feature_ident="lifetime-access")
    none = await shop.catalog.list_price_points(currency_code="JPY", feature_ident="lifetime-access")

    assert len(every) == 7
    assert [[point.ident for point in points] for points in (yen, lifetime, none)] == [["weekly-jpy"], ["lifetime"], []]


async def test_an_export_can_be_imported(shop: Billing) -> None:
    """The file that comes out goes in: rows that exist are skipped, and a new one is added."""
    await shop.catalog.update_price_point("lifetime", lifetime_price=Decimal("199.00"))
    exported = await shop.catalog.export_csv()
    added = exported.content.replace(b"\nlifetime,", b"\nlifetime-2,")
    await shop.catalog.update_price_point("lifetime", lifetime_price=Decimal("99.00"))

    await shop.catalog.import_csv(added)

    prices = {point.ident: point.lifetime_price for point in await shop.catalog.list_price_points()}
    assert (prices["lifetime"], prices["lifetime-2"], len(prices)) == (Decimal("99.00"), Decimal("199.00"), 8)
    assert exported.media_type.startswith("text/csv")


async def test_a_feature_is_listed(shop: Billing) -> None:
    """A new feature is there at once, and not twice."""
    await shop.catalog.create_feature("radio", feature_type="timebased")

    with pytest.raises(Refused):
        await shop.catalog.create_feature("radio", feature_type="timebased")

    listed = await shop.catalog.list_features()
    assert [item for item in listed if item.ident == "radio"] == [wire.Feature(ident="radio", feature_type="timebased")]

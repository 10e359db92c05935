"""Price points and features, as we show them."""

import msgspec

from clients.billing import wire
from routes.shapes.money import amount


class Currency(msgspec.Struct, frozen=True, kw_only=True):
    """A currency and how many digits its amounts have after the point."""

    code: str
    minor_units: int | None
    title: str | None
    symbol: str | None

    @classmethod
    def public(cls, currency: wire.Currency | None) -> "Currency | None":
        """The currency in our words; None stays None."""
        if currency is None:
            return None
        return cls(code=currency.code, minor_units=currency.minor_units, title=currency.title, symbol=currency.symbol)


class FeatureReference(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that a price point grants."""

    ident: str


class PricePoint(msgspec.Struct, frozen=True, kw_only=True):
    """What can be bought: an optional intro, then a period that renews, or one price for a lifetime.

    Prices are decimal strings in major units of `currency`; durations are
    `minutes`, `days`, `weeks`, `months` or `years`.
    """

    ident: str
    currency: Currency | None
    intro_type: str | None
    """`no_intro`, `free_trial` or `paid_trial`; an open set."""
    features: list[FeatureReference]
    lifetime_price: str | None
    """Given: a one-off purchase."""
    intro_free_trial_period: int | None
    intro_free_trial_period_duration: str | None
    intro_paid_trial_price: str | None
    intro_paid_trial_period: int | None
    intro_paid_trial_period_duration: str | None
    next_price: str | None
    next_period: int | None
    next_period_duration: str | None

    @classmethod
    def public(cls, point: wire.PricePoint) -> "PricePoint":
        """The price point in our words."""
        return cls(
            ident=point.ident,
            currency=Currency.public(point.currency),
            intro_type=point.intro_type,
            features=[FeatureReference(ident=feature.ident) for feature in point.features or []],
            lifetime_price=amount(point.lifetime_price),
            intro_free_trial_period=point.intro_free_trial_period,
            intro_free_trial_period_duration=point.intro_free_trial_period_duration,
            intro_paid_trial_price=amount(point.intro_paid_trial_price),
            intro_paid_trial_period=point.intro_paid_trial_period,
            intro_paid_trial_period_duration=point.intro_paid_trial_period_duration,
            next_price=amount(point.next_price),
            next_period=point.next_period,
            next_period_duration=point.next_period_duration,
        )


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer gets by buying; the vendor does not document more than `ident`."""

    ident: str
    feature_type: str | None

    @classmethod
    def public(cls, feature: wire.Feature) -> "Feature":
        """The feature in our words."""
        return cls(ident=feature.ident, feature_type=feature.feature_type)

"""Price points and features, as we show them."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec

from clients.billing import wire
from clients.errors import UpstreamError
from gateway.http.rfc9457 import Occurrence, Problem
from routes.shapes.missing import Missing
from routes.shapes.money import amount

FeatureIdent = Annotated[str, msgspec.Meta(pattern=r"^[-A-Za-z_0-9]{1,256}\Z", description="The ident of a feature.")]


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


class WrittenPricePoint(PricePoint, frozen=True, kw_only=True):
    """A price point after it was written, as read back.

    It was written. If it can't be read back, every member but `ident` is null,
    and `missing` says why.
    """

    features: list[FeatureReference] | None  # type: ignore[assignment]  # null as all else that can't be read back
    missing: list[Missing] = []

    @classmethod
    def read_back(cls, point: wire.PricePoint) -> "WrittenPricePoint":
        """The price point as it is now."""
        return cls(**msgspec.structs.asdict(PricePoint.public(point)))

    @classmethod
    def unread(cls, ident: str, error: UpstreamError | Problem, at: Occurrence) -> "WrittenPricePoint":
        """What is known of it where `error` stood in the way of reading it."""
        unknown: dict[str, Any] = dict.fromkeys(PricePoint.__struct_fields__)
        return cls(**unknown | {"ident": ident, "missing": [Missing.of("price_point", error, at)]})


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer gets by buying; the vendor does not document more than `ident`."""

    ident: str
    feature_type: str | None

    @classmethod
    def public(cls, feature: wire.Feature) -> "Feature":
        """The feature in our words."""
        return cls(ident=feature.ident, feature_type=feature.feature_type)


class FeatureType(StrEnum):
    """How long a feature lasts."""

    TIMEBASED = "timebased"
    LIFETIME = "lifetime"
    CONSUMABLE = "consumable"


class NewFeature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that price points can grant from now on."""

    ident: FeatureIdent
    feature_type: FeatureType


class WrittenFeature(Feature, frozen=True, kw_only=True):
    """A feature after it was written, as read back.

    It was written. If it can't be read back, `feature_type` is null and
    `missing` says why.
    """

    missing: list[Missing] = []

    @classmethod
    def read_back(cls, feature: wire.Feature) -> "WrittenFeature":
        """The feature as it is now."""
        return cls(ident=feature.ident, feature_type=feature.feature_type)

    @classmethod
    def unread(cls, ident: str, error: UpstreamError | Problem, at: Occurrence) -> "WrittenFeature":
        """What is known of it where `error` stood in the way of reading it."""
        return cls(ident=ident, feature_type=None, missing=[Missing.of("feature", error, at)])

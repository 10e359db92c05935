"""What is on offer, as the vendor sends it."""

from decimal import Decimal

import msgspec


class Currency(msgspec.Struct, frozen=True, kw_only=True):
    """A currency and how many digits its amounts have after the point."""

    code: str
    minor_units: int | None = None
    title: str | None = None
    symbol: str | None = None


class FeatureReference(msgspec.Struct, frozen=True, kw_only=True):
    """A feature as a price point names it."""

    ident: str


class PricePoint(msgspec.Struct, frozen=True, kw_only=True):
    """What can be bought: an optional intro, then a period that renews, or one price for a lifetime."""

    ident: str
    currency: Currency | None = None
    intro_type: str | None = None
    """`no_intro`, `free_trial` or `paid_trial`."""
    features: list[FeatureReference] | None = None
    lifetime_price: Decimal | None = None
    """Given: a one-off purchase."""
    intro_free_trial_period: int | None = None
    intro_free_trial_period_duration: str | None = None
    """The unit of the period: `minutes`, `days`, `weeks`, `months` or `years`."""
    intro_paid_trial_price: Decimal | None = None
    intro_paid_trial_period: int | None = None
    intro_paid_trial_period_duration: str | None = None
    next_price: Decimal | None = None
    next_period: int | None = None
    next_period_duration: str | None = None


class PricePoints(msgspec.Struct, frozen=True, kw_only=True):
    """The data of /price_points."""

    price_points: list[PricePoint] | None


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that price points grant; the vendor does not document the members of a list item."""

    ident: str
    feature_type: str | None = None


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """The data of /features; its schema is not documented by the vendor."""

    features: list[Feature] | None


class CsvFile(msgspec.Struct, frozen=True, kw_only=True):
    """All price points as CSV; the columns are not documented by the vendor."""

    content: bytes
    """As the vendor sent it; where it came inside JSON, its text in UTF-8."""
    media_type: str
    """The vendor's, parameters included; `text/csv; charset=utf-8` where the file came inside JSON."""

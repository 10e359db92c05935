"""What a price point may ask and grant, as callers write it, and which of it contradicts itself."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from clients.billing.catalog import PRICE_POINT_FIELDS
from gateway.http.rfc9457 import Fault
from gateway.problems import ValidationFailed
from routes.shapes.catalog import FeatureIdent
from routes.shapes.identifiers import PricePointIdent
from routes.shapes.money import Amount, parsed

MOST_PERIODS: Final = 2**31 - 1
"""Any longer period is a mistake; the vendor does not document a bound."""

Descriptor = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[-A-Za-z_0-9 .]{1,22}\Z",
        description="The text on the card statement.",
        examples=["BRIGHTSIDE PREMIUM"],
    ),
]

CurrencyCode = Annotated[
    str, msgspec.Meta(min_length=1, description="As in ISO 4217; which ones there are is the vendor's to say.")
]

Period = Annotated[int, msgspec.Meta(ge=1, le=MOST_PERIODS)]


class Unit(StrEnum):
    """What a period is counted in."""

    MINUTES = "minutes"
    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"
    YEARS = "years"


class IntroType(StrEnum):
    """How a subscription begins."""

    NO_INTRO = "no_intro"
    FREE_TRIAL = "free_trial"
    PAID_TRIAL = "paid_trial"


# Each has a value, has none (null), or is not spoken of.
_Amount: TypeAlias = Amount | UnsetType | None
_Period: TypeAlias = Period | UnsetType | None
_Unit: TypeAlias = Unit | UnsetType | None


class Terms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a price point asks; a member that is left out is not the same as null."""

    lifetime_price: _Amount = UNSET
    """For a one-off purchase, which has neither an intro nor a next price."""
    intro_free_trial_period: _Period = UNSET
    intro_free_trial_period_duration: _Unit = UNSET
    intro_paid_trial_price: _Amount = UNSET
    intro_paid_trial_period: _Period = UNSET
    intro_paid_trial_period_duration: _Unit = UNSET
    next_price: _Amount = UNSET
    """What each period costs after the intro."""
    next_period: _Period = UNSET
    next_period_duration: _Unit = UNSET
    descriptor: Descriptor | UnsetType = UNSET


class NewPricePoint(Terms, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that can be bought from now on."""

    ident: PricePointIdent
    currency_code: CurrencyCode
    intro_type: IntroType
    features: list[FeatureIdent]
    """The idents of features that exist."""

    def terms(self) -> dict[str, Any]:
        """What the vendor is told besides `ident`: every member that has a value, amounts as numbers.

        Raises:
            ValidationFailed: Members contradict each other, with every contradiction.
        """
        stated = {name: None if value is UNSET else value for name, value in _members(self).items()}
        terms = _checked(stated, self.currency_code)
        return {name: value for name, value in terms.items() if value is not None and name != "ident"}


class PricePointChange(Terms, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different; what is left out stays as it is.

    The vendor does not document how it takes a change: that null empties a
    member is inferred.
    """

    currency_code: CurrencyCode | UnsetType = UNSET
    intro_type: IntroType | UnsetType = UNSET
    features: list[FeatureIdent] | UnsetType = UNSET
    """The idents of features that exist, in place of the ones before."""
    vendor_fields: dict[str, Any] = {}
    """Members that only the vendor knows, forwarded as they are; those that are known here are passed over."""

    @property
    def needs_currency(self) -> bool:
        """Whether it holds an amount and not the currency of it."""
        return self.currency_code is UNSET and any(isinstance(getattr(self, name), str) for name in _AMOUNTS)

    @property
    def further(self) -> dict[str, Any]:
        """The `vendor_fields` that are forwarded."""
        return {name: value for name, value in self.vendor_fields.items() if name not in PRICE_POINT_FIELDS}

    def terms(self, currency: str | None) -> dict[str, Any]:
        """What the vendor is told to change: every member that was given, amounts as numbers.

        Only what contradicts itself is found here: what does not fit the price
        point as it is, the vendor finds.

        Args:
            currency: Of the price point as it is, if that is known.

        Raises:
            ValidationFailed: Nothing would change, or members contradict each other.
        """
        stated = {name: value for name, value in _members(self).items() if value is not UNSET}
        del stated["vendor_fields"]
        if not stated and not self.further:
            detail = "The change is empty; give at least one member."
            raise ValidationFailed(detail, faults=[Fault("", detail)])
        return _checked(stated, stated.get("currency_code", currency))


_AMOUNTS: Final = ("lifetime_price", "intro_paid_trial_price", "next_price")
_NEXT: Final = ("next_price", "next_period", "next_period_duration")
_INTROS: Final[Mapping[IntroType, tuple[str, ...]]] = {
    IntroType.FREE_TRIAL: ("intro_free_trial_period", "intro_free_trial_period_duration"),
    IntroType.PAID_TRIAL: (
        "intro_paid_trial_price",
        "intro_paid_trial_period",
        "intro_paid_trial_period_duration",
    ),
}
"""The members that belong to an intro: all of its own, and none of another's."""


def _members(terms: Terms) -> dict[str, Any]:
    return {name: getattr(terms, name) for name in terms.__struct_fields__}


def _checked(stated: Mapping[str, Any], currency: str | None) -> dict[str, Any]:
    """The members that are stated, amounts as numbers.

    Args:
        stated: A member that is not in it may be anything; null has no value.
        currency: Of the amounts; None: unknown.
    """
    faults: dict[str, str] = {}
    checked = dict(stated)
    for name in _AMOUNTS:
        if (text := stated.get(name)) is not None:
            try:
                checked[name] = parsed(text, currency)
            except ValueError as error:
                faults[name] = str(error)
    for name, detail in _contradictions(stated):
        faults.setdefault(name, detail)
    if faults:
        raise ValidationFailed(
            "The price point contradicts itself, or an amount is none.",
            faults=[Fault(f"/{name}", detail) for name, detail in sorted(faults.items())],
        )
    return checked


def _contradictions(stated: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each member that can't stand beside the others, and why."""
    if stated.get("lifetime_price") is not None:
        yield from _one_off(stated)
        return
    if "intro_type" in stated:
        yield from _intro(stated, stated["intro_type"])
    else:
        yield from _halves(stated, "intro_free_trial_period")
        yield from _halves(stated, "intro_paid_trial_period")
    if "lifetime_price" in stated:
        yield from ((name, "Needed unless there is a lifetime_price.") for name in _lacking(stated, _NEXT))
    else:
        yield from _halves(stated, "next_period")


def _one_off(stated: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if stated.get("intro_type", IntroType.NO_INTRO) is not IntroType.NO_INTRO:
        yield "intro_type", "Must be no_intro beside a lifetime_price."
    for name in (*_NEXT, *(name for names in _INTROS.values() for name in names)):
        if stated.get(name) is not None:
            yield name, "Not beside a lifetime_price."


def _intro(stated: Mapping[str, Any], intro_type: IntroType) -> Iterator[tuple[str, str]]:
    for kind, names in _INTROS.items():
        if kind is intro_type:
            yield from ((name, f"Needed with intro_type {kind}.") for name in _lacking(stated, names))
        else:
            given = (name for name in names if stated.get(name) is not None)
            yield from ((name, f"Not with intro_type {intro_type}.") for name in given)


def _halves(stated: Mapping[str, Any], period: str) -> Iterator[tuple[str, str]]:
    pair = (period, f"{period}_duration")
    lacking = [*_lacking(stated, pair)]
    if len(lacking) == 1 and all(name in stated for name in pair):
        yield lacking[0], "A period and its duration go together."


def _lacking(stated: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    """Those that are stated to have no value."""
    return (name for name in names if name in stated and stated[name] is None)

"""What a price point is, and which ones make sense."""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from clients.sandbox.billing.currencies import Currency, exact, known_currency
from clients.sandbox.billing.periods import Unit
from clients.sandbox.refusals import Invalid

Ident = Annotated[str, msgspec.Meta(pattern=r"^[-A-Za-z_0-9]{1,256}\Z")]
Count = Annotated[int, msgspec.Meta(gt=0)]
# The text on a card statement.
Descriptor = Annotated[str, msgspec.Meta(pattern=r"^[-A-Za-z_0-9 .]{1,22}\Z")]
IntroType = Literal["no_intro", "free_trial", "paid_trial"]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a price point asks and grants; the fields of `/pp/create` by their own names."""

    ident: Ident
    intro_type: IntroType
    currency_code: str
    features: list[str] | str
    lifetime_price: Decimal | None = None
    intro_free_trial_period: Count | None = None
    intro_free_trial_period_duration: Unit | None = None
    intro_paid_trial_price: Decimal | None = None
    intro_paid_trial_period: Count | None = None
    intro_paid_trial_period_duration: Unit | None = None
    next_price: Decimal | None = None
    next_period: Count | None = None
    next_period_duration: Unit | None = None
    descriptor: Descriptor = ""

    @property
    def feature_idents(self) -> tuple[str, ...]:
        """The features, in either of the two forms that the vendor takes."""
        idents = self.features.split(",") if isinstance(self.features, str) else self.features
        return tuple(dict.fromkeys(ident.strip() for ident in idents if ident.strip()))


class PricePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a price point, as it was sold."""

    pp_id: int
    version: int
    terms: Terms
    currency: Currency

    @property
    def ident(self) -> str:
        """Its name, the same over all versions."""
        return self.terms.ident

    def priced(self, amount: Decimal | None) -> str | None:
        """Write an amount as the vendor does: in major units, with the currency's decimal places."""
        return None if amount is None else str(exact(amount, self.currency, "price"))

    def wire(self) -> dict[str, object]:
        """Show it as `/price_points` and `/my_assets` do."""
        terms = self.terms
        return {
            "ident": terms.ident,
            "currency": self.currency,
            "intro_type": terms.intro_type,
            "features": [{"ident": ident} for ident in terms.feature_idents],
            "lifetime_price": self.priced(terms.lifetime_price),
            "intro_free_trial_period": terms.intro_free_trial_period,
            "intro_free_trial_period_duration": terms.intro_free_trial_period_duration,
            "intro_paid_trial_price": self.priced(terms.intro_paid_trial_price),
            "intro_paid_trial_period": terms.intro_paid_trial_period,
            "intro_paid_trial_period_duration": terms.intro_paid_trial_period_duration,
            "next_price": self.priced(terms.next_price),
            "next_period": terms.next_period,
            "next_period_duration": terms.next_period_duration,
        }

    @property
    def first_amount(self) -> Decimal:
        """What a customer pays on the day of the purchase."""
        terms = self.terms
        due = {
            "free_trial": Decimal(0),
            "paid_trial": terms.intro_paid_trial_price,
            "no_intro": terms.next_price,
        }[terms.intro_type]
        amount = terms.lifetime_price if terms.lifetime_price is not None else due
        return exact(amount or Decimal(0), self.currency, "price")


def sensible(terms: Terms) -> Currency:
    """Refuse terms that contradict themselves; return their currency.

    The vendor says that it checks the currency and that introduction, prices
    and periods fit; the rules in detail are not documented, chosen here.
    """
    currency = known_currency(terms.currency_code)
    for field in ("lifetime_price", "intro_paid_trial_price", "next_price"):
        amount: Decimal | None = getattr(terms, field)
        if amount is not None and not exact(amount, currency, field):
            raise Invalid(f"{field}: must be more than zero")
    for field in ("intro_free_trial_period", "intro_paid_trial_period", "next_period"):
        if (getattr(terms, field) is None) != (getattr(terms, field + "_duration") is None):
            raise Invalid(f"{field}: period and duration go together")
    _fitting_introduction(terms)
    _fitting_renewal(terms)
    return currency


def _fitting_introduction(terms: Terms) -> None:
    free = terms.intro_free_trial_period is not None
    paid = (terms.intro_paid_trial_price is not None, terms.intro_paid_trial_period is not None)
    if free != (terms.intro_type == "free_trial"):
        raise Invalid("intro_free_trial_period: given if and only if intro_type is free_trial")
    if paid != ((True, True) if terms.intro_type == "paid_trial" else (False, False)):
        raise Invalid("intro_paid_trial_price, intro_paid_trial_period: given if and only if intro_type is paid_trial")


def _fitting_renewal(terms: Terms) -> None:
    renewal = (terms.next_price is not None, terms.next_period is not None)
    if terms.lifetime_price is None and renewal != (True, True):
        raise Invalid("next_price, next_period: needed unless lifetime_price is given")
    if terms.lifetime_price is not None and (renewal != (False, False) or terms.intro_type != "no_intro"):
        raise Invalid("lifetime_price: excludes an introduction and a next price")

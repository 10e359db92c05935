"""FunnelFox price points and features: the store, and its six calls."""

from decimal import Decimal
from typing import Literal

import msgspec

from clients.sandbox.billing.csv_file import parsed_rows, written
from clients.sandbox.billing.currencies import Currency
from clients.sandbox.billing.periods import Unit
from clients.sandbox.billing.price_points import Count, Descriptor, Ident, IntroType, PricePoint, Terms, sensible
from clients.sandbox.refusals import Coded, Invalid, NotThere

# A catalogue kept by people; each is more than any real one.
MAX_PRICE_POINTS = 1000
MAX_FEATURES = 1000


class PricePointFilter(msgspec.Struct, frozen=True, kw_only=True):
    """`/price_points`: all three may be absent or null."""

    ident: str | None = None
    currency_code: str | None = None
    feature_ident: str | None = None


class PricePointChange(msgspec.Struct, frozen=True, kw_only=True):
    """`/pp/update`: its body is not documented; chosen here: what is given replaces, null empties."""

    ident: Ident
    intro_type: IntroType | msgspec.UnsetType = msgspec.UNSET
    currency_code: str | msgspec.UnsetType = msgspec.UNSET
    features: list[str] | str | msgspec.UnsetType = msgspec.UNSET
    lifetime_price: Decimal | msgspec.UnsetType | None = msgspec.UNSET
    intro_free_trial_period: Count | msgspec.UnsetType | None = msgspec.UNSET
    intro_free_trial_period_duration: Unit | msgspec.UnsetType | None = msgspec.UNSET
    intro_paid_trial_price: Decimal | msgspec.UnsetType | None = msgspec.UNSET
    intro_paid_trial_period: Count | msgspec.UnsetType | None = msgspec.UNSET
    intro_paid_trial_period_duration: Unit | msgspec.UnsetType | None = msgspec.UNSET
    next_price: Decimal | msgspec.UnsetType | None = msgspec.UNSET
    next_period: Count | msgspec.UnsetType | None = msgspec.UNSET
    next_period_duration: Unit | msgspec.UnsetType | None = msgspec.UNSET
    descriptor: Descriptor | msgspec.UnsetType = msgspec.UNSET

    def applied_to(self, terms: Terms) -> Terms:
        """Return `terms` with what is given replaced."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return msgspec.structs.replace(
            terms, **{name: value for name, value in given.items() if value is not msgspec.UNSET}
        )


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """`/feature/create`, and the store's row alike."""

    ident: Ident
    feature_type: Literal["timebased", "lifetime", "consumable"]


class Catalog:
    """One account's price points and features."""

    def __init__(self) -> None:
        self._price_points: dict[str, PricePoint] = {}
        self._features: dict[str, Feature] = {}

    def find(self, ident: str) -> PricePoint:
        """Return the price point that a purchase names, or refuse it with `invalid_price`."""
        try:
            return self._price_points[ident]
        except KeyError:
            raise Coded("invalid_price", f"There is no price point {ident[:64]!r}.") from None

    def consumable(self, price_point: PricePoint) -> bool:
        """Return whether it grants only what is used up, so that it may be bought again and again."""
        kinds = {self._features[ident].feature_type for ident in price_point.terms.feature_idents}
        return kinds == {"consumable"}

    def price_points(self, wanted: PricePointFilter) -> list[PricePoint]:
        """Return the current price points that pass every given filter."""
        return [
            price_point
            for price_point in self._price_points.values()
            if wanted.ident in {None, price_point.ident}
            and wanted.currency_code in {None, price_point.currency.code}
            and (wanted.feature_ident is None or wanted.feature_ident in price_point.terms.feature_idents)
        ]

    def create(self, terms: Terms) -> None:
        """Add a price point under a new ident."""
        if terms.ident in self._price_points:
            # How the vendor refuses this is not documented; chosen here.
            raise Invalid("ident: a price point of this name exists")
        self._insert([terms])

    def update(self, change: PricePointChange) -> None:
        """Change a price point; what was sold before keeps the terms it was sold at."""
        old = self._price_points.get(change.ident)
        if old is None:
            raise NotThere("ident: there is no such price point")
        terms, currency = self._acceptable(change.applied_to(old.terms))
        if terms != old.terms:
            new = PricePoint(pp_id=old.pp_id, version=old.version + 1, terms=terms, currency=currency)
            self._price_points[old.ident] = new

    def export(self) -> bytes:
        """Write all price points as a CSV file, which `import_rows` accepts."""
        return written(price_point.terms for price_point in self._price_points.values())

    def import_rows(self, file: bytes) -> None:
        """Add the price points of a CSV file whose idents are new; refuse the whole file if one is wrong."""
        unseen: dict[str, Terms] = {}
        for terms in parsed_rows(file):
            if terms.ident not in self._price_points:
                unseen.setdefault(terms.ident, terms)
        self._insert(list(unseen.values()))

    def create_feature(self, feature: Feature) -> None:
        """Add a feature under a new ident."""
        if feature.ident in self._features:
            raise Invalid("ident: a feature of this name exists")
        if len(self._features) >= MAX_FEATURES:
            raise Invalid(f"an account of the sandbox holds {MAX_FEATURES} features")
        self._features[feature.ident] = feature

    def features(self) -> list[Feature]:
        """Return all features."""
        return list(self._features.values())

    def _insert(self, rows: list[Terms]) -> None:
        if len(self._price_points) + len(rows) > MAX_PRICE_POINTS:
            raise Invalid(f"an account of the sandbox holds {MAX_PRICE_POINTS} price points")
        # All are looked at before the first is added.
        for terms, currency in [self._acceptable(terms) for terms in rows]:
            pp_id = len(self._price_points) + 1
            self._price_points[terms.ident] = PricePoint(pp_id=pp_id, version=1, terms=terms, currency=currency)

    def _acceptable(self, terms: Terms) -> tuple[Terms, Currency]:
        currency = sensible(terms)
        idents = terms.feature_idents
        for ident in idents:
            if ident not in self._features:
                raise Invalid(f"features: there is no feature {ident[:64]!r}")
        if not idents:
            raise Invalid("features: at least one")
        # Each once, as a list: what is kept does not depend on the form in which it came.
        return msgspec.structs.replace(terms, features=list(idents)), currency

"""What is on offer: price points and features."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypedDict

from typing_extensions import Unpack

from clients.billing import wire
from clients.billing.calls import answered, path_of, replied
from clients.billing.csv_file import csv_file
from clients.billing.operations import (
    CREATE_FEATURE,
    CREATE_PRICE_POINT,
    EXPORT_CSV,
    FEATURES,
    IMPORT_CSV,
    PRICE_POINTS,
    UPDATE_PRICE_POINT,
)
from clients.billing.requests import Body, amount, given, with_vendor_fields
from clients.transport import Upstream


class Terms(TypedDict, total=False):
    """What a price point may ask: prices in major units of its currency, periods in whole units above 0.

    A unit (`..._duration`) is `minutes`, `days`, `weeks`, `months` or `years`.
    Which of these go together is checked by the vendor; its rules are not
    documented in detail.

    Source: vendor's reference of /pp/create.
    """

    lifetime_price: Decimal | None
    intro_free_trial_period: int | None
    intro_free_trial_period_duration: str | None
    intro_paid_trial_price: Decimal | None
    intro_paid_trial_period: int | None
    intro_paid_trial_period_duration: str | None
    next_price: Decimal | None
    next_period: int | None
    next_period_duration: str | None
    descriptor: str
    """On the card statement: 1 to 22 of `A-Z a-z 0-9 _ . -` and space."""


class Change(Terms, total=False):
    """What an update may change: the fields of a new price point."""

    intro_type: str
    currency_code: str
    features: Sequence[str]


PRICE_POINT_FIELDS: Final = frozenset({"ident"}) | Change.__annotations__.keys()
"""The fields of a price point that are known, so that `vendor_fields` can't hold them."""


class CatalogClient:
    """The price points and features of one organization; reading them needs no secret key.

    Every method raises `clients.errors.UpstreamError` for what it does not name itself.

    Args:
        upstream: Already aimed at the organization, with its secret key.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def list_price_points(
        self, *, ident: str | None = None, currency_code: str | None = None, feature_ident: str | None = None
    ) -> list[wire.PricePoint]:
        """The price points that pass every given filter, in no documented order.

        Args:
            ident: Only the one of this name.
            currency_code: Only those in this currency.
            feature_ident: Only those that grant this feature.

        Source: FunnelFox seed, "Filtering", which names `ident` only; the other
        filters: vendor's reference.
        """
        body = given(ident=ident, currency_code=currency_code, feature_ident=feature_ident)
        return (await answered(self._upstream, PRICE_POINTS, body, wire.PricePoints)).price_points or []

    async def create_price_point(
        self, ident: str, *, intro_type: str, currency_code: str, features: Sequence[str], **terms: Unpack[Terms]
    ) -> None:
        """Add a price point.

        Args:
            ident: 1 to 256 of `A-Z a-z 0-9 _ -`.
            intro_type: `no_intro`, `free_trial` or `paid_trial`.
            currency_code: As in `USD`; which ones the vendor knows is not documented.
            features: The idents of features that exist.
            **terms: See `Terms`; what is None is left out.

        Raises:
            Refused: The vendor said no; how it refuses an ident that exists is not documented.

        Source: FunnelFox seed, "Available endpoints"; fields: vendor's reference of /pp/create.
        """
        fixed = {"ident": ident, "intro_type": intro_type, "currency_code": currency_code, "features": list(features)}
        await replied(self._upstream, CREATE_PRICE_POINT, fixed | given(**_written(terms)))

    async def update_price_point(
        self, ident: str, *, vendor_fields: Mapping[str, Any] | None = None, **change: Unpack[Change]
    ) -> None:
        """Change the price point of that name; each edit that matters raises its version.

        The body is not documented by the vendor beyond `ident`: that it takes
        the fields of a new price point is inferred, and so is that a field left
        out stays as it is.

        Args:
            ident: Which one.
            vendor_fields: Sent besides, as they are; the names in `PRICE_POINT_FIELDS` are passed over.
            **change: See `Change`. What is not given is left out; None is sent
                as null, of which the effect is not documented.

        Raises:
            NotFound: There is no such price point, if the vendor answers 404 then; that is not documented.

        Source: FunnelFox seed, "Available endpoints".
        """
        known = {"ident": ident} | _written(change)
        body = with_vendor_fields(known, vendor_fields, reserved=PRICE_POINT_FIELDS)
        await replied(self._upstream, UPDATE_PRICE_POINT, body)

    async def export_csv(self) -> wire.CsvFile:
        """All price points as a CSV file, the template for an import.

        Neither the answer's media type nor the columns are documented by the
        vendor: the file is taken as `text/csv` and as text inside the envelope.

        Raises:
            Garbled: It is neither of the two.

        Source: FunnelFox seed, "Available endpoints".
        """
        reply = await self._upstream.call(
            EXPORT_CSV, path_of(EXPORT_CSV), json=b"{}", headers={"accept": "text/csv, application/json"}
        )
        return csv_file(reply)

    async def import_csv(self, content: bytes) -> None:
        """Add the price points of a CSV file; those whose ident exists are skipped, never changed.

        Each new row is validated in full. Whether one wrong row fails the whole
        file is not documented by the vendor, nor is how the file is uploaded:
        it is sent as a raw `text/csv` body.

        Args:
            content: The file, with the columns of an export.

        Source: FunnelFox seed, "Available endpoints"; the effect: vendor's documentation of the import.
        """
        await self._upstream.call(IMPORT_CSV, path_of(IMPORT_CSV), csv=content)

    async def list_features(self) -> list[wire.Feature]:
        """Every feature, in no documented order.

        Source: FunnelFox seed, "Available endpoints"; the schema of the answer is not documented by the vendor.
        """
        return (await answered(self._upstream, FEATURES, {}, wire.Features)).features or []

    async def create_feature(self, ident: str, *, feature_type: str) -> None:
        """Add a feature that price points can grant.

        Args:
            ident: 1 to 256 of `A-Z a-z 0-9 _ -`.
            feature_type: `timebased`, `lifetime` or `consumable`.

        Raises:
            Refused: The vendor said no; how it refuses an ident that exists is not documented.

        Source: FunnelFox seed, "Available endpoints"; fields: vendor's reference of /feature/create.
        """
        await replied(self._upstream, CREATE_FEATURE, {"ident": ident, "feature_type": feature_type})


def _written(fields: Terms) -> Body:
    """The fields as they are sent: prices as decimal strings, None as null."""
    return {name: amount(value) if isinstance(value, Decimal) else value for name, value in fields.items()}

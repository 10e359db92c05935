"""Customers: who they are, and what they own."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from clients.billing import wire
from routes.shapes.catalog import PricePoint
from routes.shapes.missing import Missing
from routes.shapes.payments import Payment
from routes.shapes.subscriptions import Subscription
from routes.shapes.times import utc


class CustomerSearch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An e-mail address; whether the vendor matches it exactly is not documented."""

    email: Annotated[str, msgspec.Meta(max_length=1024)] | None


class FoundCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer, by the merchant's own id."""

    external_id: str


class Oneoff(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase that does not renew."""

    oneoff_id: str
    is_active: bool | None
    price_point: PricePoint | None
    order_id: str | None
    started_at: datetime | None
    revoked_at: datetime | None
    initial_order_metadata: dict[str, Any] | None

    @classmethod
    def public(cls, oneoff: wire.Oneoff) -> "Oneoff":
        """The one-off in our words."""
        return cls(
            oneoff_id=oneoff.oneoff_id,
            is_active=oneoff.is_active,
            price_point=PricePoint.public(oneoff.price_point) if oneoff.price_point else None,
            order_id=oneoff.order_id,
            started_at=utc(oneoff.started_at),
            revoked_at=utc(oneoff.revoked_at),
            initial_order_metadata=oneoff.initial_order_metadata,
        )


class Assets(msgspec.Struct, frozen=True, kw_only=True):
    """All that a customer bought, whether it still runs or not."""

    subscriptions: list[Subscription]
    oneoffs: list[Oneoff]

    @classmethod
    def public(cls, assets: wire.Assets, *, external_id: str) -> "Assets":
        """The assets in our words."""
        return cls(
            subscriptions=[Subscription.public(row, external_id=external_id) for row in assets.subscriptions],
            oneoffs=[Oneoff.public(row) for row in assets.oneoffs],
        )


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a customer; a part that is null is named in `missing`."""

    external_id: str
    assets: Assets | None
    subscriptions: list[Subscription] | None
    """Needs subscriptions:read."""
    payments: list[Payment] | None
    """Needs payments:read."""
    missing: list[Missing]

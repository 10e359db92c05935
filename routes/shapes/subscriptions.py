"""Subscriptions, and what can be asked of one."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import msgspec

from clients.billing import wire
from clients.errors import UpstreamError
from gateway.http.rfc9457 import Occurrence, Problem
from routes.shapes.catalog import PricePoint
from routes.shapes.identifiers import Comment, ConfirmDuplicate, ExternalId, PricePointIdent, Reason
from routes.shapes.missing import Missing
from routes.shapes.money import amount
from routes.shapes.payments import PaymentResult
from routes.shapes.times import utc

Moment = Annotated[datetime, msgspec.Meta(tz=True, description="RFC 3339, with a zone.")]


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase that renews."""

    id: str
    external_id: str | None = None
    """Whose it is; null where the vendor does not say it."""
    is_active: bool | None = None
    price_point: PricePoint | None = None
    status: list[str] = []
    """Several at once, such as `RECURRING` and `AUTORENEW_OFF`; an open set."""
    started_at: datetime | None = None
    current_period_starts_at: datetime | None = None
    current_period_ends_at: datetime | None = None
    next_check_at: datetime | None = None
    """When it is charged next, or looked at; null also where a pause has no end."""
    available_actions: list[str] = []
    initial_order_metadata: dict[str, Any] | None = None
    iteration: int | None = None

    @classmethod
    def public(cls, subscription: wire.Subscription, *, external_id: str | None = None) -> "Subscription":
        """The subscription in our words; `external_id` where the vendor's row does not hold it."""
        return cls(**_members(subscription, external_id))


class ChangedSubscription(Subscription, frozen=True, kw_only=True):
    """A subscription after a change, as read back.

    The change was made. If it can't be read back, every member but `id` is
    null or empty, and `missing` says why.
    """

    missing: list[Missing] = []

    @classmethod
    def read_back(cls, subscription: wire.Subscription) -> "ChangedSubscription":
        """The subscription as it is now."""
        return cls(**_members(subscription, None))

    @classmethod
    def unread(cls, ident: str, error: UpstreamError | Problem, at: Occurrence) -> "ChangedSubscription":
        """What is known of it where `error` stood in the way of reading it."""
        return cls(id=ident, missing=[Missing.of("subscription", error, at)])


def _members(subscription: wire.Subscription, external_id: str | None) -> dict[str, Any]:
    return {
        "id": subscription.subs_id,
        "external_id": subscription.external_id or external_id,
        "is_active": subscription.is_active,
        "price_point": PricePoint.public(subscription.price_point) if subscription.price_point else None,
        "status": subscription.status or [],
        "started_at": utc(subscription.started_at),
        "current_period_starts_at": utc(subscription.current_period_starts_at),
        "current_period_ends_at": utc(subscription.current_period_ends_at),
        "next_check_at": utc(subscription.next_check_at),
        "available_actions": subscription.available_actions or [],
        "initial_order_metadata": subscription.initial_order_metadata,
        "iteration": subscription.iteration,
    }


class SubscriptionSearch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters, of which all must match; none finds all."""

    external_id: ExternalId | None = None
    intro_type: str | None = None
    """`no_intro`, `free_trial` or `paid_trial`."""
    subscription_id: UUID | None = None
    status: list[str | int] | None = None
    """Any of these; what numbers mean is not documented by the vendor."""
    vendor_fields: dict[str, Any] | None = None
    """Further filters of the vendor's, forwarded as they are; they can't override the ones above."""


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every change may be accompanied by."""

    external_id: ExternalId | None = None
    """Whose subscription it is; better given where it is known."""
    reason: Reason | None = None
    comment: Comment | None = None


class Pause(Change, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stop billing and access."""

    pause_till: Moment | None
    """When it ends; null: not by itself."""


class Deferral(Change, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Put off the next charge; access goes on, free of charge."""

    defer_till: Moment


class Discount(Change, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take a percentage off future charges."""

    percent: Annotated[int, msgspec.Meta(ge=1, le=99)]
    count_of_iterations: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None
    """For how many charges; without it probably for all, which is not documented by the vendor."""
    confirm_duplicate: ConfirmDuplicate | None = None


class Strategy(StrEnum):
    """How a subscription moves to another price point."""

    PRICE_PRORATE = "price_prorate"
    DELAYED_START = "delayed_start"


class Migration(Change, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Move to another price point, which may charge the customer's saved card."""

    price_point: PricePointIdent
    strategy: Strategy
    strict_mode: bool = True
    """Refuse where the strategy does not apply; otherwise the other one is used, and named in the answer."""
    dry_run: bool = False
    """Only tell what would be charged."""
    confirm_duplicate: ConfirmDuplicate | None = None


class MigrationResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a migration did, or would do."""

    migration_strategy: str | None
    """The one that was used."""
    payment_result: PaymentResult | None
    charged_amount: str | None
    """Decimal string in major units."""
    subscription_id: str | None
    """The new subscription."""
    oneoff_id: str | None
    """Given where the new price point is a lifetime one."""

    @classmethod
    def public(cls, migration: wire.Migration) -> "MigrationResult":
        """The result in our words."""
        payment = migration.payment_result
        return cls(
            migration_strategy=migration.migration_strategy,
            payment_result=PaymentResult.public(payment) if payment is not None else None,
            charged_amount=amount(migration.charged_amount),
            subscription_id=migration.subs_id,
            oneoff_id=migration.oneoff_id,
        )

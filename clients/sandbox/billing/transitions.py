"""FunnelFox subscription management: the six transitions beside migration."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec

from clients.sandbox.billing.customers import ExternalId
from clients.sandbox.billing.periods import as_utc
from clients.sandbox.billing.price_points import Count
from clients.sandbox.billing.refunds import Comment, Reason
from clients.sandbox.billing.renewals import end_pause
from clients.sandbox.billing.subscriptions import Discount, Pause, Stage, Subscription, Subscriptions
from clients.sandbox.refusals import BillingRefused, Invalid


class SubscriptionAsk(msgspec.Struct, frozen=True, kw_only=True):
    """Enable and disable autorenewal, and resume."""

    subs_id: UUID
    external_id: ExternalId | None = None
    reason: Reason = ""
    comment: Comment = ""


class Deferral(SubscriptionAsk, frozen=True, kw_only=True):
    """`/subscription/defer`."""

    defer_till: datetime


class PauseAsk(SubscriptionAsk, frozen=True, kw_only=True):
    """`/subscription/pause`; null is a pause without end."""

    pause_till: datetime | None


class DiscountAsk(SubscriptionAsk, frozen=True, kw_only=True):
    """`/discount`; null iterations are all that follow."""

    percent: Annotated[int, msgspec.Meta(ge=1, le=99)]
    count_of_iterations: Count | None = None


class Transitions:
    """Moves subscriptions from state to state.

    What the vendor does with a transition that makes no sense is documented for
    migration only (400); the same is chosen here for all.

    Args:
        subscriptions: One account's subscriptions.
    """

    def __init__(self, subscriptions: Subscriptions) -> None:
        self._subscriptions = subscriptions

    def enable_autorenew(self, ask: SubscriptionAsk, _at: datetime) -> None:
        """Undo a cancellation; harmless where there is none."""
        self._living(ask).autorenew = True

    def disable_autorenew(self, ask: SubscriptionAsk, _at: datetime) -> None:
        """Cancel: access stays to the end of the period."""
        self._living(ask).autorenew = False

    def defer(self, ask: Deferral, at: datetime) -> None:
        """Put the next charge off; access is free until then."""
        subscription = self._running(ask)
        till = as_utc(ask.defer_till)
        if not subscription.autorenew:
            raise BillingRefused("There is no next charge: autorenewal is off.")
        if till <= max(at, subscription.next_check_at or at):
            raise Invalid("defer_till: must be later than the next charge")
        subscription.period_ends_at = subscription.charge_at = till

    def pause(self, ask: PauseAsk, at: datetime) -> None:
        """Stop billing and access, for a time or until further notice."""
        subscription = self._running(ask)
        until = None if ask.pause_till is None else as_utc(ask.pause_till)
        if until is not None and until <= at:
            raise Invalid("pause_till: must be in the future")
        left = max(subscription.period_ends_at - at, timedelta(0))
        subscription.pause = Pause(until, left)

    def resume(self, ask: SubscriptionAsk, at: datetime) -> None:
        """End a pause now."""
        subscription = self._living(ask)
        if subscription.pause is None:
            raise BillingRefused("The subscription is not paused.")
        end_pause(subscription, at)

    def discount(self, ask: DiscountAsk, _at: datetime) -> None:
        """Take a percentage off what is charged from now on; replaces an earlier discount."""
        self._living(ask).discount = Discount(ask.percent, ask.count_of_iterations)

    def _living(self, ask: SubscriptionAsk) -> Subscription:
        subscription = self._subscriptions.find(ask.subs_id, ask.external_id)
        if subscription.is_over:
            raise BillingRefused("The subscription has expired.")
        return subscription

    def _running(self, ask: SubscriptionAsk) -> Subscription:
        subscription = self._living(ask)
        if subscription.pause is not None:
            raise BillingRefused("The subscription is paused.")
        if subscription.stage not in {Stage.INTRO, Stage.RECURRING}:
            raise BillingRefused(f"The subscription is {subscription.stage.value}.")
        return subscription

"""FunnelFox migration: one subscription ends, another begins on a different price point."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from clients.sandbox.billing.catalog import Catalog
from clients.sandbox.billing.checkout import PaymentResult
from clients.sandbox.billing.currencies import rounded_to
from clients.sandbox.billing.identities import Identities
from clients.sandbox.billing.ledger import Ledger, Source
from clients.sandbox.billing.payment_methods import Outcome, behaviour
from clients.sandbox.billing.periods import after
from clients.sandbox.billing.price_points import Ident, PricePoint
from clients.sandbox.billing.subscriptions import OneOff, Stage, Subscription, Subscriptions
from clients.sandbox.billing.transitions import SubscriptionAsk
from clients.sandbox.refusals import BillingRefused

Strategy = Literal["price_prorate", "delayed_start"]


class MigrationAsk(SubscriptionAsk, frozen=True, kw_only=True):
    """`/subscription/migration`."""

    pp_ident: Ident
    strategy: Strategy
    strict_mode: bool = True
    dry_run: bool = False


class Migrated(msgspec.Struct, frozen=True, kw_only=True):
    """What a migration's answer holds."""

    migration_strategy: Strategy
    payment_result: PaymentResult
    charged_amount: str
    subs_id: UUID | None = None
    oneoff_id: UUID | None = None


class Migration:
    """Moves subscriptions to other price points.

    Args:
        catalog: Where they go.
        subscriptions: Where they are.
        ledger: Where a proration is charged.
        identities: Gives what is new its id.
    """

    def __init__(
        self, *, catalog: Catalog, subscriptions: Subscriptions, ledger: Ledger, identities: Identities
    ) -> None:
        self._catalog = catalog
        self._subscriptions = subscriptions
        self._ledger = ledger
        self._identities = identities

    def migrate(self, ask: MigrationAsk, at: datetime) -> Migrated:
        """Move a subscription, or in a dry run tell what that would cost."""
        old = self._subscriptions.find(ask.subs_id, ask.external_id)
        target = self._catalog.find(ask.pp_ident)
        strategy = _applicable(ask, old, target, at)
        due = _proration(old, target, at) if strategy == "price_prorate" else Decimal(0)
        if ask.dry_run:
            # What the payment result of a dry run holds is not documented; here it names no order.
            return _answer(strategy, PaymentResult(), due, target)
        self._subscriptions.make_room()
        if strategy == "delayed_start":
            return self._delayed(old, target)
        return self._prorated(old, target, due, at)

    def _delayed(self, old: Subscription, target: PricePoint) -> Migrated:
        old.autorenew = False
        new = self._successor(old, target, old.period_ends_at, Stage.UPCOMING)
        return _answer("delayed_start", PaymentResult(), Decimal(0), target, subs_id=new.subs_id)

    def _prorated(self, old: Subscription, target: PricePoint, due: Decimal, at: datetime) -> Migrated:
        source = Source(
            order_id=self._identities.new(),
            external_id=old.external_id,
            price_point=target,
            method=old.method,
            metadata=old.metadata,
        )
        fate = behaviour(old.method)
        # A merchant's server can't show a bank's question to the customer, so a card that asks one declines.
        if fate.saved is not Outcome.SUCCEEDED:
            self._ledger.attempt(source, due, at, "declined", reason=fate.message)
            declined = PaymentResult(
                checkout_status="failed", failed_message_for_user=fate.message, order_id=source.order_id
            )
            return _answer("price_prorate", declined, Decimal(0), target)
        paid = self._ledger.attempt(source, due, at, "settled")
        old.period_ends_at = at
        old.expire()
        result = PaymentResult(order_id=source.order_id)
        if target.terms.lifetime_price is None:
            new = self._successor(old, target, at, Stage.RECURRING)
            paid.subs_id, paid.iteration = new.subs_id, new.iteration
            return _answer("price_prorate", result, due, target, subs_id=new.subs_id)
        oneoff = OneOff(
            oneoff_id=self._identities.new(),
            external_id=old.external_id,
            order_id=source.order_id,
            price_point=target,
            started_at=at,
            metadata=old.metadata,
        )
        self._subscriptions.grant(oneoff)
        paid.oneoff_id = oneoff.oneoff_id
        return _answer("price_prorate", result, due, target, oneoff_id=oneoff.oneoff_id)

    def _successor(self, old: Subscription, target: PricePoint, starts_at: datetime, stage: Stage) -> Subscription:
        # Whoever migrates gets no second introduction; chosen here.
        terms = target.terms
        new = Subscription(
            subs_id=self._identities.new(),
            external_id=old.external_id,
            price_point=target,
            method=old.method,
            stage=stage,
            started_at=starts_at,
            period_starts_at=starts_at,
            period_ends_at=after(starts_at, terms.next_period or 1, terms.next_period_duration or "months"),
            metadata=old.metadata,
            iteration=0 if stage is Stage.UPCOMING else 1,
        )
        self._subscriptions.open(new)
        return new


def _applicable(ask: MigrationAsk, old: Subscription, target: PricePoint, at: datetime) -> Strategy:
    # Which strategy applies when is not documented; chosen here: a proration needs a running
    # paid period and something to charge, a delayed start a renewal that it can replace.
    prorate = old.stage is Stage.RECURRING and _proration(old, target, at) > 0
    delayed = old.stage in {Stage.INTRO, Stage.RECURRING} and old.autorenew and target.terms.lifetime_price is None
    fits: dict[Strategy, bool] = {"price_prorate": prorate, "delayed_start": delayed}
    same = old.price_point.ident == target.ident or old.price_point.currency != target.currency
    if not same and old.pause is None and not old.is_over:
        if fits[ask.strategy]:
            return ask.strategy
        other: Strategy = "delayed_start" if ask.strategy == "price_prorate" else "price_prorate"
        if not ask.strict_mode and fits[other]:
            return other
    raise BillingRefused("The migration strategy is not applicable to this subscription.", status=400)


def _proration(old: Subscription, target: PricePoint, at: datetime) -> Decimal:
    length = old.period_ends_at - old.period_starts_at
    left = max(Decimal(0), Decimal((old.period_ends_at - at) / length)) if length else Decimal(0)
    price = target.terms.lifetime_price or target.terms.next_price or Decimal(0)
    unused = (old.price_point.terms.next_price or Decimal(0)) * min(left, Decimal(1))
    return rounded_to(price - unused, target.currency)


def _answer(
    strategy: Strategy,
    result: PaymentResult,
    charged: Decimal,
    target: PricePoint,
    *,
    subs_id: UUID | None = None,
    oneoff_id: UUID | None = None,
) -> Migrated:
    return Migrated(
        migration_strategy=strategy,
        payment_result=result,
        charged_amount=str(rounded_to(charged, target.currency)),
        subs_id=subs_id,
        oneoff_id=oneoff_id,
    )

"""What a settled payment brings the customer."""

from datetime import datetime
from uuid import UUID

from clients.sandbox.billing.customers import Customers
from clients.sandbox.billing.identities import Identities
from clients.sandbox.billing.ledger import Transaction
from clients.sandbox.billing.periods import after
from clients.sandbox.billing.subscriptions import OneOff, Stage, Subscription, Subscriptions


class Purchases:
    """Turns payments into subscriptions and one-offs.

    Args:
        subscriptions: Where they are kept.
        customers: Who keeps the card for later.
        identities: Gives each its id.
    """

    def __init__(self, subscriptions: Subscriptions, *, customers: Customers, identities: Identities) -> None:
        self._subscriptions = subscriptions
        self._customers = customers
        self._identities = identities

    def fulfil(self, paid: Transaction, at: datetime) -> None:
        """Give the customer what they paid for, and note it on the transaction."""
        source = paid.source
        customer = self._customers.get(source.external_id)
        if customer is not None:
            customer.method = source.method
        if source.price_point.terms.lifetime_price is None:
            paid.subs_id, paid.iteration = self._subscribe(paid, at)
        else:
            paid.oneoff_id = self._grant(paid, at)

    def _grant(self, paid: Transaction, at: datetime) -> UUID:
        source = paid.source
        oneoff = OneOff(
            oneoff_id=self._identities.new(),
            external_id=source.external_id,
            order_id=source.order_id,
            price_point=source.price_point,
            started_at=at,
            metadata=source.metadata,
        )
        self._subscriptions.grant(oneoff)
        return oneoff.oneoff_id

    def _subscribe(self, paid: Transaction, at: datetime) -> tuple[UUID, int]:
        source = paid.source
        terms = source.price_point.terms
        periods = {
            "free_trial": (terms.intro_free_trial_period, terms.intro_free_trial_period_duration),
            "paid_trial": (terms.intro_paid_trial_period, terms.intro_paid_trial_period_duration),
            "no_intro": (terms.next_period, terms.next_period_duration),
        }
        count, unit = periods[terms.intro_type]
        regular = terms.intro_type == "no_intro"
        subscription = Subscription(
            subs_id=self._identities.new(),
            external_id=source.external_id,
            price_point=source.price_point,
            method=source.method,
            stage=Stage.RECURRING if regular else Stage.INTRO,
            started_at=at,
            period_starts_at=at,
            # Sensible terms have both; the defaults are never used.
            period_ends_at=after(at, count or 1, unit or "months"),
            metadata=source.metadata,
            iteration=1 if regular else 0,
        )
        self._subscriptions.open(subscription)
        return subscription.subs_id, subscription.iteration

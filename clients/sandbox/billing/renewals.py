"""What time does to subscriptions: conversion, renewal, dunning, the end of pauses."""

from collections import Counter
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush

import msgspec

from clients.sandbox.billing.identities import Identities
from clients.sandbox.billing.ledger import Ledger, Source
from clients.sandbox.billing.payment_methods import Outcome, behaviour
from clients.sandbox.billing.subscriptions import Stage, Subscription, Subscriptions
from clients.sandbox.refusals import BillingRefused

# How often one subscription may renew when the clock jumps: ten years of weeks.
# A subscription by the minute is caught up with bit by bit.
_MAX_STEPS = 600


class _Retry(msgspec.Struct, frozen=True):
    after: timedelta
    stage: Stage


# When a failed charge is tried again, counted from the first failure, and where the
# subscription stands until then; after the last it expires. The vendor names the
# stages, not the times; chosen here.
_RETRIES = (
    _Retry(timedelta(days=1), Stage.GRACE),
    _Retry(timedelta(days=3), Stage.GRACE),
    _Retry(timedelta(days=7), Stage.RETRY),
    _Retry(timedelta(days=14), Stage.RETRY),
)


class Renewals:
    """Lets what falls due happen, at its own time.

    Args:
        subscriptions: What may fall due.
        ledger: Where the charges go.
        identities: Gives each renewal an order of its own.
    """

    def __init__(self, subscriptions: Subscriptions, *, ledger: Ledger, identities: Identities) -> None:
        self._subscriptions = subscriptions
        self._ledger = ledger
        self._identities = identities

    def catch_up(self, now: datetime) -> None:
        """Do everything that fell due until `now`."""
        # In the order of time over all subscriptions, as the ledger must have it.
        queue = [(due, row.subs_id.bytes, row) for row in self._subscriptions.all if (due := row.next_check_at)]
        queue = [entry for entry in queue if entry[0] <= now]
        heapify(queue)
        steps = Counter[bytes]()
        while queue:
            due, key, subscription = heappop(queue)
            self._step(subscription, due)
            steps[key] += 1
            again = subscription.next_check_at
            if again is not None and again <= now and steps[key] < _MAX_STEPS:
                heappush(queue, (again, key, subscription))

    def _step(self, subscription: Subscription, due: datetime) -> None:
        if subscription.pause is not None:
            end_pause(subscription, due)
        elif subscription.stage is Stage.UPCOMING or subscription.autorenew:
            self._charge(subscription, due)
        else:
            subscription.expire()

    def _charge(self, subscription: Subscription, due: datetime) -> None:
        fate = behaviour(subscription.method)
        # Nobody is there to answer a bank's question, so a card that asks one declines.
        paid = fate.saved is Outcome.SUCCEEDED
        source = Source(
            order_id=self._identities.new(),
            external_id=subscription.external_id,
            price_point=subscription.price_point,
            method=subscription.method,
            by_customer=False,
            metadata=subscription.metadata,
        )
        try:
            attempt = self._ledger.attempt(
                source, subscription.price(), due, "settled" if paid else "declined", reason=fate.message
            )
        except BillingRefused:
            # The ledger is full: better no subscription than one that renews for nothing.
            subscription.expire()
            return
        attempt.subs_id = subscription.subs_id
        attempt.iteration = subscription.iteration + 1
        attempt.retry_step = subscription.failures or None
        if paid:
            late = subscription.failed_at is not None or subscription.stage is Stage.UPCOMING
            subscription.renew(
                starts_at=max(due, subscription.period_starts_at) if late else subscription.period_ends_at
            )
        else:
            _fail(subscription, due)


def end_pause(subscription: Subscription, at: datetime) -> None:
    """Give access back, with what was left of the paid period."""
    if subscription.pause is not None:
        subscription.period_ends_at = at + subscription.pause.left
        subscription.period_starts_at = min(subscription.period_starts_at, at)
        subscription.pause = None


def _fail(subscription: Subscription, at: datetime) -> None:
    if subscription.failed_at is None:
        subscription.failed_at = at
    if subscription.stage is Stage.UPCOMING or subscription.failures >= len(_RETRIES):
        subscription.expire()
        return
    retry = _RETRIES[subscription.failures]
    subscription.failures += 1
    subscription.stage = retry.stage
    subscription.charge_at = subscription.failed_at + retry.after

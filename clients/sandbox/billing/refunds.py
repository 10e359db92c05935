"""FunnelFox refunds: money back, and what it does to the purchase."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec

from clients.sandbox.billing.currencies import exact
from clients.sandbox.billing.customers import ExternalId
from clients.sandbox.billing.ledger import Ledger, Transaction
from clients.sandbox.billing.subscriptions import Subscriptions
from clients.sandbox.refusals import BillingRefused, Invalid, NotThere

Reason = Annotated[str, msgspec.Meta(max_length=256)]
Comment = Annotated[str, msgspec.Meta(max_length=2048)]


class NewRefund(msgspec.Struct, frozen=True, kw_only=True):
    """`/payment/refund`."""

    external_id: ExternalId
    order_id: UUID
    amount: Decimal | msgspec.UnsetType = msgspec.UNSET
    soft_refund: bool = False
    reason: Reason = ""
    comment: Comment = ""


class Refunds:
    """Gives payments back.

    Args:
        ledger: Where the payments are.
        subscriptions: What they bought.
    """

    def __init__(self, ledger: Ledger, *, subscriptions: Subscriptions) -> None:
        self._ledger = ledger
        self._subscriptions = subscriptions

    def refund(self, ask: NewRefund, at: datetime) -> None:
        """Give back all that is left of a payment, or a part of it; never more than was paid."""
        paid = self._ledger.settled(ask.order_id)
        if paid is None or paid.source.external_id != ask.external_id:
            raise NotThere("order_id: there is no such payment of this customer")
        left = paid.amount - paid.refunded
        amount = left
        if ask.amount is not msgspec.UNSET:
            amount = exact(ask.amount, paid.source.price_point.currency, "amount")
        if not amount and left:
            raise Invalid("amount: must be more than zero")
        if not left or amount > left:
            # The form of this refusal is not documented by the vendor; chosen here.
            raise BillingRefused(f"Only {left} of this payment is left to refund.")
        self._ledger.refund(paid, amount, at)
        if not ask.soft_refund:
            self._take_back(paid, at)

    def _take_back(self, paid: Transaction, at: datetime) -> None:
        # In the words of the vendor's other API: a full refund expires the subscription or
        # revokes the one-off, a partial one turns autorenewal off.
        whole = paid.refunded == paid.amount
        subscription = self._subscriptions.subscription(paid.subs_id)
        oneoff = self._subscriptions.oneoff(paid.oneoff_id)
        if subscription is not None and not subscription.is_over:
            if whole:
                subscription.period_ends_at = min(subscription.period_ends_at, at)
                subscription.expire()
            else:
                subscription.autorenew = False
        if oneoff is not None and whole and oneoff.revoked_at is None:
            oneoff.revoked_at = at

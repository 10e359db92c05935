"""Payments, refunds and transactions, as we show them."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from clients.billing import NAME, wire
from clients.errors import UpstreamError
from gateway.http.rfc9457 import Occurrence, Problem, UpstreamReference
from gateway.problems import PaymentCancelled, PaymentFailed, one_line
from routes.shapes.catalog import Currency
from routes.shapes.identifiers import Comment, ConfirmDuplicate, ExternalId, Reason
from routes.shapes.missing import Missing
from routes.shapes.money import Amount, amount
from routes.shapes.times import utc


class PaymentState(StrEnum):
    """How far a payment came, if it was not refused."""

    SUCCEEDED = "succeeded"
    ACTION_REQUIRED = "action_required"
    PROCESSING = "processing"
    UNKNOWN = "unknown"


class PaymentResult(msgspec.Struct, frozen=True, kw_only=True):
    """How far a payment came."""

    state: PaymentState
    """`action_required`: the customer has to act first, then resume with the order of this answer.

    `processing` and `unknown`: read the customer's payments later, and do not pay again."""
    order_id: str | None
    """The newest order: the one to resume. It may differ from the one that was paid."""
    action_required_token: str | None
    """For the payment form, while an action is required."""
    operation: str | msgspec.UnsetType = msgspec.UNSET
    """While it is not decided: where to read what becomes of it."""

    @classmethod
    def public(cls, result: wire.PaymentResult, *, order_id: str | None = None) -> "PaymentResult":
        """The result in our words; `order_id` is the one asked for, where the vendor names none.

        An action that is required outweighs whatever status stands beside it.

        Raises:
            PaymentFailed: It was declined.
            PaymentCancelled: It was cancelled.
        """
        order = result.order_id or order_id
        if result.action_required_token:
            return cls(
                state=PaymentState.ACTION_REQUIRED, order_id=order, action_required_token=result.action_required_token
            )
        match result.checkout_status:
            case "failed":
                words = one_line(result.failed_message_for_user or "") or "The payment was declined."
                raise PaymentFailed(words, upstream=_SAID, order_id=order)
            case "cancelled":
                raise PaymentCancelled("The payment was cancelled.", upstream=_SAID, order_id=order)
            case "succeeded":
                state = PaymentState.SUCCEEDED
            case "processing":
                state = PaymentState.PROCESSING
            case _:
                state = PaymentState.UNKNOWN
        return cls(state=state, order_id=order, action_required_token=None)

    @property
    def http_status(self) -> int:
        """200 for what is decided, 202 for what is not."""
        return 202 if self.state in {PaymentState.PROCESSING, PaymentState.UNKNOWN} else 200


_SAID = UpstreamReference(NAME, 200)


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that succeeded."""

    order_id: str
    subscription_id: str | None = None
    oneoff_id: str | None = None
    amount: str | None = None
    """Decimal string in major units of `currency`."""
    refunded: str | None = None
    """How much of `amount` was given back."""
    currency: Currency | None = None
    created_at: datetime | None = None
    last4: str | None = None
    network: str | None = None
    payment_method: str | None = None

    @classmethod
    def public(cls, payment: wire.Payment) -> "Payment":
        """The payment in our words."""
        return cls(**_members(payment))


class Refund(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A payment to give back, in part or in full."""

    external_id: ExternalId
    order_id: UUID
    amount: Amount | None = None
    """Without it: all that is left of the payment."""
    soft_refund: bool = False
    """Leave the subscription active; otherwise the vendor ends it."""
    reason: Reason | None = None
    comment: Comment | None = None
    confirm_duplicate: ConfirmDuplicate | None = None


class RefundedPayment(Payment, frozen=True, kw_only=True):
    """A payment after a refund, as read back.

    The refund was made. If it can't be read back, every member but `order_id`
    is null, and `missing` says why.
    """

    missing: list[Missing] = []

    @classmethod
    def read_back(cls, payment: wire.Payment) -> "RefundedPayment":
        """The payment as it is now."""
        return cls(**_members(payment))

    @classmethod
    def unread(cls, order_id: str, error: UpstreamError | Problem, at: Occurrence) -> "RefundedPayment":
        """What is known of it where `error` stood in the way of reading it."""
        return cls(order_id=order_id, missing=[Missing.of("payment", error, at)])


def _members(payment: wire.Payment) -> dict[str, Any]:
    return {
        "order_id": payment.order_id,
        "subscription_id": payment.subs_id,
        "oneoff_id": payment.oneoff_id,
        "amount": amount(payment.amount),
        "refunded": amount(payment.refunded),
        "currency": Currency.public(payment.currency),
        "created_at": utc(payment.created_at),
        "last4": payment.last4,
        "network": payment.network,
        "payment_method": payment.payment_method,
    }

"""Payments: giving one back, and what was paid."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from clients.billing import wire
from clients.billing.calls import answered
from clients.billing.operations import PAYMENTS_HISTORY, REFUND, TRANSACTION_REPORT
from clients.billing.requests import amount as written
from clients.billing.requests import given, moment
from clients.transport import Upstream


class PaymentsClient:
    """The payments of one organization; every call needs its secret key.

    Every method raises `clients.errors.UpstreamError` for what it does not name itself.

    Args:
        upstream: Already aimed at the organization, with its secret key.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def refund(
        self,
        external_id: str,
        order_id: str,
        *,
        amount: Decimal | None = None,
        soft_refund: bool = False,
        reason: str | None = None,
        comment: str | None = None,
    ) -> None:
        """Give back a payment, in part or in full.

        Args:
            external_id: The customer who paid.
            order_id: Of the payment, as in `wire.Payment.order_id`.
            amount: In major units of the order's currency; None, which is left
                out, is a full refund. Whether zero is accepted is not documented.
            soft_refund: Leave the subscription active; otherwise the vendor
                cancels it. Always sent, because its default is inferred.
            reason: For the vendor's records, 256 characters at most.
            comment: The same, 2048 at most.

        Raises:
            Refused: The vendor said no; its codes are not documented, nor is
                what a second refund of the same order answers.
            Garbled: The vendor said yes, but not in the documented form: money may have moved.
            Unanswered: With `sent`, the same.

        Source: FunnelFox seed, "Available endpoints"; fields: vendor's reference,
        the name of `soft_refund`: a third party's client.
        """
        body = given(
            external_id=external_id,
            order_id=order_id,
            amount=written(amount) if amount is not None else None,
            soft_refund=soft_refund,
            reason=reason,
            comment=comment,
        )
        await answered(self._upstream, REFUND, body, dict[str, Any])

    async def payments_history(self, external_id: str) -> list[wire.Payment]:
        """A customer's successful payments, in no documented order.

        Source: FunnelFox seed, "Available endpoints"; fields: vendor's reference.
        """
        body = given(external_id=external_id)
        return (await answered(self._upstream, PAYMENTS_HISTORY, body, wire.Payments)).payments or []

    async def transaction_report(
        self,
        last_transaction_date: datetime,
        *,
        subs_id: str | None = None,
        order_id: str | None = None,
        oneoff_id: str | None = None,
        limit: int | None = None,
    ) -> list[wire.Transaction]:
        """The attempts to move money from a moment on, successful or not: one page.

        Not documented by the vendor: whether that moment is included, the order
        of the rows, and which of their dates it refers to. The next page is
        taken to start from the last date that was seen.

        Args:
            last_transaction_date: From when on, with a zone.
            subs_id: Only this subscription's.
            order_id: Only this order's.
            oneoff_id: Only this one-off's.
            limit: 1 to 500 rows; the vendor's default is 100.

        Source: FunnelFox seed, "Available endpoints"; fields: vendor's reference.
        """
        body = given(
            last_transaction_date=moment(last_transaction_date),
            subs_id=subs_id,
            order_id=order_id,
            oneoff_id=oneoff_id,
            limit=limit,
        )
        return (await answered(self._upstream, TRANSACTION_REPORT, body, wire.Transactions)).transactions or []

"""How charges ended: payments of an order, and one-click purchases."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from clients.billing import wire
from gateway.operations.outcomes import Answer, Operation, State
from gateway.operations.settling import Kind, Place, Verdict, refused, told
from gateway.problems import PaymentFailed
from gateway.upstreams import Scene
from routes.settlement.verdicts import done, open_still, text
from routes.shapes.payments import PaymentResult, PaymentState
from routes.shapes.times import utc

DECLINED: Final = frozenset({"declined", "cancelled"})
"""Statuses of a transaction that were seen to be final and to have moved nothing."""

MARK: Final = "fgw_operation"
"""The member of an order's metadata by which a purchase is recognised."""

CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""How much the vendor's clock may be behind ours."""

MOST_ROWS: Final = 500
"""Transactions in one answer; an order with as many is beyond any telling."""

CANDIDATES: Final = 20
"""Orders named in evidence, at the most."""


async def settle_payment(scene: Scene, operation: Operation) -> Verdict:
    """A charge of an order: its payments prove that it was paid, its transactions that it was not.

    An order that had been paid before is not proven to be paid again. Only a
    customer's payments can be asked for, so an order whose customer the gateway
    does not know can't be seen to be paid.
    """
    ids = frozenset(await scene.belongings.ids("order", text(operation, "order_id")))
    customer = operation.facts.get("external_id")
    if customer is not None and not operation.facts.get("paid_before"):
        rows = await scene.payments.payments_history(customer)
        paid = [row for row in rows if row.order_id in ids and not _before(row, operation.sent_at)]
        if paid:
            return done(_paid(paid[0].order_id), paid_order=paid[0].order_id)
    attempts = [row for one in sorted(ids) for row in await _attempts(scene, one, operation.sent_at)]
    seen = {"transactions": {row.trx_id: row.status for row in attempts}, "customer_known": customer is not None}
    if 0 < len(attempts) < MOST_ROWS and all(row.status in DECLINED for row in attempts):
        declined = PaymentFailed("The payment was declined.", order_id=attempts[-1].order_id)
        return Verdict(state=State.FAILED, answer=refused(declined, scene.at), evidence=seen)
    return open_still(**seen)


def _before(paid: wire.Payment, sent_at: datetime) -> bool:
    """Whether a payment is older than the charge, however the two clocks differ."""
    at = utc(paid.created_at)
    return at is not None and at < sent_at - CLOCKS_DIFFER


async def _attempts(scene: Scene, order_id: str, since: datetime) -> list[wire.Transaction]:
    """Those of an order that were made after it was sent, and any that may still move money."""
    # Asked from earlier on: which of a transaction's dates the vendor's bound refers to is not documented.
    found = await scene.payments.transaction_report(since - timedelta(days=1), order_id=order_id, limit=MOST_ROWS)
    times = [(utc(row.trx_created_at), row) for row in found if row.order_id in {None, order_id}]
    return [row for at, row in times if row.status not in DECLINED or (at is not None and at >= since)]


async def settle_one_click(scene: Scene, operation: Operation) -> Verdict:
    """A purchase is proven by what the customer owns, where that bears the operation's mark.

    Whether the vendor gives metadata back is not documented. Without it there
    are only candidates: payments of the customer from that time on.
    """
    customer = text(operation, "external_id")
    assets = await scene.customers.my_assets(customer)
    for subscription in assets.subscriptions:
        if _marked(subscription.initial_order_metadata, operation):
            return done(_paid(None), subscription_id=subscription.subs_id)
    for oneoff in assets.oneoffs:
        if _marked(oneoff.initial_order_metadata, operation):
            return done(_paid(oneoff.order_id), oneoff_id=oneoff.oneoff_id)
    payments = await scene.payments.payments_history(customer)
    return open_still(candidate_orders=_candidates(payments, operation.sent_at))


def _marked(metadata: dict[str, object] | None, operation: Operation) -> bool:
    return metadata is not None and metadata.get(MARK) == operation.id


def _candidates(payments: Iterable[wire.Payment], since: datetime) -> list[str]:
    times = [(utc(row.created_at), row.order_id) for row in payments]
    return [order for at, order in times if at is not None and at >= since][:CANDIDATES]


def _paid(order_id: str | None) -> PaymentResult:
    return PaymentResult(state=PaymentState.SUCCEEDED, order_id=order_id, action_required_token=None)


def resolved(place: Place, operation: Operation, state: State) -> Answer:
    """What a caller is told once the operator has found out how a charge ended."""
    order_id = operation.facts.get("order_id")
    if state is State.SUCCEEDED:
        return told(_paid(order_id))
    return refused(PaymentFailed("The payment did not take place.", order_id=order_id), place.at)


CHARGES: Final = {
    "createPayment": Kind(settle=settle_payment, resolved=resolved),
    "resumePayment": Kind(settle=settle_payment, resolved=resolved),
    "payWithOneClick": Kind(settle=settle_one_click, resolved=resolved),
}

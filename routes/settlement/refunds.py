"""How refunds ended."""

from decimal import Decimal
from typing import Final

from gateway.operations.outcomes import Answer, Operation, State
from gateway.operations.settling import Kind, Place, Verdict, told
from gateway.upstreams import Scene
from routes.settlement.verdicts import UNREAD, not_done, open_still, text
from routes.shapes.money import amount, real
from routes.shapes.payments import RefundedPayment


async def settle_refund(scene: Scene, operation: Operation) -> Verdict:
    """A refund is proven if and only if what is refunded has risen by exactly its amount."""
    rows = await scene.payments.payments_history(text(operation, "external_id"))
    paid = next((row for row in rows if row.order_id == text(operation, "order_id")), None)
    before, asked = operation.facts.get("refunded_before"), operation.facts.get("amount")
    now = real(paid.refunded) if paid is not None else None
    seen = {"refunded_before": before, "refunded_now": amount(now), "amount": asked}
    if paid is None or now is None or before is None or asked is None or now - Decimal(before) != Decimal(asked):
        return open_still(**seen)
    return Verdict(state=State.SUCCEEDED, answer=told(RefundedPayment.read_back(paid)), evidence=seen)


def resolved(place: Place, operation: Operation, state: State) -> Answer:
    """What a caller is told once the operator has found out how a refund ended."""
    if state is State.SUCCEEDED:
        return told(RefundedPayment.unread(text(operation, "order_id"), UNREAD, place.at))
    return not_done(place.at)


REFUNDS: Final = {"createRefund": Kind(settle=settle_refund, resolved=resolved)}

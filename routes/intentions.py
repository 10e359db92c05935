"""What requests are about to do: which of them stand in each other's way, and what their end is told by."""

from datetime import UTC, datetime

import msgspec

from clients.billing import wire
from clients.errors import UpstreamError
from gateway.operations.intentions import Intention
from gateway.operations.outcomes import Operation
from gateway.upstreams import TenantContext
from routes.ownership import first_order
from routes.shapes.payments import PaymentResult, PaymentState


async def about_order(
    tenant: TenantContext, order_id: str, *, despite: str | None = None, instrument: str | None = None
) -> Intention:
    """A charge for an order, whichever of its ids it is called by.

    Raises:
        Unavailable: The database failed.
    """
    resource = ("order", await first_order(tenant, order_id))
    facts = {
        "order_id": order_id,
        "external_id": await tenant.belongings.owner("order", order_id),
        # An order can be paid twice, for what is used up: that it is paid proves nothing then.
        "paid_before": any(map(_was_paid, await tenant.ledger.done_before(resource))),
    }
    return Intention(
        resource=resource,
        facts=facts,
        instrument=instrument,
        despite=despite,
    )


def _was_paid(operation: Operation) -> bool:
    """Whether it ended a payment, and did not only ask for an action of the customer."""
    answer = operation.answer.shown if operation.answer is not None else None
    return isinstance(answer, dict) and answer.get("state") == PaymentState.SUCCEEDED


async def about_migration(
    tenant: TenantContext, subscription_id: str, *, price_point: str, external_id: str | None, despite: str | None
) -> Intention:
    """A move to a price point; where it is now can't be read, reading it later will prove nothing."""
    try:
        found = await one_subscription(tenant, subscription_id)
    except UpstreamError:
        found = None
    before = found.price_point.ident if found is not None and found.price_point is not None else None
    facts = {
        "subscription_id": subscription_id,
        "price_point": price_point,
        "before": before,
        "external_id": external_id or (found.external_id if found is not None else None),
        "read_at": datetime.now(UTC),
    }
    return Intention(resource=("subscription", subscription_id), facts=facts, despite=despite)


async def one_subscription(tenant: TenantContext, ident: str) -> wire.Subscription | None:
    """A subscription as the vendor finds it by its id."""
    found = await tenant.subscriptions.search(subs_id=ident)
    return next((row for row in found if row.subs_id == ident), None)


def followed(tenant: TenantContext, result: PaymentResult) -> PaymentResult:
    """A payment's result; where it is not decided, with the way to what becomes of it."""
    if result.http_status == 200:  # noqa: PLR2004 - HTTP's own number
        return result
    if result.state is PaymentState.UNKNOWN:
        tenant.ledger.stays_unknown()
    return msgspec.structs.replace(result, operation=f"{tenant.at.public_url}{tenant.ledger.path}")

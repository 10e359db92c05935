"""Whose order or subscription it is: what a token that is limited to one customer may reach."""

from typing import Final
from uuid import UUID

from gateway.operations.ledger import visible
from gateway.subjects import Owned, Owners
from gateway.upstreams import TenantContext

SUBSCRIPTION: Final = Owned("subscription", "path", "subscription_id")
ORDER: Final = Owned("order", "path", "order_id")
ORDER_IN_BODY: Final = Owned("order", "body", "order_id")
OPERATION: Final = Owned("operation", "path", "operation_id")


async def owns_subscription(tenant: TenantContext, ident: str) -> bool:
    """Whether it is among the customer's assets: the vendor knows best."""
    wanted = _canonical(ident)
    if wanted is None or tenant.principal.subject is None:
        return False
    assets = await tenant.customers.my_assets(tenant.principal.subject)
    return any(_canonical(row.subs_id) == wanted for row in assets.subscriptions)


async def owns_order(tenant: TenantContext, ident: str) -> bool:
    """Whether it comes from a session that was opened here for the customer; the vendor has no way to ask."""
    wanted = _canonical(ident)
    return wanted is not None and await tenant.belongings.owner("order", wanted) == tenant.principal.subject


def _canonical(ident: str) -> str | None:
    try:
        return str(UUID(ident))
    except ValueError:
        return None


async def opened(tenant: TenantContext, order_id: str, external_id: str) -> None:
    """Record whose a new order is.

    Raises:
        Unavailable: The database failed.
    """
    if (order := _canonical(order_id)) is not None:
        await tenant.belongings.add("order", order, external_id)


async def begun(tenant: TenantContext, order_id: str | None, external_id: str) -> None:
    """Record whose an order is that the vendor opened by itself, for a payment that was made."""
    if (order := _canonical(order_id or "")) is not None:
        await tenant.belongings.try_add("order", order, external_id)


async def renamed(tenant: TenantContext, order_id: str, *, now: str | None) -> None:
    """Record that the vendor answered another order for one that it was given."""
    order, newer = _canonical(order_id), _canonical(now or "")
    if order is not None and newer is not None:
        await tenant.belongings.alias("order", newer, of=order)


async def first_order(tenant: TenantContext, order_id: str) -> str:
    """The id that an order had first.

    Raises:
        Unavailable: The database failed.
    """
    return await tenant.belongings.first("order", _canonical(order_id) or order_id)


async def owns_operation(tenant: TenantContext, ident: str) -> bool:
    """Whether it was begun with a token of the customer's own."""
    operation = await tenant.ledger.find(ident)
    return operation is not None and visible(operation, tenant.principal)


OWNERS: Final[Owners] = {"subscription": owns_subscription, "order": owns_order, "operation": owns_operation}

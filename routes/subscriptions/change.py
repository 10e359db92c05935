"""What every change of a subscription has: what accompanies it, and what is shown of it."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from clients.errors import UpstreamError
from gateway.idempotency import once
from gateway.operations.intentions import Intention
from gateway.problems import NotFound
from gateway.upstreams import TenantContext
from routes.intentions import one_subscription
from routes.shapes.subscriptions import (
    Change,
    ChangedSubscription,
)


def notes(tenant: TenantContext, change: Change | None) -> dict[str, str | None]:
    """What accompanies a change, by the names that every client method has; without a body, the token's customer."""
    if change is None:
        return {"external_id": tenant.principal.subject}
    return {"external_id": change.external_id, "reason": change.reason, "comment": change.comment}


async def changed(
    tenant: TenantContext,
    key: str | None,
    ident: str,
    send: Callable[[], Awaitable[None]],
    *,
    until: datetime | None = None,
) -> ChangedSubscription:
    """The subscription after a change that stands in no other's way, sent once for one key.

    Args:
        tenant: Whose subscription it is.
        key: The caller's; None where there is none.
        ident: Of the subscription.
        send: Asks the vendor for the change.
        until: By when it can be told, if the change has such a moment.
    """

    async def act() -> ChangedSubscription:
        await send()
        return await read_back(tenant, ident)

    intention = Intention(facts={"subscription_id": ident, "until": until})
    return await once(tenant.ledger, key, intention, act, keyed=False)


async def read_back(tenant: TenantContext, ident: str) -> ChangedSubscription:
    """The subscription after a change; a read that fails does not undo it."""
    try:
        found = await one_subscription(tenant, ident)
    except UpstreamError as error:
        return ChangedSubscription.unread(ident, error, tenant.at)
    if found is None:
        return ChangedSubscription.unread(ident, NotFound("The vendor no longer shows the subscription."), tenant.at)
    return ChangedSubscription.read_back(found)

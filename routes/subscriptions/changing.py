"""Subscriptions: the changes that move no money."""

from datetime import datetime

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from gateway.auth import needs
from gateway.idempotency import IdempotencyKey, once
from gateway.operations.intentions import Intention
from gateway.upstreams import TenantContext
from routes.ownership import SUBSCRIPTION
from routes.shapes.identifiers import uuid_in_path
from routes.shapes.subscriptions import (
    Change,
    ChangedSubscription,
    Deferral,
    Pause,
)
from routes.shapes.times import plannable
from routes.subscriptions.change import notes, read_back


@post(
    "/{subscription_id:str}/enable-autorenew",
    opt=needs("subscriptions:write", customer=SUBSCRIPTION),
    operation_id="enableAutorenew",
    status_code=200,
)
async def enable_autorenew(
    subscription_id: FromPath[str],
    tenant: NamedDependency[TenantContext],
    data: JSONBody[Change | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> ChangedSubscription:
    """Take a cancellation back while the subscription is still active."""
    ident = uuid_in_path(subscription_id, "subscription_id")

    async def act() -> ChangedSubscription:
        await tenant.subscriptions.enable_autorenew(ident, **notes(tenant, data))
        return await read_back(tenant, ident)

    return await once(tenant.ledger, idempotency_key, _about(ident), act, keyed=False)


@post(
    "/{subscription_id:str}/disable-autorenew",
    opt=needs("subscriptions:write", customer=SUBSCRIPTION),
    operation_id="disableAutorenew",
    status_code=200,
)
async def disable_autorenew(
    subscription_id: FromPath[str],
    tenant: NamedDependency[TenantContext],
    data: JSONBody[Change | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> ChangedSubscription:
    """Cancel; access stays to the end of the period."""
    ident = uuid_in_path(subscription_id, "subscription_id")

    async def act() -> ChangedSubscription:
        await tenant.subscriptions.disable_autorenew(ident, **notes(tenant, data))
        return await read_back(tenant, ident)

    return await once(tenant.ledger, idempotency_key, _about(ident), act, keyed=False)


@post(
    "/{subscription_id:str}/pause",
    opt=needs("subscriptions:write", customer=SUBSCRIPTION),
    operation_id="pauseSubscription",
    status_code=200,
)
async def pause(
    subscription_id: FromPath[str],
    data: JSONBody[Pause],
    tenant: NamedDependency[TenantContext],
    idempotency_key: IdempotencyKey = None,
) -> ChangedSubscription:
    """Stop billing and access, until a moment or until resumed."""
    ident = uuid_in_path(subscription_id, "subscription_id")
    until = plannable(data.pause_till, "/pause_till") if data.pause_till is not None else None

    async def act() -> ChangedSubscription:
        await tenant.subscriptions.pause(ident, pause_till=until, **notes(tenant, data))
        return await read_back(tenant, ident)

    return await once(tenant.ledger, idempotency_key, _about(ident), act, keyed=False)


@post(
    "/{subscription_id:str}/resume",
    opt=needs("subscriptions:write", customer=SUBSCRIPTION),
    operation_id="resumeSubscription",
    status_code=200,
)
async def resume(
    subscription_id: FromPath[str],
    tenant: NamedDependency[TenantContext],
    data: JSONBody[Change | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> ChangedSubscription:
    """End a pause now."""
    ident = uuid_in_path(subscription_id, "subscription_id")

    async def act() -> ChangedSubscription:
        await tenant.subscriptions.resume(ident, **notes(tenant, data))
        return await read_back(tenant, ident)

    return await once(tenant.ledger, idempotency_key, _about(ident), act, keyed=False)


@post(
    "/{subscription_id:str}/defer",
    opt=needs("subscriptions:write", customer=SUBSCRIPTION),
    operation_id="deferSubscription",
    status_code=200,
)
async def defer(
    subscription_id: FromPath[str],
    data: JSONBody[Deferral],
    tenant: NamedDependency[TenantContext],
    idempotency_key: IdempotencyKey = None,
) -> ChangedSubscription:
    """Put off the next charge; access goes on, free of charge, until then."""
    ident = uuid_in_path(subscription_id, "subscription_id")
    until = plannable(data.defer_till, "/defer_till")

    async def act() -> ChangedSubscription:
        await tenant.subscriptions.defer(ident, defer_till=until, **notes(tenant, data))
        return await read_back(tenant, ident)

    return await once(tenant.ledger, idempotency_key, _about(ident, until=until), act, keyed=False)


def _about(ident: str, *, until: datetime | None = None) -> Intention:
    """A change that stands in no other's way."""
    return Intention(facts={"subscription_id": ident, "until": until})

"""Subscriptions: the changes that move no money."""

from functools import partial

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from gateway.idempotency import IdempotencyKey
from gateway.needs import needs
from gateway.upstreams import TenantContext
from routes.ownership import SUBSCRIPTION
from routes.shapes.identifiers import uuid_in_path
from routes.shapes.subscriptions import Change, ChangedSubscription, Deferral, Pause
from routes.shapes.times import plannable
from routes.subscriptions.change import changed, notes


def change_of(operation_id: str, path: str) -> post:
    """The declaration that these routes share."""
    return post(
        f"/{{subscription_id:str}}/{path}",
        opt=needs("subscriptions:write", customer=SUBSCRIPTION),
        operation_id=operation_id,
        status_code=200,
    )


@change_of("enableAutorenew", "enable-autorenew")
async def enable_autorenew(
    subscription_id: FromPath[str],
    tenant: NamedDependency[TenantContext],
    data: JSONBody[Change | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> ChangedSubscription:
    """Take a cancellation back while the subscription is still active."""
    ident = uuid_in_path(subscription_id, "subscription_id")
    send = partial(tenant.subscriptions.enable_autorenew, ident, **notes(tenant, data))
    return await changed(tenant, idempotency_key, ident, send)


@change_of("disableAutorenew", "disable-autorenew")
async def disable_autorenew(
    subscription_id: FromPath[str],
    tenant: NamedDependency[TenantContext],
    data: JSONBody[Change | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> ChangedSubscription:
    """Cancel; access stays to the end of the period."""
    ident = uuid_in_path(subscription_id, "subscription_id")
    send = partial(tenant.subscriptions.disable_autorenew, ident, **notes(tenant, data))
    return await changed(tenant, idempotency_key, ident, send)


@change_of("pauseSubscription", "pause")
async def pause(
    subscription_id: FromPath[str],
    data: JSONBody[Pause],
    tenant: NamedDependency[TenantContext],
    idempotency_key: IdempotencyKey = None,
) -> ChangedSubscription:
    """Stop billing and access, until a moment or until resumed."""
    ident = uuid_in_path(subscription_id, "subscription_id")
    until = plannable(data.pause_till, "/pause_till") if data.pause_till is not None else None
    send = partial(tenant.subscriptions.pause, ident, pause_till=until, **notes(tenant, data))
    return await changed(tenant, idempotency_key, ident, send)


@change_of("resumeSubscription", "resume")
async def resume(
    subscription_id: FromPath[str],
    tenant: NamedDependency[TenantContext],
    data: JSONBody[Change | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> ChangedSubscription:
    """End a pause now."""
    ident = uuid_in_path(subscription_id, "subscription_id")
    send = partial(tenant.subscriptions.resume, ident, **notes(tenant, data))
    return await changed(tenant, idempotency_key, ident, send)


@change_of("deferSubscription", "defer")
async def defer(
    subscription_id: FromPath[str],
    data: JSONBody[Deferral],
    tenant: NamedDependency[TenantContext],
    idempotency_key: IdempotencyKey = None,
) -> ChangedSubscription:
    """Put off the next charge; access goes on, free of charge, until then."""
    ident = uuid_in_path(subscription_id, "subscription_id")
    until = plannable(data.defer_till, "/defer_till")
    send = partial(tenant.subscriptions.defer, ident, defer_till=until, **notes(tenant, data))
    return await changed(tenant, idempotency_key, ident, send, until=until)

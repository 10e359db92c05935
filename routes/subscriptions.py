"""Subscriptions: find them, and the seven ways to change one."""

from datetime import datetime
from functools import partial
from typing import Annotated

import msgspec
from litestar import Response, Router, get, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter

from clients.billing import wire
from clients.errors import UpstreamError
from gateway.auth import needs
from gateway.idempotency import IdempotencyKey, once
from gateway.operations import Intention
from gateway.problems import NotFound
from gateway.subjects import Whose
from gateway.upstreams import TenantContext
from routes.intentions import about_migration, followed, one_subscription
from routes.ownership import SUBSCRIPTION
from routes.shapes.identifiers import uuid_in_path
from routes.shapes.page import DEFAULT_LIMIT, Cursor, Limit, Page, page
from routes.shapes.subscriptions import (
    Change,
    ChangedSubscription,
    Deferral,
    Discount,
    Migration,
    MigrationResult,
    Pause,
    Subscription,
    SubscriptionSearch,
)
from routes.shapes.times import plannable


@get("/", opt=needs("subscriptions:read", customer=Whose.QUERY), operation_id="listSubscriptions", status_code=200)
async def list_subscriptions(
    tenant: NamedDependency[TenantContext],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    external_id: Annotated[
        str | None, QueryParameter(min_length=1, max_length=256, description="Only this customer's.")
    ] = None,
    status: Annotated[list[str] | None, QueryParameter(description="Only those in any of these; repeatable.")] = None,
    intro_type: Annotated[str | None, QueryParameter(description="Only those with this intro.")] = None,
) -> Page[Subscription]:
    """List subscriptions, sorted by id.

    How the vendor turns pages is not documented: these are the ones that it
    gives in one answer.
    """
    found = await tenant.subscriptions.search(external_id=external_id, status_eq=status, intro_type=intro_type)
    return _page(tenant, found, limit=limit, cursor=cursor)


@post(
    "/search", opt=needs("subscriptions:read", customer=Whose.BODY), operation_id="searchSubscriptions", status_code=200
)
async def search_subscriptions(
    data: JSONBody[SubscriptionSearch],
    tenant: NamedDependency[TenantContext],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[Subscription]:
    """Find subscriptions, also by filters that only the vendor knows."""
    found = await tenant.subscriptions.search(
        external_id=data.external_id,
        intro_type=data.intro_type,
        subs_id=str(data.subscription_id) if data.subscription_id else None,
        status_eq=data.status,
        vendor_fields=data.vendor_fields,
    )
    return _page(tenant, found, limit=limit, cursor=cursor)


@get(
    "/{subscription_id:str}",
    opt=needs("subscriptions:read", customer=SUBSCRIPTION),
    operation_id="getSubscription",
    status_code=200,
)
async def get_subscription(subscription_id: FromPath[str], tenant: NamedDependency[TenantContext]) -> Subscription:
    """Show one subscription."""
    found = await one_subscription(tenant, uuid_in_path(subscription_id, "subscription_id"))
    if found is None:
        raise NotFound("There is no such subscription.")
    return Subscription.public(found)


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
        await tenant.subscriptions.enable_autorenew(ident, **_notes(data))
        return await _read_back(tenant, ident)

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
        await tenant.subscriptions.disable_autorenew(ident, **_notes(data))
        return await _read_back(tenant, ident)

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
        await tenant.subscriptions.pause(ident, pause_till=until, **_notes(data))
        return await _read_back(tenant, ident)

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
        await tenant.subscriptions.resume(ident, **_notes(data))
        return await _read_back(tenant, ident)

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
        await tenant.subscriptions.defer(ident, defer_till=until, **_notes(data))
        return await _read_back(tenant, ident)

    return await once(tenant.ledger, idempotency_key, _about(ident, until=until), act, keyed=False)


@post(
    "/{subscription_id:str}/discount",
    opt=needs("subscriptions:write", customer=SUBSCRIPTION, target=("confirm_duplicate",), money=True),
    operation_id="discountSubscription",
    status_code=200,
)
async def discount(
    subscription_id: FromPath[str],
    data: JSONBody[Discount],
    tenant: NamedDependency[TenantContext],
    idempotency_key: IdempotencyKey = None,
) -> ChangedSubscription:
    """Take a percentage off future charges.

    What a second discount does to the first is not documented by the vendor.
    """
    ident = uuid_in_path(subscription_id, "subscription_id")

    async def act() -> ChangedSubscription:
        await tenant.subscriptions.discount(
            ident, percent=data.percent, count_of_iterations=data.count_of_iterations, **_notes(data)
        )
        return await _read_back(tenant, ident)

    intention = Intention(
        resource=("subscription", ident), facts={"subscription_id": ident}, despite=data.confirm_duplicate
    )
    return await once(tenant.ledger, idempotency_key, intention, act)


@post(
    "/{subscription_id:str}/migrate",
    opt=needs(
        "subscriptions:write",
        "payments:charge",
        customer=SUBSCRIPTION,
        target=("price_point", "confirm_duplicate"),
        money=True,
    ),
    operation_id="migrateSubscription",
    status_code=200,
    responses={
        202: ResponseSpec(
            MigrationResult, generate_examples=False, description="Sent; how the payment went is not known yet."
        )
    },
)
async def migrate(
    subscription_id: FromPath[str],
    data: JSONBody[Migration],
    tenant: NamedDependency[TenantContext],
    idempotency_key: IdempotencyKey = None,
) -> Response[MigrationResult]:
    """Move to another price point, which may charge the customer's saved card.

    With `dry_run` nothing is charged, and no key is needed.
    """
    ident = uuid_in_path(subscription_id, "subscription_id")

    async def act() -> Response[MigrationResult]:
        migration = await tenant.subscriptions.migrate(
            ident,
            pp_ident=data.price_point,
            strategy=data.strategy,
            strict_mode=data.strict_mode,
            dry_run=data.dry_run,
            **_notes(data),
        )
        result = MigrationResult.public(migration)
        payment = result.payment_result
        if payment is None or data.dry_run:
            return Response(result, status_code=200)
        result = msgspec.structs.replace(result, payment_result=followed(tenant, payment))
        return Response(result, status_code=payment.http_status)

    if data.dry_run:
        return await act()
    about = partial(
        about_migration,
        tenant,
        ident,
        price_point=data.price_point,
        external_id=data.external_id,
        despite=data.confirm_duplicate,
    )
    return await once(tenant.ledger, idempotency_key, about, act)


def _about(ident: str, *, until: datetime | None = None) -> Intention:
    """A change that stands in no other's way."""
    return Intention(facts={"subscription_id": ident, "until": until})


def _notes(change: Change | None) -> dict[str, str | None]:
    """What accompanies a change, by the names that every client method has."""
    if change is None:
        return {}
    return {"external_id": change.external_id, "reason": change.reason, "comment": change.comment}


async def _read_back(tenant: TenantContext, ident: str) -> ChangedSubscription:
    """The subscription after a change; a read that fails does not undo it."""
    try:
        found = await one_subscription(tenant, ident)
    except UpstreamError as error:
        return ChangedSubscription.unread(ident, error, tenant.at)
    if found is None:
        return ChangedSubscription.unread(ident, NotFound("The vendor no longer shows the subscription."), tenant.at)
    return ChangedSubscription.read_back(found)


def _page(
    tenant: TenantContext, found: list[wire.Subscription], *, limit: int, cursor: str | None
) -> Page[Subscription]:
    subject = tenant.principal.subject
    # Whether the vendor's filter is exact is not documented.
    rows = [Subscription.public(row) for row in found if subject is None or row.external_id in {None, subject}]
    return page(rows, key=lambda row: row.id, limit=limit, cursor=cursor)


router = Router(
    "/subscriptions",
    route_handlers=[
        list_subscriptions,
        search_subscriptions,
        get_subscription,
        enable_autorenew,
        disable_autorenew,
        pause,
        resume,
        defer,
        discount,
        migrate,
    ],
    tags=["Subscriptions"],
)

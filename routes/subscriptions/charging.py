"""Subscriptions: the two changes of what is charged."""

from functools import partial

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody

from gateway.idempotency import IdempotencyKey, once
from gateway.needs import needs
from gateway.operations.intentions import Intention
from gateway.upstreams import TenantContext
from routes.intentions import about_migration, followed
from routes.ownership import SUBSCRIPTION
from routes.shapes.identifiers import uuid_in_path
from routes.shapes.subscriptions import (
    ChangedSubscription,
    Discount,
    Migration,
    MigrationResult,
)
from routes.subscriptions.change import notes, read_back


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
            ident, percent=data.percent, count_of_iterations=data.count_of_iterations, **notes(tenant, data)
        )
        return await read_back(tenant, ident)

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
            **notes(tenant, data),
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

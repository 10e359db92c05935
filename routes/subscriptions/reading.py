"""Subscriptions: find them."""

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from clients.billing import wire
from gateway.needs import needs
from gateway.problems import NotFound
from gateway.subjects import Whose
from gateway.upstreams import TenantContext
from routes.intentions import one_subscription
from routes.ownership import SUBSCRIPTION
from routes.shapes.identifiers import uuid_in_path
from routes.shapes.page import DEFAULT_LIMIT, Cursor, Limit, Page, page
from routes.shapes.subscriptions import (
    Subscription,
    SubscriptionSearch,
)


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


def _page(
    tenant: TenantContext, found: list[wire.Subscription], *, limit: int, cursor: str | None
) -> Page[Subscription]:
    subject = tenant.principal.subject
    # Whether the vendor's filter is exact is not documented.
    rows = [Subscription.public(row) for row in found if subject is None or row.external_id in {None, subject}]
    return page(rows, key=lambda row: row.id, limit=limit, cursor=cursor)

"""Customers: find them, and see what they own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from clients.errors import UpstreamError
from gateway.needs import needs
from gateway.problems import InsufficientScope
from gateway.subjects import Whose
from gateway.upstreams import TenantContext
from routes.shapes.customers import Assets, Customer, CustomerSearch, FoundCustomer
from routes.shapes.identifiers import external_id_in_path
from routes.shapes.missing import Missing
from routes.shapes.page import DEFAULT_LIMIT, Cursor, Limit, Page, page
from routes.shapes.payments import Payment
from routes.shapes.subscriptions import Subscription

T = TypeVar("T")


@post("/search", opt=needs("customers:read"), operation_id="searchCustomers", status_code=200)
async def search_customers(
    data: JSONBody[CustomerSearch],
    tenant: NamedDependency[TenantContext],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[FoundCustomer]:
    """Find customers by e-mail address."""
    found = [FoundCustomer(external_id=user.external_id) for user in await tenant.customers.search_users(data.email)]
    return page(found, key=lambda row: row.external_id, limit=limit, cursor=cursor)


@get(
    "/{external_id:str}/assets",
    opt=needs("customers:read", customer=Whose.PATH),
    operation_id="getCustomerAssets",
    status_code=200,
)
async def get_assets(external_id: FromPath[str], tenant: NamedDependency[TenantContext]) -> Assets:
    """Show all that a customer bought, whether it still runs or not."""
    customer = external_id_in_path(external_id)
    return Assets.public(await tenant.customers.my_assets(customer), external_id=customer)


@get(
    "/{external_id:str}", opt=needs("customers:read", customer=Whose.PATH), operation_id="getCustomer", status_code=200
)
async def get_customer(external_id: FromPath[str], tenant: NamedDependency[TenantContext]) -> Customer:
    """Show all that is known of a customer, in one answer.

    Subscriptions and payments each need the scope of their own route. A part
    that can't be had is null and named in `missing`; if none can be had, the
    failure of the assets is the answer.
    """
    customer = external_id_in_path(external_id)
    assets, subscriptions, payments = await asyncio.gather(
        _part(tenant.customers.my_assets(customer)),
        _permitted(tenant, "subscriptions:read", lambda: tenant.subscriptions.search(external_id=customer)),
        _permitted(tenant, "payments:read", lambda: tenant.payments.payments_history(customer)),
    )
    if isinstance(assets, UpstreamError) and isinstance(subscriptions, Exception) and isinstance(payments, Exception):
        raise assets
    parts = {"assets": assets, "subscriptions": subscriptions, "payments": payments}
    return Customer(
        external_id=customer,
        assets=None if isinstance(assets, Exception) else Assets.public(assets, external_id=customer),
        subscriptions=None
        if isinstance(subscriptions, Exception)
        else [Subscription.public(row, external_id=customer) for row in subscriptions],
        payments=None if isinstance(payments, Exception) else [Payment.public(row) for row in payments],
        missing=[
            Missing.of(part, error, tenant.at)
            for part, error in parts.items()
            if isinstance(error, UpstreamError | InsufficientScope)
        ],
    )


async def _part(call: Awaitable[T]) -> T | UpstreamError:
    try:
        return await call
    except UpstreamError as error:
        return error


async def _permitted(
    tenant: TenantContext, scope: str, call: Callable[[], Awaitable[T]]
) -> T | UpstreamError | InsufficientScope:
    """A part that needs a scope of its own; without it, nothing is called."""
    if scope not in tenant.principal.scopes:
        return InsufficientScope(f"The token lacks {scope}.")
    return await _part(call())


router = Router("/customers", route_handlers=[search_customers, get_assets, get_customer], tags=["Customers"])

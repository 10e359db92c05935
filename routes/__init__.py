"""Our public API: the table of contents."""

from typing import Final

from litestar import Router

from routes import (
    audit,
    cache,
    checkout,
    customers,
    docs,
    domains,
    features,
    health,
    me,
    operations,
    payments,
    price_points,
    subscriptions,
    tenants,
    tokens,
)

ROUTERS: Final = (
    Router(
        "/v1",
        route_handlers=[
            domains.router,
            price_points.router,
            features.router,
            subscriptions.router,
            payments.router,
            customers.router,
            checkout.router,
            operations.router,
            tenants.router,
            tokens.router,
            me.router,
            audit.router,
            cache.router,
        ],
    ),
    health.router,
    health.metrics_router,
    docs.router,
)
"""Every route of the gateway, one router per resource."""

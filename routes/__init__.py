"""Our public API: the table of contents."""

from typing import Final

from litestar import Router

from routes import docs, domains, features, health, price_points

ROUTERS: Final = (
    Router("/v1", route_handlers=[domains.router, price_points.router, features.router]),
    health.router,
    docs.router,
)
"""Every route of the gateway, one router per resource."""

"""Features: what a customer gets by buying."""

from litestar import Router, get
from litestar.di import NamedDependency

from gateway.auth import needs
from gateway.upstreams import TenantContext
from routes.shapes.catalog import Feature
from routes.shapes.page import DEFAULT_LIMIT, Cursor, Limit, Page, page


@get("/", opt=needs("catalog:read"), operation_id="listFeatures", status_code=200)
async def list_features(
    tenant: NamedDependency[TenantContext], limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[Feature]:
    """List features, sorted by ident."""
    features = [Feature.public(feature) for feature in await tenant.catalog.list_features()]
    return page(features, key=lambda feature: feature.ident, limit=limit, cursor=cursor)


router = Router("/features", route_handlers=[list_features], tags=["Features"])

"""Price points: what can be bought."""

from typing import Annotated

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from gateway.auth import needs
from gateway.problems import NotFound
from gateway.upstreams import TenantContext
from routes.shapes.catalog import PricePoint
from routes.shapes.page import DEFAULT_LIMIT, Cursor, Limit, Page, page


@get("/", opt=needs("catalog:read"), operation_id="listPricePoints", status_code=200)
async def list_price_points(
    tenant: NamedDependency[TenantContext],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    ident: Annotated[str | None, QueryParameter(description="Only the one with this ident.")] = None,
    currency: Annotated[str | None, QueryParameter(description="Only those in this currency, as in USD.")] = None,
    feature: Annotated[str | None, QueryParameter(description="Only those that grant this feature.")] = None,
) -> Page[PricePoint]:
    """List price points, sorted by ident."""
    points = [PricePoint.public(point) for point in await tenant.catalog.list_price_points()]
    matching = [
        point
        for point in points
        if (ident is None or point.ident == ident)
        and (currency is None or (point.currency is not None and point.currency.code.upper() == currency.upper()))
        and (feature is None or any(granted.ident == feature for granted in point.features))
    ]
    return page(matching, key=lambda point: point.ident, limit=limit, cursor=cursor)


@get("/{ident:str}", opt=needs("catalog:read"), operation_id="getPricePoint", status_code=200)
async def get_price_point(ident: FromPath[str], tenant: NamedDependency[TenantContext]) -> PricePoint:
    """Show one price point."""
    for point in await tenant.catalog.list_price_points():
        if point.ident == ident:
            return PricePoint.public(point)
    raise NotFound("There is no such price point.")


router = Router("/price-points", route_handlers=[list_price_points, get_price_point], tags=["Price points"])

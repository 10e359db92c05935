"""Price points: what can be bought."""

import asyncio
from operator import attrgetter
from typing import Annotated, Any, Final

from litestar import Request, Response, Router, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from clients.billing import wire
from clients.errors import UpstreamError
from gateway.cached_topics import PRICE_POINTS
from gateway.direct import Reader, direct
from gateway.http.body import csv_file
from gateway.idempotency import IdempotencyKey, once
from gateway.needs import needs
from gateway.operations.intentions import Intention
from gateway.problems import NotFound
from gateway.subjects import Whose
from gateway.upstreams import ReadContext, TenantContext
from routes.shapes.catalog import PricePoint, WrittenPricePoint
from routes.shapes.missing import Missing
from routes.shapes.page import DEFAULT_LIMIT, Cursor, Limit, Page, page
from routes.shapes.price_point_csv import BOM, IDENT, PricePointImport, idents
from routes.shapes.price_point_terms import NewPricePoint, PricePointChange

LARGEST_FILE: Final = 8 * 1024 * 1024
"""Bytes; over 100,000 rows with a price each."""

MOST_REMEMBERED: Final = 10_000
"""Rows of an import by which its end can be told later; of a longer one they are not kept."""


@get(
    "/",
    opt=needs("catalog:read", customer=Whose.NOBODY, cached=PRICE_POINTS, folded=["currency"]),
    operation_id="listPricePoints",
    status_code=200,
)
@direct
async def list_price_points(
    tenant: Reader,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    ident: Annotated[str | None, QueryParameter(description="Only the one with this ident.")] = None,
    currency: Annotated[str | None, QueryParameter(description="Only those in this currency, as in USD.")] = None,
    feature: Annotated[str | None, QueryParameter(description="Only those that grant this feature.")] = None,
) -> Page[PricePoint]:
    """List price points, sorted by ident; as they were up to a minute ago."""
    points = await tenant.cache.fetch(PRICE_POINTS, tenant.catalog.list_price_points)
    fetched_at = tenant.cache.fetched_at
    matching = [
        point
        for point in points
        if (ident is None or point.ident == ident)
        and (currency is None or (point.currency is not None and point.currency.code.upper() == currency.upper()))
        and (feature is None or any(granted.ident == feature for granted in point.features or ()))
    ]
    found = page(matching, key=attrgetter("ident"), limit=limit, cursor=cursor, fetched_at=fetched_at)
    return found.showing([PricePoint.public(point) for point in found.data])


@get(
    "/{ident:str}",
    opt=needs("catalog:read", customer=Whose.NOBODY, cached=PRICE_POINTS),
    operation_id="getPricePoint",
    status_code=200,
)
@direct
async def get_price_point(ident: FromPath[str], tenant: Reader) -> PricePoint:
    """Show one price point; as it was up to a minute ago."""
    for point in await tenant.cache.fetch(PRICE_POINTS, tenant.catalog.list_price_points):
        if point.ident == ident:
            return PricePoint.public(point)
    raise NotFound("There is no such price point.")


@post("/", opt=needs("catalog:write", target=("ident",)), operation_id="createPricePoint", status_code=201)
async def create_price_point(
    data: JSONBody[NewPricePoint], tenant: NamedDependency[TenantContext], idempotency_key: IdempotencyKey = None
) -> Response[WrittenPricePoint]:
    """Add a price point.

    Which currencies and features there are, the vendor knows and checks.
    """
    terms = data.terms()

    async def act() -> Response[WrittenPricePoint]:
        async with tenant.cache.dropping(PRICE_POINTS):
            await tenant.catalog.create_price_point(data.ident, **terms)
        written = await _read_back(tenant, data.ident)
        return Response(written, headers={"Location": f"{tenant.at.public_url}/v1/price-points/{data.ident}"})

    intention = Intention(facts={"ident": data.ident, "terms": terms})
    return await once(tenant.ledger, idempotency_key, intention, act, keyed=False)


@patch("/{ident:str}", opt=needs("catalog:write"), operation_id="updatePricePoint", status_code=200)
async def update_price_point(
    ident: FromPath[str],
    data: JSONBody[PricePointChange],
    tenant: NamedDependency[TenantContext],
    idempotency_key: IdempotencyKey = None,
) -> WrittenPricePoint:
    """Change a price point; what was sold before keeps its terms.

    A member that is left out stays as it is; null empties it.
    """
    if not IDENT.fullmatch(ident):
        raise NotFound("There is no such price point.")
    change: dict[str, Any] = {}

    async def about() -> Intention:
        change.update(data.terms(await _currency(tenant, ident) if data.needs_currency else None))
        # What further fields do, and whether they are shown, the vendor does not document.
        return Intention(facts={"ident": ident, "terms": None if data.vendor_fields else change})

    async def act() -> WrittenPricePoint:
        async with tenant.cache.dropping(PRICE_POINTS):
            await tenant.catalog.update_price_point(ident, vendor_fields=data.vendor_fields, **change)
        return await _read_back(tenant, ident)

    return await once(tenant.ledger, idempotency_key, about, act, keyed=False)


@get(
    "/price-points.csv",
    opt=needs("catalog:read", customer=Whose.NOBODY),
    operation_id="exportPricePoints",
    status_code=200,
    media_type="text/csv",
)
async def export_price_points(tenant: NamedDependency[TenantContext]) -> Response[bytes]:
    """Give all price points as a CSV file, in the vendor's columns: the template for an import.

    The file is the vendor's, byte for byte: a cell of it may begin a formula.
    """
    file = await tenant.catalog.export_csv()
    headers = {
        # As a header: to a media type of text Litestar would add an encoding.
        "Content-Type": file.media_type,
        "Content-Disposition": 'attachment; filename="price-points.csv"',
    }
    return Response(file.content, headers=headers)


@post(
    "/import",
    opt=needs("catalog:write", largest_body=LARGEST_FILE),
    operation_id="importPricePoints",
    status_code=200,
)
async def import_price_points(
    request: Request[Any, Any, Any], tenant: NamedDependency[TenantContext], idempotency_key: IdempotencyKey = None
) -> PricePointImport:
    """Add the price points of a CSV file, in the columns of an export, whose ident is new.

    Those that exist are skipped and stay as they are. The vendor does not say
    what became of the rows: it is found by reading the price points before and
    after, so others' changes of that moment show as well.
    """
    file = (await csv_file(request)).removeprefix(BOM)
    # On a thread: 8 MiB take so long to read that other callers would wait.
    rows = await asyncio.to_thread(idents, file)
    before: list[wire.PricePoint] = []

    async def about() -> Intention:
        before.extend(await tenant.catalog.list_price_points())
        known = {point.ident for point in before}
        remembered = rows if len(rows) <= MOST_REMEMBERED else []
        new = [ident for ident in remembered if ident not in known]
        return Intention(facts={"rows": len(rows), "new": new, "skipped": [*{*remembered} & known]})

    async def act() -> PricePointImport:
        async with tenant.cache.dropping(PRICE_POINTS):
            await tenant.catalog.import_csv(file)
        try:
            after = await tenant.catalog.list_price_points()
        except UpstreamError as error:
            missing = [Missing.of(part, error, tenant.at) for part in ("inserted", "absent")]
            return PricePointImport.unseen(rows, before=before, missing=missing)
        return PricePointImport.seen(rows, before=before, after=after)

    return await once(tenant.ledger, idempotency_key, about, act, keyed=False)


async def _one(tenant: ReadContext, ident: str) -> wire.PricePoint | None:
    listed = await tenant.catalog.list_price_points(ident=ident)
    return next((point for point in listed if point.ident == ident), None)


async def _read_back(tenant: TenantContext, ident: str) -> WrittenPricePoint:
    """The price point after a write; a read that fails does not undo it."""
    try:
        point = await _one(tenant, ident)
    except UpstreamError as error:
        return WrittenPricePoint.unread(ident, error, tenant.at)
    if point is None:
        return WrittenPricePoint.unread(ident, NotFound("The vendor does not list the price point."), tenant.at)
    return WrittenPricePoint.read_back(point)


async def _currency(tenant: TenantContext, ident: str) -> str | None:
    """The currency that a price point has; None if it can't be read, so that only the vendor can check amounts."""
    try:
        point = await _one(tenant, ident)
    except UpstreamError:
        return None
    return point.currency.code if point is not None and point.currency is not None else None


router = Router(
    "/",
    route_handlers=[
        export_price_points,
        Router(
            "/price-points",
            route_handlers=[
                list_price_points,
                get_price_point,
                create_price_point,
                update_price_point,
                import_price_points,
            ],
        ),
    ],
    tags=["Price points"],
)

"""Features: what a customer gets by buying."""

from operator import attrgetter

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from clients.errors import UpstreamError
from gateway.cached_topics import FEATURES
from gateway.direct import Reader, direct
from gateway.idempotency import IdempotencyKey, once
from gateway.needs import needs
from gateway.operations.intentions import Intention
from gateway.problems import NotFound
from gateway.subjects import Whose
from gateway.upstreams import TenantContext
from routes.shapes.catalog import Feature, NewFeature, WrittenFeature
from routes.shapes.page import DEFAULT_LIMIT, Cursor, Limit, Page, page


@get(
    "/", opt=needs("catalog:read", customer=Whose.NOBODY, cached=FEATURES), operation_id="listFeatures", status_code=200
)
@direct
async def list_features(tenant: Reader, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[Feature]:
    """List features, sorted by ident; as they were up to a minute ago."""
    features = await tenant.cache.fetch(FEATURES, tenant.catalog.list_features)
    fetched_at = tenant.cache.fetched_at
    found = page(features, key=attrgetter("ident"), limit=limit, cursor=cursor, fetched_at=fetched_at)
    return found.showing([Feature.public(feature) for feature in found.data])


@post("/", opt=needs("catalog:write", target=("ident",)), operation_id="createFeature", status_code=201)
async def create_feature(
    data: JSONBody[NewFeature], tenant: NamedDependency[TenantContext], idempotency_key: IdempotencyKey = None
) -> WrittenFeature:
    """Add a feature that price points can grant."""

    async def act() -> WrittenFeature:
        async with tenant.cache.dropping(FEATURES):
            await tenant.catalog.create_feature(data.ident, feature_type=data.feature_type)
        return await _read_back(tenant, data)

    return await once(tenant.ledger, idempotency_key, Intention(facts={"ident": data.ident}), act, keyed=False)


async def _read_back(tenant: TenantContext, data: NewFeature) -> WrittenFeature:
    """The feature after it was made; a read that fails does not undo it."""
    try:
        features = await tenant.catalog.list_features()
    except UpstreamError as error:
        return WrittenFeature.unread(data.ident, error, tenant.at)
    for feature in features:
        if feature.ident == data.ident:
            return WrittenFeature.read_back(feature)
    return WrittenFeature.unread(data.ident, NotFound("The vendor does not list the feature yet."), tenant.at)


router = Router("/features", route_handlers=[list_features, create_feature], tags=["Features"])

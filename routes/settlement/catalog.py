"""How changes of the catalog ended: each is looked for in the lists."""

from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from clients.billing import wire
from gateway.operations.outcomes import Answer, Operation, State
from gateway.operations.settling import Kind, Place, Verdict, told
from gateway.upstreams import Scene
from routes.settlement.verdicts import UNREAD, done, not_done, open_still, text
from routes.shapes.catalog import WrittenFeature, WrittenPricePoint
from routes.shapes.missing import Missing
from routes.shapes.price_point_csv import PricePointImport

UNSHOWN: Final = frozenset({"descriptor"})
"""Terms that the vendor takes and does not show."""


def settled_price_point(status: int) -> Callable[[Scene, Operation], Awaitable[Verdict]]:
    """What settles a price point that is made or changed: all its fields that were given are equal."""

    async def settle(scene: Scene, operation: Operation) -> Verdict:
        ident, terms = text(operation, "ident"), operation.facts.get("terms")
        listed = await scene.catalog.list_price_points(ident=ident)
        found = next((point for point in listed if point.ident == ident), None)
        shown = {name: value for name, value in (terms or {}).items() if name not in UNSHOWN}
        differ = [name for name, value in shown.items() if found is None or not _equal(found, name, value)]
        if found is None or not shown or differ:
            return open_still(listed=found is not None, differ=differ)
        location = f"{scene.at.public_url}/v1/price-points/{ident}" if status == _CREATED else None
        return done(WrittenPricePoint.read_back(found), status, location=location)

    return settle


def _equal(point: wire.PricePoint, name: str, value: Any) -> bool:
    if name == "currency_code":
        return point.currency is not None and point.currency.code == value
    if name == "features":
        return {feature.ident for feature in point.features or ()} == {*value}
    shown = getattr(point, name, None)
    if isinstance(shown, Decimal):
        try:
            return shown == Decimal(str(value))
        except InvalidOperation:
            return False
    return bool(shown == value)


async def settle_feature(scene: Scene, operation: Operation) -> Verdict:
    """A feature is proven by being listed."""
    ident = text(operation, "ident")
    found = next((row for row in await scene.catalog.list_features() if row.ident == ident), None)
    if found is None:
        return open_still(listed=False)
    return done(WrittenFeature.read_back(found), _CREATED)


async def settle_import(scene: Scene, operation: Operation) -> Verdict:
    """An import is proven when every row's price point is there; one that brought nothing new, by nothing."""
    new, skipped = operation.facts.get("new", []), operation.facts.get("skipped", [])
    listed = {point.ident for point in await scene.catalog.list_price_points()}
    absent = [ident for ident in new if ident not in listed]
    if not new or absent:
        return open_still(absent=len(absent))
    return done(PricePointImport(inserted=new, skipped_existing=skipped, absent=[]))


_CREATED: Final = 201


def _resolved_price_point(status: int) -> Callable[[Place, Operation, State], Answer]:
    def resolved(place: Place, operation: Operation, state: State) -> Answer:
        if state is State.SUCCEEDED:
            return told(WrittenPricePoint.unread(text(operation, "ident"), UNREAD, place.at), status)
        return not_done(place.at)

    return resolved


def _resolved_feature(place: Place, operation: Operation, state: State) -> Answer:
    if state is State.SUCCEEDED:
        return told(WrittenFeature.unread(text(operation, "ident"), UNREAD, place.at), _CREATED)
    return not_done(place.at)


def _resolved_import(place: Place, operation: Operation, state: State) -> Answer:
    if state is State.SUCCEEDED:
        missing = [Missing.of(part, UNREAD, place.at) for part in ("inserted", "absent")]
        skipped = operation.facts.get("skipped", [])
        return told(PricePointImport(inserted=None, skipped_existing=skipped, absent=None, missing=missing))
    return not_done(place.at)


CATALOG: Final = {
    "createPricePoint": Kind(settle=settled_price_point(_CREATED), resolved=_resolved_price_point(_CREATED)),
    "updatePricePoint": Kind(settle=settled_price_point(200), resolved=_resolved_price_point(200)),
    "importPricePoints": Kind(settle=settle_import, resolved=_resolved_import),
    "createFeature": Kind(settle=settle_feature, resolved=_resolved_feature),
}

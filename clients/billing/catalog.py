"""What is on offer: price points and features."""

from typing import Final, TypeVar

import msgspec

from clients.billing import wire
from clients.billing.envelope import decoded
from clients.errors import Operation
from clients.transport import Upstream

T = TypeVar("T")

NAME: Final = "funnelfox"

PRICE_POINTS: Final = Operation(NAME, "POST /price_points", "read")
FEATURES: Final = Operation(NAME, "POST /features", "read")


class CatalogClient:
    """The price points and features of one organization; reading them needs no secret key.

    Args:
        upstream: Already aimed at the organization.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def list_price_points(self) -> list[wire.PricePoint]:
        """Every price point, in no documented order.

        Source: FunnelFox seed, "Filtering": an empty object lists all.
        """
        return (await self._call(PRICE_POINTS, "/price_points", wire.PricePoints)).price_points

    async def list_features(self) -> list[wire.Feature]:
        """Every feature, in no documented order.

        Source: FunnelFox seed, "Available endpoints"; the schema of the answer is not documented by the vendor.
        """
        return (await self._call(FEATURES, "/features", wire.Features)).features

    async def _call(self, operation: Operation, path: str, shape: type[T]) -> T:
        # Every call of this vendor takes a JSON object, though these two need nothing in it.
        return decoded(await self._upstream.call(operation, path, json=msgspec.json.encode({})), operation, shape)

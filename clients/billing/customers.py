"""Customers: who they are, and what they own."""

from typing import TypeVar

import msgspec

from clients.billing import wire
from clients.billing.calls import answered
from clients.billing.operations import MY_ASSETS, SEARCH_USERS
from clients.transport import Upstream

T = TypeVar("T")


class CustomersClient:
    """The customers of one organization; finding them needs its secret key, seeing what they own does not.

    Every method raises `clients.errors.UpstreamError` for what it does not name itself.

    Args:
        upstream: Already aimed at the organization, with its secret key.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def my_assets(self, external_id: str) -> wire.Assets:
        """The subscriptions and one-offs of a customer, in no documented order.

        What the vendor answers for a customer whom it does not know is not documented.

        Args:
            external_id: The merchant's own id, 256 characters at most.

        Source: FunnelFox seed, "Available endpoints"; fields: vendor's reference.
        """
        found = await answered(self._upstream, MY_ASSETS, {"external_id": external_id}, wire.AssetsAnswer)
        return wire.Assets(subscriptions=_rows(found.subscriptions), oneoffs=_rows(found.oneoffs))

    async def search_users(self, email: str | None) -> list[wire.User]:
        """The customers with that e-mail address; whether the match is exact is not documented by the vendor.

        Args:
            email: 1024 characters at most. None is sent as null, because the
                vendor demands the key; what null finds is not documented.

        Source: FunnelFox seed, "Available endpoints"; fields: vendor's reference.
        """
        return (await answered(self._upstream, SEARCH_USERS, {"email": email}, wire.FoundUsers)).users or []


def _rows(rows: list[T] | msgspec.UnsetType | None) -> list[T]:
    return rows if isinstance(rows, list) else []

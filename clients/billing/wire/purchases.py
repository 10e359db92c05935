"""What customers own, as the vendor sends it.

Times are text: they come with `Z` and also without any zone, and that the
latter are UTC is not documented by the vendor.
"""

from typing import Any

import msgspec

from clients.billing.wire.catalog import PricePoint


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase that renews.

    Source: vendor's reference of /my_assets. That /subscription/search answers
    the same is not documented; `external_id` is read where it comes.
    """

    subs_id: str
    external_id: str | None = None
    is_active: bool | None = None
    price_point: PricePoint | None = None
    status: list[str] | None = None
    """Several at once, of `INTRO`, `UPCOMING`, `RECURRING`, `AUTORENEW_OFF`, `PAUSED`, `GRACE`, `RETRY`, `EXPIRED`.

    A recurring one is charged two hours before its period ends.
    """
    started_at: Any = None
    current_period_starts_at: Any = None
    current_period_ends_at: Any = None
    next_check_at: Any = None
    """None also where a pause has no end."""
    available_actions: list[str] | None = None
    """`pause` is the one value that the vendor shows."""
    initial_order_metadata: dict[str, Any] | None = None
    """The merchant's own; whether it is the session's `client_metadata` is not documented by the vendor."""
    iteration: int | None = None


class Oneoff(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase that does not renew.

    Source: vendor's reference of /my_assets.
    """

    oneoff_id: str
    is_active: bool | None = None
    price_point: PricePoint | None = None
    order_id: str | None = None
    started_at: Any = None
    revoked_at: Any = None
    initial_order_metadata: dict[str, Any] | None = None


class Assets(msgspec.Struct, frozen=True, kw_only=True):
    """All that a customer bought, whether it still runs or not."""

    subscriptions: list[Subscription]
    oneoffs: list[Oneoff]


class AssetsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The data of /my_assets; without either list it is no such data."""

    subscriptions: list[Subscription] | msgspec.UnsetType | None = msgspec.UNSET
    oneoffs: list[Oneoff] | msgspec.UnsetType | None = msgspec.UNSET

    def __post_init__(self) -> None:
        if self.subscriptions is msgspec.UNSET and self.oneoffs is msgspec.UNSET:
            raise ValueError("neither subscriptions nor one-offs")


class FoundSubscriptions(msgspec.Struct, frozen=True, kw_only=True):
    """The data of /subscription/search, whose schema is not documented by the vendor."""

    subscriptions: list[Subscription] | None


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A customer, by the merchant's own id."""

    external_id: str


class FoundUsers(msgspec.Struct, frozen=True, kw_only=True):
    """The data of /search_users."""

    users: list[User] | None

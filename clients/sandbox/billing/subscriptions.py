"""FunnelFox subscriptions and one-offs: what customers own."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from threading import RLock
from typing import Annotated
from uuid import UUID

import msgspec

from clients.sandbox.billing.currencies import rounded_to
from clients.sandbox.billing.customers import ExternalId
from clients.sandbox.billing.periods import after
from clients.sandbox.billing.price_points import IntroType, PricePoint
from clients.sandbox.refusals import BillingRefused, NotThere

MAX_SUBSCRIPTIONS = 5000

# The vendor charges this long before a period ends...
_CHARGED_AHEAD = timedelta(hours=2)
# ...but never before the middle of a short one; chosen here.
_LATEST_PART = 2

_WHOLE_PERCENT = 100


class Stage(Enum):
    """Where a subscription is in its life; autorenewal and pauses come on top."""

    UPCOMING = "UPCOMING"
    INTRO = "INTRO"
    RECURRING = "RECURRING"
    GRACE = "GRACE"
    RETRY = "RETRY"
    EXPIRED = "EXPIRED"


class Pause(msgspec.Struct, frozen=True):
    """A suspended subscription; `until` is None where nobody knows yet."""

    until: datetime | None
    left: timedelta
    """What remained of the paid period, and is given back at the end."""


class Discount(msgspec.Struct):
    """A percentage off; `charges_left` is None where it never ends."""

    percent: int
    charges_left: int | None


class Subscription(msgspec.Struct, kw_only=True):
    """One subscription of one customer."""

    subs_id: UUID
    external_id: str
    price_point: PricePoint
    method: str
    stage: Stage
    started_at: datetime
    period_starts_at: datetime
    period_ends_at: datetime
    metadata: dict[str, object]
    autorenew: bool = True
    pause: Pause | None = None
    discount: Discount | None = None
    iteration: int = 0
    """Which period this is: 0 the introduction, 1 the first at the regular price. Chosen here."""

    charge_at: datetime | None = None
    """When the next charge is due, where that is not the regular time: deferred, or tried again."""

    failed_at: datetime | None = None
    failures: int = 0

    @property
    def is_active(self) -> bool:
        """Whether the customer has access now."""
        return self.pause is None and self.stage in {Stage.INTRO, Stage.RECURRING, Stage.GRACE}

    @property
    def is_over(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.stage is Stage.EXPIRED

    @property
    def statuses(self) -> list[str]:
        """All statuses that hold at once, in the vendor's words."""
        marks = [] if self.autorenew or self.is_over else ["AUTORENEW_OFF"]
        return [self.stage.value, *marks, *(["PAUSED"] if self.pause else [])]

    @property
    def next_check_at(self) -> datetime | None:
        """When something will happen to it by itself."""
        if self.is_over:
            return None
        if self.pause is not None:
            return self.pause.until
        if self.stage is Stage.UPCOMING:
            return self.period_starts_at
        if not self.autorenew:
            return self.period_ends_at
        if self.charge_at is not None:
            return self.charge_at
        ahead = min(_CHARGED_AHEAD, (self.period_ends_at - self.period_starts_at) / _LATEST_PART)
        return self.period_ends_at - ahead

    @property
    def actions(self) -> list[str]:
        """What may be done with it; of these words only `pause` is documented, the rest chosen here."""
        if self.is_over or self.stage is Stage.UPCOMING:
            return []
        if self.pause is not None:
            return ["resume"]
        return [
            "pause",
            "defer",
            "discount",
            "migration",
            "disable_autorenew" if self.autorenew else "enable_autorenew",
        ]

    def price(self) -> Decimal:
        """Return what the next regular charge comes to."""
        price = self.price_point.terms.next_price or Decimal(0)
        if self.discount is None:
            return rounded_to(price, self.price_point.currency)
        kept = Decimal(_WHOLE_PERCENT - self.discount.percent) / _WHOLE_PERCENT
        return rounded_to(price * kept, self.price_point.currency)

    def renew(self, *, starts_at: datetime) -> None:
        """Begin a paid period, of which the discount was a part."""
        terms = self.price_point.terms
        self.stage = Stage.RECURRING
        self.iteration += 1
        self.period_starts_at = starts_at
        self.period_ends_at = after(starts_at, terms.next_period or 1, terms.next_period_duration or "months")
        self.failed_at = self.charge_at = None
        self.failures = 0
        if self.discount is not None and self.discount.charges_left is not None:
            self.discount.charges_left -= 1
            self.discount = self.discount if self.discount.charges_left else None

    def expire(self) -> None:
        """End it, access included."""
        self.stage = Stage.EXPIRED
        self.pause = None


class OneOff(msgspec.Struct, kw_only=True):
    """A purchase that does not renew."""

    oneoff_id: UUID
    external_id: str
    order_id: UUID
    price_point: PricePoint
    started_at: datetime
    metadata: dict[str, object]
    revoked_at: datetime | None = None


class SubscriptionSearch(msgspec.Struct, frozen=True, kw_only=True):
    """`/subscription/search`; `limit` and `offset` are not documented by the vendor; chosen here."""

    external_id: ExternalId | None = None
    intro_type: IntroType | None = None
    subs_id: UUID | None = None
    status_eq: list[str | int] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0


class Subscriptions:
    """What one account's customers own.

    Args:
        lock: Held by what a test may call from its own thread.
    """

    def __init__(self, *, lock: RLock) -> None:
        self._lock = lock
        self._rows: dict[UUID, Subscription] = {}
        self._oneoffs: dict[UUID, OneOff] = {}

    @property
    def all(self) -> list[Subscription]:
        """Every subscription, oldest first."""
        with self._lock:
            return list(self._rows.values())

    @property
    def oneoffs(self) -> list[OneOff]:
        """Every one-off, oldest first."""
        with self._lock:
            return list(self._oneoffs.values())

    def open(self, subscription: Subscription) -> None:
        """Add a subscription."""
        self._rows[subscription.subs_id] = subscription

    def grant(self, oneoff: OneOff) -> None:
        """Add a one-off."""
        self._oneoffs[oneoff.oneoff_id] = oneoff

    def find(self, subs_id: UUID, external_id: str | None) -> Subscription:
        """Return a subscription; one of another customer than the named one is as good as none."""
        found = self._rows.get(subs_id)
        if found is None or external_id not in {None, found.external_id}:
            raise NotThere("subs_id: there is no such subscription")
        return found

    def subscription(self, subs_id: UUID | None) -> Subscription | None:
        """Return a subscription, or None."""
        return None if subs_id is None else self._rows.get(subs_id)

    def oneoff(self, oneoff_id: UUID | None) -> OneOff | None:
        """Return a one-off, or None."""
        return None if oneoff_id is None else self._oneoffs.get(oneoff_id)

    def owned(self, external_id: str) -> tuple[list[Subscription], list[OneOff]]:
        """Return all that a customer bought, whether it still runs or not."""
        return (
            [row for row in self._rows.values() if row.external_id == external_id],
            [row for row in self._oneoffs.values() if row.external_id == external_id],
        )

    def owns(self, external_id: str, ident: str) -> bool:
        """Return whether the customer has that price point now, so that buying it again would be a mistake."""
        subscriptions, oneoffs = self.owned(external_id)
        return any(row.price_point.ident == ident and not row.is_over for row in subscriptions) or any(
            row.price_point.ident == ident and row.revoked_at is None for row in oneoffs
        )

    def search(self, wanted: SubscriptionSearch) -> list[Subscription]:
        """Return one page of the subscriptions that pass every given filter.

        What a number in `status_eq` means is not documented by the vendor; here it matches none.
        """
        statuses = None if wanted.status_eq is None else set(wanted.status_eq)
        found = [
            row
            for row in self._rows.values()
            if wanted.external_id in {None, row.external_id}
            and wanted.subs_id in {None, row.subs_id}
            and wanted.intro_type in {None, row.price_point.terms.intro_type}
            and (statuses is None or not statuses.isdisjoint(row.statuses))
        ]
        return found[wanted.offset : wanted.offset + wanted.limit]

    def make_room(self) -> None:
        """Refuse one more purchase where there are too many: asked before money moves, not after."""
        if len(self._rows) + len(self._oneoffs) >= MAX_SUBSCRIPTIONS:
            raise BillingRefused(f"an account of the sandbox holds {MAX_SUBSCRIPTIONS} purchases")

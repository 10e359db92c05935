"""Checkout orders: what a session is opened for, and how far its payment came."""

from datetime import datetime
from enum import Enum
from uuid import UUID

import msgspec

from clients.sandbox.billing.identities import Identities
from clients.sandbox.billing.ledger import Source, Transaction
from clients.sandbox.billing.payment_methods import Behaviour
from clients.sandbox.billing.price_points import PricePoint
from clients.sandbox.refusals import BillingRefused, Invalid, NotThere

# Sessions need no key, so this is what stands between a loop and the memory.
MAX_ORDERS = 5000

# A merchant's marks, not a document.
_MAX_METADATA_BYTES = 16 * 1024
_MAX_METADATA_DEPTH = 32


class State(Enum):
    """How far the payment of an order came."""

    OPEN = "open"
    ACTING = "acting"
    PROCESSING = "processing"
    PAID = "paid"


class Order(msgspec.Struct, kw_only=True):
    """One order, opened by a session or by one click."""

    order_id: UUID
    client_token: str
    price_point: PricePoint
    external_id: str
    integration_type: str
    region: str
    metadata: dict[str, object]
    state: State = State.OPEN
    attempt: Transaction | None = None
    """The payment that waits for the customer or for the bank."""

    behaviour: Behaviour = Behaviour()
    settles_at: datetime | None = None
    replaced_by: UUID | None = None
    """The newest order of the session, where a payment was answered with a new one."""

    def source(self, method: str) -> Source:
        """Describe a charge for this order by the payment method token `method`."""
        return Source(
            order_id=self.order_id,
            external_id=self.external_id,
            price_point=self.price_point,
            method=method,
            integration_type=self.integration_type,
            region=self.region,
            metadata=self.metadata,
        )


class Orders:
    """One account's orders."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities
        self._rows: dict[UUID, Order] = {}

    def open(
        self,
        price_point: PricePoint,
        external_id: str,
        *,
        metadata: dict[str, object],
        integration_type: str = "fakeintegration",
        region: str = "default",
    ) -> Order:
        """Open an order."""
        order = Order(
            order_id=self._identities.new(),
            client_token=f"sbx-client.{self._identities.new().hex}",
            price_point=price_point,
            external_id=external_id,
            integration_type=integration_type,
            region=region,
            metadata=bounded(metadata),
        )
        return self._added(order)

    def renewed(self, order: Order) -> Order:
        """Open a new order in the place of `order`, as the vendor may on a second attempt."""
        new = msgspec.structs.replace(order, order_id=self._identities.new(), state=State.OPEN, attempt=None)
        order.replaced_by = new.order_id
        return self._added(new)

    def find(self, order_id: UUID) -> Order:
        """Return the order of exactly that id."""
        try:
            return self._rows[order_id]
        except KeyError:
            raise NotThere("order_id: there is no such order") from None

    def newest(self, order_id: UUID) -> Order:
        """Return the order that stands for the session of `order_id` by now."""
        order = self.find(order_id)
        while order.replaced_by is not None:
            order = self.find(order.replaced_by)
        return order

    def settling(self, now: datetime) -> list[Order]:
        """Return the orders whose bank has made up its mind by `now`, in that order."""
        due = [order for order in self._rows.values() if order.settles_at is not None and order.settles_at <= now]
        return sorted(due, key=lambda order: order.settles_at or now)

    def _added(self, order: Order) -> Order:
        if len(self._rows) >= MAX_ORDERS:
            raise BillingRefused(f"an account of the sandbox holds {MAX_ORDERS} orders")
        self._rows[order.order_id] = order
        return order


def bounded(metadata: dict[str, object]) -> dict[str, object]:
    """Return `client_metadata` if it is of a reasonable size; the limits are chosen here."""
    if _deeper_than(_MAX_METADATA_DEPTH, metadata):
        raise Invalid(f"client_metadata: nested deeper than {_MAX_METADATA_DEPTH} levels")
    if len(msgspec.json.encode(metadata)) > _MAX_METADATA_BYTES:
        raise Invalid(f"client_metadata: more than {_MAX_METADATA_BYTES} bytes")
    return metadata


def _deeper_than(levels: int, value: object) -> bool:
    if isinstance(value, dict):
        return levels == 0 or any(_deeper_than(levels - 1, child) for child in value.values())
    return isinstance(value, list) and (levels == 0 or any(_deeper_than(levels - 1, child) for child in value))

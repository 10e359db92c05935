"""Charges, as shops make them, and what the vendor's books say of them."""

from collections.abc import Callable
from decimal import Decimal
from time import monotonic, sleep
from typing import Any, Final, TypeVar
from uuid import uuid4

import httpx

from tests.support.timing import PATIENCE

T = TypeVar("T")

SESSION: Final = {
    "price_point": "yearly-premium",
    "email_address": "a@example.com",
    "integration_type": "fakeintegration",
}

CHARGE: Final = "POST /checkout/create_payment"


def key(name: str | None = None) -> dict[str, str]:
    """The header that a money call needs; without a name, a new one."""
    return {"Idempotency-Key": name or str(uuid4())}


def customer() -> str:
    """Somebody who has bought nothing yet."""
    return f"c{uuid4().hex[:12]}"


def order_for(api: httpx.Client, **wish: object) -> str:
    """A fresh session's order, of a fresh customer."""
    reply = api.post("/v1/checkout/sessions", json=SESSION | {"external_id": customer()} | wish)
    assert reply.status_code == 201, reply.text
    order: str = reply.json()["order_id"]
    return order


def payment(order_id: str, card: str = "pmt_ok", **more: object) -> dict[str, Any]:
    """The body of a payment with a card that nobody else charges."""
    return {"order_id": order_id, "payment_method_token": f"{card}-{uuid4().hex[:8]}", **more}


def pay(api: httpx.Client, order_id: str, card: str = "pmt_ok", name: str | None = None) -> httpx.Response:
    """Charge a fresh card with a magic token."""
    return api.post("/v1/checkout/payments", json=payment(order_id, card), headers=key(name))


def charged(entries: list[Any], order_id: str) -> list[Decimal]:
    """What the vendor has charged for an order."""
    return [entry.amount for entry in entries if entry.kind == "charge" and str(entry.order_id) == order_id]


def eventually(look: Callable[[], T | None]) -> T:
    """What a look finds, as soon as it finds something."""
    ends = monotonic() + PATIENCE
    while (found := look()) is None:
        assert monotonic() < ends, "it did not come about"
        sleep(0.02)
    return found

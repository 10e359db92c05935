"""One call of each class to each vendor that has it, as callers make it."""

from collections.abc import Callable
from typing import Final
from uuid import uuid4

import httpx
import msgspec

from clients.errors import Kind as Class

Send = Callable[[], httpx.Response]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A call to the gateway that leads to one operation of a vendor."""

    name: str
    kind: Class
    vendor: str
    operation: str
    """The vendor's, whose requests are counted."""

    prepare: Callable[[httpx.Client], Send]
    """Sees to what the call needs; what it returns sends it."""

    answer: int = 200
    """The status when all is well."""

    orphan_harmless: bool = False
    """Whether the caller may make it anew when its outcome is unknown."""

    looks_first: bool = False
    """Whether it reads before it acts, so that a vendor who can't be read is never asked to act."""


def _list_domains(api: httpx.Client) -> Send:
    return lambda: api.get("/v1/domains")


def _list_price_points(api: httpx.Client) -> Send:
    return lambda: api.get("/v1/price-points")


def _check_domain(api: httpx.Client) -> Send:
    return lambda: api.post("/v1/domains/check", json={"hostname": "live.brightside.example"})


def _preview_migration(api: httpx.Client) -> Send:
    owned = api.get("/v1/subscriptions", params={"external_id": "user-ada"}).json()["data"][0]
    wish = {"price_point": "yearly-premium", "strategy": "price_prorate", "dry_run": True}
    return lambda: api.post(f"/v1/subscriptions/{owned['id']}/migrate", json=wish)


def _create_domain(api: httpx.Client) -> Send:
    hostname = f"d{uuid4().hex[:12]}.fault-test.com"
    return lambda: api.post("/v1/domains", json={"hostname": hostname})


def _create_feature(api: httpx.Client) -> Send:
    feature = {"ident": f"f{uuid4().hex[:12]}", "feature_type": "timebased"}
    return lambda: api.post("/v1/features", json=feature)


def _open_session(api: httpx.Client) -> Send:
    session = {
        "price_point": "coach-session",
        "external_id": f"c{uuid4().hex[:12]}",
        "email_address": "a@example.com",
        "integration_type": "fakeintegration",
    }
    return lambda: api.post("/v1/checkout/sessions", json=session)


def _pay(api: httpx.Client) -> Send:
    order = _open_session(api)().json()["order_id"]
    payment = {"order_id": order, "payment_method_token": f"pmt_ok-{uuid4().hex[:8]}"}
    return lambda: api.post("/v1/checkout/payments", json=payment, headers=_key())


def _paid(api: httpx.Client) -> dict[str, str]:
    """A payment of a customer whom nobody else charges: what is open about one holds others up."""
    customer = f"c{uuid4().hex[:12]}"
    session = {
        "price_point": "lifetime",
        "external_id": customer,
        "email_address": "a@example.com",
        "integration_type": "fakeintegration",
    }
    order: str = api.post("/v1/checkout/sessions", json=session).json()["order_id"]
    payment = {"order_id": order, "payment_method_token": f"pmt_ok-{uuid4().hex[:8]}"}
    api.post("/v1/checkout/payments", json=payment, headers=_key()).raise_for_status()
    return {"external_id": customer, "order_id": order}


def _one_click(api: httpx.Client) -> Send:
    purchase = {"external_id": _paid(api)["external_id"], "price_point": "coach-session"}
    return lambda: api.post("/v1/checkout/one-click", json=purchase, headers=_key())


def _refund(api: httpx.Client) -> Send:
    refund = _paid(api) | {"amount": "0.10"}
    return lambda: api.post("/v1/refunds", json=refund, headers=_key())


def _key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


ASKS: Final = (
    Ask(name="list domains", kind="read", vendor="funnelflux", operation="GET /domains", prepare=_list_domains),
    Ask(
        name="list price points",
        kind="read",
        vendor="funnelfox",
        operation="POST /price_points",
        prepare=_list_price_points,
    ),
    Ask(
        name="check a domain",
        kind="probe",
        vendor="funnelflux",
        operation="POST /domains/check",
        prepare=_check_domain,
    ),
    Ask(
        name="preview a migration",
        kind="probe",
        vendor="funnelfox",
        operation="POST /subscription/migration",
        prepare=_preview_migration,
    ),
    Ask(
        name="create a domain",
        kind="write",
        vendor="funnelflux",
        operation="POST /domains",
        prepare=_create_domain,
        answer=201,
    ),
    Ask(
        name="create a feature",
        kind="write",
        vendor="funnelfox",
        operation="POST /feature/create",
        prepare=_create_feature,
        answer=201,
    ),
    Ask(
        name="open a session",
        kind="write",
        vendor="funnelfox",
        operation="POST /checkout/create_client_session",
        prepare=_open_session,
        answer=201,
        orphan_harmless=True,
    ),
    Ask(name="pay", kind="money", vendor="funnelfox", operation="POST /checkout/create_payment", prepare=_pay),
    Ask(
        name="pay with one click",
        kind="money",
        vendor="funnelfox",
        operation="POST /checkout/one_click",
        prepare=_one_click,
    ),
    Ask(
        name="refund",
        kind="money",
        vendor="funnelfox",
        operation="POST /payment/refund",
        prepare=_refund,
        looks_first=True,
    ),
)
"""A read, a probe and a write of each vendor, the write whose orphan is harmless, and three ways to move money."""

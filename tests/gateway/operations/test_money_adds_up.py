"""Whatever goes wrong in whatever order: what callers were told and what the vendor's books say is the same money."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clients.sandbox.server import SandboxServer
from tests.support.charging import CHARGE, customer, key, order_for, payment
from tests.support.gateway import RunningGateway, Tenant

FAULTS: Final[list[tuple[str, dict[str, Any]]]] = [
    ("drop_before", {}),
    ("drop_after", {}),
    ("reset_after", {}),
    ("truncated", {}),
    ("garbage", {}),
    ("html", {"effect": True}),
    ("status", {"status": 503, "effect": True}),
    ("rate_limited", {}),
    ("status_error", {"code": "invalid_price"}),
    ("close_keepalive", {}),
]
"""Ways to fail, of which some charge and some do not."""


class Attempt(NamedTuple):
    """One request."""

    order: int
    key: int
    """The same number: the same key, and the same body."""


PRICE: Final = Decimal("29.00")
"""Of what every order is for."""

CARDS: Final = ("pmt_ok", "pmt_declined", "pmt_cancelled", "pmt_ok")

attempts = st.lists(st.builds(Attempt, st.integers(0, 2), st.integers(0, 3)), min_size=2, max_size=10)
faults = st.lists(st.integers(0, len(FAULTS) - 1), max_size=6)


@pytest.fixture(scope="module")
def shop(gateway: RunningGateway, sandbox_server: SandboxServer) -> Iterator[tuple[Tenant, httpx.Client]]:
    """A tenant whose orders are all for what can be bought again and again, so that the vendor refuses none."""
    tenant = Tenant(customer(), gateway, sandbox_server.sandbox)
    with tenant.client() as api:
        yield tenant, api


def settled(api: httpx.Client, ident: str) -> dict[str, Any] | None:
    """An operation after the vendor was read; None: it was given up, because the vendor was never asked to charge."""
    reply = api.get(f"/v1/operations/{ident}")
    assert reply.status_code in {200, 404}
    operation: dict[str, Any] | None = reply.json() if reply.status_code == 200 else None
    return operation


@given(attempts, faults, st.integers(1, 4))
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
def test_money_adds_up(
    shop: tuple[Tenant, httpx.Client], asked: list[Attempt], broken: list[int], at_once: int
) -> None:
    """
    Each operation that is told to have succeeded is one charge in the books,
    and each charge is told of; no key and no order that is open is charged
    twice.
    """
    tenant, api = shop
    who = customer()
    orders = [order_for(api, external_id=who, price_point="coach-session") for _ in range(3)]
    bodies = {
        (order, name): payment(orders[order], CARDS[name]) for order in range(len(orders)) for name in range(len(CARDS))
    }
    run = uuid4().hex
    for number in broken:
        kind, details = FAULTS[number]
        tenant.fails(CHARGE, kind, times=1, **details)

    def send(attempt: Attempt) -> httpx.Response:
        header = key(f"{run}-{attempt.order}-{attempt.key}")
        return api.post("/v1/checkout/payments", json=bodies[attempt.order, attempt.key], headers=header)

    with ThreadPoolExecutor(at_once) as callers:
        replies = list(callers.map(send, asked))
    tenant._sandbox.faults.clear()  # noqa: SLF001 - the vendor is well again
    idents = {reply.headers["gateway-operation"] for reply in replies if "gateway-operation" in reply.headers}
    operations = [operation for ident in idents if (operation := settled(api, ident)) is not None]
    again = [send(attempt) for attempt in asked]

    told: Counter[str] = Counter()
    for operation in operations:
        told[operation["state"]] += 1
    booked = [entry for entry in tenant.account.ledger.entries if entry.external_id == who]
    paid_again = {reply.headers["gateway-operation"] for reply in again if is_new(reply) and reply.status_code == 200}
    unknown = sum(operation["state"] == "unknown" for operation in operations)
    assert told["succeeded"] + len(paid_again) <= len(booked) <= told["succeeded"] + len(paid_again) + unknown
    if not unknown:
        assert sum(entry.amount for entry in booked) == (told["succeeded"] + len(paid_again)) * PRICE
    for attempt, first, second in zip(asked, replies, again, strict=True):
        if first.status_code == 200:
            assert (second.status_code, second.content) == (200, first.content), attempt
        assert first.status_code in {200, 402, 409, 422, 503, 504}


def is_new(reply: httpx.Response) -> bool:
    """Whether an answer is the first one to its key."""
    return "gateway-operation" in reply.headers and "idempotency-replayed" not in reply.headers

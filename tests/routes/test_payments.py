"""What callers see of payments, and how they give one back."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.gateway import Tenant


def key() -> dict[str, str]:
    """The header that a money call needs."""
    return {"Idempotency-Key": str(uuid4())}


def payments_of(api: httpx.Client, external_id: str) -> list[dict[str, Any]]:
    """A customer's payments, the oldest first."""
    rows: list[dict[str, Any]] = api.get(f"/v1/customers/{external_id}/payments").json()["data"]
    return rows


def test_payments_are_listed_with_exact_amounts(api: httpx.Client) -> None:
    """Decimal strings in major units, and what was given back of each."""
    rows = payments_of(api, "user-linus")

    assert [row["created_at"] for row in rows] == sorted(row["created_at"] for row in rows)
    assert rows[0] == {
        "order_id": rows[0]["order_id"],
        "subscription_id": rows[0]["subscription_id"],
        "oneoff_id": None,
        "amount": "1.00",
        "refunded": "0.00",
        "currency": {"code": "USD", "minor_units": 2, "title": "US Dollar", "symbol": "$"},
        "created_at": rows[0]["created_at"],
        "last4": "4242",
        "network": rows[0]["network"],
        "payment_method": rows[0]["payment_method"],
    }
    assert rows[0]["created_at"].endswith("Z")


@pytest.mark.parametrize(("amount", "refunded"), [("0.50", "0.50"), ("1", "1.00"), (None, "1.00")])
def test_a_refund_answers_the_payment_as_it_is_then(
    api: httpx.Client, tenant: Tenant, amount: str | None, refunded: str
) -> None:
    """In part or in full, and money moves once."""
    paid = payments_of(api, "user-linus")[0]
    wish = {"external_id": "user-linus", "order_id": paid["order_id"], "reason": "sorry"} | (
        {"amount": amount} if amount else {}
    )
    before = len(tenant.account.ledger.entries)

    reply = api.post("/v1/refunds", json=wish, headers=key())

    assert reply.status_code == 200
    assert reply.json() == paid | {"refunded": refunded, "missing": []}
    moved = tenant.account.ledger.entries[before:]
    assert [(entry.kind, entry.amount) for entry in moved] == [("refund", Decimal(refunded))]


@pytest.mark.parametrize(
    "amount",
    ["1e3", "-1", "NaN", "Infinity", "0", "0.00", "0.001", "1,00", " 1", "1\n", "1.", ".5", "", "1" * 20, "1.01"],
)
def test_an_amount_that_can_not_be_given_back_is_refused_here(api: httpx.Client, tenant: Tenant, amount: str) -> None:
    """No number, no amount of the currency, or more than is left: the vendor hears nothing of it."""
    paid = payments_of(api, "user-linus")[0]
    wish = {"external_id": "user-linus", "order_id": paid["order_id"], "amount": amount}

    reply = api.post("/v1/refunds", json=wish, headers=key())

    assert reply.status_code == 422
    assert [fault["pointer"] for fault in reply.json()["errors"]] == ["/amount"]
    assert tenant.calls("POST /payment/refund") == 0


@pytest.mark.parametrize(
    ("said", "amount", "status"),
    [
        ('"amount": "NaN", "refunded": "0"', "1.00", 200),
        ('"amount": "5.00", "refunded": "NaN"', "1.00", 200),
        ('"amount": 1e999999, "refunded": null', "1.00", 200),
        ('"amount": "5.00", "refunded": "7.00"', "1.00", 422),
        ('"amount": "5.00", "refunded": "5.00"', None, 422),
        ('"amount": "5.00", "currency": {"code": "TKN", "minor_units": 3}', "0.500", 200),
        ('"amount": "5.00", "currency": {"code": "ISK", "minor_units": 2}', "0.50", 200),
        ('"amount": "5.00", "currency": {"code": "TKN", "minor_units": 3}', "0.5000", 422),
    ],
)
def test_what_the_vendor_says_of_a_payment_decides_what_can_be_given_back(
    api: httpx.Client, tenant: Tenant, said: str, amount: str | None, status: int
) -> None:
    """Its own digits, its own remainder; and what is no amount stops nobody."""
    order = str(uuid4())
    history = f'{{"status": "success", "data": {{"payments": [{{"order_id": "{order}", {said}}}]}}}}'
    tenant.fails("POST /payments_history", "status", status=200, body=history)
    tenant.fails("POST /payment/refund", "status", status=200, body='{"status": "success", "data": {}}')
    wish = {"external_id": "user-linus", "order_id": order} | ({"amount": amount} if amount else {})

    reply = api.post("/v1/refunds", json=wish, headers=key())

    assert reply.status_code == status
    assert tenant.calls("POST /payment/refund") == (1 if status == 200 else 0)


def test_an_amount_is_a_text(api: httpx.Client) -> None:
    """A JSON number may have been a float on its way."""
    paid = payments_of(api, "user-linus")[0]

    reply = api.post(
        "/v1/refunds", json={"external_id": "user-linus", "order_id": paid["order_id"], "amount": 0.5}, headers=key()
    )

    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/amount")


def test_another_customers_order_is_not_given_back(api: httpx.Client, tenant: Tenant) -> None:
    """It is not among the customer's payments, so nothing is sent."""
    paid = payments_of(api, "user-linus")[0]
    before = len(tenant.account.ledger.entries)

    reply = api.post("/v1/refunds", json={"external_id": "user-ada", "order_id": paid["order_id"]}, headers=key())

    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert tenant.calls("POST /payment/refund") == 0
    assert len(tenant.account.ledger.entries) == before


@pytest.mark.parametrize("kind", ["drop_after", "html", "reset_after", "truncated", "redirect"])
def test_a_lost_answer_to_a_refund_is_unknown_and_not_repeated(api: httpx.Client, tenant: Tenant, kind: str) -> None:
    """Money may have moved; nobody says that it failed, and nobody tries again."""
    paid = payments_of(api, "user-linus")[0]
    tenant.fails("POST /payment/refund", kind)

    reply = api.post("/v1/refunds", json={"external_id": "user-linus", "order_id": paid["order_id"]}, headers=key())

    assert (reply.status_code, reply.json()["code"]) == (504, "outcome_unknown")
    assert tenant.calls("POST /payment/refund") == 1


def test_a_refund_that_can_not_be_read_back_was_made_all_the_same(api: httpx.Client, tenant: Tenant) -> None:
    """The answer says so, and why the payment can't be shown."""
    paid = payments_of(api, "user-linus")[0]
    wish = {"external_id": "user-linus", "order_id": paid["order_id"], "amount": "0.10"}
    tenant.fails_after(1, "POST /payments_history", "html", status=200)

    reply = api.post("/v1/refunds", json=wish, headers=key())

    assert reply.status_code == 200
    body = reply.json()
    assert (body["order_id"], body["amount"]) == (paid["order_id"], None)
    assert [missing["part"] for missing in body["missing"]] == ["payment"]


def test_a_refund_needs_its_key_and_its_scope(api: httpx.Client, tenant: Tenant) -> None:
    """Without either, nothing is sent."""
    wish = {"external_id": "user-linus", "order_id": str(uuid4())}
    with tenant.client(scopes=["payments:read"]) as reader:
        forbidden = reader.post("/v1/refunds", json=wish, headers=key())

    unkeyed = api.post("/v1/refunds", json=wish)

    assert forbidden.json()["code"] == "insufficient_scope"
    assert (unkeyed.status_code, unkeyed.json()["code"]) == (400, "idempotency_key_required")
    assert tenant.calls("POST /payment/refund") == 0


def test_transactions_are_paged_without_gap_or_repeat(api: httpx.Client) -> None:
    """Whatever the size of a page, following the cursor gives each row once, the oldest first."""
    everything = api.get("/v1/transactions", params={"limit": 500}).json()
    seen: list[dict[str, Any]] = []
    cursor: str | None = None

    while True:
        body = api.get("/v1/transactions", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += body["data"]
        if (cursor := body["meta"]["next_cursor"]) is None:
            break

    assert everything["meta"]["next_cursor"] is None
    assert seen == everything["data"]
    assert len(seen) > 10
    assert [row["trx_created_at"] for row in seen] == sorted(row["trx_created_at"] for row in seen)


def moments(count: int, *, per_moment: int) -> list[str]:
    """The times of so many transactions, several sharing each."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [(start + timedelta(seconds=n // per_moment)).isoformat().replace("+00:00", "Z") for n in range(count)]


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("per_moment", [1, 4, 50])
@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_hold_whatever_the_vendors_bound_means(*, inclusive: bool, per_moment: int, limit: int) -> None:
    """Whether the vendor includes the moment it is asked from is not documented: both give every row once."""
    from clients.billing import wire  # noqa: PLC0415 - as above
    from routes.shapes.transactions import Position, Transaction, transaction_page  # noqa: PLC0415 - the pure part alone

    rows = [
        Transaction.public(wire.Transaction(trx_id=f"t{n}", trx_created_at=time))
        for n, time in enumerate(moments(120, per_moment=per_moment))
    ]
    position = Position(datetime(2025, 1, 1, tzinfo=UTC))
    seen: list[str] = []

    for _ in range(200):
        asked = position.asks_from
        given = [
            row
            for row in rows
            if row.trx_created_at is not None
            and (row.trx_created_at >= asked if inclusive else row.trx_created_at > asked)
        ][: position.rows_to_ask(limit)]
        page = transaction_page(given, position, limit=limit, rows_asked=position.rows_to_ask(limit))
        seen += [row.trx_id for row in page.data]
        if page.meta.next_cursor is None:
            break
        position = Position.of(page.meta.next_cursor)

    assert len(seen) == len(set(seen)) == 120


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("since=2026-01-01T00:00:00", "/since"),
        ("since=yesterday", "/since"),
        ("since=", "/since"),
        ("subscription_id=null", "/subscription_id"),
        ("limit=null", "/limit"),
        ("since=0001-01-01T00:00:00%2B14:00", "/since"),
        ("cursor=nonsense", "/cursor"),
        ("cursor=krMwMDAxLTAxLTAxVDAwOjAwOjAwkA", "/cursor"),
        ("cursor=kscM_wAAAAD____xiG4JAJHEBmFiY2RlZg", "/cursor"),
        ("order_id=1", "/order_id"),
        ("limit=501", "/limit"),
    ],
)
def test_a_wrong_query_is_told_so(api: httpx.Client, tenant: Tenant, query: str, pointer: str) -> None:
    """Each with its place, and the vendor is not asked."""
    reply = api.get(f"/v1/transactions?{query}")

    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, pointer)
    assert tenant.calls("POST /transaction_report") == 0


def test_transactions_are_filtered_by_order(api: httpx.Client) -> None:
    """By the vendor, with the id that we were given; and a row keeps the vendor's names."""
    paid = payments_of(api, "user-linus")[0]

    rows = api.get("/v1/transactions", params={"order_id": paid["order_id"]}).json()["data"]

    assert {row["order_id"] for row in rows} == {paid["order_id"]}
    assert (rows[0]["amount"], rows[0]["currency_code"]) == ("1.00", "USD")
    assert len(rows[0]) == 54


def test_the_report_is_asked_from_the_moment_given(api: httpx.Client) -> None:
    """Nothing older comes."""
    rows = api.get("/v1/transactions", params={"limit": 500}).json()["data"]
    middle = rows[len(rows) // 2]["trx_created_at"]

    later = api.get("/v1/transactions", params={"since": middle, "limit": 500}).json()["data"]

    assert later
    assert all(row["trx_created_at"] >= middle for row in later)

"""Payments: giving one back, and what was paid."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from clients.billing import wire
from clients.billing.operations import TRANSACTION_REPORT
from clients.errors import UpstreamError
from gateway.http.rfc9457 import Fault, UpstreamReference
from gateway.idempotency import IdempotencyKey, once
from gateway.needs import needs
from gateway.operations.intentions import Intention
from gateway.problems import NotFound, UpstreamRejected, ValidationFailed
from gateway.subjects import Whose
from gateway.upstreams import TenantContext
from routes.ownership import first_order
from routes.shapes.identifiers import external_id_in_path
from routes.shapes.money import amount, parsed, real
from routes.shapes.page import DEFAULT_LIMIT, Cursor, Limit, Page, page
from routes.shapes.payments import Payment, Refund, RefundedPayment
from routes.shapes.times import Since, moment
from routes.shapes.transactions import (
    MOST_FROM_VENDOR,
    Position,
    Stuck,
    Transaction,
    TransactionCursor,
    transaction_page,
)

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""From when on transactions are listed if nothing is said: before any there can be."""

Id = Annotated[UUID | None, QueryParameter(description="Only this one's.")]


@post(
    "/refunds",
    opt=needs("payments:refund", target=("external_id", "order_id", "amount", "confirm_duplicate"), money=True),
    operation_id="createRefund",
    status_code=200,
    tags=["Payments"],
)
async def create_refund(
    data: JSONBody[Refund], tenant: NamedDependency[TenantContext], idempotency_key: IdempotencyKey = None
) -> RefundedPayment:
    """Give a payment back, in part or in full, and show it as it is then.

    The amount may not exceed what is left of the payment.
    """
    order_id = str(data.order_id)

    amounts: list[Decimal | None] = []

    async def about() -> Intention:
        paid = await _payment(tenant, data.external_id, order_id)
        amounts.append(_refundable(data, paid))
        facts = {"external_id": data.external_id, "order_id": order_id, **_before(paid, amounts[-1])}
        resource = ("order", await first_order(tenant, order_id))
        return Intention(resource=resource, facts=facts, despite=data.confirm_duplicate)

    async def act() -> RefundedPayment:
        await tenant.payments.refund(
            data.external_id,
            order_id,
            amount=amounts[-1],
            soft_refund=data.soft_refund,
            reason=data.reason,
            comment=data.comment,
        )
        return await _refunded(tenant, data.external_id, order_id)

    return await once(tenant.ledger, idempotency_key, about, act)


@get(
    "/customers/{external_id:str}/payments",
    opt=needs("payments:read", customer=Whose.PATH),
    operation_id="listPayments",
    status_code=200,
    tags=["Customers"],
)
async def list_payments(
    external_id: FromPath[str],
    tenant: NamedDependency[TenantContext],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[Payment]:
    """List a customer's successful payments, the oldest first."""
    found = await tenant.payments.payments_history(external_id_in_path(external_id))
    return page([Payment.public(row) for row in found], key=_by_time, limit=limit, cursor=cursor)


@get("/transactions", opt=needs("payments:read"), operation_id="listTransactions", status_code=200, tags=["Payments"])
async def list_transactions(
    tenant: NamedDependency[TenantContext],
    limit: Limit = DEFAULT_LIMIT,
    cursor: TransactionCursor = None,
    since: Since = None,
    order_id: Id = None,
    subscription_id: Id = None,
    oneoff_id: Id = None,
) -> Page[Transaction]:
    """List every attempt to move money, successful or not, the oldest first.

    Following `next_cursor` gives each one once, however many share a moment;
    `since` counts for the first page only.
    """
    position = Position.of(cursor) if cursor is not None else Position(BEGINNING if since is None else moment(since))

    async def answered(rows_asked: int) -> Page[Transaction]:
        found = await tenant.payments.transaction_report(
            position.asks_from,
            subs_id=str(subscription_id) if subscription_id else None,
            order_id=str(order_id) if order_id else None,
            oneoff_id=str(oneoff_id) if oneoff_id else None,
            limit=rows_asked,
        )
        rows = [Transaction.public(row) for row in found]
        return transaction_page(rows, position, limit=limit, rows_asked=rows_asked)

    try:
        return await answered(position.rows_to_ask(limit))
    except Stuck:
        pass  # Rows that are known already have filled the answer: the largest one may hold more.
    try:
        return await answered(MOST_FROM_VENDOR)
    except Stuck as stuck:
        raise UpstreamRejected(
            "More transactions share one moment than the vendor gives at once; narrow them by order or subscription.",
            upstream=UpstreamReference(TRANSACTION_REPORT.upstream),
        ) from stuck


async def _refunded(tenant: TenantContext, external_id: str, order_id: str) -> RefundedPayment:
    """The payment after a refund; a read that fails does not undo it."""
    try:
        now = await _payment(tenant, external_id, order_id)
    except UpstreamError as error:
        return RefundedPayment.unread(order_id, error, tenant.at)
    if now is None:
        return RefundedPayment.unread(order_id, NotFound("The vendor does not show the payment."), tenant.at)
    return RefundedPayment.read_back(now)


def _before(paid: wire.Payment | None, asked: Decimal | None) -> dict[str, Decimal | None]:
    """What tells later whether a refund was made: what had been refunded, and by how much that rises."""
    whole = real(paid.amount) if paid is not None else None
    refunded = real(paid.refunded) if paid is not None else None
    if asked is None and whole is not None and refunded is not None:
        asked = whole - refunded
    return {"refunded_before": refunded, "amount": asked}


async def _payment(tenant: TenantContext, external_id: str, order_id: str) -> wire.Payment | None:
    found = await tenant.payments.payments_history(external_id)
    return next((row for row in found if row.order_id == order_id), None)


def _refundable(refund: Refund, paid: wire.Payment | None) -> Decimal | None:
    """The amount to give back; None for all of it.

    Raises:
        NotFound: This customer has no such payment.
        ValidationFailed: It is no amount of the payment's currency, or more than is left.
    """
    if paid is None:
        raise NotFound("This customer has no such payment.")
    whole = real(paid.amount)
    left = max(whole - (real(paid.refunded) or Decimal(0)), Decimal(0)) if whole is not None else None
    if left == 0:
        raise _wrong("/order_id", "Nothing is left of the payment.")
    if refund.amount is None:
        return None
    currency = paid.currency
    try:
        asked = parsed(
            refund.amount, currency.code if currency else None, minor_units=currency.minor_units if currency else None
        )
    except ValueError as error:
        raise _wrong("/amount", str(error)) from error
    if left is not None and asked > left:
        raise _wrong("/amount", f"Only {amount(left)} is left of the payment.")
    return asked


def _wrong(pointer: str, detail: str) -> ValidationFailed:
    return ValidationFailed(detail, faults=[Fault(pointer, detail)])


def _by_time(row: Payment) -> str:
    """The order of a list, as text: the time in a form that sorts, then what tells rows of one moment apart."""
    return f"{row.created_at.isoformat() if row.created_at else ''} {row.order_id}"


router = Router("/", route_handlers=[create_refund, list_payments, list_transactions])

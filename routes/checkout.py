"""Checkout: from the choice of a price point to the payment."""

from functools import partial
from typing import Final
from urllib.parse import quote

from litestar import Response, Router, patch, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody

from clients.billing import wire
from gateway.http.rfc9457 import Fault
from gateway.idempotency import IdempotencyKey, once
from gateway.needs import needs
from gateway.operations.intentions import Intention
from gateway.problems import ValidationFailed
from gateway.subjects import Whose
from gateway.upstreams import TenantContext
from routes.intentions import about_order, followed
from routes.ownership import ORDER, ORDER_IN_BODY, begun, opened, renamed
from routes.shapes.checkout import (
    ChangedSession,
    IntegrationType,
    NewPayment,
    NewSession,
    OneClick,
    Resumption,
    Session,
    SessionChange,
)
from routes.shapes.identifiers import uuid_in_path
from routes.shapes.payments import PaymentResult


@post(
    "/sessions",
    opt=needs("checkout:write", customer=Whose.BODY, target=("external_id", "price_point")),
    operation_id="createCheckoutSession",
    status_code=201,
)
async def create_session(
    data: JSONBody[NewSession], tenant: NamedDependency[TenantContext], idempotency_key: IdempotencyKey = None
) -> Response[Session]:
    """Open an order for a price point, and get the token for its payment form.

    If the answer is lost, open another: an order that nobody pays is harmless.
    """
    if data.integration_type is IntegrationType.FAKE and tenant.principal.mode != "test":
        fault = Fault("/integration_type", "fakeintegration is for tokens of mode test only.")
        raise ValidationFailed("This session would take no money.", faults=[fault])

    async def act() -> Response[Session]:
        session = await tenant.checkout.create_client_session(
            pp_ident=data.price_point,
            external_id=data.external_id,
            integration_type=data.integration_type,
            region=data.region,
            email_address=data.email_address,
            country_code=data.country_code,
            client_metadata=(data.client_metadata or {}) | tenant.ledger.mark,
        )
        await opened(tenant, session.order_id, data.external_id)
        location = f"{tenant.at.public_url}/v1/checkout/sessions/{quote(session.order_id, safe='')}"
        return Response(Session.public(session), headers={"Location": location})

    return await once(tenant.ledger, idempotency_key, Intention(listed=False), act, keyed=False)


@patch(
    "/sessions/{order_id:str}",
    opt=needs("checkout:write", customer=ORDER, target=("price_point",)),
    operation_id="updateCheckoutSession",
    status_code=200,
)
async def update_session(
    order_id: FromPath[str],
    data: JSONBody[SessionChange],
    tenant: NamedDependency[TenantContext],
    idempotency_key: IdempotencyKey = None,
) -> ChangedSession:
    """Bind a session to another price point."""
    order = uuid_in_path(order_id, "order_id")

    async def act() -> ChangedSession:
        await tenant.checkout.update_client_session(
            client_token=data.client_token,
            order_id=order,
            pp_ident=data.price_point,
            client_metadata=data.client_metadata,
        )
        return ChangedSession(order_id=order, price_point=data.price_point)

    return await once(tenant.ledger, idempotency_key, Intention(listed=False), act, keyed=False)


UNDECIDED: Final = {
    202: ResponseSpec(PaymentResult, generate_examples=False, description="Sent; how it went is not known yet.")
}
"""What a payment answers besides 200."""


@post(
    "/payments",
    opt=needs("checkout:write", customer=ORDER_IN_BODY, target=("order_id", "confirm_duplicate"), money=True),
    operation_id="createPayment",
    status_code=200,
    responses=UNDECIDED,
)
async def create_payment(
    data: JSONBody[NewPayment], tenant: NamedDependency[TenantContext], idempotency_key: IdempotencyKey = None
) -> Response[PaymentResult]:
    """Charge a tokenized payment method for a session's order; the vendor takes two charges a day for one token."""
    order = str(data.order_id)

    async def act() -> Response[PaymentResult]:
        paid = await tenant.checkout.create_payment(
            order,
            payment_method_token=data.payment_method_token,
            client_metadata=data.client_metadata,
            email_address=data.email_address,
            country_code=data.country_code,
            postal_code=data.postal_code,
            subdivision=data.subdivision,
            tax_calculation_id=data.tax_calculation_id,
        )
        await renamed(tenant, order, now=paid.order_id)
        return _answer(tenant, paid, order_id=order)

    about = partial(about_order, tenant, order, despite=data.confirm_duplicate, instrument=data.payment_method_token)
    return await once(tenant.ledger, idempotency_key, about, act)


@post(
    "/payments/{order_id:str}/resume",
    opt=needs("checkout:write", customer=ORDER, target=("confirm_duplicate",), money=True),
    operation_id="resumePayment",
    status_code=200,
    responses=UNDECIDED,
)
async def resume_payment(
    order_id: FromPath[str],
    data: JSONBody[Resumption],
    tenant: NamedDependency[TenantContext],
    idempotency_key: IdempotencyKey = None,
) -> Response[PaymentResult]:
    """Complete a payment after the customer's action; the order is the newest that the payment answered."""
    order = uuid_in_path(order_id, "order_id")

    async def act() -> Response[PaymentResult]:
        paid = await tenant.checkout.resume_payment(order, resume_token=data.resume_token)
        await renamed(tenant, order, now=paid.order_id)
        return _answer(tenant, paid, order_id=order)

    about = partial(about_order, tenant, order, despite=data.confirm_duplicate)
    return await once(tenant.ledger, idempotency_key, about, act)


@post(
    "/one-click",
    opt=needs(
        "checkout:write",
        "payments:charge",
        customer=Whose.BODY,
        target=("external_id", "price_point", "confirm_duplicate"),
        money=True,
    ),
    operation_id="payWithOneClick",
    status_code=200,
    responses=UNDECIDED,
)
async def one_click(
    data: JSONBody[OneClick], tenant: NamedDependency[TenantContext], idempotency_key: IdempotencyKey = None
) -> Response[PaymentResult]:
    """Charge a customer's saved payment method for a price point."""

    async def act() -> Response[PaymentResult]:
        metadata = (data.client_metadata or {}) | tenant.ledger.mark
        paid = await tenant.checkout.one_click(data.external_id, pp_ident=data.price_point, client_metadata=metadata)
        await begun(tenant, paid.order_id, data.external_id)
        return _answer(tenant, paid, order_id=None)

    intention = Intention(
        resource=("purchase", data.external_id, data.price_point),
        facts={"external_id": data.external_id, "price_point": data.price_point},
        despite=data.confirm_duplicate,
    )
    return await once(tenant.ledger, idempotency_key, intention, act)


def _answer(tenant: TenantContext, paid: wire.PaymentResult, *, order_id: str | None) -> Response[PaymentResult]:
    result = followed(tenant, PaymentResult.public(paid, order_id=order_id))
    return Response(result, status_code=result.http_status)


router = Router(
    "/checkout",
    route_handlers=[create_session, update_session, create_payment, resume_payment, one_click],
    tags=["Checkout"],
)

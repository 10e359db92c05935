"""FunnelFox checkout sessions: the bodies, and what a session's answer tells the payment form."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec

from clients.sandbox.billing.currencies import minor
from clients.sandbox.billing.customers import Email, ExternalId
from clients.sandbox.billing.orders import Order
from clients.sandbox.billing.price_points import Ident

# The reference has a pattern too, which contradicts the vendor's own region names, so only the length.
Region = Annotated[str, msgspec.Meta(max_length=64)]


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """`/checkout/create_client_session`; whether newer servers still require the address is not documented."""

    region: Region
    integration_type: Literal["fakeintegration", "primer", "stripe"]
    pp_ident: Ident
    external_id: ExternalId
    email_address: Email
    country_code: str | None = None
    client_metadata: dict[str, object] = {}


class SessionChange(msgspec.Struct, frozen=True, kw_only=True):
    """`/checkout/update_client_session`."""

    client_token: str
    order_id: UUID
    pp_ident: Ident
    client_metadata: dict[str, object] | msgspec.UnsetType = msgspec.UNSET


def session_row(order: Order, country_code: str | None) -> dict[str, object]:
    """Return what a new session's answer holds.

    The two documented members, and of those that newer servers add the ones
    whose meaning is plain; their amounts are in minor units.
    """
    amount = minor(order.price_point.first_amount, order.price_point.currency)
    answer: dict[str, object] = {
        "client_token": order.client_token,
        "order_id": order.order_id,
        "is_livemode": False,
        "detected_country_code": country_code or "US",
        "tax_amount": 0,
        "amount_total": amount,
        "currency": order.price_point.currency.code,
    }
    if order.integration_type == "stripe":
        answer |= {"stripe_public_key": "pk_test_sandbox", "amount": amount, "country": country_code or "US"}
    return answer

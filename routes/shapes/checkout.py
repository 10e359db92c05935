"""Checkout: sessions, and the ways to pay."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import msgspec

from clients.billing import wire
from routes.shapes.identifiers import ConfirmDuplicate, ExternalId, PricePointIdent

Token = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Email = Annotated[str, msgspec.Meta(max_length=1024)]

_exact = msgspec.json.Encoder(decimal_format="number")


class IntegrationType(StrEnum):
    """Which payment form the session is for."""

    FAKE = "fakeintegration"
    PRIMER = "primer"
    STRIPE = "stripe"


class NewSession(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a customer is about to buy."""

    price_point: PricePointIdent
    external_id: ExternalId
    email_address: Email | None = None
    """The vendor's reference requires it, newer revisions of its SDK do not."""
    integration_type: IntegrationType = IntegrationType.PRIMER
    """`fakeintegration` is for tokens of mode `test` only."""
    region: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = "default"
    country_code: str | None = None
    client_metadata: dict[str, Any] | None = None
    """Yours to keep with the order."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """An order that waits to be paid."""

    order_id: str
    client_token: str
    """For the payment form in the browser."""
    vendor: Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})]
    """The vendor's whole object, as it is: what the payment form needs. Amounts in it are in minor units."""

    @classmethod
    def public(cls, session: wire.ClientSession) -> "Session":
        """The session in our words, and the vendor's beside it."""
        return cls(
            order_id=session.order_id,
            client_token=session.client_token,
            vendor=msgspec.Raw(_exact.encode(session.vendor)),
        )


class SessionChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another price point for a session."""

    client_token: Token
    price_point: PricePointIdent
    client_metadata: dict[str, Any] | None = None


class ChangedSession(msgspec.Struct, frozen=True, kw_only=True):
    """What the session is for now; the vendor has no way to read one back."""

    order_id: str
    price_point: str


class NewPayment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tokenized payment method to charge for a session's order."""

    order_id: UUID
    payment_method_token: Token
    client_metadata: dict[str, Any] | None = None
    email_address: Email | None = None
    country_code: str | None = None
    postal_code: str | None = None
    subdivision: str | None = None
    tax_calculation_id: str | None = None
    confirm_duplicate: ConfirmDuplicate | None = None


class Resumption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the payment form gave after the customer's action."""

    resume_token: Token
    confirm_duplicate: ConfirmDuplicate | None = None


class OneClick(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A saved payment method to charge."""

    external_id: ExternalId
    price_point: PricePointIdent
    client_metadata: dict[str, Any] | None = None
    confirm_duplicate: ConfirmDuplicate | None = None

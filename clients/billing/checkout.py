"""Checkout: from the choice of a price point to the payment."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from clients.billing import wire
from clients.billing.calls import answered, replied
from clients.billing.envelope import decoded
from clients.billing.operations import (
    CREATE_CLIENT_SESSION,
    CREATE_PAYMENT,
    ONE_CLICK,
    RESUME_PAYMENT,
    UPDATE_CLIENT_SESSION,
)
from clients.billing.requests import given
from clients.transport import Upstream


class CheckoutClient:
    """The checkout of one organization; the vendor asks for no key here.

    A session is opened and may be bound to another price point; the customer's
    card becomes a token in the browser; that is charged; and where the answer
    demands an action of the customer, the payment is resumed after it.

    Every method raises `clients.errors.UpstreamError` for what it does not name
    itself. Those that return a `wire.PaymentResult` move money: after
    `Unanswered` with `sent`, `Unavailable` or `Garbled` nobody knows whether it did.

    Args:
        upstream: Already aimed at the organization.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def create_client_session(
        self,
        *,
        pp_ident: str,
        external_id: str,
        integration_type: str,
        region: str = "default",
        email_address: str | None = None,
        country_code: str | None = None,
        client_metadata: Mapping[str, Any] | None = None,
    ) -> wire.ClientSession:
        """Open an order for a price point, and get the token for its payment form.

        Args:
            pp_ident: What is bought.
            external_id: Who buys: the merchant's own id, 256 characters at most.
            integration_type: `fakeintegration`, `primer` or `stripe`.
            region: 64 characters at most; the vendor's SDK sends `default`.
            email_address: 1024 characters at most. The reference requires it,
                newer revisions of the vendor's SDK do not.
            country_code: Where the customer is; its form is not documented.
            client_metadata: Whatever the merchant wants to keep with the order.

        Raises:
            Refused: The vendor said no; which of its codes come here is not documented.
            Garbled: The vendor said yes and gave no token or order; an orphaned session is harmless.

        Source: FunnelFox seed, "Available endpoints"; fields: vendor's reference and SDK.
        """
        body = given(
            region=region,
            integration_type=integration_type,
            pp_ident=pp_ident,
            external_id=external_id,
            email_address=email_address,
            country_code=country_code,
            client_metadata=client_metadata,
        )
        reply = await replied(self._upstream, CREATE_CLIENT_SESSION, body)
        names = decoded(reply, CREATE_CLIENT_SESSION, wire.SessionNames)
        whole = decoded(reply, CREATE_CLIENT_SESSION, dict[str, Any], fraction=Decimal)
        return wire.ClientSession(client_token=names.client_token, order_id=names.order_id, vendor=whole)

    async def update_client_session(
        self, client_token: str, *, order_id: str, pp_ident: str, client_metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Bind a session's order to another price point.

        Args:
            client_token: Of the session.
            order_id: Of the session.
            pp_ident: What is bought instead.
            client_metadata: As the vendor's newer SDK sends it; what becomes of the session's is not documented.

        Source: FunnelFox seed, "Available endpoints"; fields: vendor's reference and SDK.
        """
        body = given(client_token=client_token, order_id=order_id, pp_ident=pp_ident, client_metadata=client_metadata)
        await replied(self._upstream, UPDATE_CLIENT_SESSION, body)

    async def create_payment(
        self,
        order_id: str,
        *,
        payment_method_token: str,
        client_metadata: Mapping[str, Any] | None = None,
        email_address: str | None = None,
        country_code: str | None = None,
        postal_code: str | None = None,
        subdivision: str | None = None,
        tax_calculation_id: str | None = None,
    ) -> wire.PaymentResult:
        """Charge a tokenized payment method for an order; at most two charges a day for one token.

        The arguments after the token are those of the vendor's newer SDK; their
        limits are not documented.

        Args:
            order_id: Of the session.
            payment_method_token: What the payment form made of the card.
            client_metadata: Whatever the merchant wants to keep with the order.
            email_address: The customer's.
            country_code: The customer's, as are the next two.
            postal_code: See there.
            subdivision: A part of the country, by its name.
            tax_calculation_id: Of a calculation that is not among the 25 operations.

        Raises:
            Refused: The vendor said no; which of its codes come here is not documented.
            Garbled: The vendor said yes, but not in the documented form: money may have moved.

        Source: FunnelFox seed, "Available endpoints"; fields and limit: vendor's reference and SDK.
        """
        body = given(
            payment_method_token=payment_method_token,
            order_id=order_id,
            client_metadata=client_metadata,
            email_address=email_address,
            country_code=country_code,
            postal_code=postal_code,
            subdivision=subdivision,
            tax_calculation_id=tax_calculation_id,
        )
        return await answered(self._upstream, CREATE_PAYMENT, body, wire.PaymentResult)

    async def resume_payment(self, order_id: str, *, resume_token: str) -> wire.PaymentResult:
        """Complete a payment after the customer's further action.

        Args:
            order_id: The newest one, as the payment's answer gave it.
            resume_token: What the payment form made of the action.

        Raises:
            Garbled: The vendor said yes, but not in the documented form: money may have moved.

        Source: FunnelFox seed, "Available endpoints"; fields: vendor's reference.
        """
        body = given(resume_token=resume_token, order_id=order_id)
        return await answered(self._upstream, RESUME_PAYMENT, body, wire.PaymentResult)

    async def one_click(
        self, external_id: str, *, pp_ident: str, client_metadata: Mapping[str, Any] | None = None
    ) -> wire.PaymentResult:
        """Charge a customer's saved payment method for a price point.

        Args:
            external_id: Who buys.
            pp_ident: What is bought.
            client_metadata: Whatever the merchant wants to keep with the order.

        Raises:
            Refused: With `double_purchase` if the customer owns it already; other codes are not documented.
            Garbled: The vendor said yes, but not in the documented form: money may have moved.

        Source: FunnelFox seed, "Available endpoints"; fields: vendor's reference; the code: vendor's SDK.
        """
        body = given(external_id=external_id, pp_ident=pp_ident, client_metadata=client_metadata)
        return await answered(self._upstream, ONE_CLICK, body, wire.PaymentResult)

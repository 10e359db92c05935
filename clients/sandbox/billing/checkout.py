"""FunnelFox checkout: sessions and payments, with the outcome that the token asks for."""

from collections import deque
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec

from clients.sandbox.billing.catalog import Catalog
from clients.sandbox.billing.customers import Customers, Email, ExternalId
from clients.sandbox.billing.ledger import Ledger, Transaction
from clients.sandbox.billing.orders import Order, Orders, State, bounded
from clients.sandbox.billing.payment_methods import DECLINED, Outcome, behaviour, resumed
from clients.sandbox.billing.price_points import Ident
from clients.sandbox.billing.purchases import Purchases
from clients.sandbox.billing.sessions import NewSession, SessionChange
from clients.sandbox.billing.subscriptions import Subscriptions
from clients.sandbox.refusals import BillingRefused, Coded, NotThere

# Documented by the vendor; that the day is any 24 hours, and that declines count too, is chosen here.
_CHARGES_A_DAY = 2
_DAY = timedelta(days=1)

# How long a bank thinks about `pmt_processing`, by the sandbox's clock.
SETTLES_AFTER = timedelta(seconds=10)

# A processor's tokens are far shorter; kept with every charge, so it has to be bounded.
Token = Annotated[str, msgspec.Meta(max_length=1024)]


class NewPayment(msgspec.Struct, frozen=True, kw_only=True):
    """`/checkout/create_payment`."""

    payment_method_token: Token
    order_id: UUID
    client_metadata: dict[str, object] | msgspec.UnsetType = msgspec.UNSET
    email_address: Email = ""
    country_code: str = ""
    postal_code: str = ""
    subdivision: str = ""
    tax_calculation_id: str = ""


class Resumption(msgspec.Struct, frozen=True, kw_only=True):
    """`/checkout/resume_payment`."""

    resume_token: str
    order_id: UUID


class OneClick(msgspec.Struct, frozen=True, kw_only=True):
    """`/checkout/one_click`."""

    external_id: ExternalId
    pp_ident: Ident
    client_metadata: dict[str, object] = {}


class PaymentResult(msgspec.Struct, frozen=True, kw_only=True):
    """How far a payment came."""

    action_required_token: str = ""
    checkout_status: str = "succeeded"
    failed_message_for_user: str = ""
    order_id: UUID | None = None


class Checkout:
    """One account's checkout.

    Args:
        catalog: What is for sale.
        customers: Who buys.
        subscriptions: What they own already.
        orders: What they are about to buy.
        ledger: Where each charge is written down.
        purchases: What a charge brings.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        customers: Customers,
        subscriptions: Subscriptions,
        orders: Orders,
        ledger: Ledger,
        purchases: Purchases,
    ) -> None:
        self._catalog = catalog
        self._customers = customers
        self._subscriptions = subscriptions
        self._orders = orders
        self._ledger = ledger
        self._purchases = purchases
        self._charges: deque[tuple[datetime, str]] = deque()

    def open_session(self, ask: NewSession, _at: datetime) -> Order:
        """Open an order for a price point."""
        price_point = self._catalog.find(ask.pp_ident)
        self._customers.seen(ask.external_id, ask.email_address)
        return self._orders.open(
            price_point,
            ask.external_id,
            metadata=ask.client_metadata,
            integration_type=ask.integration_type,
            region=ask.region,
        )

    def change_session(self, ask: SessionChange, _at: datetime) -> None:
        """Bind the order of a session to another price point."""
        order = self._orders.newest(ask.order_id)
        if order.client_token != ask.client_token:
            raise NotThere("client_token: it is not of this order")
        if order.state is not State.OPEN:
            raise BillingRefused("The order is being paid or paid already.")
        order.price_point = self._catalog.find(ask.pp_ident)
        if ask.client_metadata is not msgspec.UNSET:
            order.metadata = bounded(ask.client_metadata)

    def pay(self, ask: NewPayment, at: datetime) -> PaymentResult:
        """Charge a payment method for an order."""
        order = self._orders.newest(ask.order_id)
        if order.state is State.PROCESSING:
            # Not documented by the vendor; chosen here, because two charges for one order help nobody.
            raise Coded("payment_failed", "A payment of this order is in progress.")
        self._refuse_double(order)
        self._subscriptions.make_room()
        self._count_charge(ask.payment_method_token, at)
        self._customers.seen(order.external_id, ask.email_address)
        fate = behaviour(ask.payment_method_token)
        if order.state is State.ACTING and order.attempt is not None:
            self._concluded(order, order.attempt, Outcome.CANCELLED, at)
        if order.state is State.PAID or fate.new_order:
            # A second payment for what is used up is a second purchase, under an order of its own.
            order = self._orders.renewed(order)
        if ask.client_metadata is not msgspec.UNSET:
            order.metadata = bounded(ask.client_metadata)
        order.behaviour = fate
        return self._charged(order, ask.payment_method_token, fate.first, at)

    def resume(self, ask: Resumption, at: datetime) -> PaymentResult:
        """Complete a payment after the customer's bank was asked."""
        order = self._orders.find(ask.order_id)
        if order.state is not State.ACTING or order.attempt is None:
            # Also for the old id of an order that was replaced: only the newest is resumed.
            raise BillingRefused("The order is not waiting for an action of the customer.")
        return self._concluded(order, order.attempt, resumed(ask.resume_token), at)

    def one_click(self, ask: OneClick, at: datetime) -> PaymentResult:
        """Charge the card that a customer left, for another price point."""
        price_point = self._catalog.find(ask.pp_ident)
        customer = self._customers.get(ask.external_id)
        if customer is None or customer.method is None:
            raise Coded("invalid_customer", "The customer has no saved payment method.")
        order = self._orders.open(price_point, ask.external_id, metadata=ask.client_metadata)
        self._refuse_double(order)
        self._subscriptions.make_room()
        order.behaviour = behaviour(customer.method)
        return self._charged(order, customer.method, order.behaviour.saved, at)

    def catch_up(self, now: datetime) -> None:
        """Let the banks make up their minds that had until `now`."""
        for order in self._orders.settling(now):
            due, order.settles_at = order.settles_at or now, None
            outcome = Outcome.SUCCEEDED if order.behaviour.settles else Outcome.DECLINED
            if order.attempt is not None:
                self._concluded(order, order.attempt, outcome, due)

    def _refuse_double(self, order: Order) -> None:
        if self._subscriptions.owns(order.external_id, order.price_point.ident) and not self._catalog.consumable(
            order.price_point
        ):
            raise Coded("double_purchase", "The customer owns this already.")

    def _count_charge(self, token: str, at: datetime) -> None:
        while self._charges and self._charges[0][0] <= at - _DAY:
            self._charges.popleft()
        if sum(charged == token for _, charged in self._charges) >= _CHARGES_A_DAY:
            # The answer beyond the limit is not documented by the vendor; chosen here.
            raise Coded("payment_failed", "This payment method token was charged twice within a day.")
        self._charges.append((at, token))

    def _charged(self, order: Order, method: str, outcome: Outcome, at: datetime) -> PaymentResult:
        attempt = self._ledger.attempt(order.source(method), order.price_point.first_amount, at, "authorized")
        order.attempt = attempt
        if outcome is not Outcome.ACTION:
            return self._concluded(order, attempt, outcome, at)
        attempt.challenged = True
        order.state = State.ACTING
        token = f"sbx-action.{attempt.trx_id.hex}"
        return PaymentResult(action_required_token=token, checkout_status="processing", order_id=order.order_id)

    def _concluded(self, order: Order, attempt: Transaction, outcome: Outcome, at: datetime) -> PaymentResult:
        order.state = State.OPEN
        match outcome:
            case Outcome.SUCCEEDED:
                self._ledger.conclude(attempt, "settled", at=at)
                self._purchases.fulfil(attempt, at)
                order.state = State.PAID
            case Outcome.CANCELLED:
                self._ledger.conclude(attempt, "cancelled", at=at)
            case Outcome.PROCESSING:
                order.state = State.PROCESSING
                order.settles_at = at + SETTLES_AFTER
            case _:
                self._ledger.conclude(attempt, "declined", at=at, reason=order.behaviour.message or DECLINED)
        return PaymentResult(
            checkout_status=outcome.value,
            failed_message_for_user=attempt.reason,
            order_id=order.order_id,
        )

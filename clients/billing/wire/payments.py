"""What was paid, as the vendor sends it.

Amounts are exact, in major units of the currency; the client session is the
one exception, and says so. Times are text, with `Z` or without any zone.
"""

from decimal import Decimal
from typing import Any

import msgspec

from clients.billing.wire.catalog import Currency


class PaymentResult(msgspec.Struct, frozen=True, kw_only=True):
    """How far a payment came.

    Source: vendor's reference of /checkout/create_payment; the order of
    precedence: the vendor's SDK.
    """

    action_required_token: str | None = None
    """Empty when none; otherwise the customer has to act first, whatever `checkout_status` says."""
    checkout_status: str | None = None
    """`processing`, `succeeded`, `failed` or `cancelled`; anything else, and nothing, leaves open how it went."""
    failed_message_for_user: str | None = None
    """What it holds when nothing failed is not documented by the vendor."""
    order_id: str | None = None
    """May be another than the one paid for; the newest is the one to resume."""


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """What a migration did, or would do.

    Which members are there in a dry run and with `delayed_start` is not
    documented by the vendor, but with none of them nothing was said.

    Source: vendor's reference of /subscription/migration.
    """

    migration_strategy: str | None = None
    """The one that was used: `price_prorate` or `delayed_start`."""
    payment_result: PaymentResult | None = None
    charged_amount: Decimal | None = None
    subs_id: str | None = None
    """The new subscription."""
    oneoff_id: str | None = None
    """Given where the new price point is a lifetime one."""

    def __post_init__(self) -> None:
        if all(getattr(self, name) is None for name in self.__struct_fields__):
            raise ValueError("none of the members of a migration")


class ClientSession(msgspec.Struct, frozen=True, kw_only=True):
    """An order that waits to be paid, and the token of its payment form."""

    client_token: str
    order_id: str
    vendor: dict[str, Any]
    """The vendor's whole object, the two above included: newer servers add what the payment form needs.

    Unlike elsewhere its amounts are integers in minor units. A number with a
    fraction or an exponent is a `Decimal`, so that none becomes a float.
    """


class SessionNames(msgspec.Struct, frozen=True, kw_only=True):
    """What every server's /checkout/create_client_session answers."""

    client_token: str
    order_id: str


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that succeeded.

    Source: vendor's reference of /payments_history.
    """

    order_id: str
    subs_id: str | None = None
    oneoff_id: str | None = None
    amount: Decimal | None = None
    refunded: Decimal | None = None
    """How much of `amount` was given back."""
    currency: Currency | None = None
    created_at: Any = None
    last4: str | None = None
    network: str | None = None
    payment_method: str | None = None


class Payments(msgspec.Struct, frozen=True, kw_only=True):
    """The data of /payments_history."""

    payments: list[Payment] | None

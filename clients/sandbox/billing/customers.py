"""FunnelFox customers: who they are, and the card that they left."""

from typing import Annotated

import msgspec

from clients.sandbox.refusals import BillingRefused

MAX_CUSTOMERS = 5000

ExternalId = Annotated[str, msgspec.Meta(max_length=256)]
Email = Annotated[str, msgspec.Meta(max_length=1024)]


class UserSearch(msgspec.Struct, frozen=True, kw_only=True):
    """`/search_users`: the key must be there, its value may be null."""

    email: Email | None


class Customer(msgspec.Struct, kw_only=True):
    """Someone who opened a checkout session at least."""

    external_id: str
    email: str
    method: str | None = None
    """The payment method token of the last payment that succeeded: what one-click charges."""


class Customers:
    """One account's customers."""

    def __init__(self) -> None:
        self._rows: dict[str, Customer] = {}

    def seen(self, external_id: str, email: str) -> Customer:
        """Note that a customer came, with the address that they gave."""
        if external_id not in self._rows and len(self._rows) >= MAX_CUSTOMERS:
            raise BillingRefused(f"an account of the sandbox holds {MAX_CUSTOMERS} customers")
        customer = self._rows.setdefault(external_id, Customer(external_id=external_id, email=email))
        customer.email = email or customer.email
        return customer

    def get(self, external_id: str) -> Customer | None:
        """Return the customer, or None."""
        return self._rows.get(external_id)

    def search(self, email: str | None) -> list[Customer]:
        """Return the customers of that address, whatever its case.

        What null finds is not documented by the vendor; chosen here: customers without one.
        """
        wanted = (email or "").lower()
        return [customer for customer in self._rows.values() if customer.email.lower() == wanted]

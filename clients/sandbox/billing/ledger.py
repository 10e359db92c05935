"""Money that moved, or did not: every attempt to charge, every refund."""

from datetime import datetime, timedelta
from decimal import Decimal
from threading import RLock
from typing import Literal
from uuid import UUID

import msgspec

from clients.sandbox.billing.identities import Identities
from clients.sandbox.billing.price_points import PricePoint
from clients.sandbox.refusals import BillingRefused

# More than any test looks at; a loop that charges without end is stopped.
MAX_TRANSACTIONS = 20_000

# Which words the vendor uses here is not documented; these are the ones of its
# webhooks, and "declined".
Status = Literal["authorized", "settled", "declined", "cancelled"]

# The report is read on from the last time seen, so no two transactions share one.
_TICK = timedelta(microseconds=1)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a charge is for and what pays it."""

    order_id: UUID
    external_id: str
    price_point: PricePoint
    method: str
    """The payment method token."""

    integration_type: str = "fakeintegration"
    region: str = "default"
    by_customer: bool = True
    """False for what the vendor charges by itself."""

    metadata: dict[str, object] = {}


class Transaction(msgspec.Struct, kw_only=True):
    """One attempt to charge."""

    trx_id: UUID
    source: Source
    amount: Decimal
    status: Status
    at: datetime
    reason: str = ""
    challenged: bool = False
    subs_id: UUID | None = None
    oneoff_id: UUID | None = None
    iteration: int | None = None
    retry_step: int | None = None
    refunded: Decimal = Decimal(0)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Money that moved, for tests that count."""

    kind: Literal["charge", "refund"]
    account: str
    external_id: str
    order_id: UUID
    amount: Decimal
    currency: str
    at: datetime


class Ledger:
    """One account's transactions.

    Args:
        account: The tenant, named on every entry.
        identities: Gives the transactions their ids.
        lock: Held by what a test may call from its own thread.
    """

    def __init__(self, account: str, *, identities: Identities, lock: RLock) -> None:
        self._account = account
        self._identities = identities
        self._lock = lock
        self._transactions: list[Transaction] = []
        self._entries: list[Entry] = []
        self._last_at: datetime | None = None

    @property
    def entries(self) -> list[Entry]:
        """All charges that succeeded and all refunds, in the order in which they happened.

        The start of a free trial is a charge of nothing.
        """
        with self._lock:
            return list(self._entries)

    @property
    def transactions(self) -> list[Transaction]:
        """Every attempt to charge, oldest first."""
        with self._lock:
            return list(self._transactions)

    def attempt(
        self, source: Source, amount: Decimal, at: datetime, status: Status, *, reason: str = ""
    ) -> Transaction:
        """Write down an attempt to charge; a settled one moves money at once."""
        if len(self._transactions) >= MAX_TRANSACTIONS:
            raise BillingRefused(f"an account of the sandbox holds {MAX_TRANSACTIONS} transactions")
        at = at if self._last_at is None else max(at, self._last_at + _TICK)
        self._last_at = at
        made = Transaction(
            trx_id=self._identities.new(), source=source, amount=amount, status="authorized", at=at, reason=reason
        )
        self._transactions.append(made)
        self.conclude(made, status, reason=reason, at=at)
        return made

    def conclude(self, transaction: Transaction, status: Status, *, at: datetime, reason: str = "") -> None:
        """Give an open attempt its end."""
        transaction.status = status
        transaction.reason = reason
        if status == "settled":
            self._enter("charge", transaction, transaction.amount, at)

    def refund(self, transaction: Transaction, amount: Decimal, at: datetime) -> None:
        """Give money of a settled charge back."""
        transaction.refunded += amount
        self._enter("refund", transaction, amount, at)

    def settled(self, order_id: UUID) -> Transaction | None:
        """Return the charge that paid the order, or None."""
        paid = (row for row in self._transactions if row.source.order_id == order_id and row.status == "settled")
        return next(paid, None)

    def payments(self, external_id: str) -> list[Transaction]:
        """Return a customer's settled charges, oldest first."""
        return [row for row in self._transactions if row.source.external_id == external_id and row.status == "settled"]

    def _enter(
        self, kind: Literal["charge", "refund"], transaction: Transaction, amount: Decimal, at: datetime
    ) -> None:
        source = transaction.source
        self._entries.append(
            Entry(
                kind=kind,
                account=self._account,
                external_id=source.external_id,
                order_id=source.order_id,
                amount=amount,
                currency=source.price_point.currency.code,
                at=at,
            )
        )

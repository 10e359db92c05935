"""An account: one tenant's part of both vendors, empty to begin with."""

from datetime import datetime
from threading import RLock

from clients.sandbox.billing.catalog import Catalog
from clients.sandbox.billing.checkout import Checkout
from clients.sandbox.billing.customers import Customers
from clients.sandbox.billing.identities import Identities
from clients.sandbox.billing.ledger import Ledger
from clients.sandbox.billing.migration import Migration
from clients.sandbox.billing.orders import Orders
from clients.sandbox.billing.purchases import Purchases
from clients.sandbox.billing.refunds import Refunds
from clients.sandbox.billing.renewals import Renewals
from clients.sandbox.billing.subscriptions import Subscriptions
from clients.sandbox.billing.transitions import Transitions
from clients.sandbox.clock import Clock
from clients.sandbox.credentials import credentials
from clients.sandbox.domains.register import Domains


class Account:
    """One tenant at both vendors.

    Domains, ledger and the lists of purchases may be read and `domains.add`
    called from any thread; whoever calls an operation of a vendor directly
    (checkout, transitions, catalog, ...) beside a running server holds `Sandbox.lock`.

    Args:
        tenant: Whose it is.
        clock: The sandbox's.
        lock: The sandbox's.
        claims: Which account registered which hostname.
    """

    def __init__(self, tenant: str, *, clock: Clock, lock: RLock, claims: dict[str, str]) -> None:
        self.tenant = tenant
        self.credentials = credentials(tenant)
        self._clock = clock
        identities = self._identities = Identities(tenant)
        self.domains = Domains(self.credentials.org_id, clock=clock, lock=lock, claims=claims)
        self.catalog = Catalog()
        self.customers = Customers()
        self.subscriptions = Subscriptions(lock=lock)
        self.ledger = Ledger(tenant, identities=identities, lock=lock)
        self.checkout = Checkout(
            catalog=self.catalog,
            customers=self.customers,
            subscriptions=self.subscriptions,
            orders=Orders(identities),
            ledger=self.ledger,
            purchases=Purchases(self.subscriptions, customers=self.customers, identities=identities),
        )
        self.refunds = Refunds(self.ledger, subscriptions=self.subscriptions)
        self.transitions = Transitions(self.subscriptions)
        self.migration = Migration(
            catalog=self.catalog, subscriptions=self.subscriptions, ledger=self.ledger, identities=identities
        )
        self._renewals = Renewals(self.subscriptions, ledger=self.ledger, identities=identities)
        self.caught_up_at = clock.now()

    def become_unique(self) -> None:
        """From here on, no two runs give the same ids: what happens after the story is nobody's sample."""
        self._identities.become_unique()

    def catch_up(self, now: datetime | None = None) -> None:
        """Let everything happen that fell due until `now`, the present by default."""
        until = self._clock.now() if now is None else now
        self.caught_up_at = until
        self.checkout.catch_up(until)
        self._renewals.catch_up(until)

"""Accounts: one tenant's part of both vendors, opened at first use."""

from collections import OrderedDict
from datetime import datetime, timedelta
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
from clients.sandbox.credentials import Credentials, credentials
from clients.sandbox.domains.register import Domains
from clients.sandbox.story import tell

__all__ = ["Account", "Accounts", "Credentials", "credentials"]

# Looking for what fell due costs time under load, and nothing is due to the second:
# the clock's own jumps are followed at once.
_LAG = timedelta(seconds=1)

# More tenants than a test run has; the one that was not used for longest is forgotten.
MAX_ACCOUNTS = 256


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
        identities = Identities(tenant)
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
        tell(self, clock.now())
        identities.become_unique()

    def catch_up(self, now: datetime | None = None) -> None:
        """Let everything happen that fell due until `now`, the present by default."""
        until = self._clock.now() if now is None else now
        self.caught_up_at = until
        self.checkout.catch_up(until)
        self._renewals.catch_up(until)


class Accounts:
    """All accounts of a sandbox.

    Args:
        clock: The sandbox's.
        lock: The sandbox's.
    """

    def __init__(self, *, clock: Clock, lock: RLock) -> None:
        self._clock = clock
        self._lock = lock
        self._rows: OrderedDict[str, Account] = OrderedDict()
        self._claims: dict[str, str] = {}
        self.opened_at = clock.now()

    def of(self, tenant: str) -> Account:
        """Return a tenant's account as it was within the last second; open it if need be.

        Raises:
            ValueError: The name is not one of a tenant.
        """
        account = self._rows.get(tenant)
        if account is None:
            account = Account(tenant, clock=self._clock, lock=self._lock, claims=self._claims)
            self._rows[tenant] = account
            self._forget_surplus()
        self._rows.move_to_end(tenant)
        if self._clock.now() - account.caught_up_at >= _LAG:
            account.catch_up()
        return account

    def catch_up(self) -> None:
        """Let everything happen that fell due, in all accounts."""
        with self._lock:
            for account in self._rows.values():
                account.catch_up()

    def clear(self) -> None:
        """Close all accounts; the first access tokens count from now."""
        self._rows.clear()
        self._claims.clear()
        self.opened_at = self._clock.now()

    def _forget_surplus(self) -> None:
        while len(self._rows) > MAX_ACCOUNTS:
            _, forgotten = self._rows.popitem(last=False)
            owner = forgotten.credentials.org_id
            for hostname in [hostname for hostname, claimed_by in self._claims.items() if claimed_by == owner]:
                del self._claims[hostname]

"""Accounts: those of all tenants, each opened at first use with the story's data."""

from collections import OrderedDict
from datetime import timedelta
from threading import RLock

from clients.sandbox.account import Account
from clients.sandbox.clock import Clock
from clients.sandbox.credentials import Credentials, credentials
from clients.sandbox.story import tell

__all__ = ["Accounts", "Credentials", "credentials"]

# Looking for what fell due costs time under load, and nothing is due to the second:
# the clock's own jumps are followed at once.
_LAG = timedelta(seconds=1)

# More tenants than a test run has; the one that was not used for longest is forgotten.
MAX_ACCOUNTS = 256


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
            account = self._rows[tenant] = self._opened(tenant)
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

    def _opened(self, tenant: str) -> Account:
        account = Account(tenant, clock=self._clock, lock=self._lock, claims=self._claims)
        tell(account, self._clock.now())
        account.become_unique()
        return account

    def _forget_surplus(self) -> None:
        while len(self._rows) > MAX_ACCOUNTS:
            _, forgotten = self._rows.popitem(last=False)
            owner = forgotten.credentials.org_id
            for hostname in [hostname for hostname, claimed_by in self._claims.items() if claimed_by == owner]:
                del self._claims[hostname]

"""The world behind one server: both vendors, their accounts, and the levers on all of it."""

from collections import deque
from datetime import datetime
from random import Random
from threading import RLock

from clients.sandbox.account import Account
from clients.sandbox.accounts import Accounts
from clients.sandbox.arrivals import Received, Request, recorded
from clients.sandbox.billing.funnelfox import FunnelFox
from clients.sandbox.choices import Choices
from clients.sandbox.clock import Clock
from clients.sandbox.domains.funnelflux import FunnelFlux
from clients.sandbox.faults import Fault, Faults
from clients.sandbox.replies import Reply
from clients.sandbox.vendor import Operation, Vendor

# A load test looks at counts, not at the first of a million rows.
_MAX_RECORDED = 10_000


class Sandbox:
    """Both vendors in memory.

    One lock guards everything: the server holds it while it does what a request
    asks, and every method that a test may call takes it.

    Args:
        clock: What time it is; real time that can be moved forward by default.
        choices: How to behave where the vendors' documents are silent.
        rng: Decides about faults with a probability; the default is seeded,
            so that a failing run can be repeated.
    """

    def __init__(
        self, *, clock: Clock | None = None, choices: Choices | None = None, rng: Random | None = None
    ) -> None:
        self.lock = RLock()
        self.clock = clock or Clock()
        self.choices = choices or Choices()
        self._accounts = Accounts(clock=self.clock, lock=self.lock)
        self.vendors: tuple[Vendor, ...] = (
            FunnelFlux(self._accounts, clock=self.clock, choices=self.choices),
            FunnelFox(self._accounts, clock=self.clock, choices=self.choices),
        )
        names = {vendor.name for vendor in self.vendors} | {operation.name for operation in self.operations}
        # A seeded generator is wanted: this is no cryptography.
        self.faults = Faults(lock=self.lock, rng=rng or Random(0), names=frozenset(names))  # noqa: S311 - see above
        self._recorded: deque[Received] = deque(maxlen=_MAX_RECORDED)
        self.clock.watch(self._accounts.catch_up)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All operations of both vendors."""
        return tuple(operation for vendor in self.vendors for operation in vendor.operations)

    @property
    def requests(self) -> list[Received]:
        """What arrived at the vendors, oldest first; the last ten thousand."""
        with self.lock:
            return list(self._recorded)

    def count(self, operation: str) -> int:
        """Return how many requests arrived for an operation such as "POST /domains/check"."""
        with self.lock:
            return sum(received.operation == operation for received in self._recorded)

    def account(self, tenant: str) -> Account:
        """Return a tenant's account at both vendors, opened with the story's data on first use.

        Raises:
            ValueError: The name is not one of a tenant.
        """
        with self.lock:
            return self._accounts.of(tenant)

    def reset(self) -> None:
        """Forget everything: accounts, faults, requests, and time that was skipped."""
        with self.lock:
            self.faults.clear()
            self._recorded.clear()
            self.clock.rewind()
            self._accounts.clear()

    def vendor(self, segments: tuple[str, ...]) -> Vendor | None:
        """Return whose path it is."""
        return next((vendor for vendor in self.vendors if vendor.claims(segments)), None)

    def admit(self, vendor: Vendor, operation: Operation | None, request: Request) -> tuple[Fault | None, Fault | None]:
        """Record that a request arrived; return the latency and the failure that it meets."""
        with self.lock:
            tenant = vendor.tenant(request)
            name = "" if operation is None else operation.name
            at: datetime = self.clock.now()
            self._recorded.append(recorded(request, vendor=vendor.name, operation=name, account=tenant, at=at))
            return (None, None) if operation is None else self.faults.take(operation, tenant)

    def answer(self, vendor: Vendor, operation: Operation, request: Request) -> Reply:
        """Do what the request asks, effects included, and answer it."""
        with self.lock:
            return vendor.answer(operation, request)

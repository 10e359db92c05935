"""All that a serving process has of its tenants: who they are, who changes them, who keeps what vendors renewed."""

from contextlib import suppress
from time import time
from typing import Final

from gateway.settings import Settings
from gateway.shared_store import SharedStore, failures
from gateway.storage.database import Database, Unavailable
from gateway.storage.tenants import TenantStore
from gateway.telemetry import Log
from gateway.tenants.bearers import Shared
from gateway.tenants.directory import Directory
from gateway.tenants.encryption import Keyring
from gateway.vendor_credentials import RULES, bearer_fingerprint, own_tenant, sources_of, tenants_of

CHANGED: Final = "tenants-changed"
"""The channel on which a process says that it has changed a tenant."""


class Tenancy:
    """Opens and closes it.

    Args:
        settings: The whole configuration.
        database: Where tenants and renewed bearers are kept.
        shared: Tells other processes of a change; None: they look for themselves.
        log: Where it is written that something can't be used or kept.
    """

    def __init__(self, settings: Settings, database: Database, *, shared: SharedStore | None, log: Log) -> None:
        self._shared = shared
        self.directory: Final = Directory(
            TenantStore(database), sources_of(settings), slots=RULES.slots, own=own_tenant(settings), log=log
        )
        self.tenants: Final = tenants_of(settings, database, changed=self._changed)
        keyring = Keyring.of(settings.encryption_keys)
        self.bearers: Final = (
            Shared(database, keyring, fingerprint=bearer_fingerprint, now=time, log=log)
            if keyring is not None
            else None
        )
        """None: without keys, what a vendor renews stays in memory."""
        if shared is not None:
            shared.subscribe(CHANGED, heard=lambda _: self.directory.wake(), missed=self.directory.wake)

    async def start(self) -> None:
        """Know the tenants, and go on watching them."""
        await self.directory.start()

    async def close(self) -> None:
        """End watching; the database is needed until then."""
        await self.directory.close()
        if self.bearers is not None:
            await self.bearers.close()

    async def _changed(self) -> None:
        """Make a change count here before it is answered, and everywhere soon."""
        with suppress(Unavailable):
            await self.directory.refresh()
        if self._shared is not None:
            with suppress(*failures()):
                await self._shared.publish(CHANGED, b"")

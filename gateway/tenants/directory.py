"""The tenants as this process sees them: never more than a second old, with their credentials at hand.

Everything is read in the background, so that a request looks into memory only.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from clients.secret import Secret
from gateway.storage.database import Unavailable
from gateway.storage.tenants import Register, TenantRecord, TenantStore
from gateway.telemetry import Log
from gateway.tenants.credential_sources import Signature, Sources, Unusable, content, signature
from gateway.tenants.registry import Slots, claims_of, place_of
from gateway.tokens.lifecycle import DEFAULT_TENANT

LOOK_SECONDS: Final = 0.5
"""Between two looks; a change is promised to work everywhere within a second."""

END_SECONDS: Final = 6.0
"""For a look under way when all ends: longer than the database may take to accept a connection."""

TAKEN: Final = "It leads to a vendor account that another tenant has."


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant, ready to be acted for."""

    name: str
    cname_target: str | None
    cors_origins: frozenset[str]
    credentials: Mapping[str, Secret]
    """Those that can be used, by slot."""
    unusable: Mapping[str, str]
    """Why the others can't be, by slot."""


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """The default tenant, as the environment describes it."""

    cname_target: str | None
    credentials: Mapping[str, Secret]
    """By slot."""
    files: Mapping[str, str]
    """The paths of those that were read from files, by slot."""


class Directory:
    """Who the tenants are.

    Args:
        store: Where they are kept.
        sources: Reads their credentials.
        slots: Which credentials there are.
        own: The default tenant.
        log: Where it is written that something can't be used; never a value.
    """

    def __init__(self, store: TenantStore, sources: Sources, *, slots: Slots, own: Own, log: Log) -> None:
        self._store = store
        self._sources = sources
        self._slots = slots
        self._own = own
        self._log = log
        self._register = Register(revision=-1, tenants=(), claims={})
        self._signatures: dict[str, Signature | None] = {}
        self._tenants: dict[str, Tenant] = {}
        self._told: set[tuple[str, str, str]] = set()
        self._unclaimed = True
        self._claimed: Mapping[str, str] | None = None
        self._ended = False
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._origins: frozenset[str] = frozenset()
        self.changed: Callable[[frozenset[str]], None] = lambda _: None
        """Is given the names of tenants that are no longer what they were."""
        self._resolve()

    def of(self, name: str) -> Tenant | None:
        """A tenant; None: nobody has registered it."""
        return self._tenants.get(name)

    def admitted(self, tenant: str | None) -> frozenset[str]:
        """The pages that a tenant admits; for None, those that any tenant does."""
        if tenant is None:
            return self._origins
        known = self._tenants.get(tenant)
        return known.cors_origins if known is not None else frozenset()

    def __iter__(self) -> Iterator[Tenant]:
        """All of them, the default tenant among them."""
        return iter(self._tenants.values())

    async def start(self) -> None:
        """Read everything, and go on watching; a database that fails is asked again."""
        self._watching = asyncio.create_task(self._watch())
        with suppress(Unavailable):
            await self.refresh()

    async def close(self) -> None:
        """End watching."""
        if self._watching is not None:
            self._ended = True
            self._wake.set()
            # Not cancelled at once: a connection that is being made would be left open.
            await asyncio.wait([self._watching], timeout=END_SECONDS)
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    def wake(self) -> None:
        """Look now: something may have changed."""
        self._wake.set()

    async def refresh(self) -> None:
        """See what has changed.

        Raises:
            Unavailable: The database failed; what was known stays.
        """
        async with self._lock:
            before = self._tenants
            try:
                await self._look_again()
            finally:
                if others := frozenset(name for name, was in before.items() if self._tenants.get(name) != was):
                    self.changed(others)

    async def _look_again(self) -> None:
        changed = False
        signatures = await asyncio.to_thread(self._looked_at) if self._signatures else {}
        try:
            if await self._store.revision() != self._register.revision:
                self._register = await self._store.register()
                changed = True
        finally:
            # Files are ours to read also while the database is gone.
            if changed or signatures != self._signatures:
                await asyncio.to_thread(self._resolve)
                changed = True
        if changed:
            self._unclaimed = True
        if self._unclaimed:
            await self._claim()

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            if self._ended:
                return
            try:
                await self.refresh()
            except Unavailable:
                continue  # What is known stays; readiness tells of the database.
            except Exception:  # noqa: BLE001 - a background loop: one bad look must not end all further ones
                self._log.exception("tenants could not be read")

    def _looked_at(self) -> dict[str, Signature | None]:
        return {path: signature(Path(path)) for path in self._signatures}

    def _resolve(self) -> None:
        """Make everything anew of what was read; in a thread, since files are read and values decrypted."""
        own = self._resolved_own()
        tenants = {own.name: own}
        files = {*self._own.files.values()}
        for record in self._register.tenants:
            tenants[record.name] = self._resolved(record)
            files |= {
                held.source.removeprefix("file:")
                for held in record.credentials.values()
                if held.source.startswith("file:")
            }
        self._signatures = {path: signature(Path(path)) for path in files}
        self._tenants = {name: self._without_others(tenant) for name, tenant in tenants.items()}
        self._origins = frozenset().union(*(tenant.cors_origins for tenant in self._tenants.values()))
        self._tell()

    def _resolved_own(self) -> Tenant:
        readers: dict[str, Callable[[], str]] = {
            slot: value.reveal for slot, value in self._own.credentials.items() if slot not in self._own.files
        }
        readers |= {slot: partial(content, Path(path)) for slot, path in self._own.files.items()}
        credentials, unusable = self._read(readers)
        return Tenant(
            name=DEFAULT_TENANT,
            cname_target=self._own.cname_target,
            cors_origins=frozenset(),
            credentials=credentials,
            unusable=unusable,
        )

    def _resolved(self, record: TenantRecord) -> Tenant:
        credentials, unusable = self._read(
            {
                slot: partial(self._sources.read, held, place=place_of(record.name, slot))
                for slot, held in record.credentials.items()
            }
        )
        return Tenant(
            name=record.name,
            cname_target=record.cname_target,
            cors_origins=frozenset(record.cors_origins),
            credentials=credentials,
            unusable=unusable,
        )

    def _read(self, readers: Mapping[str, Callable[[], str]]) -> tuple[dict[str, Secret], dict[str, str]]:
        """What can be used, and why the rest can't be."""
        credentials: dict[str, Secret] = {}
        unusable: dict[str, str] = {}
        for slot, read in readers.items():
            if (rule := self._slots.get(slot)) is None:
                continue  # Kept by a newer version of ours.
            try:
                credentials[slot] = Secret(rule.parse(read()))
            except Unusable as error:
                unusable[slot] = str(error)
            except ValueError as error:
                unusable[slot] = f"What is there {error}"
        return credentials, unusable

    def _without_others(self, tenant: Tenant) -> Tenant:
        """The tenant without those accounts that another one has."""
        taken = {
            self._slots[slot].realm
            for mark, slot in claims_of(self._slots, tenant.credentials).items()
            if self._register.claims.get(mark, tenant.name) != tenant.name
        }
        lost = {slot: TAKEN for slot in tenant.credentials if self._slots[slot].realm in taken - {None}}
        kept = {slot: value for slot, value in tenant.credentials.items() if slot not in lost}
        return msgspec.structs.replace(tenant, credentials=kept, unusable={**tenant.unusable, **lost})

    async def _claim(self) -> None:
        """Claim what is known only since its reference was followed, first come, first served."""
        own = claims_of(self._slots, self._tenants[DEFAULT_TENANT].credentials)
        if own != self._claimed:
            await self._store.release(DEFAULT_TENANT, but=own)
            self._claimed = own
        wanted = {
            mark: (tenant.name, slot)
            for tenant in self._tenants.values()
            for mark, slot in claims_of(self._slots, tenant.credentials).items()
            if mark not in self._register.claims
        }
        if wanted:
            await self._store.claim_free(wanted)
            self._register = await self._store.register()
            await asyncio.to_thread(self._resolve)
        self._unclaimed = False

    def _tell(self) -> None:
        """Write each new reason why something can't be used, once."""
        now = {(tenant.name, slot, why) for tenant in self._tenants.values() for slot, why in tenant.unusable.items()}
        for name, slot, why in sorted(now - self._told):
            self._log.warning("credential can't be used", tenant=name, credential=slot, why=why)
        self._told = now

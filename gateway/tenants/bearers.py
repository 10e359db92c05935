"""Bearers that a vendor renewed: encrypted, shared by all processes, renewed by one at a time.

The client of a vendor asks for its turn, and keeps what it was given
(`clients.domains.credentials.Keeper`). The database is where turns are taken,
since it is always there; should it fail, each process goes on with what it
has, and keeps it once the database is back.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from clients.secret import Secret
from gateway.storage.database import Database, Unavailable
from gateway.storage.kept_bearers import KeptBearers, KeptRecord
from gateway.telemetry import Log
from gateway.tenants.encryption import Keyring, Unreadable
from gateway.tenants.fingerprints import Fingerprint

TURN_SECONDS: Final = 20.0
"""Longer than a vendor may take to renew, retries included; after that others take over from one who died."""

WAIT_SECONDS: Final = 5.0
"""For one's turn: a caller waits, and the token at hand may do."""

LOOK_AGAIN_SECONDS: Final = 0.05
"""Between two tries to get one's turn."""

KEEP_AGAIN_SECONDS: Final = 1.0
"""Between two tries to keep what the database did not take."""


class Shared:
    """Gives each account its keeper.

    Args:
        database: Where turns are taken and bearers are kept.
        keyring: Encrypts them.
        fingerprint: Stands for one of them where it is asked whose it is.
        now: The current Unix time.
        log: Where it is written that something could not be kept; never what.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        *,
        fingerprint: Fingerprint,
        now: Callable[[], float],
        log: Log,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self.keyring: Final = keyring
        self.fingerprint: Final = fingerprint
        self.now: Final = now
        self.log: Final = log
        self.sleep: Final = sleep
        self._later: set[asyncio.Task[None]] = set()

    def keeper(self, tenant: str, origin: str) -> "Keeper":
        """Who keeps one account's bearers.

        Args:
            tenant: Whose account it is.
            origin: Stands for the configured pair; another pair begins anew.
        """
        return Keeper(self, KeptBearers(self._database, tenant=tenant, origin=origin))

    def later(self, keeping: Awaitable[None]) -> None:
        """Do something behind the caller's back, until it is done or the process ends."""

        async def done() -> None:
            await keeping

        task = asyncio.create_task(done())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def close(self) -> None:
        """Give up on what could not be kept."""
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)


class Turn:
    """One turn; see `clients.domains.credentials.Turn`."""

    def __init__(self, keeper: "Keeper", record: KeptRecord | None, *, granted: bool) -> None:
        self._keeper = keeper
        self.granted: Final = granted
        self.version: Final = record.version if record is not None else 0
        self.kept: Final = keeper.opened(record)

    async def keep(self, renewed: Secret, *parts: Secret) -> int:
        """Keep it now, or later if the database fails."""
        return await self._keeper.keep(renewed, parts, after=self.version)


class Keeper:
    """Keeps one account's bearers.

    Args:
        shared: What all keepers have in common.
        store: This account's place.
    """

    def __init__(self, shared: Shared, store: KeptBearers) -> None:
        self._shared = shared
        self._store = store
        self._place = f"kept-bearers/{store.tenant}/{store.origin}"

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Wait for one's turn, `WAIT_SECONDS` at most; never fails."""
        holder = secrets.token_hex(8)
        try:
            record = await self._taken(holder)
            turn = Turn(self, record if record is not None else await self._store.read(), granted=record is not None)
        except Unavailable:
            turn = Turn(self, None, granted=True)
        try:
            yield turn
        finally:
            await self._end(holder)

    def opened(self, record: KeptRecord | None) -> Secret | None:
        """What is kept, in clear; None also where it can't be read: then the configured pair counts."""
        if record is None or record.sealed is None:
            return None
        try:
            return Secret(self._shared.keyring.open(record.sealed, place=self._place))
        except Unreadable as error:
            self._shared.log.warning("kept bearers can't be read", tenant=self._store.tenant, why=str(error))
            return None

    async def keep(self, renewed: Secret, parts: tuple[Secret, ...], *, after: int) -> int:
        """Keep bearers; if the database fails, later."""
        try:
            return await self._kept(renewed, parts, after=after)
        except Unavailable:
            self._shared.log.warning("renewed bearers are not kept yet", tenant=self._store.tenant)
            self._shared.later(self._kept_later(renewed, parts, after=after))
            return after

    async def _taken(self, holder: str) -> KeptRecord | None:
        give_up_at = self._shared.now() + WAIT_SECONDS
        while True:
            now = self._shared.now()
            record = await self._store.take_turn(holder, now=now, until=now + TURN_SECONDS)
            if record is not None or now >= give_up_at:
                return record
            await self._shared.sleep(LOOK_AGAIN_SECONDS)

    async def _kept(self, renewed: Secret, parts: tuple[Secret, ...], *, after: int) -> int:
        version = await self._store.keep(
            self._shared.keyring.seal(renewed.reveal(), place=self._place),
            fingerprints=[self._shared.fingerprint(part) for part in parts],
            after=after,
            now=self._shared.now(),
        )
        return version if version is not None else after

    async def _kept_later(self, renewed: Secret, parts: tuple[Secret, ...], *, after: int) -> None:
        while True:
            await self._shared.sleep(KEEP_AGAIN_SECONDS)
            try:
                # What the database holds by now counts as older if nobody else has kept anything.
                await self._kept(renewed, parts, after=after or (await self._store.read()).version)
            except Unavailable:
                continue
            return

    async def _end(self, holder: str) -> None:
        try:
            await self._store.end_turn(holder)
        except Unavailable:
            return  # It ends by itself.

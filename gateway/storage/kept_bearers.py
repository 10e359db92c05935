"""What a vendor renewed, kept for every process; and whose turn it is to have it renewed."""

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import BigInteger, Column, String, Table, Text, delete, or_, select, text, update

from gateway.storage.claims import reclaim_kept, take_turn
from gateway.storage.connection import Connection
from gateway.storage.database import METADATA, Database

# One row for each configured pair: a new pair in the configuration begins anew, by itself.
KEPT_BEARERS = Table(
    "kept_bearers",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("origin", String(64), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("sealed", Text),
    Column("kept_at", BigInteger, nullable=False),
    Column("renewed_by", String(64)),
    Column("renewed_until", BigInteger, nullable=False),
)

FORGOTTEN_SECONDS: Final = 90 * 86400
"""After so long, what came from a pair that is configured no more is deleted."""

_MAKE: Final = text(
    "INSERT INTO kept_bearers (tenant, origin, version, kept_at, renewed_until) "
    "VALUES (:tenant, :origin, 0, :now, 0) ON CONFLICT DO NOTHING"
)


class KeptRecord(msgspec.Struct, frozen=True):
    """What is kept of one account."""

    version: int
    """Grows each time something is kept; 0: nothing was yet."""
    sealed: str | None


class KeptBearers:
    """Reads and writes what one account's vendor renewed.

    Every method raises `database.Unavailable` if the database fails.

    Args:
        database: Where it is.
        tenant: Whose account it is.
        origin: Stands for the configured pair that all this came from.
    """

    def __init__(self, database: Database, *, tenant: str, origin: str) -> None:
        self._database = database
        self.tenant = tenant
        self.origin = origin
        self._this = (KEPT_BEARERS.c.tenant == tenant) & (KEPT_BEARERS.c.origin == origin)

    async def read(self) -> KeptRecord:
        """What is kept."""
        async with self._database.transaction() as connection:
            return await self._read(connection)

    async def take_turn(self, holder: str, *, now: float, until: float) -> KeptRecord | None:
        """Become the one who renews, until the moment `until`.

        Args:
            holder: Tells this attempt from all others.
            now: Unix time.
            until: Unix time from which on others may take over, should we die.

        Returns:
            What is kept; None: somebody else is at it.
        """
        free = or_(KEPT_BEARERS.c.renewed_by.is_(None), KEPT_BEARERS.c.renewed_until <= int(now))
        async with self._database.transaction() as connection:
            await connection.execute(_MAKE, {"tenant": self.tenant, "origin": self.origin, "now": int(now)})
            taken = await connection.execute(
                update(KEPT_BEARERS).where(self._this, free).values(renewed_by=holder, renewed_until=int(until))
            )
            return await self._read(connection) if taken.rowcount else None

    async def keep(self, sealed: str, *, fingerprints: Iterable[str], after: int, now: float) -> int | None:
        """Keep what was renewed, unless something newer is there.

        Args:
            sealed: Encrypted.
            fingerprints: Of what is in it, so that no other tenant may have it.
            after: The version that was renewed.
            now: Unix time.

        Returns:
            The new version; None: somebody else was faster, and nothing was kept.
        """
        async with self._database.transaction() as connection:
            await take_turn(connection, steps=0)
            await connection.execute(_MAKE, {"tenant": self.tenant, "origin": self.origin, "now": int(now)})
            kept = await connection.execute(
                update(KEPT_BEARERS)
                .where(self._this, KEPT_BEARERS.c.version == after)
                .values(sealed=sealed, version=after + 1, kept_at=int(now))
            )
            if not kept.rowcount:
                return None
            await reclaim_kept(connection, self.tenant, fingerprints)
            await connection.execute(
                delete(KEPT_BEARERS).where(
                    KEPT_BEARERS.c.tenant == self.tenant,
                    KEPT_BEARERS.c.origin != self.origin,
                    KEPT_BEARERS.c.kept_at < int(now) - FORGOTTEN_SECONDS,
                )
            )
            return after + 1

    async def end_turn(self, holder: str) -> None:
        """Let the next one renew at once."""
        async with self._database.transaction() as connection:
            await connection.execute(
                update(KEPT_BEARERS).where(self._this, KEPT_BEARERS.c.renewed_by == holder).values(renewed_by=None)
            )

    async def _read(self, connection: Connection) -> KeptRecord:
        row = (
            await connection.execute(select(KEPT_BEARERS.c.version, KEPT_BEARERS.c.sealed).where(self._this))
        ).one_or_none()
        return KeptRecord(row.version, row.sealed) if row is not None else KeptRecord(0, None)

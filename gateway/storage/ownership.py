"""Whose a vendor's resource is, where the vendor can't be asked."""

from sqlalchemy import BigInteger, Column, Index, String, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.storage.database import METADATA, Database

OWNED = Table(
    "owned_resources",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("mode", String(8), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("subject", String(256), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

# Apart from the owners, because an order whose owner nobody knows can get another id, too.
ALIASES = Table(
    "resource_aliases",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("mode", String(8), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("first", String(64), nullable=False),
    Index("ix_resource_aliases_first", "tenant", "mode", "kind", "first"),
)


class OwnershipStore:
    """Reads and writes who owns what, and which ids mean the same.

    Every method raises `database.Unavailable` if the database fails.

    Args:
        database: Where it is kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = sqlite.insert if database.embedded else postgresql.insert

    async def add(self, tenant: str, mode: str, kind: str, ident: str, *, subject: str, at: int) -> None:
        """Keep an owner (`at` in Unix seconds); whoever was first stays it."""
        row = {"tenant": tenant, "mode": mode, "kind": kind, "id": ident, "subject": subject, "created_at": at}
        async with self._database.transaction() as connection:
            await connection.execute(self._insert(OWNED).values(row).on_conflict_do_nothing())

    async def owner(self, tenant: str, mode: str, kind: str, ident: str) -> str | None:
        """The subject that a resource belongs to; None: nothing is known of it."""
        query = select(OWNED.c.subject).where(
            OWNED.c.tenant == tenant, OWNED.c.mode == mode, OWNED.c.kind == kind, OWNED.c.id == ident
        )
        async with self._database.transaction() as connection:
            found: str | None = (await connection.execute(query)).scalar_one_or_none()
        return found

    async def alias(self, tenant: str, mode: str, kind: str, ident: str, *, first: str) -> None:
        """Keep that an id means the same as an earlier one; what it was said to mean first stays."""
        row = {"tenant": tenant, "mode": mode, "kind": kind, "id": ident, "first": first}
        async with self._database.transaction() as connection:
            await connection.execute(self._insert(ALIASES).values(row).on_conflict_do_nothing())

    async def first(self, tenant: str, mode: str, kind: str, ident: str) -> str | None:
        """The earliest id that means the same; None: no other is known."""
        query = select(ALIASES.c.first).where(
            ALIASES.c.tenant == tenant, ALIASES.c.mode == mode, ALIASES.c.kind == kind, ALIASES.c.id == ident
        )
        async with self._database.transaction() as connection:
            found: str | None = (await connection.execute(query)).scalar_one_or_none()
        return found

    async def later(self, tenant: str, mode: str, kind: str, first: str) -> list[str]:
        """The later ids that mean the same as `first`."""
        query = select(ALIASES.c.id).where(
            ALIASES.c.tenant == tenant, ALIASES.c.mode == mode, ALIASES.c.kind == kind, ALIASES.c.first == first
        )
        async with self._database.transaction() as connection:
            return list((await connection.execute(query)).scalars())

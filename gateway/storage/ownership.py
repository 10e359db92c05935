"""Whose a vendor's resource is, where the vendor can't be asked."""

from collections.abc import Iterator

from sqlalchemy import BigInteger, Column, Index, String, Table, select

from gateway.storage.database import METADATA, Database


def _resource() -> Iterator[Column[str]]:
    """What names one of a vendor's resources."""
    for name, length in (("tenant", 64), ("mode", 8), ("kind", 32), ("id", 64)):
        yield Column(name, String(length), primary_key=True)


OWNED = Table(
    "owned_resources",
    METADATA,
    *_resource(),
    Column("subject", String(256), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

# Apart from the owners, because an order whose owner nobody knows can get another id, too.
ALIASES = Table(
    "resource_aliases",
    METADATA,
    *_resource(),
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

    async def add(self, tenant: str, mode: str, kind: str, ident: str, *, subject: str, at: int) -> None:
        """Keep an owner (`at` in Unix seconds); whoever was first stays it."""
        row = {"tenant": tenant, "mode": mode, "kind": kind, "id": ident, "subject": subject, "created_at": at}
        await self._keep(OWNED, row)

    async def owner(self, tenant: str, mode: str, kind: str, ident: str) -> str | None:
        """The subject that a resource belongs to; None: nothing is known of it."""
        found = await self._values(OWNED.c.subject, tenant=tenant, mode=mode, kind=kind, id=ident)
        return next(iter(found), None)

    async def alias(self, tenant: str, mode: str, kind: str, ident: str, *, first: str) -> None:
        """Keep that an id means the same as an earlier one; what it was said to mean first stays."""
        await self._keep(ALIASES, {"tenant": tenant, "mode": mode, "kind": kind, "id": ident, "first": first})

    async def first(self, tenant: str, mode: str, kind: str, ident: str) -> str | None:
        """The earliest id that means the same; None: no other is known."""
        found = await self._values(ALIASES.c.first, tenant=tenant, mode=mode, kind=kind, id=ident)
        return next(iter(found), None)

    async def later(self, tenant: str, mode: str, kind: str, first: str) -> list[str]:
        """The later ids that mean the same as `first`."""
        return await self._values(ALIASES.c.id, tenant=tenant, mode=mode, kind=kind, first=first)

    async def _keep(self, table: Table, row: dict[str, object]) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(self._database.insert(table).values(row).on_conflict_do_nothing())

    async def _values(self, column: Column[str], **where: str) -> list[str]:
        """Those of a column, in the rows where others are as told."""
        query = select(column).where(*(column.table.c[name] == value for name, value in where.items()))
        async with self._database.transaction() as connection:
            return [*(await connection.execute(query)).scalars()]

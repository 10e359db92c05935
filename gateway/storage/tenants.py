"""Tenants as they are kept: what they are called, and where their credentials come from."""

from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Row,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from gateway.storage.claims import CLAIMS, KEPT_SLOT, REVISION, Claims, claim, claim_free, take_turn
from gateway.storage.connection import Connection
from gateway.storage.database import METADATA, Database
from gateway.storage.kept_bearers import KEPT_BEARERS
from gateway.storage.tokens import TOKENS, count_change

TENANTS = Table(
    "tenants",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("cname_target", String(255)),
    Column("cors_origins", JSON, nullable=False),
)

CREDENTIALS = Table(
    "tenant_credentials",
    METADATA,
    Column("tenant", String(64), ForeignKey("tenants.name", ondelete="CASCADE"), primary_key=True),
    Column("slot", String(64), primary_key=True),
    Column("source", Text, nullable=False),
    Column("sealed", Text),
    Column("set_at", BigInteger, nullable=False),
)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as it is kept."""

    source: str
    """`encrypted`, `env:NAME` or `file:/path`."""
    sealed: str | None
    """For `encrypted` only."""
    set_at: int
    """Unix seconds."""


class TenantRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant."""

    name: str
    created_at: int
    """Unix seconds."""
    cname_target: str | None
    cors_origins: tuple[str, ...]
    credentials: Mapping[str, Held]
    """By slot."""


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """All tenants at one moment."""

    revision: int
    tenants: tuple[TenantRecord, ...]
    """By name."""
    claims: Mapping[str, str]
    """The tenant by fingerprint."""


class NameTaken(Exception):
    """There is a tenant of this name."""


class TenantStore:
    """Reads and writes tenants.

    Every method raises `database.Unavailable` if the database fails.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def revision(self) -> int:
        """A number that grows with every change."""
        async with self._database.transaction() as connection:
            revision: int = (await connection.execute(select(REVISION.c.revision))).scalar_one()
            return revision

    async def register(self) -> Register:
        """All tenants."""
        async with self._database.transaction() as connection:
            # First: should somebody change something meanwhile, the number is too low, and we read once more.
            revision = (await connection.execute(select(REVISION.c.revision))).scalar_one()
            rows = (await connection.execute(select(TENANTS).order_by(TENANTS.c.name))).all()
            held = _by_tenant((await connection.execute(select(CREDENTIALS).order_by(CREDENTIALS.c.slot))).all())
            claims = (await connection.execute(select(CLAIMS.c.fingerprint, CLAIMS.c.tenant))).all()
        return Register(
            revision=revision,
            tenants=tuple(_record(row, held.get(row.name, {})) for row in rows),
            claims={row.fingerprint: row.tenant for row in claims},
        )

    async def add(self, tenant: TenantRecord, claims: Claims) -> None:
        """Keep a new tenant.

        Raises:
            NameTaken: There is one of this name.
            claims.AccountTaken: Another tenant has one of its accounts.
        """
        async with self._database.transaction() as connection:
            await take_turn(connection)
            if await _exists(connection, tenant.name):
                raise NameTaken(tenant.name)
            await connection.execute(
                insert(TENANTS).values(
                    name=tenant.name,
                    created_at=tenant.created_at,
                    cname_target=tenant.cname_target,
                    cors_origins=tenant.cors_origins,
                )
            )
            await _set(connection, tenant.name, tenant.credentials)
            await claim(connection, tenant.name, claims)

    async def change(
        self,
        name: str,
        *,
        columns: Mapping[str, object],
        credentials: Mapping[str, Held | None],
        claims: Claims,
    ) -> bool:
        """Change what is named of a tenant, and nothing else.

        Args:
            name: Whose.
            columns: New values of `cname_target` and `cors_origins`.
            credentials: New ones by slot; None removes what was there.
            claims: Of the new credentials.

        Returns:
            Whether there is such a tenant.

        Raises:
            claims.AccountTaken: Another tenant has one of the accounts; nothing was changed.
        """
        async with self._database.transaction() as connection:
            await take_turn(connection)
            if not await _exists(connection, name):
                return False
            if columns:
                await connection.execute(update(TENANTS).where(TENANTS.c.name == name).values(**columns))
            for table in (CREDENTIALS, CLAIMS):
                await connection.execute(delete(table).where(table.c.tenant == name, table.c.slot.in_(credentials)))
            await _set(connection, name, {slot: held for slot, held in credentials.items() if held is not None})
            await claim(connection, name, claims)
            return True

    async def remove(self, name: str, *, at: int) -> bool:
        """Forget a tenant and withdraw its tokens from `at` (Unix seconds) on.

        Returns:
            Whether there was such a tenant.
        """
        async with self._database.transaction() as connection:
            await take_turn(connection)
            if not await _exists(connection, name):
                return False
            for table in (CREDENTIALS, CLAIMS, KEPT_BEARERS):
                await connection.execute(delete(table).where(table.c.tenant == name))
            await connection.execute(delete(TENANTS).where(TENANTS.c.name == name))
            await connection.execute(
                update(TOKENS).where(TOKENS.c.tenant == name, TOKENS.c.revoked_at.is_(None)).values(revoked_at=at)
            )
            await count_change(connection)
            return True

    async def claim_free(self, wanted: Mapping[str, tuple[str, str]]) -> None:
        """Claim accounts that became known only when a reference was followed; what is another's stays so.

        Args:
            wanted: Tenant and slot by fingerprint.
        """
        async with self._database.transaction() as connection:
            await take_turn(connection)
            await claim_free(connection, wanted)

    async def release(self, tenant: str, *, but: Iterable[str]) -> None:
        """Give up a tenant's claims on configured accounts, but for some fingerprints."""
        gone = (CLAIMS.c.tenant == tenant) & (CLAIMS.c.slot != KEPT_SLOT) & CLAIMS.c.fingerprint.not_in([*but])
        async with self._database.transaction() as connection:
            if (await connection.execute(select(CLAIMS.c.fingerprint).where(gone))).first() is None:
                return
        async with self._database.transaction() as connection:
            await take_turn(connection)
            await connection.execute(delete(CLAIMS).where(gone))


async def _exists(connection: Connection, name: str) -> bool:
    return (await connection.execute(select(TENANTS.c.name).where(TENANTS.c.name == name))).first() is not None


async def _set(connection: Connection, tenant: str, credentials: Mapping[str, Held]) -> None:
    for slot, held in credentials.items():
        await connection.execute(insert(CREDENTIALS).values(tenant=tenant, slot=slot, **msgspec.structs.asdict(held)))


def _by_tenant(rows: Iterable[Row[tuple[object, ...]]]) -> dict[str, dict[str, Held]]:
    found: dict[str, dict[str, Held]] = {}
    for row in rows:
        held = Held(source=row.source, sealed=row.sealed, set_at=row.set_at)
        found.setdefault(row.tenant, {})[row.slot] = held
    return found


def _record(row: Row[tuple[object, ...]], held: Mapping[str, Held]) -> TenantRecord:
    columns = row._asdict()
    return TenantRecord(**{**columns, "cors_origins": tuple(columns["cors_origins"])}, credentials=held)

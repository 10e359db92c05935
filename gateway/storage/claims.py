"""Which vendor account is whose: two tenants can't share one.

Every change takes the one row of `tenant_revision` first. So changes wait for
each other, two of them can't both find that an account is free, and a process
learns from one number whether it has to read anew.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import BigInteger, Column, Integer, String, Table, delete, insert, select, update

from gateway.storage.connection import Connection
from gateway.storage.database import METADATA

# Without a foreign key: the default tenant has no row.
CLAIMS = Table(
    "vendor_account_claims",
    METADATA,
    Column("fingerprint", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False, index=True),
    Column("slot", String(64), nullable=False),
)

REVISION = Table(
    "tenant_revision",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
)

KEPT_SLOT: Final = "kept"
"""The slot of claims on what a vendor renewed; configured credentials have other names."""

Claims = Mapping[str, str]
"""The slot by the fingerprint that stands for what is in it."""


class AccountTaken(Exception):
    """Another tenant has this vendor account.

    Args:
        slot: Of the credential that leads to it.
        tenant: Who has it.
    """

    def __init__(self, slot: str, tenant: str) -> None:
        super().__init__(f"{slot}: {tenant}")
        self.slot = slot
        self.tenant = tenant


async def take_turn(connection: Connection, *, steps: int = 1) -> None:
    """Wait until nobody else changes tenants; to be called before anything is read.

    Args:
        connection: Within a transaction, whose end ends the turn.
        steps: 0: there is nothing that others would have to read anew.
    """
    await connection.execute(update(REVISION).values(revision=REVISION.c.revision + steps))


async def claim(connection: Connection, tenant: str, claims: Claims) -> None:
    """Claim accounts, all or none.

    Raises:
        AccountTaken: One of them is another's.
    """
    taken = await owners(connection, claims)
    for fingerprint, slot in claims.items():
        owner = taken.get(fingerprint)
        if owner is not None and owner != tenant:
            raise AccountTaken(slot, owner)
        if owner is None:
            await connection.execute(insert(CLAIMS).values(fingerprint=fingerprint, tenant=tenant, slot=slot))


async def claim_free(connection: Connection, wanted: Mapping[str, tuple[str, str]]) -> None:
    """Claim those accounts that are nobody's yet; `wanted` is tenant and slot by fingerprint."""
    taken = await owners(connection, wanted)
    for fingerprint, (tenant, slot) in wanted.items():
        if fingerprint not in taken:
            await connection.execute(insert(CLAIMS).values(fingerprint=fingerprint, tenant=tenant, slot=slot))


async def reclaim_kept(connection: Connection, tenant: str, fingerprints: Iterable[str]) -> None:
    """Claim what a vendor renewed, in place of what it renewed before; what is another's stays so."""
    await connection.execute(delete(CLAIMS).where(CLAIMS.c.tenant == tenant, CLAIMS.c.slot == KEPT_SLOT))
    await claim_free(connection, dict.fromkeys(fingerprints, (tenant, KEPT_SLOT)))


async def owners(connection: Connection, fingerprints: Iterable[str]) -> dict[str, str]:
    """Whose accounts these are; those that are nobody's are left out."""
    query = select(CLAIMS.c.fingerprint, CLAIMS.c.tenant).where(CLAIMS.c.fingerprint.in_([*fingerprints]))
    return {row.fingerprint: row.tenant for row in (await connection.execute(query)).all()}

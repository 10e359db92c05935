"""One intention as it is kept: the row of an operation.

Two unique constraints decide every race between workers and replicas: one key
leads once, and one resource has one open operation.
"""

from typing import Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from gateway.storage.connection import Connection
from gateway.storage.database import METADATA

OPERATIONS = Table(
    "operations",
    METADATA,
    # Begins with the time, so that the order of ids is the order of operations.
    Column("id", String(40), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("mode", String(8), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("listed", Boolean, nullable=False),
    Column("scopes", String(200), nullable=False),
    Column("subject", String(256)),
    Column("key_digest", String(64), unique=True),
    Column("fingerprint", String(64)),
    Column("resource", String(64)),
    # The resource, while the operation is open.
    Column("guard", String(64)),
    Column("contested", Boolean, nullable=False),
    Column("instrument", String(64)),
    Column("instance", Text, nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("trace_id", String(32), nullable=False),
    Column("facts", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Column("lease_until", BigInteger),
    Column("due_at", BigInteger),
    Column("looked_at", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("evidence", Text),
    Column("answer", Text),
    UniqueConstraint("tenant", "mode", "guard"),
    Index("ix_operations_due_at", "due_at"),
    Index("ix_operations_settled_at", "settled_at"),
    Index("ix_operations_tenant_mode_id", "tenant", "mode", "id"),
    Index("ix_operations_resource", "tenant", "mode", "resource"),
    Index("ix_operations_instrument", "instrument", "created_at"),
)

OPEN: Final = ("pending", "unknown")
"""States of which nobody knows how they end."""


class OperationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One intention. Times are Unix milliseconds."""

    id: str
    tenant: str
    mode: str
    kind: str
    listed: bool
    """Whether it is an operation to its callers, and not only the record of a key."""
    scopes: str
    """What one must be allowed to see it: sorted, separated by spaces."""
    subject: str | None
    """The customer that the caller's token was limited to."""
    key_digest: str | None
    """Of tenant, mode, principal, method and key; None: it came without a key."""
    fingerprint: str | None
    resource: str | None
    """What it is about, as a digest."""
    guard: str | None
    """The same while it is open, so that no other may be."""
    contested: bool = False
    """Whether it was begun, or another was begun, though the other was open: reading can't tell the two apart."""
    instrument: str | None
    """Of what pays."""
    instance: str
    request_id: str
    trace_id: str
    facts: str
    """What is needed to settle it, maybe sealed."""
    state: str = "pending"
    created_at: int
    settled_at: int | None = None
    lease_until: int | None
    """Until when the request that leads it is believed to live; None: it has ended."""
    due_at: int | None
    """When it is looked at next."""
    looked_at: int | None = None
    attempts: int = 0
    evidence: str | None = None
    answer: str | None = None
    """What the caller was, or will be, told; maybe sealed."""


async def records(connection: Connection, query: Select[tuple[object, ...]]) -> list[OperationRecord]:
    """What a query of whole rows finds."""
    rows = (await connection.execute(query)).all()
    return [OperationRecord(**row._mapping) for row in rows]  # noqa: SLF001 - the documented way to a row's names


async def only(connection: Connection, query: Select[tuple[object, ...]]) -> OperationRecord | None:
    """What a query by something unique finds."""
    return next(iter(await records(connection, query)), None)

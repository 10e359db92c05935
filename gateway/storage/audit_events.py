"""The record of who did what: rows are added, read, and removed when they are old enough."""

import json

import msgspec
from sqlalchemy import JSON, Column, Index, String, Table, cast, delete, insert, select

from gateway.storage.database import METADATA, Database

AUDIT_EVENTS = Table(
    "audit_events",
    METADATA,
    # Begins with the time, so that the order of ids is the order of events.
    Column("id", String(40), primary_key=True),
    Column("tenant", String(64)),
    Column("mode", String(8)),
    Column("actor", String(600), nullable=False),
    Column("subject", String(256)),
    Column("action", String(64), nullable=False),
    Column("target", JSON, nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("request_id", String(64)),
    Column("trace_id", String(32)),
    Index("ix_audit_events_tenant_id", "tenant", "id"),
)


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One action."""

    id: str
    tenant: str | None
    """Of the one who acted; None: the operator, on the command line."""
    mode: str | None
    actor: str
    subject: str | None
    action: str
    target: dict[str, str]
    outcome: str
    request_id: str | None
    trace_id: str | None


class AuditStore:
    """Adds and reads events.

    Every method raises `database.Unavailable` if the database fails.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: AuditRecord) -> None:
        """Keep an event; it is durable when this returns."""
        async with self._database.transaction() as connection:
            await connection.execute(insert(AUDIT_EVENTS).values(**msgspec.structs.asdict(record)))

    async def newest(
        self,
        *,
        before: str | None,
        since: str,
        limit: int,
        tenant: str | None = None,
        mode: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        about: str | None = None,
    ) -> list[AuditRecord]:
        """The newest events that match, the newest first.

        Args:
            before: Only those older than the event of this id.
            since: Only those whose id is not smaller.
            limit: Rows at the most.
            tenant: Only those of this tenant.
            mode: Only those of this mode.
            actor: Only what this one did.
            action: Only those of this kind.
            about: Only those in whose target this stands; every event of the time is looked at.
        """
        wanted = {"tenant": tenant, "mode": mode, "actor": actor, "action": action}
        query = select(AUDIT_EVENTS).where(
            AUDIT_EVENTS.c.id >= since,
            *(AUDIT_EVENTS.c[name] == value for name, value in wanted.items() if value is not None),
        )
        if about is not None:
            # As it is stored: an identifier may hold what JSON writes otherwise.
            stored = json.dumps(about)[1:-1]
            query = query.where(cast(AUDIT_EVENTS.c.target, String).contains(stored, autoescape=True))
        if before is not None:
            query = query.where(AUDIT_EVENTS.c.id < before)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query.order_by(AUDIT_EVENTS.c.id.desc()).limit(limit))).all()
        return [AuditRecord(**row._mapping) for row in rows]  # noqa: SLF001 - the documented way to a row's names

    async def forget(self, *, before: str) -> int:
        """Remove the events whose ids are smaller.

        Returns:
            How many there were.
        """
        async with self._database.transaction() as connection:
            gone = await connection.execute(delete(AUDIT_EVENTS).where(AUDIT_EVENTS.c.id < before))
        return gone.rowcount

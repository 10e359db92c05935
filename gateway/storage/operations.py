"""What was sent to a vendor under whose key, and what came of it: one row for each intention.

Two unique constraints decide every race between workers and replicas: one key
leads once, and one resource has one open operation.
"""

from typing import Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    delete,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.storage.database import METADATA, Database

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

MOST_TRIES: Final = 5
"""At beginning: whoever held a key or a resource may let go of it between two statements."""


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


class KeyTaken(Exception):
    """The key has led already.

    Args:
        record: What it led to.
    """

    def __init__(self, record: OperationRecord) -> None:
        super().__init__(record.id)
        self.record = record


class ResourceTaken(Exception):
    """The resource has an open operation.

    Args:
        record: That one.
    """

    def __init__(self, record: OperationRecord) -> None:
        super().__init__(record.id)
        self.record = record


class InstrumentSpent(Exception):
    """What pays has paid as often as it may.

    Args:
        oldest: When the oldest of those was, in Unix milliseconds.
    """

    def __init__(self, oldest: int) -> None:
        super().__init__(oldest)
        self.oldest = oldest


class OperationStore:
    """Reads and writes operations.

    Every method raises `database.Unavailable` if the database fails.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = sqlite.insert if database.embedded else postgresql.insert

    async def with_key(self, key_digest: str) -> OperationRecord | None:
        """What this key led to."""
        return await self._one(select(OPERATIONS).where(OPERATIONS.c.key_digest == key_digest))

    async def find(self, ident: str) -> OperationRecord | None:
        """The operation with this id."""
        return await self._one(select(OPERATIONS).where(OPERATIONS.c.id == ident))

    async def begin(self, record: OperationRecord, *, despite: str | None, most: int, since: int) -> None:
        """Keep a new operation; it is durable when this returns.

        Args:
            record: The new one.
            despite: The id of an open operation on the same resource that must not be in the way.
            most: How often its instrument may be used, this time included.
            since: From when on that counts.

        Raises:
            KeyTaken: Its key has led already.
            ResourceTaken: Another operation on its resource is open.
            InstrumentSpent: Its instrument was used as often as it may be.
        """
        for _ in range(MOST_TRIES):
            async with self._database.transaction() as connection:
                if await self._begun(connection, record, despite):
                    await _count_instrument(connection, record, most=most, since=since)
                    return
                await _raise_taken(connection, record)
        raise KeyTaken(record)

    async def _begun(self, connection: AsyncConnection, record: OperationRecord, despite: str | None) -> bool:
        if record.instrument is not None and not self._database.embedded:
            # Two replicas that charge the same card at once are counted one after the other.
            lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:instrument, 0))")
            await connection.execute(lock, {"instrument": record.instrument})
        contested = False
        if despite is not None and record.guard is not None:
            overridden = await connection.execute(
                update(OPERATIONS)
                .where(OPERATIONS.c.id == despite, *_same_resource(record))
                .values(guard=None, contested=True)
            )
            contested = overridden.rowcount > 0
        row = msgspec.structs.asdict(record) | {"contested": contested}
        inserted = await connection.execute(self._insert(OPERATIONS).values(row).on_conflict_do_nothing())
        return inserted.rowcount > 0

    async def answered(self, ident: str, *, state: str, answer: str | None, at: int, due_at: int | None) -> bool:
        """Keep what the caller is answered, and let the resource go if that settles it.

        Returns:
            Whether it was still open.
        """
        values: dict[str, object] = {"state": state, "answer": answer, "lease_until": None, "due_at": due_at}
        if state not in OPEN:
            values |= {"settled_at": at, "guard": None}
        return await self._changed_open(ident, values)

    async def _changed_open(self, ident: str, values: dict[str, object]) -> bool:
        async with self._database.transaction() as connection:
            changed = await connection.execute(
                update(OPERATIONS).where(OPERATIONS.c.id == ident, OPERATIONS.c.state.in_(OPEN)).values(**values)
            )
        return changed.rowcount > 0

    async def succeeded(self, tenant: str, mode: str, resource: str, *, limit: int) -> list[OperationRecord]:
        """The newest operations on a resource that succeeded."""
        query = (
            select(OPERATIONS)
            .where(
                OPERATIONS.c.tenant == tenant,
                OPERATIONS.c.mode == mode,
                OPERATIONS.c.resource == resource,
                OPERATIONS.c.state == "succeeded",
            )
            .order_by(OPERATIONS.c.id.desc())
            .limit(limit)
        )
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).all()
        return [OperationRecord(**row._mapping) for row in rows]  # noqa: SLF001 - the documented way to a row's names

    async def release(self, ident: str) -> None:
        """Forget an operation of which nothing was sent."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(OPERATIONS).where(OPERATIONS.c.id == ident))

    async def abandon(self, ident: str, *, at: int) -> None:
        """Let go of the key of a request that has died, where a new try does no harm."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(OPERATIONS).where(OPERATIONS.c.id == ident, OPERATIONS.c.lease_until <= at))

    async def due(self, at: int, *, limit: int) -> list[OperationRecord]:
        """Open operations that should be looked at, the longest waiting first."""
        query = select(OPERATIONS).where(OPERATIONS.c.due_at <= at).order_by(OPERATIONS.c.due_at).limit(limit)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).all()
        return [OperationRecord(**row._mapping) for row in rows]  # noqa: SLF001 - the documented way to a row's names

    async def take(self, ident: str, *, at: int, unseen_since: int, until: int) -> bool:
        """Become the one who looks at an open operation, if nobody does or did lately.

        Args:
            ident: Of the operation.
            at: Now.
            unseen_since: Nobody must have begun to look later than that.
            until: When another may, should this process die.
        """
        async with self._database.transaction() as connection:
            taken = await connection.execute(
                update(OPERATIONS)
                .where(
                    OPERATIONS.c.id == ident,
                    OPERATIONS.c.state.in_(OPEN),
                    or_(OPERATIONS.c.lease_until.is_(None), OPERATIONS.c.lease_until <= at),
                    or_(OPERATIONS.c.looked_at.is_(None), OPERATIONS.c.looked_at <= unseen_since),
                )
                .values(looked_at=at, due_at=until, attempts=OPERATIONS.c.attempts + 1)
            )
        return taken.rowcount > 0

    async def looked(
        self,
        ident: str,
        *,
        state: str,
        answer: str | None,
        evidence: str,
        at: int,
        due_at: int | None,
    ) -> bool:
        """Keep what a look at the vendor, or the operator, has told.

        Args:
            ident: Of the operation.
            state: As it is now known.
            answer: What a caller is told from now on; None: as before.
            evidence: What was seen.
            at: Now.
            due_at: When to look again.

        Returns:
            Whether it was still open.
        """
        values: dict[str, object] = {"state": state, "evidence": evidence, "due_at": due_at, "lease_until": None}
        if answer is not None:
            values["answer"] = answer
        if state not in OPEN:
            values |= {"settled_at": at, "guard": None, "due_at": None}
        return await self._changed_open(ident, values)

    async def newest(
        self,
        *,
        before: str | None,
        limit: int,
        tenant: str | None = None,
        mode: str | None = None,
        subject: str | None = None,
        scopes: tuple[str, ...] | None = None,
        states: tuple[str, ...] | None = None,
    ) -> list[OperationRecord]:
        """The newest operations that match, the newest first.

        Args:
            before: Only those older than the one of this id.
            limit: Rows at the most.
            tenant: Only those of this tenant.
            mode: Only those of this mode.
            subject: Only those that this customer's own tokens began.
            scopes: Only those that can be seen with one of these.
            states: Only those in one of these.
        """
        wanted = {"tenant": tenant, "mode": mode, "subject": subject}
        query = select(OPERATIONS).where(
            OPERATIONS.c.listed, *(OPERATIONS.c[name] == value for name, value in wanted.items() if value is not None)
        )
        if before is not None:
            query = query.where(OPERATIONS.c.id < before)
        if scopes is not None:
            query = query.where(OPERATIONS.c.scopes.in_(scopes))
        if states is not None:
            query = query.where(OPERATIONS.c.state.in_(states))
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query.order_by(OPERATIONS.c.id.desc()).limit(limit))).all()
        return [OperationRecord(**row._mapping) for row in rows]  # noqa: SLF001 - the documented way to a row's names

    async def forget(self, *, settled_before: int) -> int:
        """Remove what was settled before a moment; an operation that is open stays.

        Returns:
            How many there were.
        """
        async with self._database.transaction() as connection:
            gone = await connection.execute(
                delete(OPERATIONS).where(
                    or_(
                        OPERATIONS.c.settled_at < settled_before,
                        # What its request left behind when it died: nobody waits for it.
                        and_(OPERATIONS.c.listed.is_(False), OPERATIONS.c.created_at < settled_before),
                    )
                )
            )
        return gone.rowcount

    async def _one(self, query: Select[tuple[object, ...]]) -> OperationRecord | None:
        async with self._database.transaction() as connection:
            return await _record(connection, query)


async def _record(connection: AsyncConnection, query: Select[tuple[object, ...]]) -> OperationRecord | None:
    row = (await connection.execute(query)).one_or_none()
    return OperationRecord(**row._mapping) if row is not None else None  # noqa: SLF001 - as above


async def _raise_taken(connection: AsyncConnection, record: OperationRecord) -> None:
    """Say what is in the way; what this transaction has done is undone with it."""
    if record.key_digest is not None:
        by_key = select(OPERATIONS).where(OPERATIONS.c.key_digest == record.key_digest)
        if (found := await _record(connection, by_key)) is not None:
            raise KeyTaken(found)
    by_resource = select(OPERATIONS).where(*_same_resource(record))
    if record.guard is not None and (found := await _record(connection, by_resource)) is not None:
        raise ResourceTaken(found)


def _same_resource(record: OperationRecord) -> tuple[ColumnElement[bool], ...]:
    return (
        OPERATIONS.c.tenant == record.tenant,
        OPERATIONS.c.mode == record.mode,
        OPERATIONS.c.guard == record.guard,
    )


async def _count_instrument(connection: AsyncConnection, record: OperationRecord, *, most: int, since: int) -> None:
    """Count after the insert: SQLite lets one write at a time, and to read before would not hold others up."""
    if record.instrument is None:
        return
    uses = select(func.count(), func.min(OPERATIONS.c.created_at)).where(
        OPERATIONS.c.instrument == record.instrument, OPERATIONS.c.created_at > since
    )
    count, oldest = (await connection.execute(uses)).one()
    if count > most:
        raise InstrumentSpent(oldest)

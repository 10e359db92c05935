"""How an operation begins: alone with its key and its resource, and with what pays not used up; or it is not kept.

All within one transaction, which undoes what was written if something is in the way.
"""

import msgspec
from sqlalchemy import ColumnElement, func, select, text, update

from gateway.storage.connection import Connection
from gateway.storage.database import Database
from gateway.storage.operation_record import OPERATIONS, OperationRecord, only


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


async def begun(
    database: Database,
    connection: Connection,
    record: OperationRecord,
    *,
    despite: str | None,
    most: int,
    since: int,
) -> bool:
    """Keep a new operation, unless something is in the way; for the rest see `OperationStore.begin`.

    Args:
        database: Whose transaction it is.
        connection: Within that.
        record: The new one.
        despite: The id of an open operation that must not be in the way.
        most: How often its instrument may be used.
        since: From when on that counts.

    Returns:
        Whether it is kept; otherwise, whoever was in the way has let go meanwhile.

    Raises:
        KeyTaken: Its key has led already.
        ResourceTaken: Another operation on its resource is open.
        InstrumentSpent: Its instrument was used as often as it may be.
    """
    if not await _inserted(database, connection, record, despite):
        await _raise_taken(connection, record)
        return False
    await _count_instrument(connection, record, most=most, since=since)
    return True


async def _inserted(database: Database, connection: Connection, record: OperationRecord, despite: str | None) -> bool:
    if record.instrument is not None and not database.embedded:
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
    inserted = await connection.execute(database.insert(OPERATIONS).values(row).on_conflict_do_nothing())
    return inserted.rowcount > 0


async def _raise_taken(connection: Connection, record: OperationRecord) -> None:
    """Say what is in the way; what this transaction has done is undone with it."""
    if record.key_digest is not None:
        by_key = select(OPERATIONS).where(OPERATIONS.c.key_digest == record.key_digest)
        if (found := await only(connection, by_key)) is not None:
            raise KeyTaken(found)
    by_resource = select(OPERATIONS).where(*_same_resource(record))
    if record.guard is not None and (found := await only(connection, by_resource)) is not None:
        raise ResourceTaken(found)


def _same_resource(record: OperationRecord) -> tuple[ColumnElement[bool], ...]:
    return (
        OPERATIONS.c.tenant == record.tenant,
        OPERATIONS.c.mode == record.mode,
        OPERATIONS.c.guard == record.guard,
    )


async def _count_instrument(connection: Connection, record: OperationRecord, *, most: int, since: int) -> None:
    """Count after the insert: SQLite lets one write at a time, and to read before would not hold others up."""
    if record.instrument is None:
        return
    uses = select(func.count(), func.min(OPERATIONS.c.created_at)).where(
        OPERATIONS.c.instrument == record.instrument, OPERATIONS.c.created_at > since
    )
    count, oldest = (await connection.execute(uses)).one()
    if count > most:
        raise InstrumentSpent(oldest)

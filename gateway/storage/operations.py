"""What was sent to a vendor under whose key, and what came of it: one row for each intention."""

from typing import Final

from sqlalchemy import ColumnElement, Select, and_, delete, or_, select, update

from gateway.storage.beginnings import KeyTaken, begun
from gateway.storage.database import Database
from gateway.storage.operation_record import OPEN, OPERATIONS, OperationRecord, only, records

MOST_TRIES: Final = 5
"""At beginning: whoever held a key or a resource may let go of it between two statements."""


class OperationStore:
    """Reads and writes operations.

    Every method raises `database.Unavailable` if the database fails.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def with_key(self, key_digest: str) -> OperationRecord | None:
        """What this key led to."""
        return await self._only(OPERATIONS.c.key_digest == key_digest)

    async def find(self, ident: str) -> OperationRecord | None:
        """The operation with this id."""
        return await self._only(OPERATIONS.c.id == ident)

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
                if await begun(self._database, connection, record, despite=despite, most=most, since=since):
                    return
        raise KeyTaken(record)

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
        return await self._found(query)

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
        return await self._found(query)

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
        return await self._found(query.order_by(OPERATIONS.c.id.desc()).limit(limit))

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

    async def _found(self, query: Select[tuple[object, ...]]) -> list[OperationRecord]:
        async with self._database.transaction() as connection:
            return await records(connection, query)

    async def _only(self, unique: ColumnElement[bool]) -> OperationRecord | None:
        async with self._database.transaction() as connection:
            return await only(connection, select(OPERATIONS).where(unique))

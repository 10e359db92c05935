"""Tokens as they are kept: never their secret, only its hash."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final, cast

import msgspec
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    bindparam,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from gateway.principal import Mode, Principal
from gateway.storage.connection import Connection
from gateway.storage.database import METADATA, Database

MOST_SECRETS: Final = 10
"""Of one token, valid at the same time: far more than rotation in earnest needs."""

TOKENS = Table(
    "tokens",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("tenant", String(64), nullable=False, index=True),
    Column("mode", String(8), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("subject", String(256)),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("limit_per_minute", Integer),
    Column("limit_money_per_minute", Integer),
    Column("rotations", Integer, nullable=False),
    Index("ix_tokens_created_at_id", "created_at", "id"),
)

# Apart from the token, because a rotated token has two secrets for a while.
SECRETS = Table(
    "token_secrets",
    METADATA,
    Column("hash", String(64), primary_key=True),
    Column("token_id", String(40), ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
)

# One row, whose number grows with each change that ends or limits a token: by it a process
# sees with one cheap query whether what it remembers of all tokens is still true.
CHANGES = Table(
    "token_changes",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)


class TokenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One token. Times are Unix seconds."""

    id: str
    name: str
    tenant: str
    mode: str
    scopes: tuple[str, ...]
    subject: str | None
    """The one customer whose data the token may reach; None: no such limit."""
    created_at: int
    expires_at: int | None
    created_by: str | None = None
    """`Principal.holder` of who made it; None: the command line."""
    revoked_at: int | None = None
    last_used_at: int | None = None
    """Some seconds late."""
    limit_per_minute: int | None = None
    """Requests; None: as many as usual."""
    limit_money_per_minute: int | None = None
    rotations: int = 0


class KnownSecret(msgspec.Struct, frozen=True, dict=True):
    """What stands behind a secret."""

    token: TokenRecord
    ends_at: int | None
    """When this secret gives way to a newer one of the same token, in Unix seconds."""

    @cached_property
    def principal(self) -> Principal:
        """Who shows it; made once, and not for every request."""
        record = self.token
        return Principal(
            holder=record.id,
            token_id=record.id,
            name=record.name,
            tenant=record.tenant,
            mode=cast("Mode", record.mode),
            scopes=frozenset(record.scopes),
            subject=record.subject,
            expires_at=record.expires_at,
            limit_per_minute=record.limit_per_minute,
            limit_money_per_minute=record.limit_money_per_minute,
        )


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which tokens; None everywhere: all of them."""

    tenant: str | None = None
    mode: str | None = None
    subject: str | None = None


class TokenStore:
    """Reads and writes tokens.

    Every method raises `database.Unavailable` if the database fails.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, token: TokenRecord, secret_hash: str) -> None:
        """Keep a new token; `secret_hash` is the hexadecimal SHA-256 of its secret."""
        async with self._database.transaction() as connection:
            await connection.execute(insert(TOKENS).values(**msgspec.structs.asdict(token)))
            await connection.execute(
                insert(SECRETS).values(hash=secret_hash, token_id=token.id, created_at=token.created_at)
            )

    async def with_hash(self, secret_hash: str) -> KnownSecret | None:
        """The token that has this secret, also if either is expired or revoked."""
        query = (
            select(TOKENS, SECRETS.c.expires_at.label("secret_ends_at"))
            .join(SECRETS, SECRETS.c.token_id == TOKENS.c.id)
            .where(SECRETS.c.hash == secret_hash)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return KnownSecret(_record(row), row.secret_ends_at) if row is not None else None

    async def find(self, token_id: str) -> TokenRecord | None:
        """One token by its id."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(TOKENS).where(TOKENS.c.id == token_id))).one_or_none()
        return _record(row) if row is not None else None

    async def list_all(self) -> list[TokenRecord]:
        """Every token, the oldest first."""
        async with self._database.reading() as connection:
            rows = (await connection.execute(select(TOKENS).order_by(TOKENS.c.created_at, TOKENS.c.id))).all()
        return [_record(row) for row in rows]

    async def listed(self, of: Selection, *, after: tuple[int, str] | None, most: int) -> list[TokenRecord]:
        """Some tokens, the oldest first.

        Args:
            of: Which ones.
            after: `created_at` and `id` of the last one that is known already.
            most: How many.
        """
        query = select(TOKENS).order_by(TOKENS.c.created_at, TOKENS.c.id).limit(most)
        for column, value in msgspec.structs.asdict(of).items():
            if value is not None:
                query = query.where(TOKENS.c[column] == value)
        if after is not None:
            query = query.where(tuple_(TOKENS.c.created_at, TOKENS.c.id) > tuple_(*after))
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [_record(row) for row in rows]

    async def change(self, token_id: str, members: Mapping[str, Any]) -> TokenRecord | None:
        """Give a token other values.

        Args:
            token_id: Which one.
            members: Fields of `TokenRecord`, and what they are from now on.

        Returns:
            The token as it is then; None: there is none.
        """
        async with self._database.transaction() as connection:
            await connection.execute(update(TOKENS).where(TOKENS.c.id == token_id).values(**members))
            row = (await connection.execute(select(TOKENS).where(TOKENS.c.id == token_id))).one_or_none()
            await count_change(connection)
        return _record(row) if row is not None else None

    async def rotate(self, seen: TokenRecord, secret_hash: str, *, at: int, old_until: int) -> bool:
        """Give a token a further secret, and end the ones that it has.

        Args:
            seen: The token, as it was when somebody decided this.
            secret_hash: The hexadecimal SHA-256 of the new secret.
            at: Now, in Unix seconds.
            old_until: When the present ones end, in Unix seconds; those that end before still do.

        Returns:
            False: nothing was done, since the token was rotated or revoked in between, or has too many secrets.
        """
        mine = SECRETS.c.token_id == seen.id
        valid = select(func.count()).where(mine, or_(SECRETS.c.expires_at.is_(None), SECRETS.c.expires_at > at))
        async with self._database.transaction() as connection:
            if old_until > at and (await connection.execute(valid)).scalar_one() >= MOST_SECRETS:
                return False
            # Of two at once, one waits here, and then finds the number changed.
            turned = await connection.execute(
                update(TOKENS)
                .where(TOKENS.c.id == seen.id, TOKENS.c.rotations == seen.rotations, TOKENS.c.revoked_at.is_(None))
                .values(rotations=TOKENS.c.rotations + 1)
            )
            if turned.rowcount == 0:
                return False
            await connection.execute(
                update(SECRETS)
                .where(mine, or_(SECRETS.c.expires_at.is_(None), SECRETS.c.expires_at > old_until))
                .values(expires_at=old_until)
            )
            await connection.execute(insert(SECRETS).values(hash=secret_hash, token_id=seen.id, created_at=at))
            await count_change(connection)
        return True

    async def revoke(self, token_id: str, *, at: int) -> bool:
        """Withdraw a token from `at` (Unix seconds) on; a second time changes nothing.

        Returns:
            Whether there is such a token.
        """
        async with self._database.transaction() as connection:
            revoked = await connection.execute(
                update(TOKENS).where(TOKENS.c.id == token_id, TOKENS.c.revoked_at.is_(None)).values(revoked_at=at)
            )
            if revoked.rowcount:
                await count_change(connection)
                return True
            found = await connection.execute(select(TOKENS.c.id).where(TOKENS.c.id == token_id))
            return found.one_or_none() is not None

    async def used(self, times: Sequence[tuple[str, int]]) -> None:
        """Note when tokens were last used.

        Args:
            times: Ids and Unix seconds. An earlier time than the one that is known changes nothing.
        """
        statement = (
            update(TOKENS)
            .where(
                TOKENS.c.id == bindparam("of"),
                or_(TOKENS.c.last_used_at.is_(None), TOKENS.c.last_used_at < bindparam("at")),
            )
            .values(last_used_at=bindparam("at"))
        )
        async with self._database.transaction() as connection:
            # In one order everywhere, so that two processes can't each wait for a row of the other.
            await connection.execute(statement, [{"of": token_id, "at": at} for token_id, at in sorted(times)])

    async def changes(self) -> int:
        """A number that has grown if any token was changed, rotated or revoked since it was last read."""
        async with self._database.reading() as connection:
            number: int = (await connection.execute(select(CHANGES.c.number))).scalar_one()
        return number


async def count_change(connection: Connection) -> None:
    """Within the transaction of the change, and last: the row is one for all."""
    await connection.execute(update(CHANGES).values(number=CHANGES.c.number + 1))


def _record(row: Row[Any]) -> TokenRecord:
    columns = row._asdict()
    columns.pop("secret_ends_at", None)
    return TokenRecord(**{**columns, "scopes": tuple(columns["scopes"])})

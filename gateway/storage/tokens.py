"""Tokens as they are kept: never their secret, only its hash."""

import msgspec
from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Row, String, Table, insert, select, update

from gateway.storage.database import METADATA, Database

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
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
)

# Apart from the token, because a rotated token has two secrets for a while.
SECRETS = Table(
    "token_secrets",
    METADATA,
    Column("hash", String(64), primary_key=True),
    Column("token_id", String(40), ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
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
    revoked_at: int | None = None


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

    async def with_hash(self, secret_hash: str) -> TokenRecord | None:
        """The token that has this secret, also if it is expired or revoked."""
        query = select(TOKENS).join(SECRETS, SECRETS.c.token_id == TOKENS.c.id).where(SECRETS.c.hash == secret_hash)
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return _record(row) if row is not None else None

    async def list_all(self) -> list[TokenRecord]:
        """Every token, the oldest first."""
        async with self._database.transaction() as connection:
            rows = (await connection.execute(select(TOKENS).order_by(TOKENS.c.created_at, TOKENS.c.id))).all()
        return [_record(row) for row in rows]

    async def revoke(self, token_id: str, *, at: int) -> bool:
        """Withdraw a token from `at` (Unix seconds) on; a second time changes nothing.

        Returns:
            Whether there is such a token.
        """
        async with self._database.transaction() as connection:
            found = await connection.execute(select(TOKENS.c.id).where(TOKENS.c.id == token_id))
            await connection.execute(
                update(TOKENS).where(TOKENS.c.id == token_id, TOKENS.c.revoked_at.is_(None)).values(revoked_at=at)
            )
            return found.one_or_none() is not None


def _record(row: Row[tuple[object, ...]]) -> TokenRecord:
    columns = row._asdict()
    return TokenRecord(**{**columns, "scopes": tuple(columns["scopes"])})

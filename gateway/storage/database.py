"""The connection to the database, and its schema."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import MetaData, Table, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from clients.secret import Secret
from gateway.storage import schema
from gateway.storage.connection import Connection, Engine
from gateway.storage.threads import MOST_CONNECTIONS, ThreadedEngine
from gateway.storage.tracing import trace_statements

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

METADATA: Final = MetaData()
"""Every table that a module of this package declares."""

BUSY_SECONDS: Final = 5
"""How long a writer waits for another on SQLite, which has one writer at a time."""

WAL_TRIES: Final = 100
"""Within `BUSY_SECONDS`."""

CONNECT_SECONDS: Final = 5
"""How long PostgreSQL may take to accept a connection."""

_MIGRATION_LOCK: Final = 0x66756E6E656C
"""PostgreSQL's advisory lock for migrations: any number that nobody else uses."""

_LACKING: Final = frozenset({"42P01", "42703"})
"""PostgreSQL's codes for a table and a column that are not there; our own file is always brought up to date."""

_DRIVERS: Final = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}

_AUTOCOMMIT: Final = "AUTOCOMMIT"


class Unavailable(Exception):
    """The database can't be reached, or does not answer as it should."""


class Outdated(Unavailable):
    """The database answers, and lacks a table or a column: its schema is not the one that we know."""


class Database:
    """One database.

    Args:
        url: `sqlite:///path` or `postgresql://...`, as in the settings.
    """

    def __init__(self, url: Secret) -> None:
        self._url = _with_driver(url)
        self.embedded: bool = self._url.get_backend_name() == "sqlite"
        """Whether this is a file of our own, which we bring to the current schema ourselves."""
        # The same connections, differently used.
        self._engine, self._reader = (_sqlite if self.embedded else _postgresql)(self._url)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection whose work is kept if the block ends well, and undone otherwise.

        Raises:
            Outdated: The schema is not current.
            Unavailable: The database failed; nothing was kept.
        """
        try:
            async with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise _renamed(error) from error

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """A connection on which each statement stands for itself: no transaction is begun and ended around a lookup.

        Raises:
            Outdated: The schema is not current.
            Unavailable: The database failed.
        """
        try:
            async with self._reader.connect() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise _renamed(error) from error

    def insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        """A statement that can say what happens where there is such a row already."""
        # Two megabytes for each kind of database: only the one that is used is loaded.
        if self.embedded:
            from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - see above

            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - see above

        return postgresql.insert(table)

    async def migrate(self) -> None:
        """Bring the schema to the newest revision; safe to call from several processes at once.

        Raises:
            Unavailable: The database failed.
        """
        try:
            async with (self._reader if self.embedded else self._engine).connect() as connection:
                if self.embedded:
                    await _use_wal(connection)
                    # Taken before the revision is read, so that two processes can't both begin.
                    await connection.exec_driver_sql("BEGIN IMMEDIATE")
                    await connection.run_sync(schema.upgrade)
                    await connection.exec_driver_sql("COMMIT")
                else:
                    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
                    await connection.run_sync(schema.upgrade)
                    await connection.commit()
        except (SQLAlchemyError, OSError) as error:
            raise Unavailable(type(error).__name__) from error

    async def is_current(self) -> bool:
        """Whether the schema is at the newest revision that we know, or at one that only a newer gateway knows.

        While replicas are replaced one by one, the old ones find the schema of the new ones, and work on.

        Raises:
            Unavailable: The database failed.
        """
        async with self.transaction() as connection:
            revision = await connection.run_sync(schema.revision)
        return revision is not None and revision not in schema.known()[:-1]

    async def close(self) -> None:
        """Close every connection."""
        for engine in (self._reader, self._engine):
            await engine.dispose()


def _renamed(error: Exception) -> Unavailable:
    """A driver's failure in our words."""
    lacking = isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _LACKING
    return (Outdated if lacking else Unavailable)(type(error).__name__)


def _with_driver(url: Secret) -> URL:
    parsed = make_url(url.reveal())
    return parsed.set(drivername=_DRIVERS[parsed.get_backend_name()])


def _postgresql(url: URL) -> tuple[Engine, Engine]:
    """Engines for transactions, and for statements that stand for themselves."""
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - six megabytes, of no use on SQLite

    engine = create_async_engine(url, pool_pre_ping=True, connect_args={"timeout": CONNECT_SECONDS})
    trace_statements(engine.sync_engine)
    return engine, engine.execution_options(isolation_level=_AUTOCOMMIT)


def _sqlite(url: URL) -> tuple[Engine, Engine]:
    """The same for SQLite."""
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_SECONDS},
        poolclass=QueuePool,
        pool_size=2 * MOST_CONNECTIONS,
        max_overflow=0,  # A thread has its connection at once.
    )
    event.listen(engine, "connect", _prepare_sqlite)
    trace_statements(engine)
    # Each with threads of its own: who only reads waits for no writer, and a writer may wait for others for seconds.
    return ThreadedEngine(engine), ThreadedEngine(engine.execution_options(isolation_level=_AUTOCOMMIT))


async def _use_wal(connection: Connection) -> None:
    """Readers do not wait for the writer, from now on: the mode stays with the file.

    The change needs the file alone, and SQLite does not wait for that by itself.
    """
    for _ in range(WAL_TRIES):
        try:
            await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        except OperationalError:
            await asyncio.sleep(BUSY_SECONDS / WAL_TRIES)
        else:
            return
    raise Unavailable("the file is locked")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """What is kept survives a loss of power, and foreign keys hold."""
    cursor = connection.cursor()
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()

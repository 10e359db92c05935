"""Empty databases of both kinds, and one that goes and comes back."""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from clients.secret import Secret


def emptied(kind: str, fixture: Callable[[str], Any]) -> Secret:
    """The URL of an empty database.

    Args:
        kind: `sqlite` or `postgresql`.
        fixture: Gives a fixture by its name.
    """
    if kind == "sqlite":
        return Secret(f"sqlite:///{fixture('database_path')}")
    url: str = fixture("postgresql")
    as_owner(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return Secret(url)


class FleetingDatabase:
    """A PostgreSQL database that can be taken away from all who use it, and given back.

    Args:
        server: The URL of a database on the same server.
        name: Of the new one.
    """

    def __init__(self, server: str, name: str) -> None:
        self._server = server
        self._name = name
        as_owner(server, f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
        self.url = Secret(make_url(server).set(database=name).render_as_string(hide_password=False))

    def cut(self) -> None:
        """End every connection; new ones are accepted."""
        as_owner(
            self._server,
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name}'",  # noqa: S608 - a name of the test's own
        )

    def vanish(self) -> None:
        """End every connection, and accept no new one."""
        as_owner(self._server, f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
        self.cut()

    def return_(self) -> None:
        """Accept connections again."""
        as_owner(self._server, f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")


def as_owner(url: str, *statements: str) -> None:
    """Execute statements, each for itself."""

    async def done() -> None:
        engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            for statement in statements:
                await connection.execute(text(statement))
        await engine.dispose()

    asyncio.run(done())

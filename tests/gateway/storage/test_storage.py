"""What is kept, on both databases."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from time import time
from typing import TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from clients.secret import Secret
from gateway.problems import TokenExpired, TokenInvalid, TokenRevoked
from gateway.storage.database import METADATA, Database, Unavailable
from gateway.storage.tenants import TENANTS
from gateway.storage.tokens import TokenStore
from gateway.tokens.lifecycle import Tokens

T = TypeVar("T")
Run = Callable[[Callable[[Database], Coroutine[None, None, T]]], T]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, database_path: Path) -> Secret:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return Secret(f"sqlite:///{database_path}")
    uri: str = request.getfixturevalue("postgresql")
    run(Secret(uri), _emptied)
    return Secret(uri)


async def _emptied(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))


def run(url: Secret, act: Callable[[Database], Coroutine[None, None, T]]) -> T:
    """Do something with a database that is opened and closed for it."""

    async def opened() -> T:
        database = Database(url)
        try:
            return await act(database)
        finally:
            await database.close()

    return asyncio.run(opened())


def test_the_tables_are_what_the_migrations_make(url: Secret) -> None:
    """The code's idea of the schema and its history do not drift apart."""

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), METADATA))

    async def migrated(database: Database) -> list[object]:
        assert not await database.is_current()
        await database.migrate()
        assert await database.is_current()
        async with database.transaction() as connection:
            return await connection.run_sync(differences)

    assert run(url, migrated) == []
    assert TENANTS.name in METADATA.tables  # Each module of tables is known by being imported.


def test_migrating_at_once_from_several_places_is_safe(url: Secret) -> None:
    """Workers that start together, and an operator's command, do not trip over each other."""

    async def together(database: Database) -> None:
        others = [Database(url) for _ in range(4)]
        await asyncio.gather(*(one.migrate() for one in (database, *others)))
        for other in others:
            await other.close()
        assert await database.is_current()

    run(url, together)


def test_a_newer_schema_is_current(url: Secret) -> None:
    """An upgrade migrates before it replaces the replicas: those that still run are not unready for it."""

    async def overtaken(database: Database) -> bool:
        await database.migrate()
        async with database.transaction() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999_of_a_newer_gateway'"))
        return await database.is_current()

    assert run(url, overtaken)


def test_a_token_lives_and_ends(url: Secret) -> None:
    """Made, recognised, expired, revoked: each as it is told."""
    clock = [1_000.0]

    async def life(database: Database) -> None:
        await database.migrate()
        tokens = Tokens(TokenStore(database), now=lambda: clock[0])
        record, secret = await tokens.create(
            "ci", ["domains:read"], tenant="t1", mode="test", subject="u1", lifetime_seconds=60
        )

        principal = await tokens.principal(secret)

        assert (principal.token_id, principal.tenant, principal.mode) == (record.id, "t1", "test")
        assert (principal.scopes, principal.subject) == (frozenset({"domains:read"}), "u1")
        assert await tokens.list_all() == [record]
        clock[0] = 1_060.0
        with pytest.raises(TokenExpired):
            await tokens.principal(secret)
        assert await tokens.revoke(record.id)
        assert await tokens.revoke(record.id)
        assert not await tokens.revoke("tok_nobody")
        with pytest.raises(TokenRevoked):
            await Tokens(TokenStore(database), now=lambda: clock[0]).principal(secret)

    run(url, life)


def test_a_secret_is_kept_as_its_hash_only(url: Secret, database_path: Path) -> None:
    """Whoever steals the database has no token."""

    async def dumped(database: Database) -> tuple[str, str]:
        await database.migrate()
        _, secret = await Tokens(TokenStore(database), now=time).create("ci", ["domains:read"])
        async with database.transaction() as connection:
            rows = [*(await connection.execute(text("SELECT * FROM tokens"))).all()]
            rows += (await connection.execute(text("SELECT * FROM token_secrets"))).all()
        return secret.reveal(), str(rows)

    secret, rows = run(url, dumped)

    assert secret.removeprefix("fgw_live_") not in rows
    if database_path.exists():
        assert secret.encode() not in database_path.read_bytes()


def test_a_token_that_is_well_formed_and_unknown_is_invalid(url: Secret) -> None:
    """A right checksum is no admission."""

    async def other(database: Database) -> None:
        await database.migrate()
        _, secret = await Tokens(TokenStore(database), now=time).create("ci", ["domains:read"])
        async with database.transaction() as connection:
            await connection.execute(text("DELETE FROM token_secrets"))
        with pytest.raises(TokenInvalid):
            await Tokens(TokenStore(database), now=time).principal(secret)

    run(url, other)


@pytest.mark.parametrize(
    "unusable",
    ["sqlite:////nonexistent/folder/gateway.db", "postgresql://nobody@127.0.0.1:1/none", "sqlite:////proc/version"],
)
def test_a_database_that_cannot_be_used_is_named_so(unusable: str) -> None:
    """Whatever the driver raises, there is one failure to handle."""
    with pytest.raises(Unavailable):
        run(Secret(unusable), lambda database: database.migrate())


def test_a_process_that_dies_leaves_a_whole_database(database_path: Path) -> None:
    """A token whose maker was killed in the middle is there whole, or not at all."""
    script = """
import asyncio, os, sys
from clients.secret import Secret
from gateway.storage.database import Database
from gateway.storage.tenants import TENANTS
from gateway.storage.tokens import TokenStore
from gateway.tokens.lifecycle import Tokens

async def main():
    database = Database(Secret(sys.argv[1]))
    await database.migrate()
    tokens = Tokens(TokenStore(database), lambda: 0.0)
    await tokens.create("kept", ["domains:read"])
    async with database.transaction() as connection:
        await connection.exec_driver_sql("DELETE FROM token_secrets")
        os.kill(os.getpid(), 9)

asyncio.run(main())
"""

    killed = subprocess.run([sys.executable, "-c", script, f"sqlite:///{database_path}"], check=False)

    async def kept(database: Database) -> int:
        await database.migrate()
        async with database.transaction() as connection:
            return int((await connection.execute(text("SELECT count(*) FROM token_secrets"))).scalar_one())

    assert killed.returncode == -9
    assert run(Secret(f"sqlite:///{database_path}"), kept) == 1


def test_a_file_that_can_not_be_opened_leaves_nothing_behind() -> None:
    """No thread of its own speaks to an event loop that has ended: pytest would tell of it."""

    async def looked(database: Database) -> None:
        await database.is_current()

    for _ in range(50):
        with pytest.raises(Unavailable):
            run(Secret("sqlite:////nonexistent/folder/gateway.db"), looked)


def test_a_caller_who_gives_up_leaves_nothing_half_done(url: Secret) -> None:
    """Wherever it is caught, its work is kept whole or not at all, and its connection is there for the next one."""

    async def twice(database: Database, name: str) -> None:
        async with database.transaction() as connection:
            for part in ("first", "second"):
                await connection.execute(text("INSERT INTO parts VALUES (:name, :part)"), {"name": name, "part": part})

    async def caught(database: Database) -> list[int]:
        async with database.transaction() as connection:
            await connection.execute(text("CREATE TABLE parts (name TEXT, part TEXT)"))
        for turns in range(0, 600, 10):
            task = asyncio.create_task(twice(database, str(turns)))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        await asyncio.gather(*(twice(database, f"all at once {number}") for number in range(40)))
        async with database.reading() as connection:
            counts = text("SELECT DISTINCT count(*) FROM parts GROUP BY name")
            return [*(await connection.execute(counts)).scalars()]

    assert run(url, caught) == [2]


def test_who_reads_waits_for_no_writer(tmp_path: Path) -> None:
    """However many wait for somebody else's lock, which may take seconds."""
    url = Secret(f"sqlite:///{tmp_path / 'gateway.db'}")

    async def write(database: Database) -> None:
        async with database.transaction() as connection:
            await connection.execute(text("DELETE FROM parts"))

    async def read_meanwhile(database: Database) -> int:
        await database.migrate()
        async with database.transaction() as connection:
            await connection.execute(text("CREATE TABLE parts (name TEXT)"))
        with closing(sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writers = [asyncio.create_task(write(database)) for _ in range(10)]
            await asyncio.wait(writers, timeout=0.2)
            async with database.reading() as connection:
                assert (await connection.execute(text("SELECT count(*) FROM parts"))).scalar_one() == 0
            waiting = sum(not writer.done() for writer in writers)
            other.execute("COMMIT")
            await asyncio.gather(*writers)
        return waiting

    assert run(url, read_meanwhile) == 10

"""How a process knows what a token is worth now: what it remembers, and when it forgets."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from time import time
from typing import Any, TypeVar

import httpx
import pytest
from sqlalchemy import Engine, event, text
from typing_extensions import override

from clients.secret import Secret
from gateway import telemetry
from gateway.problems import TokenInvalid, TokenRevoked
from gateway.settings import Settings
from gateway.shared_store import SharedStore
from gateway.storage.database import Database, Unavailable
from gateway.storage.tokens import TokenStore
from gateway.tokens.lifecycle import Tokens
from gateway.tokens.lookups import BELIEVED_SECONDS, FRESH_SECONDS, UNKNOWN_SECONDS, Lookups
from gateway.tokens.secret_form import new_secret
from tests.support.commands import gateway as command
from tests.support.commands import running
from tests.support.databases import FleetingDatabase
from tests.support.gateway import RunningGateway
from tests.support.plain import PLAIN
from tests.support.servers import Valkey
from tests.support.timing import PATIENCE

T = TypeVar("T")


class Clock:
    """Stands still."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.seconds


class Process:
    """What one process has: its own lookups, and a clock that stands still."""

    def __init__(self, database: Database, shared: SharedStore | None = None) -> None:
        self.clock = Clock()
        self.tokens = Tokens(
            TokenStore(database), time, lookups=Lookups(TokenStore(database), shared, clock=self.clock)
        )

    async def refuses(self, secret: Secret) -> bool:
        """Whether a revoked token is refused here."""
        try:
            await self.tokens.principal(secret)
        except TokenRevoked:
            return True
        return False


@pytest.fixture
def played(database_path: Path) -> Callable[[Callable[[Database], Awaitable[T]]], T]:
    """Runs a story on an empty SQLite file."""

    def run(story: Callable[[Database], Awaitable[T]]) -> T:
        async def opened() -> T:
            database = Database(Secret(f"sqlite:///{database_path}"))
            try:
                await database.migrate()
                return await story(database)
            finally:
                await database.close()

        return asyncio.run(opened())

    return run


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """Every question about tokens; gateways of other tests ask and write other things now and then."""
    statements: list[str] = []

    def seen(*happened: Any) -> None:
        if happened[2].startswith("SELECT") and "token" in happened[2]:
            statements.append(happened[2])

    event.listen(Engine, "before_cursor_execute", seen)
    yield statements
    event.remove(Engine, "before_cursor_execute", seen)


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(PATIENCE):
        while not await reached():  # noqa: ASYNC110 - what is waited for has no event to offer
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("end", ["revoke", "rotate"])
def test_what_another_process_ends_is_seen_within_half_a_second(
    played: Callable[[Callable[[Database], Awaitable[None]]], None], end: str
) -> None:
    """
    Without Redis and whoever did it, the command line too: what is remembered
    is believed for half a second, and then only if nothing has changed.
    """

    async def story(database: Database) -> None:
        here, elsewhere = Process(database), Process(database)
        record, secret = await elsewhere.tokens.create("ci", ["domains:read"])
        await here.tokens.principal(secret)
        if end == "revoke":
            await elsewhere.tokens.revoke(record.id)
        else:
            await elsewhere.tokens.rotate(record, overlap_seconds=0)

        here.clock.seconds += FRESH_SECONDS

        with pytest.raises(Exception, match=r"revoked|old secret"):
            await here.tokens.principal(secret)

    played(story)


def test_one_question_keeps_all_tokens_fresh(
    played: Callable[[Callable[[Database], Awaitable[None]]], None], asked: list[str]
) -> None:
    """
    As long as nothing changes, no token is looked up a second time.
    """

    async def story(database: Database) -> None:
        here = Process(database)
        secrets = [(await here.tokens.create("ci", ["domains:read"]))[1] for _ in range(20)]
        for secret in secrets:
            await here.tokens.principal(secret)
        asked.clear()

        here.clock.seconds += FRESH_SECONDS
        await asyncio.gather(*(here.tokens.principal(secret) for secret in secrets for _ in range(50)))

        assert len(asked) == 1
        assert "token_changes" in asked[0]

    played(story)


def test_nothing_is_believed_for_ever(
    played: Callable[[Callable[[Database], Awaitable[None]]], None],
) -> None:
    """
    What somebody changed in the database by hand is seen in the end.
    """

    async def story(database: Database) -> None:
        here = Process(database)
        _, secret = await here.tokens.create("ci", ["domains:read"])
        await here.tokens.principal(secret)
        async with database.transaction() as connection:
            await connection.execute(text("UPDATE tokens SET revoked_at = 1"))

        here.clock.seconds += BELIEVED_SECONDS

        assert await here.refuses(secret)

    played(story)


def test_forged_tokens_do_not_reach_the_database(
    played: Callable[[Callable[[Database], Awaitable[None]]], None], asked: list[str]
) -> None:
    """
    Ten thousand that are mistyped: no question. Ten thousand times one with the
    right checksum: one question, and one more half a minute later.
    """

    async def story(database: Database) -> None:
        here = Process(database)
        forged = new_secret("live")
        asked.clear()

        async def refused(secret: Secret) -> None:
            with pytest.raises(TokenInvalid):
                await here.tokens.principal(secret)

        for number in range(10_000):
            await refused(Secret(f"fgw_live_{number:038}"))
        assert asked == []

        await asyncio.gather(*(refused(forged) for _ in range(10_000)))
        assert len([statement for statement in asked if "token_secrets" in statement]) == 1

        here.clock.seconds += UNKNOWN_SECONDS
        await refused(forged)
        assert len([statement for statement in asked if "token_secrets" in statement]) == 2

    played(story)


def test_forged_tokens_displace_no_real_ones(
    played: Callable[[Callable[[Database], Awaitable[None]]], None], asked: list[str]
) -> None:
    """
    More of them than are remembered, each different and well-formed, leave what
    is known of the real ones.
    """

    async def story(database: Database) -> None:
        lookups = Lookups(TokenStore(database), clock=Clock(), most=10)
        tokens = Tokens(TokenStore(database), time, lookups=lookups)
        _, secret = await tokens.create("ci", ["domains:read"])
        forged = [new_secret("live") for _ in range(12)]
        await tokens.principal(secret)
        for one in forged:
            with pytest.raises(TokenInvalid):
                await tokens.principal(one)
        asked.clear()

        await tokens.principal(secret)
        for one in (forged[-1], forged[0]):
            with pytest.raises(TokenInvalid):
                await tokens.principal(one)

        assert len(asked) == 1  # Only the oldest forged one was forgotten.

    played(story)


def test_an_answer_that_a_revocation_overtakes_is_not_remembered(
    played: Callable[[Callable[[Database], Awaitable[None]]], None],
) -> None:
    """
    A lookup that began before the revocation and ends after it is answered, and
    forgotten.
    """

    class Slow(TokenStore):
        held = asyncio.Event()
        looked = asyncio.Event()

        @override
        async def with_hash(self, secret_hash: str) -> Any:
            found = await super().with_hash(secret_hash)
            self.looked.set()
            await self.held.wait()
            return found

    async def story(database: Database) -> None:
        store = Slow(database)
        tokens = Tokens(store, time, lookups=Lookups(store, clock=Clock()))
        record, secret = await tokens.create("ci", ["domains:read"])
        early = asyncio.create_task(tokens.principal(secret))
        await store.looked.wait()
        await tokens.revoke(record.id)
        store.held.set()

        assert (await early).token_id == record.id
        with pytest.raises(TokenRevoked):
            await tokens.principal(secret)

    played(story)


def test_a_revocation_is_pushed(
    played: Callable[[Callable[[Database], Awaitable[None]]], None], valkey: Valkey
) -> None:
    """
    With Redis a process need not look: its clock stands still, and yet it hears
    of the revocation.
    """

    async def story(database: Database) -> None:
        stores = [SharedStore(Secret(valkey.url), telemetry.logger("error", "json")) for _ in range(2)]
        here, elsewhere = (Process(database, shared) for shared in stores)
        for shared in stores:
            await shared.start()
        record, secret = await elsewhere.tokens.create("ci", ["domains:read"])
        await here.tokens.principal(secret)

        await elsewhere.tokens.revoke(record.id)

        await until(lambda: here.refuses(secret))
        for shared in stores:
            await shared.close()

    played(story)


def test_with_redis_a_token_outlives_the_database_for_a_while(
    played: Callable[[Callable[[Database], Awaitable[None]]], None], valkey: Valkey
) -> None:
    """
    While revocations would be pushed, what is remembered is believed though the
    database does not answer. Without Redis it is not.
    """

    async def story(database: Database) -> None:
        shared = SharedStore(Secret(valkey.url), telemetry.logger("error", "json"))
        pushed, alone = Process(database, shared), Process(database)
        await shared.start()
        _, secret = await pushed.tokens.create("ci", ["domains:read"])
        for process in (pushed, alone):
            await process.tokens.principal(secret)
        async with database.transaction() as connection:
            await connection.execute(text("ALTER TABLE token_changes RENAME TO gone"))
            await connection.execute(text("ALTER TABLE token_secrets RENAME TO gone_too"))

        for process in (pushed, alone):
            process.clock.seconds += FRESH_SECONDS

        assert (await pushed.tokens.principal(secret)).scopes == {"domains:read"}
        with pytest.raises(Unavailable):
            await alone.tokens.principal(secret)
        pushed.clock.seconds += BELIEVED_SECONDS
        with pytest.raises(Unavailable):
            await pushed.tokens.principal(secret)
        await shared.close()

    played(story)


def get_me(url: str, secret: str) -> httpx.Response:
    """Ask who the token is, on a connection of its own, so that any worker may answer."""
    return httpx.get(f"{url}/v1/me", headers={"Authorization": f"Bearer {secret}"}, timeout=30, verify=PLAIN)


def refused_by_all(url: str, secret: str) -> bool:
    """Whether so many answers in a row say "revoked" that every worker has been asked."""
    return all(get_me(url, secret).status_code == 401 for _ in range(12))


@pytest.mark.parametrize("way", ["api", "command line"])
def test_a_revocation_works_in_every_worker(valkey: Valkey, database_path: Path, way: str) -> None:
    """
    Two workers, both of which knew the token; the command line is not told of
    Redis, and need not be.
    """
    database = {"GATEWAY_DATABASE_URL": f"sqlite:///{database_path}"}

    async def made() -> tuple[str, str, str]:
        opened = Database(Secret(database["GATEWAY_DATABASE_URL"]))
        await opened.migrate()
        tokens = Tokens(TokenStore(opened), time)
        record, secret = await tokens.create("x", ["catalog:read"], mode="test")
        _, admin = await tokens.create("x", ["admin"], mode="test")
        await opened.close()
        return record.id, secret.reveal(), admin.reveal()

    token_id, secret, admin = asyncio.run(made())
    environment = {**database, "GATEWAY_REDIS_URL": valkey.url, "GATEWAY_SANDBOX": "off", "GATEWAY_LOG_LEVEL": "error"}
    with running("serve", "--port", "0", "--workers", "2", environment=environment) as (_, url):
        before = {get_me(url, secret).status_code for _ in range(12)}
        if way == "api":
            httpx.delete(f"{url}/v1/tokens/{token_id}", headers={"Authorization": f"Bearer {admin}"}, timeout=30)
        else:
            command("token", "revoke", token_id, environment=database)

        async def refused() -> bool:
            return await asyncio.to_thread(refused_by_all, url, secret)

        asyncio.run(until(refused))

    assert before == {200}


def test_replicas_hear_of_each_others_rotations(valkey: Valkey, database_path: Path) -> None:
    """
    Two gateways on one database and one Valkey: an old secret that was ended on
    one is refused by the other.
    """
    settings = Settings(
        database_url=Secret(f"sqlite:///{database_path}"),
        redis_url=Secret(valkey.url),
        sandbox="off",
        log_level="error",
    )
    with RunningGateway(settings) as one, RunningGateway(settings) as other:
        record, old = one.token(scopes=["admin"])
        assert get_me(other.url, old).status_code == 200
        with one.client(old) as api:
            new = api.post(f"/v1/tokens/{record.id}/rotate", json={"overlap": "0s"}).json()["token"]

        async def ended() -> bool:
            return get_me(other.url, old).status_code == 401

        asyncio.run(until(ended))
        assert get_me(other.url, new).json()["token_id"] == record.id


def test_a_database_that_goes_and_comes_back_is_told_and_forgiven(postgresql: str) -> None:
    """
    Cut connections are made anew without anybody noticing; while there is no
    database, callers are told to try again; when it is back, all goes on.
    """
    database = FleetingDatabase(postgresql, "fleeting")

    async def migrated() -> None:
        opened = Database(database.url)
        await opened.migrate()
        await opened.close()

    asyncio.run(migrated())
    settings = Settings(database_url=database.url, sandbox="off", log_level="error")
    with RunningGateway(settings) as gateway:
        _, secret = gateway.token(scopes=["tokens:write"])
        assert get_me(gateway.url, secret).status_code == 200

        async def answers(status: int) -> None:
            async def reached() -> bool:
                return get_me(gateway.url, secret).status_code == status

            await until(reached)

        database.cut()
        with gateway.client(secret) as api:
            made = api.post("/v1/tokens", json={"name": "x", "scopes": ["tokens:write"]})
        database.vanish()
        asyncio.run(answers(503))
        with gateway.client(new_secret("test").reveal()) as api:
            unknown = api.get("/v1/me")
        database.return_()
        asyncio.run(answers(200))

    assert made.status_code == 201
    assert (unknown.status_code, unknown.json()["code"]) == (503, "storage_unavailable")
    assert unknown.json()["retryable"] is True


def test_a_locked_file_is_waited_for_and_then_named(database_path: Path) -> None:
    """
    SQLite has one writer at a time: readers go on, and a write that can't wait
    any longer is refused with a problem that says so.
    """
    settings = Settings(database_url=Secret(f"sqlite:///{database_path}"), sandbox="off", log_level="error")
    with RunningGateway(settings) as gateway:
        _, secret = gateway.token(scopes=["tokens:write"])

        async def locked() -> tuple[httpx.Response, httpx.Response]:
            database = Database(settings.database_url)
            async with database.transaction() as connection:
                await connection.execute(text("UPDATE token_changes SET number = number"))
                read = await asyncio.to_thread(get_me, gateway.url, secret)
                with gateway.client(secret) as api:
                    written = await asyncio.to_thread(
                        api.post, "/v1/tokens", json={"name": "x", "scopes": ["tokens:write"]}
                    )
            await database.close()
            return read, written

        read, written = asyncio.run(locked())

    assert read.status_code == 200
    assert (written.status_code, written.json()["code"]) == (503, "storage_unavailable")

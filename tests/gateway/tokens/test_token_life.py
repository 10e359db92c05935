"""Tokens from their making to their end, as they are kept: on both databases."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from clients.secret import Secret
from gateway.principal import Principal
from gateway.problems import TokenExpired
from gateway.storage import migrations
from gateway.storage.database import Database, Unavailable
from gateway.storage.tokens import MOST_SECRETS, Selection, TokenStore
from gateway.tokens.desk import TokenDesk
from gateway.tokens.last_used import LastUsed
from gateway.tokens.lifecycle import NotRotated, OwnLimits, Tokens
from tests.support.databases import emptied

T = TypeVar("T")
START = 1_000_000


class Stage:
    """A database, brought to the current schema, and a clock that stands still."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = TokenStore(database)
        self.now = float(START)

    def tokens(self, last_used: LastUsed | None = None) -> Tokens:
        """As another process has them: it remembers nothing."""
        return Tokens(self.store, lambda: self.now, last_used=last_used)

    async def works(self, secret: Secret) -> bool:
        """Whether a secret lets in."""
        try:
            await self.tokens().principal(secret)
        except TokenExpired:
            return False
        return True


Play = Callable[[Callable[[Stage], Awaitable[Any]]], Any]


@pytest.fixture(params=["sqlite", "postgresql"])
def play(request: pytest.FixtureRequest) -> Play:
    """Runs a story on an empty database of each kind."""
    url: Secret = emptied(request.param, request.getfixturevalue)

    def played(story: Callable[[Stage], Awaitable[T]]) -> T:
        async def opened() -> T:
            database = Database(url)
            try:
                await database.migrate()
                return await story(Stage(database))
            finally:
                await database.close()

        return asyncio.run(opened())

    return played


def test_a_second_that_passes_in_between_is_no_gain(play: Play) -> None:
    """
    What a token makes ends with it, though the clock goes on while it is made.
    """

    async def story(stage: Stage) -> None:
        maker = Principal(
            holder="maker", token_id=None, tenant="t", mode="test", scopes=frozenset({"tokens:write", "domains:read"}),
            subject=None, expires_at=START + 600,
        )  # fmt: skip
        desk = TokenDesk(maker, stage.tokens(), stage.now, customer_scopes=frozenset())
        stage.now += 1

        record, _ = await desk.create(
            "x", ["domains:read"], tenant=None, mode=None, subject=None, lifetime_seconds=None, limits=OwnLimits()
        )

        assert record.expires_at == maker.expires_at

    play(story)


def test_a_rotated_token_keeps_its_id_and_both_secrets_for_the_overlap(play: Play) -> None:
    """
    The old secret works to the last second of the overlap, and the new one on.
    """

    async def story(stage: Stage) -> None:
        record, old = await stage.tokens().create("ci", ["domains:read"])

        new, old_until = await stage.tokens().rotate(record, overlap_seconds=60)

        assert old_until == START + 60
        assert new.reveal().startswith("fgw_live_")
        stage.now = START + 59.9
        assert (await stage.tokens().principal(old)).token_id == (await stage.tokens().principal(new)).token_id
        stage.now = START + 60
        assert (await stage.works(old), await stage.works(new)) == (False, True)

    play(story)


def test_without_an_overlap_the_old_secrets_end_at_once(play: Play) -> None:
    """
    Also those of earlier rotations, which had time left.
    """

    async def story(stage: Stage) -> None:
        record, first = await stage.tokens().create("ci", ["domains:read"])
        second, _ = await stage.tokens().rotate(record, overlap_seconds=3600)
        again = await stage.tokens().find(record.id)
        assert again is not None

        third, _ = await stage.tokens().rotate(again, overlap_seconds=0)

        assert [await stage.works(secret) for secret in (first, second, third)] == [False, False, True]

    play(story)


def test_of_two_who_rotate_at_once_one_is_told_so(play: Play) -> None:
    """
    Both decided by what they saw. The one who comes second changes nothing, so
    that the secret the first was shown is not lost.
    """

    async def story(stage: Stage) -> None:
        record, old = await stage.tokens().create("ci", ["domains:read"])

        ends = await asyncio.gather(
            *(stage.tokens().rotate(record, overlap_seconds=0) for _ in range(4)), return_exceptions=True
        )

        shown = [end[0] for end in ends if isinstance(end, tuple)]
        assert [type(end) for end in ends if not isinstance(end, tuple)] == [NotRotated] * 3
        assert await stage.works(shown[0])
        assert not await stage.works(old)

    play(story)


def test_the_secrets_of_one_token_are_bounded(play: Play) -> None:
    """
    Whoever rotates without end is stopped, and a rotation that ends the old
    ones is always possible.
    """

    async def story(stage: Stage) -> None:
        record, _ = await stage.tokens().create("ci", ["domains:read"])

        async def rotated(overlap_seconds: int) -> None:
            now = await stage.tokens().find(record.id)
            assert now is not None
            await stage.tokens().rotate(now, overlap_seconds=overlap_seconds)

        for _ in range(MOST_SECRETS - 1):
            await rotated(3600)
        with pytest.raises(NotRotated):
            await rotated(3600)
        await rotated(0)

    play(story)


def test_what_has_ended_is_not_rotated(play: Play) -> None:
    """
    A new secret would not let in.
    """

    async def story(stage: Stage) -> None:
        revoked, _ = await stage.tokens().create("ci", ["domains:read"])
        expired, _ = await stage.tokens().create("ci", ["domains:read"], lifetime_seconds=60)
        await stage.tokens().revoke(revoked.id)
        stage.now = START + 60

        for seen in (revoked, expired, await stage.tokens().find(revoked.id)):
            assert seen is not None
            with pytest.raises(NotRotated):
                await stage.tokens().rotate(seen)

    play(story)


def test_the_last_use_is_written_in_batches_and_never_turned_back(play: Play) -> None:
    """
    Nothing is written while a token is used; then all at once.
    """

    async def story(stage: Stage) -> None:
        last_used = LastUsed(stage.store)
        tokens = stage.tokens(last_used)
        first, secret = await tokens.create("ci", ["domains:read"])
        second, other = await tokens.create("ci", ["domains:read"])
        for stage.now in (START + 7.0, START + 9.0):
            await tokens.principal(secret)
        await tokens.principal(other)
        before = await stage.store.find(first.id)

        await last_used.write()

        late = LastUsed(stage.store)
        late.note(first.id, START + 1)
        await late.close()
        assert before is not None
        assert before.last_used_at is None
        assert [token.last_used_at for token in await stage.store.list_all()] == [START + 9, START + 9]
        assert second.last_used_at is None

    play(story)


def test_a_dead_database_loses_no_use_that_it_takes_later(play: Play) -> None:
    """
    What could not be written waits, and is written when the database is back.
    """

    async def story(stage: Stage) -> None:
        record, _ = await stage.tokens().create("ci", ["domains:read"])
        async with stage.database.transaction() as connection:
            await connection.execute(text("ALTER TABLE tokens RENAME TO gone"))
        last_used = LastUsed(stage.store)
        last_used.note(record.id, START + 5)

        await last_used.write()
        async with stage.database.transaction() as connection:
            await connection.execute(text("ALTER TABLE gone RENAME TO tokens"))
        await last_used.write()

        kept = await stage.store.find(record.id)
        assert kept is not None
        assert kept.last_used_at == START + 5

    play(story)


def test_a_list_is_read_page_by_page(play: Play) -> None:
    """
    The oldest first, each once, also those that were made within one second.
    """

    async def story(stage: Stage) -> None:
        for number in range(5):
            stage.now = START + number // 2
            await stage.tokens().create(f"t{number}", ["domains:read"], tenant="one", mode="test", subject=f"u{number}")
        await stage.tokens().create("other", ["domains:read"], tenant="two", mode="test")
        await stage.tokens().create("live", ["domains:read"], tenant="one")

        pages = []
        after = None
        while found := await stage.store.listed(Selection(tenant="one", mode="test"), after=after, most=2):
            pages.append(found)
            after = (found[-1].created_at, found[-1].id)

        assert [len(page) for page in pages] == [2, 2, 1]
        assert sorted(token.name for page in pages for token in page) == ["t0", "t1", "t2", "t3", "t4"]
        assert [token.name for token in await stage.store.listed(Selection(subject="u3"), after=None, most=9)] == ["t3"]

    play(story)


def test_limits_of_its_own_travel_with_a_token(play: Play) -> None:
    """
    Into the principal of each request, as does who made it into the record.
    """

    async def story(stage: Stage) -> None:
        limits = OwnLimits(per_minute=5, money_per_minute=2)
        record, secret = await stage.tokens().create("ci", ["domains:read"], limits=limits, created_by="tok_x")

        principal = await stage.tokens().principal(secret)

        assert (principal.limit_per_minute, principal.limit_money_per_minute) == (5, 2)
        assert (await stage.store.find(record.id), record.created_by) == (record, "tok_x")

    play(story)


@pytest.mark.parametrize("request_kind", ["sqlite", "postgresql"])
def test_tokens_of_before_go_on_to_work(request: pytest.FixtureRequest, request_kind: str) -> None:
    """
    A database of the first release is brought to today's schema, and its tokens
    can be used, rotated and revoked.
    """
    url = emptied(request_kind, request.getfixturevalue)

    async def story() -> None:
        database = Database(url)
        config = Config()
        config.set_main_option("script_location", next(iter(migrations.__path__)))
        async with database.transaction() as connection:

            def first(sync: Any) -> None:
                config.attributes["connection"] = sync
                command.upgrade(config, "0001")

            await connection.run_sync(first)
            await connection.execute(
                text(
                    "INSERT INTO tokens (id, name, tenant, mode, scopes, created_at) "
                    "VALUES ('tok_00000000000000000000000a', 'old', 'default', 'live', '[\"domains:read\"]', 1)"
                )
            )
        await database.migrate()
        stage = Stage(database)
        old = await stage.tokens().find("tok_00000000000000000000000a")
        assert old is not None
        secret, _ = await stage.tokens().rotate(old)
        assert (await stage.tokens().principal(secret)).scopes == {"domains:read"}
        assert await stage.tokens().revoke(old.id)
        await database.close()

    asyncio.run(story())


def test_a_gone_database_is_named_so(play: Play) -> None:
    """
    By each of the new questions.
    """

    async def story(stage: Stage) -> None:
        record, _ = await stage.tokens().create("ci", ["domains:read"])
        async with stage.database.transaction() as connection:
            await connection.execute(text("DROP TABLE token_changes"))
            await connection.execute(text("DROP TABLE token_secrets"))
        for asked in (
            stage.store.changes(),
            stage.tokens().rotate(record),
            stage.store.change(record.id, {"name": "x"}),
        ):
            with pytest.raises(Unavailable):
                await asked

    play(story)

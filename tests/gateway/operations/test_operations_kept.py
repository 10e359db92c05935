"""How long operations are kept, and when a person is asked, on both databases."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from clients.secret import Secret
from gateway.http.rfc9457 import Occurrence
from gateway.operations.intentions import Intention
from gateway.operations.ledger import Operations
from gateway.operations.outcomes import Answer, State
from gateway.principal import Principal
from gateway.storage.database import Database
from gateway.storage.operations import OperationStore
from tests.support.databases import emptied

DAY: Final = 86400.0
SHOP: Final = Principal(
    holder="tok_1", token_id="tok_1", tenant="t1", mode="test", scopes=frozenset({"checkout:write"}), subject=None
)
HERE: Final = Occurrence("", "/v1/checkout/payments", "req_1", "0" * 32)


class Kept:
    """Operations whose clock a test moves."""

    def __init__(self, database: Database) -> None:
        self.now = 1_000_000.0
        self.operations = Operations(OperationStore(database), now=lambda: self.now, deadline_seconds=30, keep_days=7)

    async def begun(self, order: str, *, listed: bool = True) -> str:
        """A new operation."""
        intention = Intention(resource=("order", order) if listed else None, listed=listed)
        return await self.operations.begin(
            "createPayment", intention, SHOP, HERE, scopes=["checkout:write"], digest=None, fingerprint=None
        )


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> Secret:
    """An empty database of each kind."""
    return emptied(request.param, request.getfixturevalue)


def on(url: Secret, act: Callable[[Kept], Awaitable[None]]) -> None:
    """Do something with operations in a database that is opened and closed for it."""

    async def done() -> None:
        database = Database(url)
        try:
            await database.migrate()
            await act(Kept(database))
        finally:
            await database.close()

    asyncio.run(done())


def test_what_is_settled_is_removed_and_what_is_open_stays(url: Secret) -> None:
    """The answer to a key lives for a week; an outcome that nobody knows is never forgotten."""

    async def act(kept: Kept) -> None:
        settled, lost, left = await kept.begun("a"), await kept.begun("b"), await kept.begun("c", listed=False)
        await kept.operations.answered(settled, State.SUCCEEDED, Answer(status=200), settles=True)
        await kept.operations.answered(lost, State.UNKNOWN, Answer(status=504), settles=True)
        kept.now += 6.9 * DAY
        early = await kept.operations.sweep()
        kept.now += 400 * DAY

        late = await kept.operations.sweep()

        assert (early, late) == (0, 2)
        assert await kept.operations.find(settled) is None
        assert await kept.operations.find(lost) is not None
        assert left

    on(url, act)


def test_a_person_is_asked_after_a_day(url: Secret) -> None:
    """Until then, looking may still tell."""

    async def act(kept: Kept) -> None:
        lost = await kept.begun("a")
        await kept.operations.answered(lost, State.UNKNOWN, None, settles=True)
        operation = await kept.operations.find(lost)

        assert operation is not None
        assert not operation.needs_review(kept.operations.now_ms)
        kept.now += DAY + 1
        assert operation.needs_review(kept.operations.now_ms)

    on(url, act)


def test_an_open_operation_is_looked_at_less_and_less_often(url: Secret) -> None:
    """After 5 s, 30 s, 2 min and 10 min, then hourly; one process at a time."""

    async def act(kept: Kept) -> None:
        began = kept.now
        lost = await kept.begun("a")
        await kept.operations.answered(lost, State.UNKNOWN, None, settles=True)
        looks: list[float] = []
        while len(looks) < 6:
            due = await kept.operations.due(limit=10)
            if not due:
                kept.now += 0.5
                continue
            assert await kept.operations.take(lost)
            assert not await kept.operations.take(lost)
            looks.append(kept.now - began)
            await kept.operations.looked(due[0], State.UNKNOWN, answer=None, evidence={}, again=True)
            # The next one is far: no need to walk there in steps.
            record = (await kept.operations.find(lost) or due[0]).record
            kept.now = max(kept.now + 0.5, (record.due_at or 0) / 1000 - 1)

        assert looks == [5.0, 30.0, 120.0, 600.0, 4200.0, 7800.0]

    on(url, act)

"""How many calls are at a vendor at once, who waits, and who gets through when it hangs: on real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from clients.budget import Budget
from clients.bulkhead import STUCK_SECONDS, Bulkhead
from clients.errors import Crowded, Kind, Operation, TimedOut
from clients.timeouts import Timed, began
from clients.transport import Socket, Upstream
from tests.support.plain import PLAIN
from tests.support.raw_server import OK, RawServer
from tests.support.timing import PATIENCE, timeouts

pytestmark = pytest.mark.anyio

PLACES = 10


def operation(kind: Kind = "read") -> Operation:
    """A call of this kind."""
    return Operation("vendor", "POST /x", kind)


def upstream(port: int, *, wait: float = 2.0, seconds: float = 5.0) -> Upstream:
    """A vendor with ten places: reads may fill eight, writes nine."""
    limits = timeouts(seconds, connect=wait)
    socket = Socket(lambda _reply, _operation: None, tls=PLAIN, budget=Budget())
    return Upstream(f"http://127.0.0.1:{port}", Bulkhead(Timed(socket, limits), limits, places=PLACES))


@pytest.fixture
async def deaf() -> AsyncIterator[RawServer]:
    """A vendor that takes every request and answers none."""
    async with RawServer(answer=None) as listening:
        yield listening


async def until(come_true: Callable[[], bool]) -> None:
    """Wait for it."""
    async with asyncio.timeout(PATIENCE):
        while not come_true():  # noqa: ASYNC110 - the server sets no event
            await asyncio.sleep(0.001)


async def ended(calls: list[asyncio.Task[httpx.Response]]) -> None:
    """Leave, and wait until that is done."""
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_callers_who_leave_cost_no_place(deaf: RawServer) -> None:
    """A thousand calls cancelled in flight or while they wait, and every place is free again."""
    client = upstream(deaf.port)
    for _ in range(50):
        arrived = len(deaf.requests)
        calls = [asyncio.create_task(client.call(operation(), "/x")) for _ in range(20)]
        await until(lambda arrived=arrived: len(deaf.requests) == arrived + 8)  # type: ignore[misc]  # its default is what binds it
        await ended(calls)

    deaf.answer = OK
    replies = await asyncio.gather(*(client.call(operation("money"), "/x") for _ in range(PLACES)))

    assert {reply.status_code for reply in replies} == {200}
    await client.aclose()


async def test_those_who_wait_for_a_place_get_one_in_turn() -> None:
    """Five hundred at once on eight places, some of whom leave while they wait."""
    async with RawServer() as server:
        client = upstream(server.port)
        calls = [asyncio.create_task(client.call(operation(), "/x")) for _ in range(500)]
        await asyncio.sleep(0)
        for call in calls[200:300]:
            call.cancel()

        done = await asyncio.gather(*calls, return_exceptions=True)

        assert sum(isinstance(one, httpx.Response) for one in done) == 400
        assert server.connections <= 8
        await client.aclose()


@pytest.mark.parametrize("kind", ["read", "probe", "write", "money"])
async def test_a_place_that_never_comes_means_that_the_vendor_was_not_called(deaf: RawServer, kind: Kind) -> None:
    """Once all are taken, whoever comes waits for some time and is told that the call was not made."""
    client = upstream(deaf.port, wait=0.5)
    busy = [asyncio.create_task(client.call(operation("money"), "/x")) for _ in range(PLACES)]
    await until(lambda: len(deaf.requests) == PLACES)

    with pytest.raises(Crowded):
        await client.call(operation(kind), "/x")

    assert len(deaf.requests) == PLACES
    await ended(busy)
    await client.aclose()


async def test_money_gets_through_where_reads_fill_their_places(deaf: RawServer) -> None:
    """Reads and probes that hang leave places for writes, and writes leave one for money."""
    client = upstream(deaf.port)
    reads = [asyncio.create_task(client.call(operation(kind), "/x")) for kind in ("read", "probe") for _ in range(20)]
    await until(lambda: len(deaf.requests) == 8)

    writes = [asyncio.create_task(client.call(operation("write"), "/x")) for _ in range(5)]
    await until(lambda: len(deaf.requests) == 9)
    deaf.answer = OK
    paid = await client.call(operation("money"), "/x")

    assert paid.status_code == 200
    assert len(deaf.requests) == 10
    await ended([*reads, *writes])
    await client.aclose()


async def test_a_place_that_becomes_free_goes_to_money_first(deaf: RawServer) -> None:
    """However long the others have waited."""
    client = upstream(deaf.port)
    busy = [asyncio.create_task(client.call(operation("money"), "/x")) for _ in range(PLACES)]
    await until(lambda: len(deaf.requests) == PLACES)
    reads = [asyncio.create_task(client.call(operation(), "/x", json=b'"read"')) for _ in range(5)]
    await asyncio.sleep(0)
    paid = asyncio.create_task(client.call(operation("money"), "/x", json=b'"money"'))
    await asyncio.sleep(0)

    await ended(busy[:1])
    await until(lambda: len(deaf.requests) > PLACES)

    assert deaf.requests[PLACES].endswith(b'"money"')
    await ended([*busy, *reads, paid])
    await client.aclose()


async def test_a_vendor_that_answers_nobody_does_not_gather_callers(deaf: RawServer) -> None:
    """As many wait as there are places; the next one is turned away at once."""
    client = upstream(deaf.port, wait=30)
    calls = [asyncio.create_task(client.call(operation(), "/x")) for _ in range(8 + PLACES)]
    await until(lambda: len(deaf.requests) == 8)
    begun = asyncio.get_running_loop().time()
    await until(lambda: asyncio.get_running_loop().time() > begun + STUCK_SECONDS)

    with pytest.raises(Crowded):
        await client.call(operation(), "/x")

    assert not any(call.done() for call in calls)
    await ended(calls)
    await client.aclose()


async def test_the_place_of_an_attempt_is_free_after_it_timed_out(deaf: RawServer) -> None:
    """A hanging vendor holds a place for as long as one attempt may take."""
    client = upstream(deaf.port, seconds=0.1)
    calls = [asyncio.create_task(client.call(operation(), "/x")) for _ in range(8)]

    hung = await asyncio.gather(*calls, return_exceptions=True)
    deaf.answer = OK

    assert all(isinstance(one, TimedOut) and one.sent for one in hung)
    assert (await client.call(operation(), "/x")).status_code == 200
    await client.aclose()


async def test_who_has_no_time_left_costs_no_place() -> None:
    """A thousand calls that end before anything is sent, and every place is free again."""
    async with RawServer() as vendor:
        client = upstream(vendor.port)
        began.set(asyncio.get_running_loop().time() - 60)

        for _ in range(1000):
            with pytest.raises(TimedOut) as caught:
                await client.call(operation(), "/x")
            assert caught.value.sent is False
        began.set(None)
        await asyncio.gather(*(client.call(operation("money"), "/x") for _ in range(PLACES)))

        assert len(vendor.requests) == PLACES
        await client.aclose()

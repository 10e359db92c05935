"""When a failing vendor is left alone, and how it comes back: counted at the vendor, by a clock that tests move."""

from collections.abc import AsyncIterator

import pytest

from clients.breaker import BreakerLimits, Guarded
from clients.budget import Budget
from clients.errors import CircuitOpen, Kind, Operation, UpstreamError
from clients.retry import Retried
from clients.timeouts import Timed
from clients.transport import Socket, Upstream
from tests.clients.transport.test_retry import DOWN, SLOW_DOWN, judge
from tests.support.plain import PLAIN
from tests.support.raw_server import OK, RawServer
from tests.support.timing import timeouts

pytestmark = pytest.mark.anyio


class Vendor:
    """A vendor behind a breaker, and the time.

    Args:
        server: The vendor.
        repeats: Whether reads that fail are repeated.
    """

    def __init__(self, server: RawServer, *, repeats: bool = False) -> None:
        self.server = server
        self.time = 1000.0
        budget = Budget()
        inner = Timed(Socket(judge, tls=PLAIN, budget=budget), timeouts(5))
        repeated = Retried(inner, timeouts(5), budget, sleep=self._paused) if repeats else inner
        guarded = Guarded(repeated, BreakerLimits(), now=lambda: self.time)
        self.upstream = Upstream(f"http://127.0.0.1:{server.port}", guarded)

    async def _paused(self, seconds: float) -> None:
        self.time += seconds

    async def call(self, kind: Kind = "read", times: int = 1) -> list[UpstreamError | None]:
        """What so many calls, one after the other, end in."""
        ended: list[UpstreamError | None] = []
        for _ in range(times):
            try:
                await self.upstream.call(Operation("vendor", "POST /x", kind), "/x")
                ended.append(None)
            except UpstreamError as error:
                ended.append(error)
        return ended


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    """One that answers well, unless told otherwise."""
    async with RawServer() as server:
        made = Vendor(server)
        yield made
        await made.upstream.aclose()


async def opened(vendor: Vendor) -> None:
    """Let it fail as often as it takes."""
    vendor.server.answer = DOWN
    await vendor.call(times=20)
    vendor.server.requests.clear()


async def test_nineteen_failures_say_nothing_and_twenty_do(vendor: Vendor) -> None:
    """Then nobody is sent to the vendor, and callers are told when to come back."""
    vendor.server.answer = DOWN

    ended = await vendor.call(times=25)

    assert len(vendor.server.requests) == 20
    assert all(isinstance(error, CircuitOpen) for error in ended[20:])
    assert isinstance(ended[-1], CircuitOpen)
    assert ended[-1].wait == 5.0


async def test_what_tries_whether_it_is_well_again_tries_once() -> None:
    """Nor is anything repeated that was under way when the breaker opened: a vendor is left alone by all."""
    async with RawServer() as server:
        vendor = Vendor(server, repeats=True)
        server.answer = DOWN
        await vendor.call()
        before_it_opened = len(server.requests)
        await opened(vendor)
        vendor.time += 6

        (ended,) = await vendor.call()

        assert (before_it_opened, len(server.requests)) == (3, 1)
        assert not isinstance(ended, CircuitOpen)
        await vendor.upstream.aclose()


async def test_who_could_not_even_ask_leaves_it_to_the_next(vendor: Vendor) -> None:
    """A mistake of ours says nothing of the vendor: the call after it finds out whether all is well."""
    await opened(vendor)
    vendor.time += 6
    vendor.server.answer = OK

    with pytest.raises(ValueError, match="line break"):
        await vendor.upstream.call(Operation("vendor", "POST /x", "read"), "/x", headers={"accept": "a\r\nb: c"})
    ended = await vendor.call(times=2)

    assert ended == [None, None]
    assert len(vendor.server.requests) == 2


async def test_it_stays_closed_while_most_calls_end_well(vendor: Vendor) -> None:
    """Eleven of twenty."""
    vendor.server.first = [OK, DOWN] * 9 + [OK, OK] + [OK] * 20

    ended = await vendor.call(times=40)

    assert sum(isinstance(error, CircuitOpen) for error in ended) == 0


async def test_half_of_twenty_is_too_many(vendor: Vendor) -> None:
    """Wherever they stand among the others."""
    vendor.server.first = [OK, DOWN] * 10

    await vendor.call(times=20)

    assert isinstance((await vendor.call())[0], CircuitOpen)


async def test_old_failures_do_not_count(vendor: Vendor) -> None:
    """The window is ten seconds."""
    vendor.server.answer = DOWN
    await vendor.call(times=19)
    vendor.time += 11

    ended = await vendor.call(times=19)

    assert not any(isinstance(error, CircuitOpen) for error in ended)


async def test_a_refusal_is_no_failure(vendor: Vendor) -> None:
    """A vendor that says no, or slow down, is at work."""
    vendor.server.answer = SLOW_DOWN

    ended = await vendor.call(times=40)

    assert len(vendor.server.requests) == 40
    assert not any(isinstance(error, CircuitOpen) for error in ended)


async def test_each_kind_is_counted_by_itself(vendor: Vendor) -> None:
    """While the reads fail, money may be paid."""
    await opened(vendor)
    vendor.server.answer = OK

    assert isinstance((await vendor.call("read"))[0], CircuitOpen)
    assert await vendor.call("money") == [None]


async def test_one_call_finds_out_that_all_is_well(vendor: Vendor) -> None:
    """After five seconds; then everyone is let through."""
    await opened(vendor)
    vendor.server.answer = OK
    vendor.time += 5

    assert await vendor.call(times=30) == [None] * 30


async def test_one_call_finds_out_that_nothing_is(vendor: Vendor) -> None:
    """And it stays open for as long again."""
    await opened(vendor)
    vendor.time += 5

    ended = await vendor.call(times=5)

    assert len(vendor.server.requests) == 1
    assert [isinstance(error, CircuitOpen) for error in ended] == [False, True, True, True, True]

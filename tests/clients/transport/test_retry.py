"""What is repeated, how often, on which failure: counted at the vendor."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import httpx
import pytest

from clients.budget import BURST, SHARE, Budget
from clients.errors import Kind, Operation, RateLimited, Unanswered, Unavailable, UpstreamError
from clients.retry import Retried
from clients.retry_after import seconds
from clients.timeouts import Timed, began
from clients.transport import Socket, Upstream
from tests.support.plain import PLAIN
from tests.support.raw_server import OK, RawServer
from tests.support.timing import timeouts

pytestmark = pytest.mark.anyio

DOWN = b"HTTP/1.1 503 Down\r\ncontent-length: 0\r\n\r\n"
WAIT = b"HTTP/1.1 429 Wait\r\nretry-after: 3\r\ncontent-length: 0\r\n\r\n"
SLOW_DOWN = b"HTTP/1.1 429 Wait\r\ncontent-length: 0\r\n\r\n"
NONSENSE = b"nonsense\r\n\r\n"


def operation(kind: Kind) -> Operation:
    """A call of this kind."""
    return Operation("vendor", "POST /x", kind)


def judge(reply: httpx.Response, called: Operation) -> None:
    """The plainest envelope: the status."""
    if reply.status_code == 429:
        raise RateLimited("Slow down.", operation=called, retry_after=seconds(reply))
    if reply.is_server_error:
        raise Unavailable("Down.", operation=called, status=reply.status_code)


class Vendor:
    """A vendor behind the layer of retries, and how long that has waited."""

    def __init__(self, server: RawServer, *, seconds: float = 5.0) -> None:
        self.server = server
        self.waited: list[float] = []
        limits = timeouts(seconds)
        budget = Budget()
        attempt = Timed(Socket(judge, tls=PLAIN, budget=budget), limits)
        retried = Retried(attempt, limits, budget, sleep=self._sleep, rng=Random(7))  # noqa: S311 - a test repeats itself
        self.upstream = Upstream(f"http://127.0.0.1:{server.port}", retried)

    async def _sleep(self, pause: float) -> None:
        self.waited.append(pause)

    async def call(self, kind: Kind) -> UpstreamError | None:
        """What a call ends in: None if it ends well."""
        try:
            await self.upstream.call(operation(kind), "/x", json=b"{}")
        except UpstreamError as error:
            return error
        return None


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    """One that answers well, unless told otherwise."""
    async with RawServer() as server:
        made = Vendor(server)
        yield made
        await made.upstream.aclose()


@pytest.mark.parametrize("failure", [DOWN, NONSENSE])
@pytest.mark.parametrize(
    ("kind", "failures", "calls", "ends_well"),
    [
        ("read", 1, 2, True),
        ("read", 2, 3, True),
        ("read", 3, 3, False),
        ("probe", 1, 2, True),
        ("probe", 2, 2, False),
        ("write", 1, 1, False),
        ("money", 1, 1, False),
    ],
)
async def test_a_kind_is_repeated_as_its_row_says(
    vendor: Vendor, failure: bytes, kind: Kind, failures: int, calls: int, *, ends_well: bool
) -> None:
    """Reads twice, probes once, and what may have happened never."""
    vendor.server.first = [failure] * failures

    ended = await vendor.call(kind)

    assert (ended is None) is ends_well
    assert len(vendor.server.requests) == calls


@pytest.mark.parametrize(("kind", "calls"), [("read", 3), ("probe", 2)])
async def test_a_vendor_who_hangs_up_is_not_called_once_more(vendor: Vendor, kind: Kind, calls: int) -> None:
    """What went out on a kept connection may have been seen, and counts like any other attempt."""
    await asyncio.gather(*(vendor.call(kind) for _ in range(5)))  # They leave connections that are kept.
    before = len(vendor.server.requests)
    vendor.server.answer = b""
    vendor.server.close_after_answer = True

    ended = await vendor.call(kind)

    assert isinstance(ended, Unanswered)
    assert len(vendor.server.requests) - before == calls


async def test_pauses_grow_and_differ(vendor: Vendor) -> None:
    """Callers who failed together do not come back together."""
    for _ in range(3):
        vendor.server.first = [DOWN, DOWN]
        await vendor.call("read")

    firsts, seconds_ = vendor.waited[::2], vendor.waited[1::2]
    assert len(set(vendor.waited)) == 6
    assert max(firsts) <= 0.1
    assert max(seconds_) <= 0.2


async def test_a_vendors_wait_is_obeyed(vendor: Vendor) -> None:
    """As long as it says, if there is time."""
    vendor.server.first = [WAIT]

    assert await vendor.call("read") is None
    assert vendor.waited == [3.0]


async def test_a_wait_beyond_the_deadline_is_passed_on_at_once(vendor: Vendor) -> None:
    """The caller is told to wait instead."""
    vendor.server.first = [WAIT]
    hasty = Vendor(vendor.server, seconds=2.0)

    ended = await hasty.call("read")

    assert isinstance(ended, RateLimited)
    assert (len(vendor.server.requests), hasty.waited) == (1, [])


@pytest.mark.parametrize("kind", ["read", "probe", "write", "money"])
async def test_a_vendor_who_asks_for_calm_gets_it(vendor: Vendor, kind: Kind) -> None:
    """Without a time to wait, coming back at once is what it asks us not to do."""
    vendor.server.answer = SLOW_DOWN

    assert isinstance(await vendor.call(kind), RateLimited)
    assert len(vendor.server.requests) == 1


@pytest.mark.parametrize("kind", ["write", "money"])
async def test_what_never_reached_the_vendor_is_tried_again(kind: Kind) -> None:
    """Nothing was sent, so nothing can have happened; and it is sent once."""
    async with RawServer() as server:
        port = server.port
        vendor = Vendor(server)
    revived = RawServer()

    async def revive(pause: float) -> None:
        vendor.waited.append(pause)
        if len(vendor.waited) == 2:
            await revived.listen(port)

    budget = Budget()
    attempt = Timed(Socket(judge, tls=PLAIN, budget=budget), timeouts(5))
    vendor.upstream = Upstream(f"http://127.0.0.1:{port}", Retried(attempt, timeouts(5), budget, sleep=revive))

    ended = await vendor.call(kind)

    assert ended is None
    assert len(revived.requests) == 1
    await revived.__aexit__()


async def test_an_outage_is_not_made_worse(vendor: Vendor) -> None:
    """With every call failing, the vendor sees a share more than callers asked for, and a few at the start."""
    vendor.server.answer = DOWN

    for _ in range(300):
        await vendor.call("read")

    assert 300 < len(vendor.server.requests) <= 300 * (1 + SHARE) + BURST


async def test_what_a_dead_connection_costs_the_vendor_is_within_the_budget(vendor: Vendor) -> None:
    """Hung up on in the middle of a call, a vendor sees it twice: that is no way round the budget."""
    vendor.server.first = [OK, b""] * 300
    vendor.server.hang_up_on_empty = True

    ended = [await vendor.call("read") for _ in range(300)]

    assert sum(one is None for one in ended) > 100
    assert len(vendor.server.requests) <= 300 * (1 + SHARE) + BURST


async def test_a_tenth_of_faults_is_within_the_budget(vendor: Vendor) -> None:
    """However long they last, a read fails only when all of its attempts do."""
    faults = Random(7)  # noqa: S311 - a test repeats itself
    vendor.server.first = [DOWN if faults.random() < 0.1 else OK for _ in range(4000)]

    ended = [await vendor.call("read") for _ in range(3000)]

    assert sum(one is None for one in ended) >= 0.995 * 3000
    assert len(vendor.server.requests) <= 1.2 * 3000


async def test_no_attempt_begins_after_the_deadline(vendor: Vendor) -> None:
    """What the request has waited for elsewhere counts, too."""
    began.set(asyncio.get_running_loop().time() - 60)

    ended = await vendor.call("money")

    assert isinstance(ended, Unanswered)
    assert ended.sent is False
    assert vendor.server.requests == []


async def test_a_success_is_not_repeated(vendor: Vendor) -> None:
    """The usual case costs one call."""
    vendor.server.answer = OK

    assert await vendor.call("read") is None
    assert len(vendor.server.requests) == 1

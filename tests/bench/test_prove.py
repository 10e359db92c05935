"""That `make prove` still measures: each proof in miniature, whatever the figures are on a busy machine."""

import sys
from collections.abc import AsyncIterator
from io import StringIO

import pytest
from rich.console import Console

from bench.prove import deadlines, faults, isolation, leaks, recovery
from bench.prove.caller import Caller
from bench.prove.figures import Figure, percentile, shown, surroundings
from bench.prove.stage import Emulator, aimed_at, gateway, sandbox
from bench.prove.vendor import Vendor, vendor

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the proofs run on."""
    return "asyncio"


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A sandbox in a process of its own."""
    async with sandbox() as running:
        yield running


@pytest.fixture
async def own() -> AsyncIterator[Vendor]:
    """The vendor that counts, holds and vanishes."""
    async with vendor() as running:
        yield running


async def test_reads_under_faults_are_counted_at_the_vendor(emulator: Emulator) -> None:
    """Without a breaker every read arrives once at least, and a few arrive again; with it most never do."""
    succeeded, tenth, unguarded, guarded = await faults.prove(emulator, calls=90)

    assert 0 < succeeded.value <= 100
    assert 1 <= tenth.value <= 3
    assert 1 < unguarded.value <= 3
    assert 0 < guarded.value < unguarded.value


async def test_an_outage_ends_in_success(emulator: Emulator) -> None:
    """First one read succeeds, then all do."""
    first, steady = await recovery.prove(emulator, outages=(0.3,))

    assert 0 <= first.value <= steady.value


async def test_every_endless_vendor_is_met_by_every_class(emulator: Emulator, own: Vendor) -> None:
    """No call ends before its deadline, or the proof itself fails."""
    (late,) = await deadlines.prove(emulator, own, rounds=1, usual=0.3, money=0.4, retried=0.5)

    assert late.value > 0


@pytest.mark.skipif(sys.platform != "linux", reason="sockets are counted by /proc")
async def test_those_who_leave_are_counted(own: Vendor) -> None:
    """All places are found again, in this process and in the gateway's."""
    (leaked,) = await leaks.prove(own, cancelled=300, disconnected=100)

    assert leaked.value == 0
    assert "80 places" in leaked.how


@pytest.mark.skipif(sys.platform != "linux", reason="how a blackhole is dug depends on the kernel")
async def test_the_vendor_vanishes_and_comes_back(own: Vendor) -> None:
    """While it is gone its reads fail, and the other vendor's do not."""
    async with gateway({**aimed_at(own), "GATEWAY_DEADLINE_SECONDS": "0.3"}) as running:
        with await running.caller(mode="live") as caller:
            before = await _statuses(caller)
            await own.tell("funnelflux", "blackhole")
            during = await _statuses(caller)
            await own.tell("funnelflux", "answer")
            after = await _statuses(caller)

    assert (before, during, after) == ((200, 200), (504, 200), (200, 200))


async def _statuses(caller: Caller) -> tuple[int, int]:
    return (await caller.call("GET", "/v1/domains")).status, (await caller.call("GET", "/v1/features")).status


@pytest.mark.skipif(sys.platform != "linux", reason="how a blackhole is dug depends on the kernel")
async def test_isolation_is_measured_for_both_vendors(own: Vendor) -> None:
    """Each in each role."""
    settings = {"GATEWAY_DEADLINE_SECONDS": "0.5", "GATEWAY_BREAKER_OPEN_SECONDS": "0.2"}

    figures = await isolation.prove(own, rounds=1, seconds=0.2, settings=settings)

    assert [figure.what.split("'")[0] for figure in figures] == ["p99 of funnelfox", "p99 of funnelflux"]
    assert all(figure.value > 0 for figure in figures)


def test_a_figure_is_held_against_its_bound() -> None:
    """Most or least, as promised; the bound itself keeps the promise."""

    def figure(value: float, *, at_least: bool) -> Figure:
        return Figure(what="x", value=value, bound=1.0, at_least=at_least, how="by thought")

    assert [figure(value, at_least=False).holds for value in (0.9, 1.0, 1.1)] == [True, True, False]
    assert [figure(value, at_least=True).holds for value in (0.9, 1.0, 1.1)] == [False, True, True]


def test_a_percentile_is_a_value_that_was_measured() -> None:
    """The smallest that so many do not exceed."""
    values = [float(value) for value in range(100, 0, -1)]

    assert [percentile(values, share) for share in (0.01, 0.5, 0.99, 1.0)] == [1.0, 50.0, 99.0, 100.0]


def test_the_report_says_what_failed_and_where_it_ran() -> None:
    """One row for each figure, with the bound beside it."""
    written = StringIO()

    shown(
        [
            Figure(what="good", value=0.5, bound=1.0, unit=" s", how="a clock"),
            Figure(what="bad", value=1234.5, bound=1.0, unit=" s", how="another"),
        ],
        Console(file=written, width=120),
    )

    good, bad = (next(line for line in written.getvalue().splitlines() if what in line) for what in ("good", "bad"))
    assert ("0.50 s" in good, "<= 1.00 s" in good, "pass" in good, "a clock" in good) == (True,) * 4
    assert ("1,234.50 s" in bad, "FAIL" in bad) == (True, True)
    assert "gateway 0.1.0" in surroundings()
    assert "cores" in surroundings()

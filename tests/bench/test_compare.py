"""That `make bench` still measures: in miniature, without peers, whatever the figures are on a busy machine."""

import sys
from xml.etree import ElementTree as ET

import pytest

from bench.compare import cold, contests, keys, load
from bench.compare.chart import chart
from bench.compare.contest import Contest, Entrant, Sample, held
from bench.compare.contests import MISSING, OURS, SMALL
from bench.compare.figures import HEADINGS, Figure, markdown
from bench.compare.load import Ask, Run
from bench.compare.stage import KEPT, UNTRACED, ours, vendor

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="cores and processor time are Linux's"),
]


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the benchmark runs on."""
    return "asyncio"


async def test_a_kept_list_and_one_from_the_vendor_are_measured() -> None:
    """Each server is asked in each round, every answer is a success, and its processor time is known."""
    async with (
        vendor() as url,
        ours(OURS, url, KEPT, UNTRACED) as keeping,
        ours(MISSING, url, UNTRACED) as asking,
    ):
        entrants = [Entrant(server=keeping, path=SMALL), Entrant(server=asking, path=SMALL)]
        contest = await held("lists", entrants, connections=2, rounds=2, seconds=1)
        calls, waited = await cold.figures(url, keeping, readers=5, rounds=1)

    assert {name: len(samples) for name, samples in contest.samples.items()} == {OURS: 2, MISSING: 2}
    assert all(contest.rate(name) > 0 and contest.cpu_us(name) > 0 for name in contest.samples)
    assert contest.ratio(OURS, MISSING)[0] > 0
    assert calls.value == 1
    assert waited.value > 1


async def test_a_server_that_refuses_is_no_figure() -> None:
    """An answer that is no success would count as a fast one."""
    async with vendor() as url, ours(OURS, url, UNTRACED) as server:
        ask = Ask(url=f"{server.url}{SMALL}", token="wrong", connections=1, seconds=1)

        with pytest.raises(RuntimeError, match="failed"):
            await load.load(ask)


def test_the_cache_is_asked_for_ever_more_keys() -> None:
    """The budget holds, and the time of a look is compared."""
    took, share = keys.figures((2_000, 30_000))

    assert took.value > 0
    assert 0 < share.value <= 1


def test_figures_come_of_those_who_took_part() -> None:
    """A peer that can't be had leaves no figure, and nothing else changes."""

    def contest(name: str, connections: int, *servers: str) -> Contest:
        run = Run(requests=100, seconds=1, failed=0, p50_ms=1, p99_ms=2)
        return Contest(
            name=name, connections=connections, samples={server: [Sample(run=run, cpu_us=50)] for server in servers}
        )

    of = [
        contest(contests.HIT, 64, OURS, contests.CACHING),
        contest(contests.MISS, 64, OURS, contests.BFF),
        contest(contests.MISS, 16, OURS),
        contest(contests.MISS, 1, OURS),
        contest(contests.MERGED, 64, OURS),
        contest(contests.SLOW, 1, OURS, contests.DIRECT),
    ]

    found = contests.figures(of)

    assert [figure.what for figure in found] == [
        "a hit beside nginx `proxy_cache`, c=64",
        "a miss beside FastAPI + httpx, c=64",
        "CPU of a miss at c=64 over c=1",
        "two calls of 20 ms merged, over one of them, c=1",
    ]
    assert [figure.value for figure in found] == [1, 1, 1, 0]


def test_the_chart_is_a_picture() -> None:
    """Well-formed, with a bar for each server."""
    sample = Sample(run=Run(requests=100, seconds=1, failed=0, p50_ms=1, p99_ms=2), cpu_us=50)
    contest = Contest(name="a & b", connections=1, samples={"gateway": [sample], "other": [sample]})

    drawn = ET.fromstring(chart([contest], ours="gateway", caption="<here>"))  # noqa: S314 - our own

    assert len(drawn.findall("{*}rect")) == 3


@pytest.mark.parametrize(("value", "verdict"), [(0.9, "aim"), (1.0, "aim"), (1.1, "must"), (1.6, "missed")])
def test_a_figure_says_how_far_it_got(value: float, verdict: str) -> None:
    """A bound that is met to the digit shown is met."""
    figure = Figure(what="x", value=value, must=1.5, aim=1.0, unit=" s")

    assert figure.verdict == verdict
    assert verdict in markdown(HEADINGS, [figure.cells()])

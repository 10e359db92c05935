"""One vendor's reads while the other vendor has vanished."""

import asyncio
from collections.abc import Mapping
from statistics import median
from time import perf_counter
from typing import Final

from bench.prove.caller import Caller, Seen, paced
from bench.prove.figures import Figure, percentile
from bench.prove.stage import aimed_at, gateway
from bench.prove.vendor import Name, Vendor

READ: Final[dict[Name, str]] = {"funnelflux": "/v1/domains", "funnelfox": "/v1/features"}

RATE: Final = 250.0
"""Reads a second of the vendor that is well."""

OTHER_RATE: Final = 50.0
"""Reads a second of the vendor that vanishes, before and while it does."""

WINDOWS: Final = 2
"""Each p99 is of one window; so many in a row before, and as many from the blackhole's first moment on. One of them
has the calls that pile up, the next the breaker that has opened."""

RECOVERY_SECONDS: Final = 30.0
"""Within which the vendor that came back must answer again."""


async def prove(
    vendor: Vendor, *, rounds: int, seconds: float, settings: Mapping[str, str] | None = None
) -> list[Figure]:
    """Measure before and during, in turn, with each vendor in each role; the defaults hold but for these settings."""
    figures = []
    vanished: Name
    well: Name
    for vanished, well in (("funnelflux", "funnelfox"), ("funnelfox", "funnelflux")):
        async with gateway({**aimed_at(vendor), **(settings or {})}) as running:
            with await running.caller(mode="live") as caller:
                figures.append(await _measured(vendor, caller, vanished, well, rounds=rounds, seconds=seconds))
    return figures


async def _measured(
    vendor: Vendor, caller: Caller, vanished: Name, well: Name, *, rounds: int, seconds: float
) -> Figure:
    before: list[float] = []
    gone: list[float] = []
    await _load(caller, well, vanished, seconds=seconds)  # Warm.
    for _ in range(rounds):
        before += await _load(caller, well, vanished, seconds=seconds)
        await vendor.tell(vanished, "blackhole")
        gone += await _load(caller, well, vanished, seconds=seconds)
        await vendor.tell(vanished, "answer")
        await _until_back(caller, vanished)
    usual = median(before)
    return Figure(
        what=f"p99 of {well}'s reads while {vanished} is blackholed, over before",
        value=median(gone) / usual,
        bound=1.1,
        how=(
            f"medians of {len(gone)} windows of {seconds:g} s each, {rounds} rounds in turn; {RATE:g}/s and "
            f"{OTHER_RATE:g}/s; p99 before {1000 * usual:.1f} ms; noise: among the windows before it is "
            f"{percentile(before, 0.25) / usual:.2f} to {percentile(before, 0.75) / usual:.2f} of that (quartiles)"
        ),
    )


async def _load(caller: Caller, well: Name, vanished: Name, *, seconds: float) -> list[float]:
    """The p99 of each window, of the reads of the vendor that is well; the other's are waited for, too."""
    whole = WINDOWS * seconds
    others = asyncio.create_task(paced(caller, "GET", READ[vanished], rate=OTHER_RATE, seconds=whole))
    seen: list[Seen] = await paced(caller, "GET", READ[well], rate=RATE, seconds=whole)
    await others
    if any(answer.failed for answer in seen):
        raise RuntimeError(f"reads of {well} failed, though it is well")
    of_one = len(seen) // WINDOWS
    return [
        percentile([answer.seconds for answer in seen[first : first + of_one]], 0.99)
        for first in range(0, WINDOWS * of_one, of_one)
    ]


async def _until_back(caller: Caller, name: Name) -> None:
    ends = perf_counter() + RECOVERY_SECONDS
    while (await caller.call("GET", READ[name])).failed:
        if perf_counter() > ends:
            raise RuntimeError(f"{name} is back, and its reads are not")
        await asyncio.sleep(0.1)

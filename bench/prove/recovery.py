"""How long callers go on being let down after an outage has ended."""

import asyncio
from time import perf_counter
from typing import Final

import msgspec

from bench.prove.caller import Caller
from bench.prove.figures import Figure
from bench.prove.stage import Emulator, gateway
from gateway.settings import Settings

READ: Final = "/v1/domains"
OPERATION: Final = "GET /domains"

RATE: Final = 50.0
"""Reads a second, all the time."""

GRACE: Final = 5.0
"""Seconds that recovery may take beyond the time for which the breaker is open."""

CALM: Final = 2.0
"""Seconds without a failure, after which the outage counts as over."""


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds after the vendor was well again."""

    first: float
    """When the first read that succeeded was asked for."""
    steady: float
    """From when on every read succeeded."""


async def prove(sandbox: Emulator, *, outages: tuple[float, ...]) -> list[Figure]:
    """Play outages of so many seconds each, the breaker as it is."""
    async with gateway({"GATEWAY_SANDBOX": sandbox.url}) as running:
        with await running.caller() as caller:
            await sandbox.reset()
            seen = [await _outage(sandbox, caller, seconds) for seconds in outages]
    bound = Settings().breaker_open_seconds + GRACE
    lengths = ", ".join(f"{seconds:g}" for seconds in outages)
    return [
        Figure(
            what="first success after an outage",
            value=max(one.first for one in seen),
            bound=bound,
            unit=" s",
            how=f"worst of {len(outages)} outages ({lengths} s of 503 to everything), {RATE:g} reads a second",
        ),
        Figure(
            what="nothing but success after an outage",
            value=max(one.steady for one in seen),
            bound=bound,
            unit=" s",
            how=f"the same; the breaker leaves the vendor alone for {Settings().breaker_open_seconds:g} s",
        ),
    ]


async def _outage(sandbox: Emulator, caller: Caller, seconds: float) -> Recovered:
    ended: list[tuple[float, bool]] = []
    reading = asyncio.create_task(_read_for_ever(caller, ended))
    await sandbox.fail(kind="status", status=503, operation="funnelflux")
    await asyncio.sleep(seconds)
    await sandbox.heal()
    healed = perf_counter()
    while not _calm(ended, healed):
        if reading.done():
            reading.result()
        await asyncio.sleep(0.05)
    reading.cancel()
    await asyncio.wait((reading,))
    after = sorted((wanted - healed, failed) for wanted, failed in ended if wanted >= healed)
    last_failure = max((wanted for wanted, failed in after if failed), default=0.0)
    return Recovered(
        first=next(wanted for wanted, failed in after if not failed),
        steady=next(wanted for wanted, failed in after if not failed and wanted >= last_failure),
    )


async def _read_for_ever(caller: Caller, ended: list[tuple[float, bool]]) -> None:
    async def one(wanted: float) -> None:
        seen = await caller.call("GET", READ, wanted=wanted)
        ended.append((wanted, seen.failed))

    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(one(perf_counter()))
            await asyncio.sleep(1 / RATE)


def _calm(ended: list[tuple[float, bool]], healed: float) -> bool:
    """Whether nothing has failed for a while, and something has succeeded."""
    recent = [failed for wanted, failed in ended if wanted >= max(healed, perf_counter() - CALM)]
    return perf_counter() >= healed + CALM and bool(recent) and not any(recent)

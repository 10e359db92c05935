"""`make prove`: every figure, beside what is promised."""

import sys
from collections.abc import Awaitable
from time import perf_counter

import uvloop
from rich.console import Console

from bench.prove import deadlines, faults, isolation, leaks, recovery
from bench.prove.figures import Figure, shown, surroundings
from bench.prove.stage import sandbox
from bench.prove.vendor import vendor


async def measured(console: Console) -> list[Figure]:
    """Every proof, one after the other, at full length."""
    figures: list[Figure] = []

    async def told(name: str, proof: Awaitable[list[Figure]]) -> None:
        started = perf_counter()
        figures.extend(await proof)
        console.print(f"  {name}: {perf_counter() - started:.0f} s", style="dim")

    async with sandbox() as emulator, vendor() as own:
        await told("reads under faults", faults.prove(emulator, calls=6000))
        await told("recovery", recovery.prove(emulator, outages=(4.0, 5.5, 7.0)))
        await told("deadlines", deadlines.prove(emulator, own, rounds=10, usual=1.0, money=1.5, retried=6.0))
        await told("leaks", leaks.prove(own, cancelled=95_000, disconnected=5_000))
        await told("isolation", isolation.prove(own, rounds=4, seconds=2.5))
    return figures


def main() -> int:
    """Run and print; the exit code is 0 if every promise is kept."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    started = perf_counter()
    console.print(surroundings())
    figures = uvloop.run(measured(console))
    shown(figures, console)
    console.print(f"{perf_counter() - started:.0f} s in all")
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())

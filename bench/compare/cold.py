"""Many who ask for the same list at once, while nothing is kept of it."""

import asyncio
from statistics import median
from time import perf_counter
from typing import Final

from bench.compare.contests import SMALL
from bench.compare.figures import Figure
from bench.compare.peers import Server
from bench.prove.caller import Caller

DELAY_MS: Final = 20


async def figures(vendor: str, server: Server, *, readers: int, rounds: int) -> list[Figure]:
    """Let them all ask, again and again.

    Args:
        vendor: Its URL.
        server: A gateway that keeps lists.
        readers: At once, each on a connection of its own.
        rounds: How often; the first is not counted.
    """
    calls, factors = [], []
    with Caller(vendor) as control, Caller(server.url, server.token) as caller:
        await control.call("GET", f"/_delay/{DELAY_MS}")
        await asyncio.gather(*(caller.call("GET", SMALL) for _ in range(readers)))
        for _ in range(rounds):
            await caller.call("POST", "/v1/cache/purge", {})
            before = int((await control.call("GET", "/_count")).body)
            began = perf_counter()
            seen = await asyncio.gather(*(caller.call("GET", SMALL) for _ in range(readers)))
            factors.append((perf_counter() - began) * 1000 / DELAY_MS)
            calls.append(int((await control.call("GET", "/_count")).body) - before)
            if any(one.status != 200 for one in seen):  # noqa: PLR2004 - what everyone must get
                raise RuntimeError("not every reader was answered")
        await control.call("GET", "/_delay/0")
    return [
        Figure(what=f"vendor calls for {readers} cold readers", value=max(calls), must=1, aim=1, places=0),
        Figure(
            what=f"{readers} cold readers, until the last is answered",
            value=median(factors),
            noise=(max(factors) - min(factors)) / 2 / median(factors),
            must=2,
            aim=1.5,
            unit="x",
            how=f"of the vendor's {DELAY_MS} ms; they ask from one process of Python, whose own time is in it",
        ),
    ]

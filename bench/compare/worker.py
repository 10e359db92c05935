"""One worker by itself: how soon it answers, and what it holds while it has nothing to do."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from bench.compare.figures import Figure
from bench.compare.peers import COMMAND, environment_of
from bench.compare.processes import SERVERS, free_port, placed, resident_mb

SETTLED_SECONDS = 1.0
"""After its first answer it has nothing more to set up."""


async def figures(url: str, *, starts: int) -> list[Figure]:
    """Start one again and again, on a database that is there already.

    Args:
        url: The vendor's.
        starts: How often.
    """
    with TemporaryDirectory(prefix="bench-") as folder:
        environment = {**environment_of(url), "GATEWAY_DATABASE_URL": f"sqlite:///{Path(folder) / 'gateway.db'}"}
        await _migrated(environment)
        seconds, held = [], []
        for _ in range(starts):
            async with _started(environment) as (took, pid):
                seconds.append(took)
                await asyncio.sleep(SETTLED_SECONDS)
                held.append(resident_mb(pid))
    return [
        Figure(
            what="from start to the first answer",
            value=median(seconds),
            noise=(max(seconds) - min(seconds)) / 2 / median(seconds),
            must=1.5,
            aim=1.0,
            unit=" s",
            how=f"median of {starts} starts of `gateway serve` on a database that is current",
        ),
        Figure(
            what="memory of one worker, cache empty",
            value=median(held),
            must=75,
            aim=65,
            unit=" MB",
            places=0,
            how="resident, shared pages too; compiled as the image is, telemetry exported, SQLite, no Redis or sandbox",
        ),
    ]


async def _migrated(environment: Mapping[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        COMMAND, "migrate", env={**os.environ, **environment}, stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait():
        raise RuntimeError("the database could not be made")


@asynccontextmanager
async def _started(environment: Mapping[str, str]) -> AsyncIterator[tuple[float, int]]:
    """Run one for a block; gives the seconds until it answered, and its process."""
    port = free_port()
    began = perf_counter()
    with placed(SERVERS):
        process = await asyncio.create_subprocess_exec(
            COMMAND, "serve", "--port", str(port), env={**os.environ, **environment}, stderr=asyncio.subprocess.DEVNULL
        )
    try:
        while not await _answers(port):
            await asyncio.sleep(0.005)
            if process.returncode is not None:
                raise RuntimeError("the gateway did not start")
        yield perf_counter() - began, process.pid
    finally:
        process.terminate()
        await process.wait()


async def _answers(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.write(b"GET /health/ready HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    status = await reader.readline()
    writer.close()
    return b" 200 " in status


if __name__ == "__main__":
    for figure in asyncio.run(figures(sys.argv[1], starts=3)):
        print(figure.cells())  # noqa: T201

"""`make bench-profiles`: where the time of a hit and of a miss goes, as flame graphs."""

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Final

import uvloop

from bench.compare.contests import SMALL
from bench.compare.load import Ask, load
from bench.compare.peers import Server
from bench.compare.stage import KEPT, UNTRACED, ours, vendor

FOLDER: Final = Path(__file__).parents[1] / "profiles"
SECONDS: Final = 8


async def _profiled(server: Server, name: str) -> None:
    ask = Ask(url=f"{server.url}{SMALL}", token=server.token, connections=64, seconds=SECONDS + 2)
    loading = asyncio.create_task(load(ask))
    await asyncio.sleep(1)
    # Within the folder: the path is in the picture's title.
    # Threads that wait for work are not of interest.
    output = ["--gil", "--output", f"{name}.svg", "--duration", str(SECONDS), "--rate", "250"]
    process = await asyncio.create_subprocess_exec("py-spy", "record", "--pid", str(server.pid), *output, cwd=FOLDER)
    await process.wait()
    await loading


async def _all() -> None:
    FOLDER.mkdir(exist_ok=True)
    async with vendor() as url:
        async with ours("hit", url, KEPT, UNTRACED) as server:
            await _profiled(server, "hit")
        async with ours("miss", url, UNTRACED) as server:
            await _profiled(server, "miss")


def main() -> int:
    """Write them; the exit code is 1 where py-spy is missing."""
    if shutil.which("py-spy") is None:
        sys.stderr.write("py-spy is not on the PATH\n")
        return 1
    uvloop.run(_all())
    return 0


if __name__ == "__main__":
    sys.exit(main())

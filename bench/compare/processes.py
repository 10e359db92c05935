"""Processes that are measured: where they run, what they have used, what they hold."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

CORES: Final = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else [0]

SERVERS: Final = CORES[:1]
"""Where whatever is measured runs; one at a time has something to do."""

CALLERS: Final = CORES[1:] or CORES
"""Where calls come from and vendors answer."""

TICKS: Final = os.sysconf("SC_CLK_TCK")

START_SECONDS: Final = 20.0
POLL_SECONDS: Final = 0.005


@contextmanager
def placed(cores: Sequence[int]) -> Iterator[None]:
    """What is started within the block runs on these cores, and so do its threads and children."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@asynccontextmanager
async def running(
    command: Sequence[str], *, port: int, environment: Mapping[str, str], cores: Sequence[int]
) -> AsyncIterator[int]:
    """Run a command for a block, from when it listens; gives its process.

    Raises:
        RuntimeError: It ended before it listened, or does not listen.
    """
    nowhere = asyncio.subprocess.DEVNULL
    with placed(cores):
        process = await asyncio.create_subprocess_exec(
            *command, env={**os.environ, **environment}, stdout=nowhere, stderr=nowhere
        )
    try:
        await listening(port, process)
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 3)
            except TimeoutError:
                process.kill()
                await process.wait()


async def listening(port: int, process: asyncio.subprocess.Process) -> None:
    """Wait until a process listens."""
    ends = asyncio.get_running_loop().time() + START_SECONDS
    while asyncio.get_running_loop().time() < ends:
        if process.returncode is not None:
            raise RuntimeError(f"it ended with {process.returncode} before it listened")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(POLL_SECONDS)
        else:
            writer.close()
            return
    raise RuntimeError("it does not listen")


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def family(pid: int) -> list[int]:
    """A process and all that it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


def cpu_seconds(pid: int) -> float:
    """What a process and its children have used so far; ten milliseconds are the grain."""
    used = 0.0
    for member in family(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        used += (int(fields[11]) + int(fields[12])) / TICKS
    return used


def resident_mb(pid: int) -> float:
    """The memory that a process holds, in MB (10^6 bytes), whatever it shares with others included."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("the kernel does not say")

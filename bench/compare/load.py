"""Load: `wrk` where there is one, or else a generator of our own, in Python and slower."""

import asyncio
import shutil
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import uvloop
from typing_extensions import override

from bench.compare.processes import CALLERS, placed

_REPORT: Final = """
wrk.headers["Authorization"] = "Bearer %s"
wrk.method = "%s"
local number = 0
if %s then
  request = function()
    number = number + 1
    wrk.headers["X-Number"] = number
    return wrk.format()
  end
end
done = function(summary, latency, requests)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write
                 + summary.errors.status + summary.errors.timeout
  io.write(string.format('\\nREPORT{"requests":%%d,"seconds":%%f,"failed":%%d,"p50_ms":%%f,"p99_ms":%%f}\\n',
    summary.requests, summary.duration / 1e6, failed, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, and how."""

    url: str
    token: str
    connections: int
    seconds: float
    method: str = "GET"
    varied: bool = False
    """Whether no two requests have the same head."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    requests: int
    seconds: float
    failed: int
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def generator() -> str:
    """Which one is used."""
    return "wrk" if shutil.which("wrk") else "our own generator"


async def load(ask: Ask) -> Run:
    """Ask over and over for some seconds, over connections that are kept.

    Raises:
        RuntimeError: Not every answer was a success: the figure would mean nothing.
    """
    found = await (_by_wrk(ask) if shutil.which("wrk") else _by_ours(ask))
    if found.failed or not found.requests:
        raise RuntimeError(f"{found.failed} of {found.requests} requests to {ask.url} failed")
    return found


async def _by_wrk(ask: Ask) -> Run:
    with NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_REPORT % (ask.token, ask.method, str(ask.varied).lower()))
        script.flush()
        said = await _said(
            [
                "wrk",
                "-t1",
                f"-c{ask.connections}",
                f"-d{ask.seconds:.0f}s",
                "--timeout",
                "10s",
                "-s",
                script.name,
                ask.url,
            ]
        )
    return msgspec.json.decode(said.partition(b"REPORT")[2], type=Run)


async def _by_ours(ask: Ask) -> Run:
    said = await _said([sys.executable, "-m", "bench.compare.load", msgspec.json.encode(ask).decode()])
    return msgspec.json.decode(said, type=Run)


async def _said(command: list[str]) -> bytes:
    with placed(CALLERS):
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    return said


class _Asking(asyncio.Protocol):
    """One connection, that asks again as soon as it is answered."""

    def __init__(self, request: bytes, took: list[float], state: dict[str, Any], *, varied: bool) -> None:
        self._request = request
        self._varied = varied
        self._took = took
        self._state = state
        self._received = b""
        self._transport: Any = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]):
            return
        now = perf_counter()
        self._took.append(now - self._asked)
        self._state["failed"] += not head.startswith(b"HTTP/1.1 2")
        self._received = b""
        if now < self._state["ends"]:
            self._ask()
        else:
            self._transport.close()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._state["open"] -= 1
        self._state["failed"] += exc is not None
        if not self._state["open"]:
            self._state["done"].set()

    def _ask(self) -> None:
        self._asked = perf_counter()
        number = b"x-number: %d.%d\r\n" % (id(self), len(self._took)) if self._varied else b""
        self._transport.write(self._request + number + b"\r\n")


async def _asked(ask: Ask) -> Run:
    parts = urlsplit(ask.url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    request = f"{ask.method} {path} HTTP/1.1\r\nhost: {parts.netloc}\r\nauthorization: Bearer {ask.token}\r\n".encode()
    began = perf_counter()
    took: list[float] = []
    state = {"open": ask.connections, "failed": 0, "ends": began + ask.seconds, "done": asyncio.Event()}
    loop = asyncio.get_running_loop()
    host, port = parts.hostname or "", parts.port or 80
    for _ in range(ask.connections):
        await loop.create_connection(lambda: _Asking(request, took, state, varied=ask.varied), host, port)
    await state["done"].wait()  # type: ignore[attr-defined]
    took.sort()
    return Run(
        requests=len(took),
        seconds=perf_counter() - began,
        failed=int(state["failed"]),  # type: ignore[call-overload]
        p50_ms=took[len(took) // 2] * 1000,
        p99_ms=took[len(took) * 99 // 100] * 1000,
    )


if __name__ == "__main__":
    asked = uvloop.run(_asked(msgspec.json.decode(sys.argv[1], type=Ask)))
    sys.stdout.buffer.write(msgspec.json.encode(asked))

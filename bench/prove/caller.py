"""Callers: light enough to leave the processor to what they call."""

import asyncio
import struct
from collections.abc import Sequence
from random import Random
from socket import SO_LINGER, SOL_SOCKET
from time import perf_counter
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import msgspec

RESET: Final = struct.pack("ii", 1, 0)
"""`SO_LINGER` that ends a connection by a reset instead of a polite end."""

SERVER_FAILURES: Final = 500
TOO_MANY: Final = 429


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, and how long it took from the moment it was wanted."""

    status: int
    seconds: float
    body: bytes

    @property
    def failed(self) -> bool:
        """Whether the caller was let down, or turned away unheard; any other refusal is an answer."""
        return self.status >= SERVER_FAILURES or self.status == TOO_MANY


class Caller:
    """Calls one server over connections that it keeps.

    Args:
        url: Where the server listens.
        token: What it is to be shown; empty: nothing.
    """

    def __init__(self, url: str, token: str = "") -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        self._authorization = f"authorization: Bearer {token}\r\n" if token else ""
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._idle:
            self._idle.pop()[1].close()

    async def call(
        self, method: str, path: str, body: Any = None, *, wanted: float | None = None, key: str = ""
    ) -> Seen:
        """Make one call.

        Args:
            method: Of HTTP.
            path: With its query.
            body: Sent as JSON; None: none.
            wanted: When it should have begun, by `perf_counter`; None: now.
            key: The `Idempotency-Key`.
        """
        started = perf_counter() if wanted is None else wanted
        request = self._written(method, path, body, key)
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            _, named, length = head.partition(b"content-length: ")
            content = await reader.readexactly(int(length.partition(b"\r\n")[0])) if named else b""
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return Seen(status=int(head[9:12]), seconds=perf_counter() - started, body=content)

    async def leave(self, method: str, path: str, body: Any = None, *, after: float, rng: Random) -> None:
        """Make one call and hang up after so many seconds, politely or not, maybe in the middle of the request."""
        request = self._written(method, path, body, "")
        _, writer = await asyncio.open_connection(self._host, self._port)
        writer.write(request[: rng.randint(1, len(request))] if rng.random() < HALF_SENT else request)
        await asyncio.sleep(after)
        if rng.random() < RUDE:
            writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, RESET)
        writer.close()

    def _written(self, method: str, path: str, body: Any, key: str) -> bytes:
        content = msgspec.json.encode(body) if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nhost: gateway\r\n{self._authorization}"
        if body is not None:
            head += f"content-type: application/json\r\ncontent-length: {len(content)}\r\n"
        if key:
            head += f"idempotency-key: {key}\r\n"
        return f"{head}\r\n".encode() + content


HALF_SENT: Final = 0.1
"""Share of those who leave that leave before their request is whole."""

RUDE: Final = 0.5
"""Share of those who leave whose connection breaks instead of ending."""


async def paced(caller: Caller, method: str, path: str, body: Any = None, *, rate: float, seconds: float) -> list[Seen]:
    """Call so often a second, however long the answers take, each timed from when it was due."""
    began = perf_counter()
    tasks: list[asyncio.Task[Seen]] = []
    for turn in range(int(rate * seconds)):
        due = began + turn / rate
        if (wait := due - perf_counter()) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(caller.call(method, path, body, wanted=due)))
    return list(await asyncio.gather(*tasks))


async def crowd(caller: Caller, paths: Sequence[str], *, calls: int, at_once: int) -> list[Seen]:
    """Read the paths in turn, so many times in all, by so many callers at once."""
    turns = iter(range(calls))
    seen: list[Seen] = []

    async def one() -> None:
        seen.extend([await caller.call("GET", paths[turn % len(paths)]) for turn in turns])

    await asyncio.gather(*(one() for _ in range(at_once)))
    return seen

"""A vendor that is fast, counts, and can hold its answers or fall silent: a process of its own.

It listens on two ports, one for each vendor, and gives both the same answer,
in which either client finds what it needs. Commands come as lines of JSON on
standard input; each is answered by a line with the counts of its port.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final, Literal

import msgspec
import uvloop
from typing_extensions import override

Name = Literal["funnelflux", "funnelfox"]
Mode = Literal["answer", "hold", "blackhole"]

NAMES: Final[tuple[Name, ...]] = ("funnelflux", "funnelfox")

BACKLOG: Final = 4096
"""Connections that may wait to be accepted: more than any proof opens at once."""

_FEATURE: Final = {"id": 1, "ident": "premium", "name": "Premium", "feature_type": "permanent", "description": "x" * 60}
_DOMAIN: Final = {"id": "1", "domain": "a.example.com", "status": "active", "ssl_status": "active", "notes": "x" * 60}
_BODY: Final = msgspec.json.encode(
    {
        "success": True,
        "status": "success",
        "tokens": {"access_token": "a", "refresh_token": "r", "expires_at": 4_000_000_000},
        "domains": [_DOMAIN] * 5,
        "data": {"features": [_FEATURE] * 5},
    }
)
_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_BODY)
) + _BODY


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the vendors is to do from now on; without a mode it only counts."""

    name: Name
    mode: Mode | None = None
    """`hold`: the answers wait until the mode changes; `blackhole`: not even a connection is made."""
    slowest: float = 0.0
    """Each answer takes up to so many seconds, at random."""
    hang_up: bool = False
    """End every connection now."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the vendors has seen."""

    requests: int
    connections: int
    """Open now."""
    held: int
    """Requests that wait for their answer now, or whose caller has left them."""


class _Listening:
    """One of the vendors."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.requests = 0
        self.mode: Mode = "answer"
        self.slowest = 0.0
        self.connections: set[_Connection] = set()
        self.held: list[_Connection] = []
        self.rng = Random(7)  # noqa: S311 - it spreads answers and guards nothing
        self._loop = loop
        self._accepting: set[asyncio.Task[object]] = set()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self._socket.setblocking(False)
        loop.add_reader(self._socket, self._accept)

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def obey(self, command: Command) -> None:
        if command.mode is not None and command.mode != self.mode:
            self._become(command.mode)
        self.slowest = command.slowest
        if command.hang_up:
            for connection in tuple(self.connections):
                connection.end()

    def _become(self, mode: Mode) -> None:
        before, self.mode = self.mode, mode
        if mode == "blackhole":
            # Nobody accepts and nobody may wait: the kernel drops what asks for a connection.
            self._loop.remove_reader(self._socket)
            self._socket.listen(0)
        elif before == "blackhole":
            self._socket.listen(BACKLOG)
            self._loop.add_reader(self._socket, self._accept)
        for connection in self.connections:
            connection.listen(to_it=mode != "blackhole")
        if mode == "answer":
            held, self.held = self.held, []
            for connection in held:
                connection.answer()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._socket.accept()
            except OSError:
                return
            accepted.setblocking(False)
            task = self._loop.create_task(self._loop.connect_accepted_socket(lambda: _Connection(self), accepted))
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)

    def counts(self) -> Counts:
        return Counts(requests=self.requests, connections=len(self.connections), held=len(self.held))


class _Connection(asyncio.Protocol):
    def __init__(self, vendor: _Listening) -> None:
        self._vendor = vendor
        self._received = b""
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is one in all but its bases
        self._vendor.connections.add(self)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._vendor.connections.discard(self)
        if self in self._vendor.held:
            self._vendor.held.remove(self)

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        _, named, length = head.lower().partition(b"content-length: ")
        if named and len(body) < int(length.partition(b"\r\n")[0]):
            return
        self._received = b""
        self._vendor.requests += 1
        if self._vendor.mode != "answer":
            self._vendor.held.append(self)
        elif self._vendor.slowest:
            pause = self._vendor.rng.uniform(0, self._vendor.slowest)
            asyncio.get_running_loop().call_later(pause, self.answer)
        else:
            self.answer()

    def answer(self) -> None:
        if self._transport is not None:
            self._transport.write(_ANSWER)

    def listen(self, *, to_it: bool) -> None:
        if self._transport is not None:
            (self._transport.resume_reading if to_it else self._transport.pause_reading)()

    def end(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    vendors = {name: _Listening(loop) for name in NAMES}
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    _say(msgspec.json.encode({name: vendor.port for name, vendor in vendors.items()}))
    while line := await commands.readline():
        command = msgspec.json.decode(line, type=Command)
        vendors[command.name].obey(command)
        _say(msgspec.json.encode(vendors[command.name].counts()))


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


class Vendor:
    """The process, from outside.

    Args:
        process: Its standard input and output are pipes.
        ports: Where each vendor listens.
    """

    def __init__(self, process: asyncio.subprocess.Process, ports: dict[Name, int]) -> None:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        self._commands, self._replies = process.stdin, process.stdout
        self._ports = ports

    def url(self, name: Name) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._ports[name]}"

    async def tell(
        self, name: Name, mode: Mode | None = None, *, slowest: float = 0.0, hang_up: bool = False
    ) -> Counts:
        """Have one of them do something, and learn what it has seen; see `Command`."""
        command = Command(name=name, mode=mode, slowest=slowest, hang_up=hang_up)
        self._commands.write(msgspec.json.encode(command) + b"\n")
        return msgspec.json.decode(await self._replies.readline(), type=Counts)


@asynccontextmanager
async def vendor() -> AsyncIterator[Vendor]:
    """Run both for the length of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.prove.vendor", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        yield Vendor(process, msgspec.json.decode(await process.stdout.readline(), type=dict[Name, int]))
    finally:
        process.kill()
        await process.wait()


if __name__ == "__main__":
    uvloop.run(_serve())

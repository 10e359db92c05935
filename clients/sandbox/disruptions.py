"""Faults of the connection: what no HTTP server would do by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from clients.sandbox.faults import Fault
from clients.sandbox.replies import Reply
from clients.sandbox.wire import Wire

# Defaults of `Fault.seconds`, by what the kind needs to be noticed.
_BYTE_GAP_SECONDS = 0.1
_HELD_SECONDS = 30.0
_HUNG_SECONDS = 1.0

_MEGABYTE = 1024 * 1024
# No text in any encoding, and no HTTP.
_NOISE = bytes(range(256))


async def disrupt(fault: Fault, wire: Wire, reply: Reply) -> None:
    """Do to the connection what the fault says; `reply` is what should have come."""
    await _DISRUPTIONS[fault.kind](fault, wire, reply)


async def _truncated(_: Fault, wire: Wire, reply: Reply) -> None:
    wire.write(reply.head(reply.headers()), reply.body[: len(reply.body) // 2])
    await wire.close()


async def _wrong_length(fault: Fault, wire: Wire, reply: Reply) -> None:
    claimed = max(0, len(reply.body) + fault.surplus)
    wire.write(reply.head(reply.headers(length=claimed)), reply.body)
    # Kept open: a client that believes the header waits for the rest, or finds a surplus later.
    await wire.left_within(_seconds(fault, _HUNG_SECONDS))
    await wire.close()


async def _duplicate_headers(_: Fault, wire: Wire, reply: Reply) -> None:
    twice = [*reply.headers(), (b"content-length", b"%d" % (len(reply.body) // 2))]
    wire.write(reply.head(twice), reply.body)
    await wire.close()


async def _not_http(_: Fault, wire: Wire, __: Reply) -> None:
    wire.write(_NOISE)
    await wire.close()


async def _dripping(fault: Fault, wire: Wire, reply: Reply) -> None:
    await wire.stream(reply, _dripped(reply.body, _seconds(fault, _BYTE_GAP_SECONDS)), length=len(reply.body))


async def _slow_head(fault: Fault, wire: Wire, reply: Reply) -> None:
    async for byte in _dripped(reply.head(reply.headers()), _seconds(fault, _BYTE_GAP_SECONDS)):
        wire.write(byte)
    wire.write(reply.body)
    await wire.close()


async def _huge(fault: Fault, wire: Wire, reply: Reply) -> None:
    await wire.stream(reply, _padding(fault.megabytes), length=fault.megabytes * _MEGABYTE)


async def _never_answer(fault: Fault, wire: Wire, _: Reply) -> None:
    await wire.left_within(_seconds(fault, _HELD_SECONDS))
    await wire.close()


async def _drop(_: Fault, wire: Wire, __: Reply) -> None:
    await wire.close()


async def _reset(_: Fault, wire: Wire, __: Reply) -> None:
    await wire.reset()


async def _close_keepalive(fault: Fault, wire: Wire, reply: Reply) -> None:
    # By hand, because the server would announce a close that it knows of.
    wire.write(reply.head(reply.headers()), reply.body)
    await wire.left_within(_seconds(fault, 0.0))
    await wire.close()


async def _padding(megabytes: int) -> AsyncIterator[bytes]:
    # White space is JSON as far as it goes: a reader that streams finds no reason to stop.
    for _ in range(megabytes):
        yield b" " * _MEGABYTE


async def _dripped(content: bytes, gap_seconds: float) -> AsyncIterator[bytes]:
    for byte in content:
        yield bytes((byte,))
        await asyncio.sleep(gap_seconds)


def _seconds(fault: Fault, default: float) -> float:
    return default if fault.seconds is None else fault.seconds


_DISRUPTIONS: Final[dict[str, Callable[[Fault, Wire, Reply], Awaitable[None]]]] = {
    "truncated": _truncated,
    "wrong_length": _wrong_length,
    "duplicate_headers": _duplicate_headers,
    "not_http": _not_http,
    "dripping": _dripping,
    "slow_head": _slow_head,
    "huge": _huge,
    "never_answer": _never_answer,
    "drop_before": _drop,
    "drop_after": _drop,
    "reset_before": _reset,
    "reset_after": _reset,
    "close_keepalive": _close_keepalive,
}

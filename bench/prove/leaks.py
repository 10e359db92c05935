"""What is lost for good when callers leave: connections, and places for them."""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Final

from opentelemetry.sdk.trace import TracerProvider

from bench.prove.caller import Caller
from bench.prove.figures import Figure
from bench.prove.stage import Gateway, aimed_at, gateway, sockets
from bench.prove.vendor import Name, Vendor
from clients import billing
from clients.errors import Kind, Operation, UpstreamError
from clients.timeouts import Timeouts
from clients.transport import Upstream, layered

VENDOR: Final[Name] = "funnelfox"

AT_ONCE: Final = 150
"""Callers: more than there are connections, so that some leave while they wait for one."""

SLOWEST: Final = 0.02
"""Seconds that the vendor takes at the most."""

PATIENCE: Final = 0.015
"""Seconds after which a caller leaves at the latest: most do before their answer, some after."""

ASKED: Final = 300
"""Calls made at once to learn how many connections there can be: more than there are places."""

STILL_SECONDS: Final = 0.3
"""So long the count of waiting calls must stay the same to be believed."""

READ: Final = "/v1/features"
KINDS: Final[tuple[Kind, ...]] = ("read", "probe", "write", "money")


async def prove(vendor: Vendor, *, cancelled: int, disconnected: int) -> list[Figure]:
    """Have so many calls cancelled on the transport, and so many callers hang up on a gateway."""
    rng = Random(7)  # noqa: S311 - it spreads departures and guards nothing
    inside = await _on_the_transport(vendor, cancelled, rng)
    outside, places = await _at_the_front_door(vendor, disconnected, rng)
    return [
        Figure(
            what=f"sockets and places leaked by {cancelled + disconnected:,} requests whose caller left",
            value=inside + outside,
            bound=0,
            places=0,
            how=(
                f"{cancelled:,} calls of all classes cancelled on the transport, {disconnected:,} callers hung up on a "
                f"gateway, at random moments; {places} places counted by filling them, sockets by /proc"
            ),
        )
    ]


async def _on_the_transport(vendor: Vendor, wanted: int, rng: Random) -> int:
    at_start = sockets(os.getpid())
    transport = layered(
        billing.judge,
        timeouts=Timeouts(attempt=dict.fromkeys(KINDS, 5.0), request=dict.fromkeys(KINDS, 5.0)),
        tracer_provider=TracerProvider(),
        tls=ssl.create_default_context(),
    )
    upstream = Upstream(vendor.url(VENDOR), transport)

    async def read() -> bool:
        await upstream.call(Operation(VENDOR, "POST /features", "read"), "/features", json=b"{}")
        return True

    before = await _places(vendor, read)
    await vendor.tell(VENDOR, "answer", slowest=SLOWEST)
    left = 0

    async def leaver() -> None:
        nonlocal left
        while left < wanted:
            operation = Operation(VENDOR, "POST /features", rng.choice(KINDS))
            call = asyncio.ensure_future(upstream.call(operation, "/features", json=b"{}"))
            await asyncio.wait((call,), timeout=rng.uniform(0, PATIENCE))
            if call.cancel():
                left += 1
            with suppress(asyncio.CancelledError, UpstreamError):
                await call

    await asyncio.gather(*(leaver() for _ in range(AT_ONCE)))
    surplus = await _surplus(vendor, before)
    after = await _places(vendor, read)
    await transport.aclose()
    await _until_quiet(vendor)
    return (before - after) + (sockets(os.getpid()) - at_start) + surplus


async def _at_the_front_door(vendor: Vendor, wanted: int, rng: Random) -> tuple[int, int]:
    async with gateway(aimed_at(vendor)) as running:
        with await running.caller(mode="live") as caller:

            async def read() -> bool:
                return not (await caller.call("GET", READ)).failed

            before = await _places(vendor, read)
            at_start = await _gateways_sockets(vendor, running, caller)
            await vendor.tell(VENDOR, "answer", slowest=SLOWEST)
            turns = iter(range(wanted))

            async def leaver() -> None:
                for turn in turns:
                    await _one_leaves(caller, turn, rng)

            await asyncio.gather(*(leaver() for _ in range(AT_ONCE)))
            surplus = await _surplus(vendor, before)
            after = await _places(vendor, read)
            at_end = await _gateways_sockets(vendor, running, caller)
    return (before - after) + (at_end - at_start) + surplus, after


async def _one_leaves(caller: Caller, turn: int, rng: Random) -> None:
    after = rng.uniform(0, PATIENCE)
    if turn % 3:
        await caller.leave("GET", READ, after=after, rng=rng)
    else:
        await caller.leave("POST", "/v1/features", {"ident": "x", "feature_type": "timebased"}, after=after, rng=rng)


async def _places(vendor: Vendor, read: Callable[[], Awaitable[bool]]) -> int:
    """How many calls reach the vendor at once, if more are made than may.

    Raises:
        RuntimeError: None reached it, or fewer ended well than did.
    """
    await _until_quiet(vendor)
    await vendor.tell(VENDOR, "hold")
    reads = [asyncio.ensure_future(read()) for _ in range(ASKED)]
    held = await _settled(vendor, reads)
    await vendor.tell(VENDOR, "answer")
    ended = await asyncio.gather(*reads, return_exceptions=True)
    if not 0 < held <= sum(one is True for one in ended):
        raise RuntimeError(f"{held} calls reached the vendor, and {sum(one is True for one in ended)} ended well")
    return held


async def _surplus(vendor: Vendor, places: int) -> int:
    """Connections that are open although nobody calls, beyond those that there are places for."""
    await _until_quiet(vendor)
    return max(0, (await vendor.tell(VENDOR)).connections - places)


async def _settled(vendor: Vendor, reads: "Sequence[asyncio.Future[bool]]") -> int:
    """How many calls the vendor holds, once that changes no more, or there are none that it could hold."""
    loop = asyncio.get_running_loop()
    held, since = 0, loop.time()
    while not all(read.done() for read in reads) and (not held or loop.time() < since + STILL_SECONDS):
        await asyncio.sleep(0.02)
        if (now := (await vendor.tell(VENDOR)).held) != held:
            held, since = now, loop.time()
    return held


async def _until_quiet(vendor: Vendor) -> None:
    """Wait until the vendor is asked nothing any more."""
    before = -1
    while (now := (await vendor.tell(VENDOR)).requests) != before:
        before = now
        await asyncio.sleep(STILL_SECONDS)


async def _gateways_sockets(vendor: Vendor, running: Gateway, caller: Caller) -> int:
    """What is open when nobody calls and the vendor has ended its side of every connection."""
    await _until_quiet(vendor)
    caller.__exit__(None, None, None)
    await vendor.tell(VENDOR, hang_up=True)
    counts = [sockets(running.pid)]
    while len(counts) < 3 or len(set(counts[-3:])) > 1:  # noqa: PLR2004 - the same three times
        await asyncio.sleep(STILL_SECONDS)
        counts.append(sockets(running.pid))
    return counts[-1]

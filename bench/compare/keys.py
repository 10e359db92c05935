"""How the cache does with ever more keys: within this process, without HTTP around it."""

from time import monotonic, perf_counter
from typing import Final

from bench.compare.figures import Figure
from clients.secret import Secret
from gateway.cache.memory import Memory
from gateway.cache.topics import Key, Lifetime
from gateway.settings import Settings

LIFETIME: Final = Lifetime(60.0)
BODY: Final = b"x" * 2048

LOOKS: Final = 20_000
ROUNDS: Final = 15


def figures(counts: tuple[int, ...]) -> list[Figure]:
    """Ask for so many distinct keys, one after the other, with the usual bounds.

    Args:
        counts: How many, in rising order.
    """
    usual = Settings(database_url=Secret("sqlite:///unused"))
    memory = Memory(most_entries=usual.cache_entries, most_bytes=usual.cache_bytes)
    asked = 0
    microseconds = {}
    for count in (1_000, *counts):
        while asked < count:
            memory.put(_key(asked), BODY, fetched_at=0.0, born=monotonic(), lifetime=LIFETIME)
            asked += 1
        microseconds[count] = _get(memory, asked)
    first, last = microseconds[1_000], microseconds[counts[-1]]
    told = ", ".join(f"{count:,}: {took:.2f} µs" for count, took in microseconds.items())
    return [
        Figure(
            what=f"time to get one of {counts[-1]:,} keys, beside one of 1,000",
            value=last / first,
            must=1.25,
            aim=1.10,
            unit="x",
            how=f"the least of {ROUNDS} rounds; {told}",
        ),
        Figure(
            what=f"share of the byte budget in use after {counts[-1]:,} keys",
            value=memory.size / usual.cache_bytes,
            must=1,
            aim=1,
            how=f"{len(memory):,} entries, {memory.size / 1e6:.0f} MB; {memory.evicted:,} had to go",
        ),
    ]


def _get(memory: Memory, asked: int) -> float:
    """Microseconds to find an entry and its bytes; among those that are kept, the newest hundred."""
    keys = [_key(asked - 1 - index % 100) for index in range(LOOKS)]
    least = float("inf")
    for _ in range(ROUNDS):
        began = perf_counter()
        for key in keys:
            held = memory.find(key)
            if held is None or memory.data(held) is None:
                raise RuntimeError("the newest were not kept")
        least = min(least, (perf_counter() - began) / LOOKS * 1e6)
    return least


def _key(number: int) -> str:
    return str(Key("tenant", "live", f"domain:host-{number}.example.com"))

"""The first level: bytes in this process, bounded in number and in size."""

from collections import OrderedDict
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, Final, TypeVar

import msgspec

from gateway.cache.topics import Lifetime
from gateway.optional_parts import load

T = TypeVar("T")


def _memory_backend() -> Any:
    """A new aiocache in memory.

    The package loads the driver of each backend that is installed: of Redis,
    fifteen megabytes, which a process that shares nothing does without.
    """
    load("aiocache", without=("redis",))
    from aiocache import SimpleMemoryCache  # noqa: PLC0415 - see above

    # Without a timeout: it would cost a timer for each of these dictionary look-ups.
    return SimpleMemoryCache(timeout=None)


OVERHEAD: Final = 1024
"""Bytes that one value costs besides itself, generously."""

MOST_VARIANTS: Final = 256
"""Answers kept for one entry, such as its pages and filters."""


class Variant(msgspec.Struct, frozen=True):
    """One answer made from an entry, ready to be sent."""

    about: bytes
    """Field lines of the body: its type and length, and the tag."""
    etag: bytes
    body: bytes
    size: int
    """What it costs."""


class Held(msgspec.Struct, kw_only=True, eq=False):
    """One entry: what the vendor said once, less the bytes."""

    key: str
    serial: int
    """Names its bytes."""
    fetched_at: float
    """When the vendor was asked, as Unix time: for people."""
    born: float
    """The same by the process's own clock, which is never set: for ages."""
    lifetime: Lifetime
    size: int
    variants: OrderedDict[str, Variant] = msgspec.field(default_factory=OrderedDict)
    rests_until: float = 0.0
    """Until then a vendor that just failed is not asked in the background."""


class Memory:
    """Entries and the answers made from them, over aiocache; the least recently used go first.

    Args:
        most_entries: Entries.
        most_bytes: Of data and answers together.
        told: Is told how many entries there are, and of how many bytes, whenever that has changed.
    """

    def __init__(
        self, *, most_entries: int, most_bytes: int, told: Callable[[int, int], None] = lambda _entries, _bytes: None
    ) -> None:
        self._told = told
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._bytes = _memory_backend()
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._serials = count()
        self.size = 0
        """Bytes that are kept."""
        self.evicted = 0
        """Entries that had to make room."""

    def __len__(self) -> int:
        return len(self._held)

    def find(self, key: str) -> Held | None:
        """The entry of that key, however old."""
        if (held := self._held.get(key)) is not None:
            self._held.move_to_end(key)
        return held

    def data(self, held: Held) -> bytes | None:
        """The bytes of an entry; None: they are gone."""
        found: bytes | None = _at_once(self._bytes.get(str(held.serial)))
        return found

    def put(self, key: str, data: bytes, *, fetched_at: float, born: float, lifetime: Lifetime) -> Held | None:
        """Keep `data` in place of what is kept under the key.

        Returns:
            The entry; None if it is larger than all that may be kept, or if what is kept is newer.
        """
        if (known := self._held.get(key)) is not None and known.born > born:
            return None
        self.drop(key)
        size = len(data) + len(key) + OVERHEAD
        if size > self._most_bytes:
            return None
        held = Held(key=key, serial=next(self._serials), fetched_at=fetched_at, born=born, lifetime=lifetime, size=size)
        self._held[key] = held
        self.size += size
        _at_once(self._bytes.set(str(held.serial), data))
        self._make_room(held)
        self._tell()
        return held

    @staticmethod
    def rendered(held: Held, name: str) -> Variant | None:
        """The answer of that name that was made from an entry."""
        if (variant := held.variants.get(name)) is not None:
            held.variants.move_to_end(name)
        return variant

    def render(self, held: Held, name: str, body: bytes, *, etag: bytes, about: bytes) -> None:
        """Keep an answer that was made from an entry, for as long as the entry is kept."""
        if self._held.get(held.key) is not held:
            return
        self._forget(held, name)
        variant = Variant(about, etag, body, len(about) + len(body) + len(name) + OVERHEAD)
        if held.size + variant.size > self._most_bytes:
            return
        held.variants[name] = variant
        self.size += variant.size
        if len(held.variants) > MOST_VARIANTS:
            self._forget(held, next(iter(held.variants)))
        self._make_room(held)
        self._tell()

    def drop(self, key: str) -> bool:
        """Let go of an entry and all that was made from it.

        Returns:
            Whether there was one.
        """
        if (held := self._held.pop(key, None)) is None:
            return False
        for name in list(held.variants):
            self._forget(held, name)
        self.size -= held.size
        _at_once(self._bytes.delete(str(held.serial)))
        self._tell()
        return True

    def drop_where(self, chosen: Callable[[str], bool]) -> None:
        """Let go of all entries whose key is chosen."""
        for key in [key for key in self._held if chosen(key)]:
            self.drop(key)

    def _tell(self) -> None:
        self._told(len(self._held), self.size)

    def _forget(self, held: Held, name: str) -> None:
        if (variant := held.variants.pop(name, None)) is not None:
            self.size -= variant.size

    def _make_room(self, newest: Held) -> None:
        """Let others go first, then the newest entry's own older answers."""
        while len(self._held) > self._most_entries or self.size > self._most_bytes:
            oldest = next(iter(self._held.values()))
            if oldest is not newest:
                self.drop(oldest.key)
                self.evicted += 1
            elif len(self._held) > 1:
                self._held.move_to_end(newest.key)
            else:
                self._forget(newest, next(iter(newest.variants)))


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits, as none of the memory backend's does without a timeout.

    So that to drop something is one step, between which and the next nobody can look.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError("the memory backend waited for something")

"""The second level: what replicas tell each other through Redis, and what becomes of it while Redis is gone.

Each key has a generation there, a random name that a drop removes and the next
look makes anew. What was stored under another is worth nothing, so that a read
that began before a drop may store what it likes.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from itertools import count
from time import monotonic, time
from typing import Any, Final, TypeVar

import msgspec

from gateway.cache.topics import Choice, Lifetime
from gateway.shared_store import PREFIX, SharedStore, failures

T = TypeVar("T")

CHANNEL: Final = "cache"

FORMAT: Final = f"{PREFIX}cache:1:"
"""Before every key; another number where what is stored changes its form."""

GENERATION_SECONDS: Final = 120
"""How long a generation is remembered while nothing is stored under it: longer than any load takes, and not so long
that who asks for a million things that don't exist could fill Redis."""

LEASE_SECONDS: Final = 6.0
"""How long others wait for who asks the vendor: one attempt, and some. A process that died is waited for no longer."""

LARGEST: Final = 4 * 1024 * 1024
"""Bytes of one value; a larger one takes longer to fetch than the vendor may take."""

REST_SECONDS: Final = 1.0
"""After a failure Redis is left alone so long, so that not every request waits for it."""

MOST_OWED: Final = 10_000
"""Drops remembered while Redis is gone; more of them become one drop of everything."""

SCANNED: Final = 1000
"""Keys that one command of a purge looks at."""

_UNLOCK: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """A value as it lies in Redis."""

    generation: bytes
    fetched_at: float
    """Unix time."""
    lifetime: Lifetime
    data: bytes


class Look(msgspec.Struct, frozen=True):
    """What Redis knows of a key."""

    generation: bytes
    """Of this moment: what is read from the vendor from now on belongs to it."""
    stored: Stored | None
    age: float
    """Seconds since the vendor was asked for what is stored."""


class Dropped(msgspec.Struct, frozen=True, tag="dropped"):
    """What processes tell each other: these keys were dropped."""

    sender: str
    keys: list[str]


class Purged(msgspec.Struct, frozen=True, tag="purged"):
    """What processes tell each other: all these keys were dropped."""

    sender: str
    choice: Choice


_EVERYTHING: Final = Choice()


class SharedLevel:
    """What replicas have in common. Nothing here raises: without Redis each goes on alone.

    Args:
        store: The connection to Redis.
        forget: Is given the keys that another process has dropped.
        forget_where: Is told which keys to drop, where nobody can list them.
        now: The current Unix time.
    """

    def __init__(
        self,
        store: SharedStore,
        *,
        forget: Callable[[Iterable[str]], None],
        forget_where: Callable[[Callable[[str], bool]], None],
        now: Callable[[], float] = time,
    ) -> None:
        self._store = store
        self._forget = forget
        self._forget_where = forget_where
        self._now = now
        self._me = secrets.token_hex(8)
        self._rests_until = 0.0
        self._serials = count()
        self._owed: dict[str, int] = {}
        self._owed_choices: list[Choice] = []
        self._paying: asyncio.Task[None] | None = None
        self.failures = 0
        """Commands that Redis did not answer."""
        store.subscribe(CHANNEL, heard=self._heard, missed=lambda: forget_where(lambda _: True))

    @property
    def reachable(self) -> bool:
        """Whether what other processes drop is heard here."""
        return self._store.state.reachable

    async def close(self) -> None:
        """Stop trying."""
        if self._paying is not None:
            self._paying.cancel()
            await asyncio.gather(self._paying, return_exceptions=True)

    async def look(self, key: str) -> Look | None:
        """What is stored, and the generation of the moment; None: Redis does not say."""
        if key in self._owed or any(choice.takes(key) for choice in self._owed_choices):
            return None  # What lies there should have been dropped.

        async def asked() -> Any:
            async with self._store.redis.pipeline(transaction=True) as pipe:
                _ = pipe.set(_generation(key), secrets.token_bytes(16), nx=True, ex=GENERATION_SECONDS)
                _ = pipe.mget(_generation(key), _value(key))
                _ = pipe.pttl(_value(key))
                return await pipe.execute()

        if (answer := await self._tried(asked)) is None:
            return None
        _, (generation, value), left_ms = answer
        stored = _decoded(value, generation)
        if stored is None:
            return Look(generation, None, 0.0)
        # By Redis's own clock, or by ours if that makes it older: clocks are set, and differ.
        age = max(0.0, stored.lifetime.end - left_ms / 1000, self._now() - stored.fetched_at)
        return Look(generation, stored if age < stored.lifetime.end else None, age)

    async def put(self, key: str, stored: Stored, *, age: float) -> bool:
        """Store a value.

        Returns:
            False if the key was dropped since the value's generation, so that nobody may keep it.
        """
        fits = len(stored.data) <= LARGEST

        async def asked() -> Any:
            async with self._store.redis.pipeline(transaction=True) as pipe:
                if fits:
                    left = max(1, int((stored.lifetime.end - age) * 1000))
                    _ = pipe.set(_value(key), msgspec.msgpack.encode(stored), px=left)
                _ = pipe.expire(_generation(key), GENERATION_SECONDS + int(stored.lifetime.end))
                _ = pipe.get(_generation(key))
                return await pipe.execute()

        answer = await self._tried(asked)
        return answer is None or answer[-1] == stored.generation

    async def lock(self, key: str, generation: bytes) -> str | None:
        """Become the one who asks the vendor, until `unlock`, or for `LEASE_SECONDS`.

        Returns:
            What to unlock with; empty if Redis does not say; None if another is at it.
        """
        token = secrets.token_hex(8)
        lease = int(LEASE_SECONDS * 1000)
        answer = await self._tried(lambda: self._locked(_lock(key, generation), token, lease))
        if answer is None:
            return ""
        return token if answer == "taken" else None

    async def unlock(self, key: str, generation: bytes, token: str) -> None:
        """Let others ask the vendor."""
        if token:
            await self._tried(lambda: _awaited(self._store.redis.eval(_UNLOCK, 1, _lock(key, generation), token)))

    async def drop(self, keys: list[str]) -> bool:
        """Make what is stored worthless, here and in every other process.

        Returns:
            False if Redis could not be told: it will be, as soon as it is back.
        """
        serial = next(self._serials)
        self._owed.update(dict.fromkeys(keys, serial))
        if len(self._owed) > MOST_OWED:
            self._owed.clear()
            self._owed_choices = [_EVERYTHING]
        return await self._settled()

    async def purge(self, choice: Choice) -> bool:
        """The same for all keys that are chosen."""
        self._owed_choices = [_EVERYTHING] if len(self._owed_choices) >= SCANNED else [*self._owed_choices, choice]
        return await self._settled()

    async def _settled(self) -> bool:
        if await self._pay():
            return True
        if self._paying is None or self._paying.done():
            self._paying = asyncio.create_task(self._pay_later())
        return False

    async def _pay_later(self) -> None:
        while not await self._pay():  # noqa: ASYNC110 - nothing tells when Redis is back but trying
            await asyncio.sleep(REST_SECONDS / 5)

    async def _pay(self) -> bool:
        """Tell Redis all that it should have been told."""
        owed = dict(self._owed)
        if owed and await self._tried(lambda: self._told(list(owed))) is None:
            return False
        for key, serial in owed.items():
            if self._owed.get(key) == serial:  # Else it was dropped once more meanwhile.
                del self._owed[key]
        for choice in list(self._owed_choices):
            if await self._tried(partial(self._cleared, choice)) is None:
                return False
            if choice in self._owed_choices:
                self._owed_choices.remove(choice)
        return True

    async def _told(self, keys: list[str]) -> bool:
        async with self._store.redis.pipeline(transaction=True) as pipe:
            _ = pipe.unlink(*map(_generation, keys), *map(_value, keys))
            _ = pipe.publish(f"{PREFIX}{CHANNEL}", msgspec.json.encode(Dropped(self._me, keys)))
            await pipe.execute()
        return True

    async def _cleared(self, choice: Choice) -> bool:
        # Generations first: from then on nobody can store what was read before.
        for prefix in (_generation(""), _value("")):
            async for name in self._store.redis.scan_iter(match=f"{prefix}*", count=SCANNED):
                if choice.takes(name.decode().removeprefix(prefix)):
                    await self._store.redis.unlink(name)
        await self._store.publish(CHANNEL, msgspec.json.encode(Purged(self._me, choice)))
        return True

    async def _locked(self, name: str, token: str, lease_ms: int) -> str:
        return "taken" if await self._store.redis.set(name, token, nx=True, px=lease_ms) else "another's"

    async def _tried(self, command: Callable[[], Awaitable[T]]) -> T | None:
        """The answer of Redis; None: there is none, or it was not asked because there was none a moment ago."""
        if not self._store.state.reachable or monotonic() < self._rests_until:
            return None
        try:
            return await command()
        except failures():
            self.failures += 1
            self._rests_until = monotonic() + REST_SECONDS
            return None

    def _heard(self, message: bytes) -> None:
        try:
            told = msgspec.json.decode(message, type=Dropped | Purged)
        except msgspec.MsgspecError:
            self._forget_where(lambda _: True)  # Of another release; what it says must be about drops.
            return
        if told.sender == self._me:
            return
        if isinstance(told, Dropped):
            self._forget(told.keys)
        else:
            self._forget_where(told.choice.takes)


def _decoded(value: bytes | None, generation: bytes) -> Stored | None:
    if value is None:
        return None
    try:
        stored = msgspec.msgpack.decode(value, type=Stored)
    except msgspec.MsgspecError:
        return None
    return stored if stored.generation == generation else None


async def _awaited(answer: Any) -> Any:
    # redis-py's types say that `eval` may answer at once, which it never does here.
    return await answer


def _generation(key: str) -> str:
    return f"{FORMAT}generation:{key}"


def _value(key: str) -> str:
    return f"{FORMAT}value:{key}"


def _lock(key: str, generation: bytes) -> str:
    # With the generation: who begins after a drop does not wait for who began before.
    return f"{FORMAT}lock:{generation.hex()}:{key}"

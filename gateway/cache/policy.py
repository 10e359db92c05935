"""One process's cache: who loads, who waits, and what is dropped when."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextvars import copy_context
from time import monotonic, time
from typing import Any, Final, Literal

import msgspec

from clients.errors import (
    CircuitOpen,
    CredentialsRefused,
    Garbled,
    NotConfigured,
    RateLimited,
    TimedOut,
    Unanswered,
    Unavailable,
)
from clients.spans import background
from clients.timeouts import began, patience
from clients.tracing import attempts
from gateway.cache.flights import Flight, Loaded, Source
from gateway.cache.memory import Held, Memory
from gateway.cache.shared import LEASE_SECONDS, Look, SharedLevel, Stored
from gateway.cache.topics import Choice, Kind, Lifetime, Topic
from gateway.telemetry.names import CACHE_TOPIC

Purpose = Literal["miss", "request", "revalidation"]
"""Why something is loaded: there is nothing, the caller wants it anew, or what there is grows old."""

REST_SECONDS: Final = 1.0
"""After a load in the background failed, so long until the next."""

SPARE_SECONDS: Final = 1.0
"""What a load may take beyond a request's time: the clients' own limits come first."""

POLL_SECONDS: Final = 0.02
"""Between two looks at whether another replica has stored what we wait for."""

AGAIN_SECONDS: Final = (1.0, 5.0, 15.0)
"""When the outcome of a write is unknown, the vendor may act on it yet: what it touches is dropped again so much
later each time."""

MOST_UNKNOWN: Final = 1000
"""Writes of unknown outcome that are followed at a time."""

MENDED: Final = (Unanswered, Unavailable, Garbled, RateLimited, CircuitOpen)
"""Failures in which something stale is better than nothing."""

LOCKED_OUT: Final = (CredentialsRefused, NotConfigured)
"""Failures after which what is kept is not the tenant's to see any more."""


class Counts(msgspec.Struct):
    """What has happened since the start."""

    hit: int = 0
    stale: int = 0
    miss: int = 0
    collapsed: int = 0
    bypass: int = 0
    dropped: int = 0
    """Entries that a write, a purge or another replica's word removed."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How full the cache is and what it did, for metrics."""

    entries: int
    bytes: int
    evicted: int
    loading: int
    shared_failures: int
    counts: Counts


class Cache:
    """What this process keeps for all tenants.

    Args:
        lifetimes: By kind of topic.
        memory: The first level.
        seconds: What a request may take.
        clock: Seconds that only ever grow, for ages.
        now: The current Unix time, for people.
    """

    def __init__(
        self,
        *,
        lifetimes: Mapping[Kind, Lifetime],
        memory: Memory,
        seconds: float,
        clock: Callable[[], float] = monotonic,
        now: Callable[[], float] = time,
    ) -> None:
        self.lifetimes = lifetimes
        self.memory = memory
        self.counts = Counts()
        self.clock = clock
        self._now = now
        self._seconds = seconds
        self._shared: SharedLevel | None = None
        self._flights: dict[tuple[str, bool], Flight] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._unknown = 0

    def share(self, level: Callable[..., SharedLevel]) -> None:
        """Have a second level from now on.

        Args:
            level: Makes it, given `forget` and `forget_where`.
        """
        self._shared = level(forget=self.forget, forget_where=self.forget_where)

    async def close(self) -> None:
        """Give up all that is under way."""
        if self._shared is not None:
            await self._shared.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def state(self) -> State:
        """How it is at this moment."""
        return State(
            entries=len(self.memory),
            bytes=self.memory.size,
            evicted=self.memory.evicted,
            loading=len(self._flights),
            shared_failures=self._shared.failures if self._shared is not None else 0,
            counts=self.counts,
        )

    def keeps(self, topic: Topic) -> bool:
        """Whether anything is kept of a topic, as the settings have it."""
        return self.lifetimes[topic.kind].fresh > 0

    def find(self, key: str) -> tuple[Held, float] | None:
        """What is kept, and its age in seconds; nothing that is past its end."""
        if (held := self.memory.find(key)) is None:
            return None
        age = self.clock() - held.born
        return (held, age) if age < held.lifetime.end else None

    def good_for(self, lifetime: Lifetime) -> Lifetime:
        """For how long something is good at this moment: while Redis is gone, nobody tells of writes elsewhere."""
        return lifetime if self._shared is None or self._shared.reachable else lifetime.alone()

    def seconds_left(self) -> float:
        """What is left of the current request's time."""
        start = began.get()
        return self._seconds if start is None else start + self._seconds - asyncio.get_running_loop().time()

    def under_way(self, key: str, *, anew: bool) -> Flight | None:
        """A load to wait for; one that `anew` callers may wait for never answers from another replica's store."""
        found = self._flights.get((key, True))
        return found if found is not None or anew else self._flights.get((key, False))

    def load(self, key: str, source: Source, *, purpose: Purpose, stores: bool = True) -> Flight:
        """Begin to load; the result is kept if `stores`, or if somebody joins who lets it be kept."""
        flight = Flight(key)
        flight.stores = stores
        context = copy_context()
        context.run(_own_time, background=purpose == "revalidation")
        obtained = self._revalidated if purpose == "revalidation" else self._obtained
        coroutine = obtained(flight, source, purpose)
        flight.task = asyncio.get_running_loop().create_task(coroutine, context=context)
        self._flights[key, purpose == "request"] = flight
        self._tasks.add(flight.task)
        flight.task.add_done_callback(lambda _: self._landed(flight))
        return flight

    def revalidate(self, held: Held, source: Source) -> None:
        """Load in the background, unless that is under way or has just failed."""
        if self.under_way(held.key, anew=False) is None and self.clock() >= held.rests_until:
            held.rests_until = self.clock() + REST_SECONDS
            self.load(held.key, source, purpose="revalidation")

    def forget(self, keys: Iterable[str]) -> None:
        """Drop keys in this process; what is being read at this moment will not be kept."""
        for key in keys:
            self.counts.dropped += self.memory.drop(key)
            for anew in (False, True):
                if (flight := self._flights.pop((key, anew), None)) is not None:
                    flight.outdated = True

    def forget_where(self, chosen: Callable[[str], bool]) -> None:
        """The same for all keys that are chosen."""
        self.memory.drop_where(chosen)
        self.forget({key for key, _ in self._flights if chosen(key)})

    async def drop(self, keys: list[str]) -> None:
        """Drop keys everywhere: here and in Redis before this returns, in other processes soon after."""
        self.forget(keys)
        if self._shared is not None:
            # A task of its own: a caller who hangs up does not keep the others from being told.
            task = asyncio.create_task(self._shared.drop(keys))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await asyncio.shield(task)

    async def purge(self, choice: Choice) -> bool | None:
        """The same for all keys that are chosen.

        Returns:
            Whether Redis could be told at once; None if there is none.
        """
        self.forget_where(choice.takes)
        return await self._shared.purge(choice) if self._shared is not None else None

    def forget_tenants(self, names: frozenset[str]) -> None:
        """Drop all that is kept for tenants whose accounts are others now: here at once, in Redis soon after."""
        for name in names:
            self.forget_where(Choice(tenant=name).takes)
            if self._shared is not None:
                task = asyncio.create_task(self._shared.purge(Choice(tenant=name)))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def drop_again(self, keys: list[str]) -> None:
        """Drop keys some more times: a write may yet happen."""
        if self._unknown < MOST_UNKNOWN:
            self._unknown += 1
            task = asyncio.create_task(self._dropped_again(keys))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _dropped_again(self, keys: list[str]) -> None:
        try:
            for seconds in AGAIN_SECONDS:
                await asyncio.sleep(seconds)
                await self.drop(keys)
        finally:
            self._unknown -= 1

    def _landed(self, flight: Flight) -> None:
        self._tasks.discard(flight.task)
        for anew in (False, True):
            if self._flights.get((flight.key, anew)) is flight:
                del self._flights[flight.key, anew]
        if not flight.task.cancelled():
            flight.task.exception()  # Looked at, or asyncio complains where nobody waited.

    async def _revalidated(self, flight: Flight, source: Source, purpose: Purpose) -> Loaded:
        """The same as a trace of its own: nobody waits for it."""
        with background("revalidate", {CACHE_TOPIC: source.topic.family}) as span:
            flight.span = span.get_span_context()
            return await self._obtained(flight, source, purpose)

    async def _obtained(self, flight: Flight, source: Source, purpose: Purpose) -> Loaded:
        """Take what another replica has stored or is about to, or ask the vendor."""
        shared, key = self._shared, flight.key
        look = await shared.look(key) if shared is not None else None
        if shared is None or look is None or purpose == "request":
            return await self._asked(flight, source, look)
        ends = self.clock() + LEASE_SECONDS
        token: str | None = None
        while token is None and self.clock() < ends:
            if (taken := self._taken(flight, source.topic, look, purpose)) is not None:
                return taken
            if (token := await shared.lock(key, look.generation)) is None:
                await asyncio.sleep(POLL_SECONDS)
            # Whoever had the lock before may have stored what they got.
            look = await shared.look(key) or look
        try:
            taken = self._taken(flight, source.topic, look, purpose)
            return taken or await self._asked(flight, source, look)
        finally:
            if token:
                await shared.unlock(key, look.generation, token)

    def _taken(self, flight: Flight, topic: Topic, look: Look, purpose: Purpose) -> Loaded | None:
        """What another replica has stored, if it serves the purpose."""
        if (stored := look.stored) is None:
            return None
        try:
            value = msgspec.json.decode(stored.data, type=topic.shape)
        except msgspec.MsgspecError:
            return None  # Of another release.
        born = self.clock() - look.age
        held = None
        if not flight.outdated:
            held = self.memory.put(
                flight.key, stored.data, fetched_at=stored.fetched_at, born=born, lifetime=stored.lifetime
            )
        enough = stored.lifetime.revalidated_until if purpose == "miss" else stored.lifetime.fresh
        if look.age >= enough:
            return None
        return Loaded(
            value=value,
            data=stored.data,
            fetched_at=stored.fetched_at,
            born=born,
            lifetime=stored.lifetime,
            held=held,
            elsewhere=True,
        )

    async def _asked(self, flight: Flight, source: Source, look: Look | None) -> Loaded:
        """Ask the vendor, and keep what it says."""
        born, fetched_at, lifetime = self.clock(), self._now(), self.lifetimes[source.topic.kind]
        try:
            async with asyncio.timeout(self._seconds + SPARE_SECONDS):
                value = await source.ask()
        except TimeoutError as error:
            raise TimedOut("The vendor did not answer in time.", operation=source.topic.operation, sent=True) from error
        except LOCKED_OUT:
            await self.drop([flight.key])
            raise
        data = _encoded(value) if source.whole(value) else None
        held = None
        kept = data if flight.stores else None
        if kept is not None and await self._current(flight, look, kept, born=born, fetched_at=fetched_at, of=lifetime):
            held = self.memory.put(flight.key, kept, fetched_at=fetched_at, born=born, lifetime=lifetime)
        return Loaded(value=value, data=data, fetched_at=fetched_at, born=born, lifetime=lifetime, held=held)

    async def _current(
        self, flight: Flight, look: Look | None, data: bytes, *, born: float, fetched_at: float, of: Lifetime
    ) -> bool:
        """Store in Redis what the vendor said; whether it may be kept here too."""
        if self._shared is not None and look is not None and not flight.outdated:
            stored = Stored(look.generation, fetched_at, of, data)
            if not await self._shared.put(flight.key, stored, age=self.clock() - born):
                return False
        return not flight.outdated


def _encoded(value: Any) -> bytes | None:
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError):
        return None  # The vendor's own values, where a type allows any: shown once, and not kept.


def _own_time(*, background: bool) -> None:
    """A load's time counts from now, whoever began it; in the background nobody asks for its attempts."""
    began.set(asyncio.get_running_loop().time())
    patience.set(None)
    if background:
        attempts.set(None)

"""One tenant's cache in one mode, as one request sees it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec
from opentelemetry.trace import Span, SpanKind

from clients.errors import CircuitOpen, CredentialsRefused, NotConfigured, RateLimited, Refused, Unanswered
from clients.spans import child, started
from gateway.cache.flights import Flight, Loaded, Source
from gateway.cache.memory import Held, Variant
from gateway.cache.policy import MENDED, Cache, Purpose
from gateway.cache.readings import Forwarded, Outcome, Reading
from gateway.cache.topics import Key, Topic
from gateway.principal import Mode, Principal
from gateway.telemetry.names import CACHE_STATUS, CACHE_TOPIC

T = TypeVar("T")

SAID_NO: Final = (Refused, RateLimited, CredentialsRefused)
"""Complete answers to a write, after which it will not happen any more."""


def _always(_: object) -> bool:
    return True


class TenantCache:
    """What is kept for one tenant in one mode.

    This is the one place where tenant and mode enter a key.

    Args:
        cache: Of the process.
        tenant: Whose.
        mode: In which.
        reading: What the request asks.
    """

    def __init__(self, cache: Cache, tenant: str, mode: Mode, reading: Reading) -> None:
        self._cache = cache
        self._prefix = Key.prefix(tenant, mode)
        self._joined: Flight | None = None
        self.reading = reading

    @property
    def identity(self) -> bytes:
        """Tenant and mode, for tags that must differ between them."""
        return self._prefix.encode()

    @property
    def fetched_at(self) -> datetime:
        """When the vendor was asked for what this request was given first."""
        asked = self.reading.outcomes[0].fetched_at if self.reading.outcomes else None
        return datetime.fromtimestamp(asked, UTC) if asked is not None else datetime.now(UTC)

    def _key(self, topic: Topic) -> str:
        return self._prefix + topic.name

    async def fetch(self, topic: Topic, load: Callable[[], Awaitable[T]], *, whole: Callable[[T], bool] = _always) -> T:
        """What is kept of a topic, or what `load` gives; however many ask, it is called once.

        Args:
            topic: What is asked.
            load: Asks the vendor.
            whole: Whether what was loaded may be kept: a part of it may be missing.

        Raises:
            UpstreamError: The vendor could not be asked, and nothing that is kept will do.
        """
        if not self._cache.keeps(topic):
            self.saw(Outcome(status="bypass", forwarded="bypass"))
            return await load()
        key, source = self._key(topic), Source(topic, load, whole)
        if (kept := self._kept(key)) is not None and (value := self._value(kept[0], topic)) is not None:
            held, outcome = kept
            _found(topic, outcome)
            if outcome.status == "stale":
                self._cache.revalidate(held, source)
            self.saw(outcome)
            return value  # type: ignore[no-any-return]  # of the topic's shape
        return await self._loaded(key, source)  # type: ignore[no-any-return]  # the same

    async def rendered(self, topic: Topic, variant: str) -> Variant | None:
        """An answer that was made before from what is kept, if it will do; waits for a load that is under way."""
        if (kept := self._kept(self._key(topic))) is not None:
            if (found := self._rendered(kept, variant)) is not None:
                _found(topic, kept[1])
            return found
        if (flight := self.join(topic)) is None:
            return None
        with _seen(topic, waits_for=flight) as span:
            _ = await flight.settled(self._cache.seconds_left())
            span.set_attribute(CACHE_STATUS, "collapsed")
        return self.landed(flight, topic, variant)

    def join(self, topic: Topic) -> Flight | None:
        """The load to wait for, where nothing that is kept will do; its result is this request's, also in `fetch`."""
        key = self._key(topic)
        if self._kept(key) is not None or (flight := self._under_way(key)) is None:
            return None
        self._joined = flight
        return flight

    def landed(self, flight: Flight, topic: Topic, variant: str) -> Variant | None:
        """What was made of the result of a load by the one who began it; None: the handler tells, in `fetch`."""
        if flight.failure(topic) is not None or (held := (loaded := flight.task.result()).held) is None:
            return None
        outcome = self._outcome(loaded, forwarded=self._reason(had=False), collapsed=True)
        return self._rendered((held, outcome), variant)

    def _rendered(self, kept: tuple[Held, Outcome], variant: str) -> Variant | None:
        """What was made of something that is kept, which this request is answered with."""
        held, outcome = kept
        if outcome.status == "stale" and self._cache.under_way(held.key, anew=False) is None:
            return None  # Only the handler knows how to load.
        if (found := self._cache.memory.rendered(held, variant)) is not None:
            self.saw(outcome)
        return found

    @staticmethod
    def at_hand(cache: Cache, principal: Principal, topic: Topic, variant: str) -> tuple[Variant, float, float] | None:
        """The same, for a caller who takes whatever is fresh, if it is: nothing is waited for, and nothing `saw` it.

        Returns:
            Beside the answer its age, and the age up to which it is fresh, in seconds.
        """
        if (held := cache.memory.find(Key.prefix(principal.tenant, principal.mode) + topic.name)) is None:
            return None
        age, fresh = cache.clock() - held.born, cache.good_for(held.lifetime).fresh
        if age >= fresh or (rendered := cache.memory.rendered(held, variant)) is None:
            return None
        return rendered, age, fresh

    def saw(self, outcome: Outcome) -> None:
        """What was found is what this request is answered with."""
        self.reading.outcomes.append(outcome)
        counts = self._cache.counts
        setattr(counts, outcome.status, getattr(counts, outcome.status) + 1)

    def is_loading(self, topic: Topic) -> bool:
        """Whether somebody has asked for it, whose answer this request may wait for."""
        return self._cache.under_way(self._key(topic), anew=self.reading.anew) is not None

    def render(self, variant: str, body: bytes, *, etag: bytes, about: bytes) -> None:
        """Keep the answer that was made from the one thing that this request fetched."""
        if len(self.reading.outcomes) == 1 and (held := self.reading.outcomes[0].held) is not None:
            self._cache.memory.render(held, variant, body, etag=etag, about=about)

    @asynccontextmanager
    async def dropping(self, *topics: Topic) -> AsyncIterator[None]:
        """Around a write: what it touches is dropped before it is answered.

        Also when it failed, unless the vendor was surely not asked: a refusal
        may well say that what we keep is outdated, and a write of unknown
        outcome may happen yet.
        """
        keys = [self._key(topic) for topic in topics]
        try:
            yield
        except BaseException as error:
            if not _surely_unasked(error):
                if not isinstance(error, SAID_NO):
                    self._cache.drop_again(keys)
                await self._cache.drop(keys)
            raise
        else:
            await self._cache.drop(keys)

    def _kept(self, key: str) -> tuple[Held, Outcome] | None:
        """What is kept and will do as it is."""
        if (found := self._cache.find(key)) is None:
            return None
        held, age = found
        lifetime = self._cache.good_for(held.lifetime)
        if age < lifetime.fresh and self.reading.takes_hit(age):
            return held, Outcome(status="hit", age=age, fresh=lifetime.fresh, held=held, fetched_at=held.fetched_at)
        if age < lifetime.revalidated_until and not self.reading.anew:
            return held, self._stale(held, age, "stale-while-revalidate")
        return None

    def _under_way(self, key: str) -> Flight | None:
        """A load that this request may wait for; from now on its result may be kept if this request lets it."""
        if (flight := self._cache.under_way(key, anew=self.reading.anew)) is not None and self.reading.stores:
            flight.stores = True
        return flight

    async def _loaded(self, key: str, source: Source) -> Any:
        anew, had = self.reading.anew, self._cache.find(key) is not None
        flight = self._joined if self._joined is not None and self._joined.key == key else None
        flight = flight or self._under_way(key)
        collapsed = flight is not None
        with _seen(source.topic, waits_for=flight) as span:
            span.set_attribute(CACHE_STATUS, "collapsed" if collapsed else "miss")
            if flight is None:
                purpose: Purpose = "request" if anew else "miss"
                flight = self._cache.load(key, source, purpose=purpose, stores=self.reading.stores)
            _ = await flight.settled(self._cache.seconds_left())
        if (failure := flight.failure(source.topic)) is not None:
            return self._instead_of(failure, key, source.topic)
        loaded = flight.task.result()
        outcome = self._outcome(loaded, forwarded=self._reason(had=had), collapsed=collapsed)
        if outcome.status == "stale" and loaded.held is not None:
            self._cache.revalidate(loaded.held, source)
        self.saw(outcome)
        if not collapsed or loaded.data is None:
            return loaded.value
        # A value of one's own: who waits shares bytes only.
        return msgspec.json.decode(loaded.data, type=source.topic.shape)

    def _instead_of(self, failure: BaseException, key: str, topic: Topic) -> Any:
        """Something stale where the vendor can't answer."""
        found = self._cache.find(key)
        if isinstance(failure, MENDED) and found is not None:
            held, age = found
            value = self._value(held, topic)
            allowed = held.lifetime.fresh + held.lifetime.stale_if_error
            if value is not None and self.reading.takes_stale(age, allowed=allowed):
                self.saw(self._stale(held, age, "stale-if-error"))
                return value
        self.saw(Outcome(status="miss", forwarded=self._reason(had=found is not None)))
        raise failure

    def _reason(self, *, had: bool) -> Forwarded:
        if self.reading.anew:
            return "request"
        return "stale" if had else "miss"

    def _outcome(self, loaded: Loaded, *, forwarded: Forwarded, collapsed: bool) -> Outcome:
        age, held = self._cache.clock() - loaded.born, loaded.held
        if loaded.elsewhere and held is not None and age >= held.lifetime.fresh:
            return self._stale(held, age, "stale-while-revalidate")
        known = Outcome(
            status="collapsed" if collapsed else "miss",
            forwarded=forwarded,
            age=age,
            fresh=self._cache.good_for(loaded.lifetime).fresh if held is not None else 0.0,
            held=held,
            fetched_at=loaded.fetched_at,
        )
        if loaded.elsewhere and not collapsed:
            return msgspec.structs.replace(known, status="hit", forwarded=None, detail="shared")
        return known

    def _value(self, held: Held, topic: Topic) -> Any:
        """A copy of its own of what is kept; None: it can't be read."""
        if (data := self._cache.memory.data(held)) is None:
            return None
        try:
            return msgspec.json.decode(data, type=topic.shape)
        except msgspec.MsgspecError:
            return None

    def _stale(self, held: Held, age: float, detail: str) -> Outcome:
        return Outcome(
            status="stale",
            forwarded="stale",
            age=age,
            fresh=self._cache.good_for(held.lifetime).fresh,
            held=held,
            fetched_at=held.fetched_at,
            detail=detail,
        )


def _surely_unasked(error: BaseException) -> bool:
    """Whether the vendor can't have acted, because not a byte has reached it."""
    return isinstance(error, NotConfigured | CircuitOpen) or (isinstance(error, Unanswered) and not error.sent)


def _found(topic: Topic, outcome: Outcome) -> None:
    """The span of a look into the cache that found what it was for; nothing was waited for."""
    span = started(lambda: ("cache", {CACHE_TOPIC: topic.family, CACHE_STATUS: outcome.status}), kind=SpanKind.INTERNAL)
    if span is not None:
        span.end()


def _seen(topic: Topic, *, waits_for: Flight | None = None) -> AbstractContextManager[Span]:
    """The span of a look into the cache; it refers to the load that it waits for, which is another request's."""
    links = () if waits_for is None else (waits_for.span,)
    return child("cache", {CACHE_TOPIC: topic.family}, links=links)

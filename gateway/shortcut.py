"""Answers that are given before a request is routed: what is kept, or what a handler makes that was found before.

What the router and the checks of a query find depends on path and query alone:
it is found once, and remembered. What depends on the caller is asked anew for
each request, of those who always are asked: the token, its scopes, the rate
limit, and whether what is kept is fresh. A request that is not plain, or for
which any of them does not say yes, goes the long way, where it is told what is
wrong.

There are three such ways. The first waits for nothing, so that the server can
answer while it still reads (`http.connection`). The second waits there for what
another request has asked the vendor already. The third is a task: it waits for
Redis or the database, too, and where nothing is kept it has the handler answer
(`direct`). Who was counted is not counted again on the long way, and who has
waited for a load is told there how that load ended.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Final

from gateway.auth import bearer
from gateway.cache.answers import sealed, told, told_fresh, whole
from gateway.cache.flights import Flight
from gateway.cache.memory import Variant
from gateway.cache.policy import Cache
from gateway.cache.readings import Outcome, Reading, Status
from gateway.cache.tenant import TenantCache
from gateway.cache.topics import Topic
from gateway.http import failures
from gateway.http.ahead import Ahead
from gateway.http.asked import Asked
from gateway.http.exchange import Exchange
from gateway.http.field_lines import Field
from gateway.http.paths import request_target
from gateway.http.rfc9457 import Problem
from gateway.http.way_back import whole as whole_problem
from gateway.http.whole import Whole
from gateway.limits.client_address import Guesses
from gateway.limits.load import Load
from gateway.limits.rates import Limits
from gateway.limits.windows import Standing
from gateway.metrics import Metrics
from gateway.needs import Needs
from gateway.observing.reporting import route_of
from gateway.principal import Principal
from gateway.storage.database import Unavailable
from gateway.telemetry import Log
from gateway.tokens.lifecycle import Recogniser
from gateway.upstreams import ReadContext
from gateway.ways import Kept, Way

MOST_WAYS: Final = 1000
"""Paths with their queries that are remembered; the least recently asked go first."""

LONGEST_TARGET: Final = 512
"""Bytes of a path and its query; a longer one goes the long way."""


class Shortcut:
    """Knows the way to what is kept.

    Args:
        tokens: Who stands behind a token.
        limits: Counts what each caller does.
        guesses: Counts wrong tokens.
        load: How many requests are taken on at once.
        cache: What is kept.
        metrics: Is told who waits.
        log: Where a handler's failures are written that nobody has foreseen.
    """

    def __init__(
        self,
        tokens: Recogniser,
        *,
        limits: Limits,
        guesses: Guesses,
        load: Load,
        cache: Cache,
        metrics: Metrics,
        log: Log,
    ) -> None:
        self._tokens = tokens
        self._limits = limits
        self._guesses = guesses
        self._load = load
        self._cache = cache
        self._metrics = metrics
        self._log = log
        self.context: Callable[[Exchange], ReadContext]
        """What a handler is given; there is none before the vendors can be reached."""
        self._ways: OrderedDict[bytes, Way] = OrderedDict()

    def learn(self, scope: Any, needs: Needs, topic: Topic, variant: str) -> Way | None:
        """A request that has passed every check asks for a topic; None: that is not remembered."""
        asked, route = request_target(scope), route_of(scope)
        if route is None or len(asked) > LONGEST_TARGET:
            return None
        if (way := self._ways.get(asked)) is None:
            way = self._ways[asked] = Way(needs, route, topic, variant)
            if len(self._ways) > MOST_WAYS:
                self._ways.popitem(last=False)
        return way

    def at_once(self, asked: Asked, ahead: Ahead) -> Kept | None:
        """The answer, if nothing has to be waited for.

        Args:
            asked: What is asked.
            ahead: Given what is found out, which the request takes along if there is no answer.
        """
        if self._load.full or (way := self._ways.get(asked.target)) is None:
            return None
        principal = ahead.caller = self._tokens.known(asked.secret_hash)
        if principal is None or not way.open_to(principal):
            return None
        ahead.way = way
        if not self._limits.alone:
            return None
        if (found := TenantCache.at_hand(self._cache, principal, way.topic, way.variant)) is None:
            return None
        standing = self._limits.count_alone("default", principal)
        if standing is not None and not standing.admitted:
            return None  # And so not counted.
        ahead.counted, ahead.standing = True, standing
        self._ways.move_to_end(asked.target)
        self._cache.counts.hit += 1
        variant, age, fresh = found
        return _kept(way, principal, standing, variant, asked=asked, cached="hit", told=told_fresh(age, fresh))

    def join(self, asked: Asked, ahead: Ahead, scheme: str) -> tuple[Flight, Callable[[], Kept | None]] | None:
        """A load that somebody else has begun, and what gives the answer once it has ended.

        What can't be answered even then knows the load on the long way. Called after `at_once`, which has found out who
        asks; what is returned has to be called, for the request takes a place until then.
        """
        way, principal = ahead.way, ahead.caller
        if way is None or principal is None or not self._limits.alone:
            return None
        own = self._own(asked, ahead, principal)
        if (flight := own.join(way.topic)) is None:
            return None
        standing = self._limits.count_alone("default", principal)
        ahead.counted, ahead.standing = True, standing
        if not ahead.admitted:
            return None
        self._load.enter(money=False)
        self._metrics.began("GET", scheme)

        def over() -> Kept | None:
            self._load.leave()
            self._metrics.left("GET", scheme)
            variant, shown = own.landed(flight, way.topic, way.variant), own.reading.shown
            if variant is None or shown is None:
                return None
            return _kept(way, principal, standing, variant, asked=asked, cached=shown.status, told=told(shown))

        return flight, over

    async def in_time(self, asked: Asked, ahead: Ahead, scheme: str, headers: Iterable[Field]) -> Kept | None:
        """The same, after whatever has to be waited for.

        Args:
            asked: What is asked.
            ahead: As in `at_once`.
            scheme: `http` or `https`.
            headers: Of the request, with its token; none where `ahead` knows the caller.
        """
        way = ahead.way or self._ways.get(asked.target)
        if way is None or self._load.full:
            return None
        if asked.target in self._ways:  # It may have made room for others since it was found.
            self._ways.move_to_end(asked.target)
        self._load.enter(money=False)  # It is not full: that was asked a moment ago.
        try:
            return await self._found(asked, ahead, scheme, headers, way=way)
        finally:
            self._load.leave()

    async def _found(
        self, asked: Asked, ahead: Ahead, scheme: str, headers: Iterable[Field], *, way: Way
    ) -> Kept | None:
        """The same, in a place of its own; the checks in the order of the long way."""
        principal = ahead.caller = ahead.caller or await self._caller(asked, headers)
        if principal is None or not way.open_to(principal):
            return None
        ahead.way, ahead.standing = way, await self._limits.count("default", principal)
        ahead.counted = True
        own = self._own(asked, ahead, principal)
        if not ahead.admitted:
            return None
        if (found := TenantCache.at_hand(self._cache, principal, way.topic, way.variant)) is not None:
            self._cache.counts.hit += 1
            variant, age, fresh = found
            lines = told_fresh(age, fresh)
            return _kept(way, principal, ahead.standing, variant, asked=asked, cached="hit", told=lines)
        awaited = await self._awaited(scheme, own, way)
        if awaited is None:
            return None
        variant, shown = awaited
        return _kept(way, principal, ahead.standing, variant, asked=asked, cached=shown.status, told=told(shown))

    async def called(self, way: Way, exchange: Exchange) -> Whole:
        """What the handler answers, without being routed to.

        Args:
            way: What is asked for, with nothing against it; it has a call.
            exchange: Knows the caller and their cache.
        """
        assert way.call is not None  # noqa: S101 - says the caller
        assert exchange.cache is not None  # noqa: S101 - it was looked into before
        try:
            self._load.enter(money=False)
            try:
                made = await way.call.answer(self.context(exchange))
            finally:
                self._load.leave()
        except Exception as error:  # noqa: BLE001 - as on the long way, whatever was raised becomes a problem
            made = whole_problem(failures.told(error, exchange, self._log), exchange)
        return sealed(made, exchange.cache, way.variant)

    async def _awaited(self, scheme: str, own: TenantCache, way: Way) -> tuple[Variant, Outcome] | None:
        """What somebody else has asked for just now."""
        if not own.is_loading(way.topic):
            return None
        self._metrics.began("GET", scheme)
        try:
            variant = await own.rendered(way.topic, way.variant)
        finally:
            self._metrics.left("GET", scheme)
        shown = own.reading.shown
        return (variant, shown) if variant is not None and shown is not None else None

    async def _caller(self, asked: Asked, headers: Iterable[Field]) -> Principal | None:
        """Who stands behind a token; None: whatever is wrong with it, it is not for us to say."""
        if self._guesses.any and not self._tokens.remembers(asked.secret_hash):
            return None
        try:
            return await self._tokens.principal(bearer(headers))
        except (Problem, Unavailable):
            return None

    def _own(self, asked: Asked, ahead: Ahead, principal: Principal) -> TenantCache:
        """The caller's cache, for a plain request: it takes whatever is fresh."""
        if ahead.cache is None:
            reading = Reading(none_match=asked.headers.get(b"if-none-match"))
            ahead.cache = TenantCache(self._cache, principal.tenant, principal.mode, reading)
        return ahead.cache


def _kept(
    way: Way,
    principal: Principal,
    standing: Standing | None,
    variant: Variant,
    *,
    asked: Asked,
    cached: Status,
    told: bytes,
) -> Kept:
    none_match = asked.headers.get(b"if-none-match")
    answer = whole(variant.about, variant.body, etag=variant.etag, told=told, none_match=none_match)
    return Kept(way, principal, cached, standing, answer)

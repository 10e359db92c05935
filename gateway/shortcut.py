"""Answers that are kept, given before a request is routed.

What the router and the checks of a query find depends on path and query alone:
it is found once, and remembered. What depends on the caller is asked anew for
each request, of those who always are asked: the token, its scopes, the rate
limit, and whether what is kept is fresh. A request that is not plain, or for
which any of them does not say yes, goes the long way, where it is told what is
wrong.

There are three such ways. The first waits for nothing, so that the server can
answer while it still reads (`http.connection`). The second waits there for what
another request has asked the vendor already. The third is a task, and waits for
Redis or the database, too. Who was counted is not counted again on the long
way, and who has waited for a load is told there how that load ended.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from gateway.auth import bearer
from gateway.cache.answers import whole
from gateway.cache.flights import Flight
from gateway.cache.memory import Variant
from gateway.cache.policy import Cache
from gateway.cache.readings import Outcome, Reading, Status
from gateway.cache.tenant import TenantCache
from gateway.cache.topics import Topic
from gateway.http.ahead import Ahead
from gateway.http.asked import Asked
from gateway.http.paths import request_target
from gateway.http.rfc9457 import Problem
from gateway.limits.client_address import Guesses
from gateway.limits.load import Load
from gateway.limits.rates import Limits
from gateway.limits.windows import Standing
from gateway.metrics import Metrics
from gateway.needs import Needs
from gateway.observing.reporting import route_of
from gateway.principal import Principal
from gateway.storage.database import Unavailable
from gateway.tokens.lifecycle import Recogniser

MOST_TARGETS: Final = 1000
"""Paths with their queries that are remembered; the least recently asked go first."""

LONGEST_TARGET: Final = 512
"""Bytes of a path and its query; a longer one goes the long way."""


class Target(NamedTuple):
    """What is found for one path and query, whoever asks."""

    needs: Needs
    route: str
    """Its template."""
    topic: Topic
    variant: str


class Kept(msgspec.Struct):
    """An answer, and who gets it."""

    target: Target
    """What was asked."""
    principal: Principal
    cached: Status
    """What the look into the cache came to."""
    standing: Standing | None
    """The limit that the request counted against."""
    status: int
    head: bytes
    """Its field lines."""
    body: bytes


class Shortcut:
    """Knows the way to what is kept.

    Args:
        tokens: Who stands behind a token.
        limits: Counts what each caller does.
        guesses: Counts wrong tokens.
        load: How many requests are taken on at once.
        cache: What is kept.
        metrics: Is told who waits.
    """

    def __init__(
        self, tokens: Recogniser, *, limits: Limits, guesses: Guesses, load: Load, cache: Cache, metrics: Metrics
    ) -> None:
        self._tokens = tokens
        self._limits = limits
        self._guesses = guesses
        self._load = load
        self._cache = cache
        self._metrics = metrics
        self._targets: OrderedDict[bytes, Target] = OrderedDict()

    def learn(self, scope: Any, needs: Needs, topic: Topic, variant: str) -> None:
        """A request that has passed every check asks for a topic."""
        asked, route = request_target(scope), route_of(scope)
        if route is None or len(asked) > LONGEST_TARGET:
            return
        self._targets[asked] = Target(needs, route, topic, variant)
        if len(self._targets) > MOST_TARGETS:
            self._targets.popitem(last=False)

    def at_once(self, asked: Asked, ahead: Ahead) -> Kept | None:
        """The answer, if nothing has to be waited for.

        Args:
            asked: What is asked.
            ahead: Given what is found out, which the request takes along if there is no answer.
        """
        if self._load.full or not self._limits.alone or (target := self._targets.get(asked.target)) is None:
            return None
        principal = ahead.caller = self._tokens.known(asked.secret_hash)
        if principal is None or not _may_have(target, principal):
            return None
        if (found := TenantCache.at_hand(self._cache, principal, target.topic, target.variant)) is None:
            return None
        standing = self._limits.count_alone("default", principal)
        if standing is not None and not standing.admitted:
            return None  # And so not counted.
        ahead.counted, ahead.standing = True, standing
        self._targets.move_to_end(asked.target)
        self._cache.counts.hit += 1
        return _kept(target, principal, standing, found, asked=asked)

    def join(self, asked: Asked, ahead: Ahead, scheme: str) -> tuple[Flight, Callable[[], Kept | None]] | None:
        """A load that somebody else has begun, and what gives the answer once it has ended.

        What can't be answered even then knows the load on the long way. Called after `at_once`, which has found out who
        asks; what is returned has to be called, for the request takes a place until then.
        """
        target, principal = self._targets.get(asked.target), ahead.caller
        if target is None or principal is None or not _may_have(target, principal):
            return None
        own = TenantCache(self._cache, principal.tenant, principal.mode, Reading())
        if (flight := own.join(target.topic)) is None:
            return None
        standing = self._limits.count_alone("default", principal)
        ahead.counted, ahead.standing, ahead.cache = True, standing, own
        if standing is not None and not standing.admitted:
            return None
        self._load.enter(money=False)
        self._metrics.began("GET", scheme)

        def over() -> Kept | None:
            self._load.leave()
            self._metrics.left("GET", scheme)
            variant, shown = own.landed(flight, target.topic, target.variant), own.reading.shown
            if variant is None or shown is None:
                return None
            return _kept(target, principal, standing, (variant, shown), asked=asked)

        return flight, over

    async def in_time(self, asked: Asked, ahead: Ahead, scope: Any) -> Kept | None:
        """The same, after whatever has to be waited for; `scope` is that of ASGI."""
        target = self._targets.get(asked.target)
        if target is None or self._load.full or ahead.counted:  # Then it has waited already.
            return None
        self._targets.move_to_end(asked.target)
        self._load.enter(money=False)  # It is not full: that was asked a moment ago.
        try:
            return await self._found(asked, ahead, scope, target=target)
        finally:
            self._load.leave()

    async def _found(self, asked: Asked, ahead: Ahead, scope: Any, *, target: Target) -> Kept | None:
        """The same, in a place of its own; the checks in the order of the long way."""
        principal = ahead.caller = ahead.caller or await self._caller(asked, scope)
        if principal is None or not _may_have(target, principal):
            return None
        standing = await self._limits.count("default", principal)
        own = TenantCache(self._cache, principal.tenant, principal.mode, Reading())
        ahead.counted, ahead.standing, ahead.cache = True, standing, own
        if standing is not None and not standing.admitted:
            return None
        found = TenantCache.at_hand(self._cache, principal, target.topic, target.variant)
        if found is not None:
            own.saw(found[1])
        else:
            found = await self._awaited(scope, own, target)
        return _kept(target, principal, standing, found, asked=asked) if found is not None else None

    async def _awaited(self, scope: Any, own: TenantCache, target: Target) -> tuple[Variant, Outcome] | None:
        """What somebody else has asked for just now."""
        if not own.is_loading(target.topic):
            return None
        self._metrics.began("GET", scope["scheme"])
        try:
            variant = await own.rendered(target.topic, target.variant)
        finally:
            self._metrics.left("GET", scope["scheme"])
        shown = own.reading.shown
        return (variant, shown) if variant is not None and shown is not None else None

    async def _caller(self, asked: Asked, scope: Any) -> Principal | None:
        """Who stands behind a token; None: whatever is wrong with it, it is not for us to say."""
        if self._guesses.any and not self._tokens.remembers(asked.secret_hash):
            return None
        try:
            return await self._tokens.principal(bearer(scope["headers"]))
        except (Problem, Unavailable):
            return None


def _may_have(target: Target, principal: Principal) -> bool:
    return principal.subject is None and target.needs.admits(principal)


def _kept(
    target: Target, principal: Principal, standing: Standing | None, found: tuple[Variant, Outcome], *, asked: Asked
) -> Kept:
    variant, shown = found
    none_match = asked.headers.get(b"if-none-match")
    answer = whole(variant.about, variant.body, etag=variant.etag, shown=shown, none_match=none_match)
    return Kept(target, principal, shown.status, standing, *answer)

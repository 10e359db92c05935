"""Answers that are kept, given before a request is routed.

What the router and the checks of a query find depends on path and query alone:
it is found once, and remembered. What depends on the caller is asked anew for
each request, of those who always are asked: the token, its scopes, the rate
limit, and whether what is kept is fresh. A request that is not plain, or for
which any of them does not say yes, goes the long way, where it is told what is
wrong.

There are two such ways. The first waits for nothing, so that the server can
answer while it still reads (`http.connection`). Where Redis has to be asked, or
another request has asked the vendor already, the second waits: whom it has
counted is not counted again on the long way, and who has waited for a load is
told there how that load ended.
"""

from collections import OrderedDict
from typing import Any, Final, NamedTuple

from clients.secret import Secret
from gateway.auth import ADMITTED, CALLER, Admitted
from gateway.cache.answers import Header, whole
from gateway.cache.memory import Variant
from gateway.cache.policy import Cache
from gateway.cache.readings import Outcome, Reading, Status
from gateway.cache.tenant import TenantCache
from gateway.cache.topics import Topic
from gateway.http.paths import request_target
from gateway.http.rfc9457 import Problem
from gateway.limits.client_address import Guesses
from gateway.limits.load import Load
from gateway.limits.rates import Limits
from gateway.limits.windows import Standing
from gateway.metrics import Metrics
from gateway.needs import Needs
from gateway.observing.reporting import Headers, route_of
from gateway.principal import Principal
from gateway.storage.database import Unavailable
from gateway.tokens.lifecycle import Recogniser

MOST_TARGETS: Final = 1000
"""Paths with their queries that are remembered; the least recently asked go first."""

LONGEST_TARGET: Final = 512
"""Bytes of a path and its query; a longer one goes the long way."""

SCHEME: Final = b"Bearer "

LONG_WAY: Final = frozenset(
    {b"cache-control", b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"access-control-request-method"}
)
"""Headers with which a request is not plain."""


class Target(NamedTuple):
    """What is found for one path and query, whoever asks."""

    needs: Needs
    route: str
    """Its template."""
    topic: Topic
    variant: str


class Kept(NamedTuple):
    """An answer, and who gets it."""

    target: Target
    """What was asked."""
    principal: Principal
    cached: Status
    """What the look into the cache came to."""
    standing: Standing | None
    """The limit that the request counted against."""
    status: int
    headers: list[Header]
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

    def find(self, asked: bytes, headers: Headers, *, plain: bool) -> Target | None:
        """What is known of what a GET asks; None: nothing, or it has to go the long way.

        Args:
            asked: Its path and query, as they came.
            headers: The first of each name.
            plain: Whether there is no second of any name.
        """
        if (target := self._targets.get(asked)) is None or not plain or not LONG_WAY.isdisjoint(headers):
            return None
        self._targets.move_to_end(asked)
        return target

    def at_once(self, scope: Any, target: Target, headers: Headers) -> Kept | None:
        """The answer, if nothing has to be waited for; else the request takes along what is known of its caller.

        Args:
            scope: Of ASGI, as far as it is known.
            target: What it asks.
            headers: The first of each name.
        """
        if self._load.full or not self._limits.alone or (secret := _secret(headers)) is None:
            return None
        principal = scope[CALLER] = self._tokens.known(secret)
        if principal is None or principal.subject is not None or not target.needs.admits(principal):
            return None
        own = TenantCache(self._cache, principal.tenant, principal.mode, Reading())
        if (found := own.at_once(target.topic, target.variant)) is None:
            return None
        standing = self._limits.count_alone("default", principal)
        if standing is not None and not standing.admitted:
            return None  # And so not counted.
        scope[ADMITTED] = Admitted(standing, own)
        own.saw(found[1])
        return _kept(target, principal, standing, found, headers=headers)

    async def in_time(self, scope: Any, target: Target, headers: Headers) -> Kept | None:
        """The same, after whatever has to be waited for."""
        if self._load.full:
            return None
        self._load.enter(money=False)  # It is not full: that was asked a moment ago.
        try:
            return await self._found(scope, target, headers)
        finally:
            self._load.leave()

    async def _found(self, scope: Any, target: Target, headers: Headers) -> Kept | None:
        """The same, in a place of its own; the checks in the order of the long way."""
        principal = scope[CALLER] = scope.get(CALLER) or await self._caller(headers)
        if principal is None or principal.subject is not None or not target.needs.admits(principal):
            return None
        standing = await self._limits.count("default", principal)
        own = TenantCache(self._cache, principal.tenant, principal.mode, Reading())
        scope[ADMITTED] = Admitted(standing, own)
        if standing is not None and not standing.admitted:
            return None
        if (found := own.at_once(target.topic, target.variant)) is not None:
            own.saw(found[1])
        else:
            found = await self._awaited(scope, own, target)
        return _kept(target, principal, standing, found, headers=headers) if found is not None else None

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

    async def _caller(self, headers: Headers) -> Principal | None:
        """Who stands behind a token; None: whatever is wrong with it, it is not for us to say."""
        if (secret := _secret(headers)) is None or (self._guesses.any and not self._tokens.remembers(secret)):
            return None
        try:
            return await self._tokens.principal(secret)
        except (Problem, Unavailable):
            return None


def _secret(headers: Headers) -> Secret | None:
    authorization = headers.get(b"authorization", b"")
    return Secret(authorization[len(SCHEME) :].decode("latin-1")) if authorization.startswith(SCHEME) else None


def _kept(
    target: Target, principal: Principal, standing: Standing | None, found: tuple[Variant, Outcome], *, headers: Headers
) -> Kept:
    variant, shown = found
    media_type = (b"content-type", variant.media_type)
    none_match = headers.get(b"if-none-match")
    answer = whole((media_type,), variant.body, etag=variant.etag, shown=shown, none_match=none_match)
    return Kept(target, principal, shown.status, standing, *answer)

"""Who may call what: the declarations of `gateway.needs`, enforced in one place."""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final

from litestar import Request
from litestar.middleware import ASGIMiddleware
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from clients.secret import Secret
from gateway.audit import Audit
from gateway.cache.answers import Answer, variant
from gateway.cache.policy import Cache
from gateway.cache.readings import Reading
from gateway.cache.tenant import TenantCache
from gateway.cache.topics import Topic
from gateway.http import query
from gateway.http.ahead import Ahead
from gateway.http.exchange import Exchange
from gateway.http.paths import decoded
from gateway.http.rfc9457 import Problem
from gateway.limits.client_address import Guesses
from gateway.limits.load import Load
from gateway.limits.rates import Limits, Name, refused, within
from gateway.needs import Needs, UndeclaredRoute
from gateway.principal import Principal
from gateway.problems import (
    InsufficientScope,
    RateLimited,
    TokenInvalid,
    TokenMissing,
    ValidationFailed,
)
from gateway.scopes import SCOPES
from gateway.subjects import Owned, Owners, Source, check_owned, checked_place
from gateway.tokens.lifecycle import Recogniser
from gateway.tokens.secret_form import hash_of
from gateway.upstreams import tenant_context
from gateway.ways import Way, depends_on_target

REALM: Final = 'Bearer realm="funnel-gateway"'


class Gate(ASGIMiddleware):
    """Enforces what routes declare, after routing and before anything else.

    The order is load, token, scope, subject, undeclared query parameters, rate
    limit; then, because a vendor may have to be asked, whose resource it is; and then
    what is kept: an answer from the cache has passed every check. What needs no token
    (health, documents) is never turned away for load. Once a token is known its
    request counts, whatever comes of it; as one that moves money, or probes, it
    counts only when nothing before that is against it.

    Args:
        tokens: Who stands behind a token.
        owners: Whose a resource is, where the route does not say it.
        audit: Is told of every request that may change something, within the limits.
        limits: Counts what each caller does.
        guesses: Counts wrong tokens.
        load: How many requests are taken on at once.
        cache: What is kept.
    """

    def __init__(
        self,
        tokens: Recogniser,
        owners: Owners,
        audit: Audit,
        *,
        limits: Limits,
        guesses: Guesses,
        load: Load,
        cache: Cache,
    ) -> None:
        self._load = load
        self._audit = audit
        self._tokens = tokens
        self._owners = owners
        self._limits = limits
        self._guesses = guesses
        self._cache = cache
        self._methods: dict[str, frozenset[str]] = {}
        self.shows_the_way: Callable[[Any, Needs, Topic, str], Way | None] | None = None
        """Is told what a request asks for that has passed every check and may be answered with what is kept."""
        self.body_limits: dict[str, int] = {}
        """Paths that take a larger body than others, in bytes."""
        self.customer_scopes: set[str] = set()
        """Those that a token of one customer can use: some route asks for them and takes such tokens."""

    def learn(self, routes: Iterable[BaseRoute]) -> None:
        """Read every route's declarations.

        Raises:
            UndeclaredRoute: One has none.
        """
        for route in routes:
            if not isinstance(route, HTTPRoute):
                raise UndeclaredRoute(f"{route.path} is no HTTP route; only those are guarded.")
            self._methods[route.path_format] = frozenset(route.route_handler_map)
            for method, (handler, model) in route.route_handler_map.items():
                if method == "OPTIONS":  # Litestar adds it: it tells the methods of a path, and no more.
                    continue
                declared = handler.opt.get("needs")
                if not isinstance(declared, Needs):
                    raise UndeclaredRoute(f"{method} {route.path} does not declare who may call it.")
                if unknown := (declared.scopes | declared.any_of) - SCOPES.keys():
                    raise UndeclaredRoute(f"{method} {route.path} needs unknown scopes: {sorted(unknown)}.")
                if isinstance(declared.customer, Owned) and declared.customer.kind not in self._owners:
                    raise UndeclaredRoute(f"Nobody knows whose a {declared.customer.kind} is: {method} {route.path}.")
                handler.opt["query"] = {
                    param.field_alias: query.Parameter(param.field_name, param.is_sequence)
                    for param in model.expected_query_params
                }
                limited = declared.probe or declared.money  # The router's way counts these.
                handler.opt["direct"] = depends_on_target(handler, model) and not limited
                if declared.customer is not None:
                    self.customer_scopes |= declared.scopes | declared.any_of
                if declared.largest_body is not None:
                    self.body_limits[route.path] = declared.largest_body

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        handler: Any = scope["route_handler"]
        declared: Needs | None = handler.opt.get("needs")
        if scope["path_params"]:
            # A new dict: the router remembers the one it gave.
            scope["path_params"] = {name: decoded(text) for name, text in scope["path_params"].items()}
        if declared is None:  # Of OPTIONS only: see `learn`.
            await _tell_methods(self._methods[scope["path_template"]], send)
        elif declared.token:
            self._load.enter(money=declared.money)
            try:
                await self._guarded(scope, declared, partial(next_app, scope, receive), send)
            finally:
                self._load.leave()
        else:
            _check_query(scope)
            await next_app(scope, receive, send)

    async def _guarded(self, scope: Any, declared: Needs, rest: Callable[[Any], Awaitable[None]], send: Send) -> None:
        """Let pass whoever may; answer with what is kept, or else have the rest of the application answer."""
        exchange = Exchange.of(scope)
        principal = await self._admit(scope, exchange, declared)
        if not Ahead.of(scope).counted:  # Else the same path and query have passed before.
            _check_query(scope)
        if declared.money and within(exchange.standings):
            await self._count("money", exchange, principal)
        if declared.probe and within(exchange.standings):
            await self._count("probe", exchange, principal)
        if not within(exchange.standings):
            exchange.before_answer = None
            raise refused(exchange.standings)
        if principal.subject is not None:
            await self._check_owner(scope, declared.customer)
        if scope["method"] != "GET":
            await rest(send)
            return
        answer = self._answer(scope, exchange, declared, send)
        if not await answer.was_kept():
            await rest(answer)

    def _answer(self, scope: Any, exchange: Exchange, declared: Needs, send: Send) -> Answer:
        """The way back of a GET, which knows what is kept for this caller."""
        ahead, principal = Ahead.of(scope), exchange.principal
        assert isinstance(principal, Principal)  # noqa: S101 - admitted a moment ago
        reading = Reading.of(scope["headers"])
        if ahead.cache is not None:
            own = ahead.cache
            own.reading = reading
        else:
            own = TenantCache(self._cache, principal.tenant, principal.mode, reading)
        exchange.cache = own
        topic = declared.cached
        if callable(topic):
            topic = topic(*scope["path_params"].values())
        name = variant(scope["path"], scope["query_string"], declared.folded)
        if self.shows_the_way is not None and topic is not None:
            way = self.shows_the_way(scope, declared, topic, name)
            if scope["route_handler"].opt["direct"]:
                exchange.way = way
        return Answer(send, own=own, topic=topic, variant=name)

    async def _admit(self, scope: Any, exchange: Exchange, declared: Needs) -> Principal:
        """Find out who calls, count it, and let pass whom the route is open to."""
        ahead = Ahead.of(scope)
        principal = ahead.caller or await self._caller(scope)
        exchange.principal = principal
        if not ahead.counted:
            await self._count("default", exchange, principal)
        elif ahead.standing is not None:
            exchange.standings.append(ahead.standing)
        _check_scopes(principal, declared)
        # Beyond the limit nothing is recorded: who is told to wait must not fill the database.
        if scope["method"] != "GET" and not declared.reads and within(exchange.standings):
            exchange.target = dict(scope["path_params"])
            action = str(scope["route_handler"].operation_id)
            exchange.before_answer = partial(self._audit.request, exchange, action)
        if principal.subject is not None:
            checked_place(scope, declared.customer, principal.subject)
        return principal

    async def _check_owner(self, scope: Any, customer: Source | None) -> None:
        """Ask whose the resource is that the path names, of a caller who may reach one customer's only."""
        if isinstance(customer, Owned) and customer.place == "path":
            ident = scope["path_params"][customer.name]
            await check_owned(self._owners, tenant_context(Request(scope)), customer, ident)

    async def _caller(self, scope: Any) -> Principal:
        try:
            secret = bearer(scope["headers"])
            # A token that is known to be good is not made to pay for its neighbours behind one address.
            if self._guesses.any and not self._tokens.remembers(hash_of(secret)):
                self._guesses.check(scope)
            return await self._tokens.principal(secret)
        except RateLimited:
            raise
        except Problem as problem:
            if isinstance(problem, TokenInvalid):
                self._guesses.wrong(scope)
            error = (
                ""
                if isinstance(problem, TokenMissing)
                else f', error="invalid_token", error_description="{problem.title}"'
            )
            if problem.status == 401:  # noqa: PLR2004 - HTTP's own number
                problem.headers.setdefault("WWW-Authenticate", f"{REALM}{error}")
            raise

    async def _count(self, name: Name, exchange: Exchange, principal: Principal) -> None:
        standing = await self._limits.count(name, principal)
        if standing is not None:
            exchange.standings.append(standing)


def _check_query(scope: Any) -> None:
    """Whether a route takes what is in the query.

    Raises:
        ValidationFailed: Something in it is wrong.
    """
    handler = scope["route_handler"]
    if faults := query.faults(handler, scope["query_string"], handler.opt["query"]):
        raise ValidationFailed("The query is not what is needed.", faults=faults)


def _check_scopes(principal: Principal, declared: Needs) -> None:
    """Whether a token may be used for what the route does.

    Raises:
        InsufficientScope: It lacks a scope.
    """
    if lacking := declared.scopes - principal.scopes:
        raise insufficient(f"The token lacks {' and '.join(sorted(lacking))}.", declared.scopes)
    if declared.any_of and not declared.any_of & principal.scopes:
        raise insufficient(f"The token lacks {' or '.join(sorted(declared.any_of))}.", declared.any_of)
    if declared.live_only and principal.mode != "live":
        raise insufficient("The token is of mode test, and what it asks for is live.", ())


def insufficient(detail: str, scopes: Iterable[str]) -> InsufficientScope:
    """The refusal of a caller who would need `scopes`; none: no scope would help, and so none is named."""
    needed = " ".join(sorted(scopes))
    named = f', scope="{needed}"' if needed else ""
    return InsufficientScope(detail, headers={"WWW-Authenticate": f'{REALM}, error="insufficient_scope"{named}'})


def caller(request: Request[Any, Any, Any]) -> Principal:
    """Whom the gate has let in: for handlers that ask for it."""
    principal = Exchange.of(request.scope).principal
    assert isinstance(principal, Principal)  # noqa: S101 - the gate has admitted this request
    return principal


def bearer(headers: Iterable[tuple[bytes, bytes]]) -> Secret:
    """The one bearer token of a request.

    Raises:
        TokenMissing: There is none.
        TokenInvalid: There are several, so that nobody can say which counts.
    """
    given = [value for name, value in headers if name == b"authorization"]
    if len(given) > 1:
        raise TokenInvalid("Send one Authorization header.")
    # Blanks around a value are no part of it (RFC 9110, section 5.5), and the server leaves tabs there.
    scheme, _, token = (given[0] if given else b"").decode("latin-1").strip(" \t").partition(" ")
    if scheme.lower() != "bearer" or not (token := token.strip(" ")):
        raise TokenMissing("This route needs a token.")
    return Secret(token)


async def _tell_methods(methods: frozenset[str], send: Send) -> None:
    """Answer OPTIONS: what a path can be asked, which is no secret."""
    allowed = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
    await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", allowed.encode())]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})

"""Who may call what: a declaration on each route, enforced in one place."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from clients.secret import Secret
from gateway import query
from gateway.audit import Audit
from gateway.edge import Exchange
from gateway.oidc import Recogniser
from gateway.paths import decoded
from gateway.principal import Principal
from gateway.problems import (
    InsufficientScope,
    TokenInvalid,
    TokenMissing,
    ValidationFailed,
)
from gateway.rfc9457 import Problem
from gateway.subjects import Owned, Owners, Source, check_owned, checked_place
from gateway.upstreams import SCOPES, tenant_context

REALM: Final = 'Bearer realm="funnel-gateway"'


class Needs(msgspec.Struct, frozen=True):
    """What a route asks of its caller."""

    scopes: frozenset[str]
    token: bool = True
    """False: anyone may call."""

    customer: Source | None = None
    """Where the customer comes from whom the call is about; None: tokens that are limited to one are refused."""

    target: tuple[str, ...] = ()
    """Members of the body that say what the request is about, for the audit."""

    largest_body: int | None = None
    """Bytes, where the body may be larger than elsewhere."""

    @property
    def reads(self) -> bool:
        """Whether nothing is changed: the scopes allow nothing else."""
        return all(scope.endswith(":read") for scope in self.scopes)


class UndeclaredRoute(Exception):
    """A route does not say who may call it, or names a scope that does not exist."""


def needs(
    *scopes: str, customer: Source | None = None, target: tuple[str, ...] = (), largest_body: int | None = None
) -> dict[str, Any]:
    """The `opt` of a route whose caller must hold all of `scopes`; none: any token will do."""
    return {"needs": Needs(frozenset(scopes), customer=customer, target=target, largest_body=largest_body)}


def needs_nothing() -> dict[str, Any]:
    """The `opt` of a route that anyone may call."""
    return {"needs": Needs(frozenset(), token=False)}


class Gate(ASGIMiddleware):
    """Enforces what routes declare, after routing and before anything else.

    The order is token, scope, subject, undeclared query parameters; last, because a
    vendor may have to be asked, whose resource it is.

    Args:
        tokens: Who stands behind a token.
        owners: Whose a resource is, where the route does not say it.
        audit: Is told of every request that may change something.
    """

    def __init__(self, tokens: Recogniser, owners: Owners, audit: Audit) -> None:
        self._audit = audit
        self._tokens = tokens
        self._owners = owners
        self._methods: dict[str, frozenset[str]] = {}
        self.body_limits: dict[str, int] = {}
        """Paths that take a larger body than others, in bytes."""

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
                if unknown := declared.scopes - SCOPES.keys():
                    raise UndeclaredRoute(f"{method} {route.path} needs unknown scopes: {sorted(unknown)}.")
                if isinstance(declared.customer, Owned) and declared.customer.kind not in self._owners:
                    raise UndeclaredRoute(f"Nobody knows whose a {declared.customer.kind} is: {method} {route.path}.")
                handler.opt["query"] = {param.field_alias: param.is_sequence for param in model.expected_query_params}
                if declared.largest_body is not None:
                    self.body_limits[route.path] = declared.largest_body

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        handler = scope["route_handler"]
        declared: Needs | None = handler.opt.get("needs")
        if scope["path_params"]:
            # A new dict: the router remembers the one it gave.
            scope["path_params"] = {name: decoded(text) for name, text in scope["path_params"].items()}
        if declared is not None and isinstance(handler, HTTPRouteHandler):
            subject: str | None = None
            if declared.token:
                exchange = Exchange.of(scope)
                principal = exchange.principal = await self._admitted(scope, declared)
                subject = principal.subject
                if not declared.reads and scope.get("method") != "GET":
                    exchange.target = dict(scope["path_params"])
                    exchange.before_answer = partial(self._audit.request, exchange, str(handler.operation_id))
            if subject is not None:
                checked_place(scope, declared.customer, subject)
            if faults := query.faults(handler, scope["query_string"], handler.opt["query"]):
                raise ValidationFailed("The query is not what is needed.", faults=faults)
            if subject is not None and isinstance(declared.customer, Owned) and declared.customer.place == "path":
                ident = scope["path_params"][declared.customer.name]
                await check_owned(self._owners, tenant_context(Request(scope)), declared.customer, ident)
        elif scope.get("method") == "OPTIONS":
            await _tell_methods(self._methods[scope["path_template"]], send)
            return
        await next_app(scope, receive, send)

    async def _admitted(self, scope: Any, declared: Needs) -> Principal:
        try:
            principal = await self._tokens.principal(_bearer(scope))
        except Problem as problem:
            error = (
                ""
                if isinstance(problem, TokenMissing)
                else f', error="invalid_token", error_description="{problem.title}"'
            )
            if problem.status == 401:  # noqa: PLR2004 - HTTP's own number
                problem.headers.setdefault("WWW-Authenticate", f"{REALM}{error}")
            raise
        if lacking := declared.scopes - principal.scopes:
            Exchange.of(scope).principal = principal
            needed = " ".join(sorted(declared.scopes))
            raise InsufficientScope(
                f"The token lacks {' and '.join(sorted(lacking))}.",
                headers={"WWW-Authenticate": f'{REALM}, error="insufficient_scope", scope="{needed}"'},
            )
        return principal


def _bearer(scope: Any) -> Secret:
    """The one bearer token of a request.

    Raises:
        TokenMissing: There is none.
        TokenInvalid: There are several, so that nobody can say which counts.
    """
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) > 1:
        raise TokenInvalid("Send one Authorization header.")
    scheme, _, token = (given[0] if given else b"").decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not (token := token.strip(" ")):
        raise TokenMissing("This route needs a token.")
    return Secret(token)


async def _tell_methods(methods: frozenset[str], send: Send) -> None:
    """Answer OPTIONS: what a path can be asked, which is no secret."""
    allowed = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
    await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", allowed.encode())]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})

"""Puts the gateway together, and does nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache, partial
from time import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from clients.spans import tracer
from gateway.audit import Audit
from gateway.auth import Gate, caller
from gateway.cache.memory import Memory
from gateway.cache.policy import Cache
from gateway.cache.shared import SharedLevel
from gateway.cached_topics import lifetimes
from gateway.health import Health
from gateway.http import failures
from gateway.http.body import StrictRequest
from gateway.http.cors import Cors
from gateway.http.edge import Application, Edge
from gateway.http.encoded import Json
from gateway.http.events import NoEvents
from gateway.http.paths import Namesakes
from gateway.idempotency import Ledgers
from gateway.limits.client_address import ClientAddress, Guesses
from gateway.limits.load import Load
from gateway.limits.rates import Limits
from gateway.limits.windows import Windows
from gateway.metrics import Metrics
from gateway.observing.assembly import Observing
from gateway.operations.ledger import Operations
from gateway.operations.settling import Settling
from gateway.serving.stopping import Notice
from gateway.settings import Settings
from gateway.shared_store import SharedStore
from gateway.shortcut import Shortcut
from gateway.storage.audit_events import AuditStore
from gateway.storage.database import Database
from gateway.storage.operations import OperationStore
from gateway.storage.ownership import OwnershipStore
from gateway.storage.tokens import TokenStore
from gateway.telemetry import Log
from gateway.tenants.encryption import Keyring
from gateway.tenants.tenancy import Tenancy
from gateway.tokens.desk import token_desk
from gateway.tokens.last_used import LastUsed
from gateway.tokens.lifecycle import Recogniser, Tokens
from gateway.tokens.lookups import Lookups
from gateway.upstreams import Contexts, Upstreams, scene_of, tenant_context
from routes import ROUTERS
from routes.ownership import OWNERS
from routes.settlement import KINDS

if TYPE_CHECKING:
    from gateway.oidc.identity_provider import IdentityProvider
    from routes.docs.site import Site

DEPENDENCIES: Final = {
    "tenant": Provide(tenant_context, sync_to_thread=False),
    "caller": Provide(caller, sync_to_thread=False),
    "desk": Provide(token_desk, sync_to_thread=False),
}
"""What handlers are given."""


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    from gateway import openapi  # noqa: PLC0415 - what makes it is needed once at most, and not to serve

    return openapi.document(ROUTERS, DEPENDENCIES)


def _site(written: Callable[[], bytes]) -> "Site":
    """The pages for people."""
    from routes.docs.site import Site  # noqa: PLC0415 - what writes them is loaded where somebody reads them

    return Site(written)


def create_app(  # noqa: PLR0915 - a parts list: one line for each
    configured: Settings,
    *processors: SpanProcessor,
    notice: Notice | None = None,
    metrics: Metrics | None = None,
) -> Application:
    """The gateway as an ASGI application; its lifespan opens and closes everything.

    Args:
        configured: The whole configuration.
        processors: Further receivers of finished spans.
        notice: Where the server tells that it will stop.
        metrics: Where numbers go, if somebody else reads them too.

    Raises:
        auth.UndeclaredRoute: A route does not say who may call it.
    """
    notice = notice or Notice()
    seen = Observing.of(configured, *processors, metrics=metrics)
    log, provider = seen.log, seen.provider
    database = Database(configured.database_url)
    shared = SharedStore(configured.redis_url, log) if configured.redis_url is not None else None
    audit_events = AuditStore(database)
    audit = Audit(audit_events, log, now=time, keep_days=configured.audit_retention_days)
    token_store = TokenStore(database)
    last_used = LastUsed(token_store)
    tokens = Tokens(
        token_store, time, lookups=Lookups(token_store, shared, told=seen.metrics.looked_up), last_used=last_used
    )
    callers, issuer = _with_issuer(tokens, configured, provider=provider, log=log)
    limits = Limits(configured, shared, log)
    guesses = Guesses(configured.limit_guesses_per_minute, ClientAddress(configured.trusted_proxies), Windows())
    cached = cache_of(configured, seen.metrics.cache_holds)
    if shared is not None:
        cached.share(partial(SharedLevel, shared))
    load = Load(configured.concurrency)
    gate = Gate(callers, OWNERS, audit, limits=limits, guesses=guesses, load=load, cache=cached)
    shortcut = Shortcut(callers, limits=limits, guesses=guesses, load=load, cache=cached, metrics=seen.metrics, log=log)
    gate.shows_the_way = shortcut.learn
    tenancy = Tenancy(configured, database, shared=shared, log=log)
    tenancy.directory.changed = cached.forget_tenants
    operations = Operations(
        OperationStore(database),
        now=time,
        deadline_seconds=max(configured.deadline_seconds, configured.money_deadline_seconds),
        keep_days=configured.operation_retention_days,
        sealing=Keyring.of(configured.encryption_keys),
    )
    ledgers = Ledgers(
        operations=operations,
        settled=frozenset(name for name, kind in KINDS.items() if kind.settle is not None),
        metrics=seen.metrics,
        log=log,
    )
    health = Health(
        database=database,
        shared=shared,
        issuer=issuer,
        directory=tenancy.directory,
        vendors=seen.vendors,
        collector=seen.collector,
    )

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        tracer.set(provider.get_tracer("funnel-gateway"))  # For what is begun here, and works behind requests.
        if database.embedded:
            await database.migrate()
        await last_used.start()
        if shared is not None:
            await shared.start()
        if issuer is not None:
            issuer.start()
        await tenancy.start()
        with sandbox(configured) as url:
            upstreams = Upstreams(
                configured,
                directory=tenancy.directory,
                bearers=tenancy.bearers,
                sandbox_url=url,
                provider=provider,
                vendors=seen.vendors,
                log=log,
            )
            app.state.contexts = Contexts(
                upstreams=upstreams,
                cache=cached,
                ownership=OwnershipStore(database),
                ledgers=ledgers,
                log=log,
                public_url=configured.public_url,
            )
            shortcut.context = app.state.contexts.reading
            settling: Settling = app.state.settling
            background = [asyncio.create_task(loop()) for loop in (audit.sweep, settling.sweep, settling.run)]
            try:
                yield
            finally:
                for task in background:
                    task.cancel()
                await asyncio.gather(*background, return_exceptions=True)
                await cached.close()
                await upstreams.close()
                await last_used.close()
                await tenancy.close()
                await database.close()
                if shared is not None:
                    await shared.close()
                if issuer is not None:
                    await issuer.close()
                await asyncio.to_thread(seen.stop)

    written = cache(lambda: msgspec.json.encode(document()))
    app = Litestar(
        route_handlers=ROUTERS,
        dependencies=DEPENDENCIES,
        middleware=[gate],
        exception_handlers=failures.handlers(log),
        request_class=StrictRequest,
        response_class=Json,
        lifespan=[lifespan],
        state=State(
            {
                "settings": configured,
                "database": database,
                "shared": shared,
                "tokens": tokens,
                "metrics": seen.metrics,
                "health": health,
                "owners": OWNERS,
                "log": log,
                "audit_events": audit_events,
                "limits": limits,
                "directory": tenancy.directory,
                "tenants": tenancy.tenants,
                "notice": notice,
                "cache": cached,
                "document": written,
                "site": cache(partial(_site, written)),
                "operations": operations,
                "ledgers": ledgers,
            }
        ),
        openapi_config=None,
        logging_config=None,
        event_emitter_backend=NoEvents,
    )
    app.state.settling = Settling(operations, KINDS, scenes=partial(scene_of, app.state), metrics=seen.metrics, log=log)
    gate.learn(app.routes)
    app.state.customer_scopes = frozenset(gate.customer_scopes)
    return Edge(
        app,
        public_url=configured.public_url,
        namesakes=Namesakes(app.routes),
        body_limits=gate.body_limits,
        cors=Cors(configured.cors_origins, tenancy.directory),
        shortcut=shortcut,
        reporter=seen.reporter,
        log=log,
        notice=notice,
    )


def _with_issuer(
    tokens: Tokens, configured: Settings, *, provider: TracerProvider, log: Log
) -> "tuple[Recogniser, IdentityProvider | None]":
    """Who knows the tokens, and the issuer of those that are not ours, if there is one."""
    if not configured.oidc.issuer:
        return tokens, None
    from gateway.oidc.identity_provider import IdentityProvider  # noqa: PLC0415 - ten megabytes, where there is an issuer
    from gateway.oidc.jwts import Authenticator, Jwts  # noqa: PLC0415 - the same

    issuer = IdentityProvider(configured.oidc.issuer, provider=provider, log=log)
    return Authenticator(tokens, Jwts(configured.oidc, issuer, time)), issuer


@contextmanager
def sandbox(configured: Settings) -> Iterator[str | None]:
    """Where the sandbox answers for the length of the block; None: there is none."""
    if configured.sandbox != "embedded":
        yield None if configured.sandbox == "off" else configured.sandbox
        return
    from clients.sandbox.server import SandboxServer  # noqa: PLC0415 - not needed where it runs elsewhere

    with SandboxServer() as started:
        yield started.url


def cache_of(configured: Settings, told: Callable[[int, int], None] = lambda _entries, _bytes: None) -> Cache:
    """An empty cache, of this process alone; `told` as in `Memory`."""
    return Cache(
        lifetimes=lifetimes(configured),
        memory=Memory(most_entries=configured.cache_entries, most_bytes=configured.cache_bytes, told=told),
        seconds=configured.deadline_seconds,
    )

"""The vendors: what each tenant reaches, in which mode, and with which credentials."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from time import time
from typing import Any, Final, cast

import httpx
import msgspec
from litestar import Request
from litestar.datastructures import State
from opentelemetry.sdk.trace import TracerProvider

from clients import billing, domains
from clients.billing.catalog import CatalogClient
from clients.billing.checkout import CheckoutClient
from clients.billing.customers import CustomersClient
from clients.billing.operations import EXPORT_CSV
from clients.billing.operations import FEATURES as LIST_FEATURES
from clients.billing.operations import PRICE_POINTS as LIST_PRICE_POINTS
from clients.billing.payments import PaymentsClient
from clients.billing.secret_key import SecretKeyed
from clients.billing.subscriptions import SubscriptionsClient
from clients.billing.wire import Feature, PricePoint
from clients.breaker import BreakerLimits
from clients.domains.client import GET as GET_DOMAIN
from clients.domains.client import LIST as LIST_DOMAINS
from clients.domains.client import DomainsClient
from clients.domains.credentials import Authenticated, Bearers, Credentials, Keeper, Memory
from clients.domains.wire import CheckResult, DomainInfo, DomainSummary
from clients.errors import Operation as VendorOperation
from clients.sandbox.credentials import credentials as sandbox_credentials
from clients.secret import Secret
from clients.timeouts import Timeouts
from clients.transport import Unconfigured, Upstream, layered
from gateway import settings as values
from gateway.bearers import Shared
from gateway.cache.policy import Cache
from gateway.cache.readings import Reading
from gateway.cache.tenant import TenantCache
from gateway.cache.topics import Kind, Lifetime, Topic
from gateway.credential_sources import Sources
from gateway.directory import Directory, Own, Tenant
from gateway.edge import Exchange
from gateway.encryption import Keyring
from gateway.fingerprints import fingerprint
from gateway.idempotency import Ledger, ledger_of
from gateway.outcomes import Operation
from gateway.principal import Mode, Principal
from gateway.rfc9457 import Occurrence
from gateway.settings import FunnelFluxSettings, FunnelFoxSettings, Settings
from gateway.storage.database import Database
from gateway.storage.tenants import TenantStore
from gateway.subjects import Belongings
from gateway.telemetry import Log
from gateway.tenants import Rules, Slot, Tenants, claims_of
from gateway.watching import Vendors

SCOPES: Final[Mapping[str, str]] = {
    "domains:read": "Read custom domains and check hostnames.",
    "domains:write": "Register and remove custom domains.",
    "catalog:read": "Read price points and features.",
    "catalog:write": "Create and change price points and features.",
    "subscriptions:read": "Read subscriptions.",
    "subscriptions:write": "Pause, resume, cancel, defer, discount and move subscriptions.",
    "payments:read": "Read payments and transactions.",
    "payments:refund": "Give payments back.",
    "payments:charge": "Charge a saved card.",
    "customers:read": "Find customers and read what they own.",
    "checkout:write": "Open checkout sessions and pay them.",
    "tokens:write": "Make and manage tokens of the own tenant and mode, with scopes it holds itself.",
    "admin": "Operate the gateway: tenants, all tokens, the audit, the cache. It implies no other scope.",
}
"""Every scope a token can have, and what it allows."""

OWN_SCOPES: Final = frozenset({"tokens:write", "admin"})
"""Those that are about the gateway itself: what they allow calls no vendor."""

ACCESS_TOKEN: Final = "funnelflux_access_token"  # noqa: S105 - a name, not a value
REFRESH_TOKEN: Final = "funnelflux_refresh_token"  # noqa: S105 - a name, not a value
ORG_ID: Final = "funnelfox_org_id"
SECRET_KEY: Final = "funnelfox_secret_key"  # noqa: S105 - a name, not a value

RULES: Final = Rules(
    slots={
        ACCESS_TOKEN: Slot(values.credential, realm=domains.NAME),
        REFRESH_TOKEN: Slot(values.credential, realm=domains.NAME),
        ORG_ID: Slot(values.org_id, realm=billing.NAME, secret=False),
        # A key alone is no account: the organization is.
        SECRET_KEY: Slot(values.credential, realm=None),
    },
    hostname=values.hostname,
    origin=values.origin,
)
"""Which credentials a tenant can have, and what it may be like."""

DOMAIN_LIST: Final = Topic(name="domains", kind="list", shape=list[DomainSummary], operation=LIST_DOMAINS)
PRICE_POINTS: Final = Topic(name="price-points", kind="list", shape=list[PricePoint], operation=LIST_PRICE_POINTS)
FEATURES: Final = Topic(name="features", kind="list", shape=list[Feature], operation=LIST_FEATURES)


def domain_detail(hostname: str) -> Topic:
    """One domain and its check, by its canonical hostname."""
    return Topic(name=f"domain:{hostname}", kind="detail", shape=tuple[DomainInfo, CheckResult], operation=GET_DOMAIN)


TOPICS: Final = (DOMAIN_LIST, domain_detail("{hostname}"), PRICE_POINTS, FEATURES)
"""All that is kept. Money, customers, subscriptions and transactions are not among it, and never will be."""


FAMILIES: Final = tuple(topic.family for topic in TOPICS)
"""What a purge may name."""


def lifetimes(settings: Settings) -> Mapping[Kind, Lifetime]:
    """For how long each kind of topic is good."""
    return {
        "list": Lifetime(
            settings.cache_list_fresh_seconds,
            settings.cache_list_stale_seconds,
            settings.cache_list_stale_if_error_seconds,
        ),
        "detail": Lifetime(settings.cache_detail_fresh_seconds),
    }


MODES: Final[tuple[Mode, ...]] = ("live", "test")

AUTH: Final = "funnelflux-auth"
"""Where bearers are renewed: a peer of its own, whose failures say nothing of the vendor's other calls."""

MOST_TENANTS: Final = 1000
"""Tenants whose clients are kept ready; the others' are made anew, at the cost of one validation."""


def own_tenant(settings: Settings) -> Own:
    """The default tenant, as the settings describe it."""
    flux, fox = settings.funnelflux, settings.funnelfox
    organization = Secret(fox.org_id) if fox.org_id is not None else None
    given = {
        ACCESS_TOKEN: flux.access_token,
        REFRESH_TOKEN: flux.refresh_token,
        ORG_ID: organization,
        SECRET_KEY: fox.secret_key,
    }
    files = {
        ACCESS_TOKEN: flux.access_token_file,
        REFRESH_TOKEN: flux.refresh_token_file,
        SECRET_KEY: fox.secret_key_file,
    }
    return Own(
        cname_target=flux.cname_target,
        credentials={slot: value for slot, value in given.items() if value is not None},
        files={slot: path for slot, path in files.items() if path is not None},
    )


def sources_of(settings: Settings) -> Sources:
    """Reads tenants' credentials, from where the settings allow."""
    folder = Path(settings.credentials_dir) if settings.credentials_dir is not None else None
    return Sources(Keyring.of(settings.encryption_keys), folder=folder)


async def _nobody_to_tell() -> None:
    """Other processes look for themselves."""


def tenants_of(
    settings: Settings, database: Database, *, changed: Callable[[], Awaitable[None]] = _nobody_to_tell
) -> Tenants:
    """What registers tenants.

    Args:
        settings: The whole configuration.
        database: Where they are kept.
        changed: Is awaited after every change.
    """
    return Tenants(
        TenantStore(database),
        sources_of(settings),
        rules=RULES,
        reserved=claims_of(RULES.slots, own_tenant(settings).credentials),
        now=time,
        changed=changed,
    )


bearer_fingerprint: Final = partial(fingerprint, domains.NAME)
"""Stands for a bearer, configured or renewed: both are of one realm."""


class VendorAccounts(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant's accounts at both vendors, ready to be called."""

    domains: DomainsClient
    catalog: CatalogClient
    subscriptions: SubscriptionsClient
    payments: PaymentsClient
    checkout: CheckoutClient
    customers: CustomersClient


class _Ready(msgspec.Struct, frozen=True):
    """A tenant's clients, and the credentials that they were made with."""

    credentials: Mapping[str, Secret]
    accounts: VendorAccounts


class Scene(VendorAccounts, frozen=True, kw_only=True):
    """A tenant's place in one mode: its vendor clients, and what answers are made of besides."""

    at: Occurrence
    belongings: Belongings
    """What this tenant's customers own."""
    cname_target: str | None
    """Where customers point their CNAME, if the operator has said so."""


class TenantContext(Scene, frozen=True, kw_only=True):
    """All that a handler needs: the tenant's place, who calls, and what may be sent once."""

    principal: Principal
    cache: TenantCache
    ledger: Ledger


HARMLESS: Final[tuple[tuple[VendorOperation, Callable[[VendorAccounts], Awaitable[object]]], ...]] = (
    (LIST_DOMAINS, lambda accounts: accounts.domains.list_all()),
    (LIST_PRICE_POINTS, lambda accounts: accounts.catalog.list_price_points()),
    (LIST_FEATURES, lambda accounts: accounts.catalog.list_features()),
    (EXPORT_CSV, lambda accounts: accounts.catalog.export_csv()),
)
"""Calls that change nothing and need no customer: every credential is needed by one of them."""


class Upstreams:
    """Gives each tenant its vendor clients; mode `test` reaches the sandbox only, `live` never.

    Args:
        settings: Where the vendors are.
        directory: Who the tenants are, and with which credentials.
        bearers: Shares what the vendor renewed; None: it stays in memory.
        sandbox_url: Where the sandbox answers; None if there is none.
        provider: Where the spans of calls go.
        log: Where it is written that renewed bearers stay in memory.
        vendors: Sees the calls.
        now: The current Unix time.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        directory: Directory,
        bearers: Shared | None,
        sandbox_url: str | None,
        provider: TracerProvider,
        log: Log,
        vendors: Vendors,
        now: Callable[[], float] = time,
    ) -> None:
        self._settings = settings
        self._vendors = vendors
        self._directory = directory
        self._bearers = bearers
        self._sandbox_url = sandbox_url
        self._log = log
        self._now = now
        self._warned = False
        self._accounts: OrderedDict[tuple[str, Mode], _Ready] = OrderedDict()
        tls = httpx.create_ssl_context(trust_env=False)
        breaker = BreakerLimits(calls=settings.breaker_calls, open_seconds=settings.breaker_open_seconds)
        self._transports = {
            (peer, mode): layered(
                judge,
                timeouts=_timeouts(settings),
                tracer_provider=provider,
                tls=tls,
                breaker=breaker,
                watcher=vendors.watcher(peer, mode),
            )
            for peer, judge in ((domains.NAME, domains.judge), (AUTH, domains.judge), (billing.NAME, billing.judge))
            for mode in MODES
        }

    def accounts(self, tenant: str, mode: Mode) -> VendorAccounts:
        """The tenant's accounts in this mode; those it does not have answer `NotConfigured`."""
        key = (tenant, mode)
        # Test accounts never change: they are derived from the tenant's name.
        described = self._directory.of(tenant) if mode == "live" else None
        credentials = described.credentials if described is not None else {}
        known = self._accounts.get(key)
        if known is None or known.credentials != credentials:
            accounts = self._test(tenant) if mode == "test" else self._live(tenant, credentials)
            known = self._accounts[key] = _Ready(credentials, accounts)
            if len(self._accounts) > MOST_TENANTS:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end(key)
        return known.accounts

    def tenant(self, name: str) -> Tenant | None:
        """What is registered of a tenant; None: nothing."""
        return self._directory.of(name)

    def cname_target(self, tenant: str) -> str | None:
        """Where a tenant's customers point their CNAME; a registered one has its own target, or none."""
        registered = self.tenant(tenant)
        return registered.cname_target if registered is not None else self._settings.funnelflux.cname_target

    async def close(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            await transport.aclose()

    def _live(self, tenant: str, credentials: Mapping[str, Secret]) -> VendorAccounts:
        organization = credentials.get(ORG_ID)
        flux, fox = self._settings.funnelflux, self._settings.funnelfox
        return self._built(
            "live",
            FunnelFluxSettings(
                url=flux.url,
                auth_url=flux.auth_url,
                access_token=credentials.get(ACCESS_TOKEN),
                refresh_token=credentials.get(REFRESH_TOKEN),
            ),
            FunnelFoxSettings(
                url=fox.url,
                org_id=organization.reveal() if organization is not None else None,
                secret_key=credentials.get(SECRET_KEY),
            ),
            keeper=lambda bearers: self._keeper(tenant, bearers),
            expires=partial(self._vendors.token_expires, domains.NAME, tenant, "live"),
        )

    def _keeper(self, tenant: str, bearers: Bearers) -> Keeper:
        """Who keeps a live account's bearers."""
        if self._bearers is not None:
            pair = (bearers.access, bearers.refresh or Secret(""))
            return self._bearers.keeper(tenant, fingerprint("configured-bearers", *pair))
        if not self._warned:
            self._warned = True
            self._log.warning(
                "renewed vendor tokens stay in memory and are lost at a restart: set GATEWAY_ENCRYPTION_KEYS"
            )
        return Memory()

    def _test(self, tenant: str) -> VendorAccounts:
        if self._sandbox_url is None:
            return self._built("test", FunnelFluxSettings(), FunnelFoxSettings())
        made = sandbox_credentials(tenant)
        return self._built(
            "test",
            FunnelFluxSettings(
                url=f"{self._sandbox_url}/v1/billing",
                auth_url=f"{self._sandbox_url}/v1/auth",
                access_token=Secret(made.access_token),
                refresh_token=Secret(made.refresh_token),
            ),
            FunnelFoxSettings(url=self._sandbox_url, org_id=made.org_id, secret_key=Secret(made.secret_key)),
        )

    def _built(
        self,
        mode: Mode,
        funnelflux: FunnelFluxSettings,
        funnelfox: FunnelFoxSettings,
        *,
        keeper: Callable[[Bearers], Keeper] = lambda _: Memory(),
        expires: Callable[[float], None] = lambda _: None,
    ) -> VendorAccounts:
        account = Upstream(funnelflux.url, self._authenticated(funnelflux, mode, keeper, expires=expires))
        organization = self._organization(self._transports[billing.NAME, mode], funnelfox)
        return VendorAccounts(
            domains=DomainsClient(account),
            catalog=CatalogClient(organization),
            subscriptions=SubscriptionsClient(organization),
            payments=PaymentsClient(organization),
            checkout=CheckoutClient(organization),
            customers=CustomersClient(organization),
        )

    def _organization(self, transport: httpx.AsyncBaseTransport, settings: FunnelFoxSettings) -> Upstream:
        if settings.org_id is None:
            return Upstream(settings.url, Unconfigured("No FunnelFox organization is configured."))
        return Upstream(f"{settings.url}/{settings.org_id}/v1", SecretKeyed(transport, settings.secret_key))

    def _authenticated(
        self,
        settings: FunnelFluxSettings,
        mode: Mode,
        keeper: Callable[[Bearers], Keeper],
        *,
        expires: Callable[[float], None],
    ) -> httpx.AsyncBaseTransport:
        if settings.access_token is None:
            return Unconfigured("No FunnelFlux access token is configured.")
        bearers = Bearers(settings.access_token, settings.refresh_token)
        auth = Upstream(settings.auth_url, self._transports[AUTH, mode])
        held = Credentials(bearers, auth=auth, now=self._now, keeper=keeper(bearers), expires=expires)
        return Authenticated(self._transports[domains.NAME, mode], held)


def tenant_context(request: Request[Any, Any, Any]) -> TenantContext:
    """The one dependency of a handler.

    One, because each independent dependency costs a task group.
    """
    exchange = Exchange.of(request.scope)
    principal = exchange.principal
    assert isinstance(principal, Principal)  # noqa: S101 - the gate has admitted this request
    upstreams: Upstreams = request.app.state.upstreams
    state = request.app.state
    accounts = upstreams.accounts(principal.tenant, principal.mode)
    cache: Cache = request.app.state.cache
    return TenantContext(
        **msgspec.structs.asdict(accounts),
        principal=principal,
        cache=exchange.cache or TenantCache(cache, principal.tenant, principal.mode, Reading()),
        at=exchange.occurrence,
        belongings=Belongings(state.ownership, principal.tenant, principal.mode, state.log),
        cname_target=upstreams.cname_target(principal.tenant),
        ledger=ledger_of(request),
    )


def scene_of(state: State, operation: Operation) -> Scene:
    """The place of a tenant whose operation is looked at, where there is no request.

    Args:
        state: Of the application.
        operation: The operation.
    """
    record = operation.record
    mode = cast("Mode", record.mode)
    upstreams: Upstreams = state.upstreams
    return Scene(
        **msgspec.structs.asdict(upstreams.accounts(record.tenant, mode)),
        at=operation.at(state.settings.public_url),
        belongings=Belongings(state.ownership, record.tenant, mode, state.log),
        cname_target=upstreams.cname_target(record.tenant),
    )


def _timeouts(settings: Settings) -> Timeouts:
    return Timeouts.by_policy(
        connect=settings.connect_seconds,
        attempt=settings.read_attempt_seconds,
        request=settings.deadline_seconds,
        money_request=settings.money_deadline_seconds,
    )

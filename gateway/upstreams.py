"""The vendors: what each tenant reaches, in which mode, and with which credentials."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
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
from clients.breaker import BreakerLimits
from clients.domains.client import LIST as LIST_DOMAINS
from clients.domains.client import DomainsClient
from clients.domains.credentials import Authenticated, Bearers, Credentials, Keeper, Memory
from clients.errors import Operation as VendorOperation
from clients.sandbox.credentials import credentials as sandbox_credentials
from clients.secret import Secret
from clients.timeouts import Timeouts
from clients.transport import Unconfigured, Upstream, layered
from gateway.cache.policy import Cache
from gateway.cache.readings import Reading
from gateway.cache.tenant import TenantCache
from gateway.http.exchange import Exchange
from gateway.http.rfc9457 import Occurrence
from gateway.idempotency import Ledger, Ledgers
from gateway.observing.watching import Vendors
from gateway.operations.outcomes import Operation
from gateway.principal import Mode, Principal
from gateway.settings import FunnelFluxSettings, FunnelFoxSettings, Settings
from gateway.storage.ownership import OwnershipStore
from gateway.subjects import Belongings
from gateway.telemetry import Log
from gateway.tenants.bearers import Shared
from gateway.tenants.directory import Directory, Tenant
from gateway.tenants.fingerprints import fingerprint
from gateway.vendor_credentials import ACCESS_TOKEN, ORG_ID, REFRESH_TOKEN, SECRET_KEY

MODES: Final[tuple[Mode, ...]] = ("live", "test")

AUTH: Final = "funnelflux-auth"
"""Where bearers are renewed: a peer of its own, whose failures say nothing of the vendor's other calls."""

MOST_TENANTS: Final = 1000
"""Tenants whose clients are kept ready; the others' are made anew, at the cost of one validation."""


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


class ReadContext(Scene, frozen=True, kw_only=True):
    """All that a handler needs that changes nothing: the tenant's place, who calls, and what is kept."""

    principal: Principal
    cache: TenantCache


class TenantContext(ReadContext, frozen=True, kw_only=True):
    """All that a handler needs: the same, and what may be sent once."""

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


class Contexts(msgspec.Struct, frozen=True, kw_only=True):
    """Makes what handlers are given, of what all requests have in common."""

    upstreams: Upstreams
    cache: Cache
    ownership: OwnershipStore
    ledgers: Ledgers
    log: Log
    public_url: str
    """Before the path of every link."""

    def of(self, request: Request[Any, Any, Any]) -> TenantContext:
        """What the handler of this request is given."""
        given = self.reading(Exchange.of(request.scope))
        return TenantContext(**msgspec.structs.asdict(given), ledger=self.ledgers.of(request))

    def reading(self, exchange: Exchange) -> ReadContext:
        """The same, for a handler that changes nothing."""
        principal = exchange.principal
        assert isinstance(principal, Principal)  # noqa: S101 - the gate has admitted this request
        tenant, mode = principal.tenant, principal.mode
        return ReadContext(
            **msgspec.structs.asdict(self.upstreams.accounts(tenant, mode)),
            principal=principal,
            cache=exchange.cache or TenantCache(self.cache, tenant, mode, Reading()),
            at=exchange.occurrence,
            belongings=Belongings(self.ownership, tenant, mode, self.log),
            cname_target=self.upstreams.cname_target(tenant),
        )

    def scene(self, operation: Operation) -> Scene:
        """The place of a tenant whose operation is looked at, where there is no request."""
        record = operation.record
        mode = cast("Mode", record.mode)
        return Scene(
            **msgspec.structs.asdict(self.upstreams.accounts(record.tenant, mode)),
            at=operation.at(self.public_url),
            belongings=Belongings(self.ownership, record.tenant, mode, self.log),
            cname_target=self.upstreams.cname_target(record.tenant),
        )


def tenant_context(request: Request[Any, Any, Any]) -> TenantContext:
    """The one dependency of a handler.

    One, because each independent dependency costs a task group.
    """
    contexts: Contexts = request.app.state.contexts
    return contexts.of(request)


def scene_of(state: State, operation: Operation) -> Scene:
    """The same for what happens behind requests.

    Args:
        state: Of the application.
        operation: Which is looked at.
    """
    contexts: Contexts = state.contexts
    return contexts.scene(operation)


def _timeouts(settings: Settings) -> Timeouts:
    return Timeouts.by_policy(
        connect=settings.connect_seconds,
        attempt=settings.read_attempt_seconds,
        request=settings.deadline_seconds,
        money_request=settings.money_deadline_seconds,
    )

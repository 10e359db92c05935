"""The vendors: what each tenant reaches, in which mode, and with which credentials."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from time import time
from typing import Any, Final

import httpx
import msgspec
from litestar import Request
from opentelemetry.sdk.trace import TracerProvider

from clients import billing, domains
from clients.billing.catalog import CatalogClient
from clients.billing.checkout import CheckoutClient
from clients.billing.customers import CustomersClient
from clients.billing.payments import PaymentsClient
from clients.billing.secret_key import SecretKeyed
from clients.billing.subscriptions import SubscriptionsClient
from clients.breaker import BreakerLimits
from clients.domains.client import DomainsClient
from clients.domains.credentials import Authenticated, Bearers, Credentials
from clients.sandbox.credentials import credentials as sandbox_credentials
from clients.secret import Secret
from clients.timeouts import Timeouts
from clients.transport import Unconfigured, Upstream, layered
from gateway.edge import Exchange
from gateway.principal import Mode, Principal
from gateway.rfc9457 import Occurrence
from gateway.settings import FunnelFluxSettings, FunnelFoxSettings, Settings
from gateway.subjects import Belongings
from gateway.tokens import DEFAULT_TENANT

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
    "tokens:write": "Make and manage tokens of the own tenant; no route needs it yet.",
    "admin": "Operate the gateway; no route needs it yet.",
}
"""Every scope a token can have, and what it allows."""

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


class TenantContext(VendorAccounts, frozen=True, kw_only=True):
    """All that a handler needs: this tenant's vendor clients, and where the request is."""

    principal: Principal
    at: Occurrence
    belongings: Belongings
    """What this tenant's customers own."""
    cname_target: str | None
    """Where customers point their CNAME, if the operator has said so."""


class Upstreams:
    """Gives each tenant its vendor clients; mode `test` reaches the sandbox only, `live` never.

    Args:
        settings: Where the vendors are, and the default tenant's credentials.
        sandbox_url: Where the sandbox answers; None if there is none.
        provider: Where the spans of calls go.
        now: The current Unix time.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        sandbox_url: str | None,
        provider: TracerProvider,
        now: Callable[[], float] = time,
    ) -> None:
        self._settings = settings
        self._sandbox_url = sandbox_url
        self._now = now
        self._accounts: OrderedDict[tuple[str, Mode], VendorAccounts] = OrderedDict()
        tls = httpx.create_ssl_context(trust_env=False)
        breaker = BreakerLimits(calls=settings.breaker_calls, open_seconds=settings.breaker_open_seconds)
        self._transports = {
            (peer, mode): layered(
                judge, timeouts=_timeouts(settings), tracer_provider=provider, tls=tls, breaker=breaker
            )
            for peer, judge in ((domains.NAME, domains.judge), (AUTH, domains.judge), (billing.NAME, billing.judge))
            for mode in ("live", "test")
        }

    def accounts(self, tenant: str, mode: Mode) -> VendorAccounts:
        """The tenant's accounts in this mode; those it does not have answer `NotConfigured`."""
        key = (tenant, mode)
        if (known := self._accounts.get(key)) is None:
            known = self._accounts[key] = self._test(tenant) if mode == "test" else self._live(tenant)
            if len(self._accounts) > MOST_TENANTS:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end(key)
        return known

    async def close(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            await transport.aclose()

    def _live(self, tenant: str) -> VendorAccounts:
        if tenant != DEFAULT_TENANT:
            return self._built("live", FunnelFluxSettings(), FunnelFoxSettings())
        return self._built("live", self._settings.funnelflux, self._settings.funnelfox)

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

    def _built(self, mode: Mode, funnelflux: FunnelFluxSettings, funnelfox: FunnelFoxSettings) -> VendorAccounts:
        account = Upstream(funnelflux.url, self._authenticated(funnelflux, mode))
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

    def _authenticated(self, settings: FunnelFluxSettings, mode: Mode) -> httpx.AsyncBaseTransport:
        if settings.access_token is None:
            return Unconfigured("No FunnelFlux access token is configured.")
        bearers = Bearers(settings.access_token, settings.refresh_token)
        auth = Upstream(settings.auth_url, self._transports[AUTH, mode])
        return Authenticated(self._transports[domains.NAME, mode], Credentials(bearers, auth=auth, now=self._now))


def tenant_context(request: Request[Any, Any, Any]) -> TenantContext:
    """The one dependency of a handler.

    One, because each independent dependency costs a task group.
    """
    exchange = Exchange.of(request.scope)
    principal = exchange.principal
    assert isinstance(principal, Principal)  # noqa: S101 - the gate has admitted this request
    upstreams: Upstreams = request.app.state.upstreams
    accounts = upstreams.accounts(principal.tenant, principal.mode)
    return TenantContext(
        **msgspec.structs.asdict(accounts),
        principal=principal,
        at=exchange.occurrence,
        belongings=Belongings(request.app.state.ownership, principal, request.app.state.log),
        cname_target=request.app.state.settings.funnelflux.cname_target,
    )


def _timeouts(settings: Settings) -> Timeouts:
    usual, money, repeatable = settings.deadline_seconds, settings.money_deadline_seconds, settings.read_attempt_seconds
    return Timeouts(
        connect=settings.connect_seconds,
        attempt={"read": repeatable, "probe": repeatable, "write": usual, "money": money},
        request={"read": usual, "probe": usual, "write": usual, "money": money},
    )

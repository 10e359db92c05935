"""The configuration: from the environment only, every fault found at once."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeVar

import msgspec

from clients.secret import Secret
from gateway import setting_values as values

T = TypeVar("T")

NO_SUBJECT: Final = "none"
"""In the place of a claim's name: the issuer's JWTs are not limited to one customer each."""

_NAME_OF_LEVEL = Literal["debug", "info", "warning", "error"]


class BadSettings(Exception):
    """The environment does not describe a gateway.

    Args:
        faults: One sentence per fault, each beginning with its variable.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class FunnelFluxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the custom-domains vendor is, and the default tenant's credentials there."""

    url: str = "https://api.funnelflux.pro/v1/billing"
    """The API of custom domains."""
    auth_url: str = "https://api.funnelflux.pro/v1/auth"
    """Where its tokens are renewed."""
    access_token: Secret | None = None
    """A bearer of the vendor; renewed an hour before it expires, and kept encrypted."""
    access_token_file: str | None = None
    """Where the token was read, and is read again when the file changes; the same for other members of such a name."""
    refresh_token: Secret | None = None
    """What an expired bearer is renewed with."""
    refresh_token_file: str | None = None
    cname_target: str | None = None
    """Where customers point their CNAME: the vendor's API does not say it."""


class FunnelFoxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the billing vendor is, and the default tenant's credentials there."""

    url: str = "https://billing.funnelfox.com"
    """The API of billing, without the organization."""
    org_id: str | None = None
    """The organization, as it stands in the path of every call."""
    secret_key: Secret | None = None
    """Sent only to the 17 operations that ask for it."""
    secret_key_file: str | None = None


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whose JWTs are accepted beside our own tokens, and what their claims are called."""

    issuer: str = ""
    """Whose JWTs are accepted; exactly as the issuer writes itself, a trailing slash included. Empty: none are."""
    audience: str = ""
    """What `aud` must name; set if and only if the issuer is."""
    tenant_claim: str = "tenant"
    """The claim that names the tenant."""
    mode_claim: str = "mode"
    """The claim that says `live` or `test`."""
    scope_claim: str = "scope"
    """The claim that lists scopes, as a text or an array."""
    subject_claim: str = "external_id"
    """The claim that names the one customer whom a JWT is limited to. `none`: no JWT is limited."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All that the environment can say; every member has a default that works on a laptop."""

    funnelflux: FunnelFluxSettings = FunnelFluxSettings()
    funnelfox: FunnelFoxSettings = FunnelFoxSettings()
    oidc: OidcSettings = OidcSettings()
    database_url: Secret = Secret("sqlite:///gateway.db")
    """`sqlite:///path`, or `postgresql://...` in production."""
    redis_url: Secret | None = None
    """`redis://...` or `rediss://...`: Redis or Valkey. Needed by several workers, and by several replicas."""
    encryption_keys: Secret | None = None
    """Keys of 32 characters or more, separated by commas: the first encrypts, all decrypt (`openssl rand -base64 32`).

    Required on PostgreSQL. Without, on SQLite, nothing secret is kept.
    """
    credentials_dir: str | None = None
    """The folder below which tenants' credentials may be files; empty: they may not."""
    sandbox: str = "embedded"
    """`embedded`, `off`, or the URL of a sandbox that runs elsewhere."""
    public_url: str = ""
    """Before the path of every link we give; empty: links are relative references."""
    cors_origins: tuple[str, ...] = ()
    """Browser origins that may read answers, separated by commas, or `*`."""
    log_level: _NAME_OF_LEVEL = "info"
    """`debug`, `info`, `warning` or `error`."""
    log_format: Literal["json", "console"] = "json"
    """`json`, one object a line, or `console`, for people."""
    metrics_port: int | None = None
    """Where alone metrics are served; None: at `/metrics` of the port for requests."""
    deadline_seconds: float = 15.0
    """For a whole request and all that it waits for; one that moves money has its own."""
    money_deadline_seconds: float = 30.0
    """The same for a request that moves money."""
    connect_seconds: float = 2.0
    """For a connection to a vendor: the name, TCP and TLS together; and as long for a free place before that."""
    read_attempt_seconds: float = 5.0
    """For one attempt at what may be repeated; a write or money call has the whole deadline."""
    cache_list_fresh_seconds: float = 60.0
    """How long a list is answered without asking the vendor; 0: every read goes to the vendor."""
    cache_list_stale_seconds: float = 300.0
    """After being fresh, for so long a list is answered at once while the vendor is asked."""
    cache_list_stale_if_error_seconds: float = 3600.0
    """After being fresh, for so long a list is answered where the vendor fails."""
    cache_detail_fresh_seconds: float = 10.0
    """The same as for lists, for one domain; 0: every read goes to the vendor."""
    cache_entries: int = 10_000
    """How many answers each worker keeps."""
    cache_bytes: int = 32 * 1024 * 1024
    """How much each worker keeps."""
    breaker_calls: int = 20
    """A breaker opens where half of so many calls of one kind to one vendor failed within 10 s."""
    breaker_open_seconds: float = 5.0
    """For so long a vendor that fails is left alone."""
    audit_retention_days: int = 400
    """How long the record of who changed what is kept."""
    operation_retention_days: int = 7
    """How long a settled operation, and the answer to its key, is kept; an open one stays for ever."""
    limit_per_minute: int = 600
    """Requests of one token that has no limit of its own; 0: no limit."""
    limit_money_per_minute: int = 60
    """Those of them that move money; 0: no limit."""
    limit_probe_per_minute: int = 30
    """Those of them that make a vendor look a hostname up; 0: no limit."""
    limit_guesses_per_minute: int = 60
    """Wrong tokens from one client address, until it is refused without a lookup; 0: no limit."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks, separated by commas, whose `X-Forwarded-For` is believed."""
    concurrency: int = 512
    """Requests in flight in one process; the last fifth is for those that move money."""
    drain_seconds: float = 1.0
    """After SIGTERM, while readiness fails already and new connections are still served."""


def from_environment(environment: Mapping[str, str] | None = None, *, to_serve: bool = False) -> Settings:
    """Read the settings.

    Args:
        environment: Names and values; the process environment if None.
        to_serve: Whether all must be there that a serving gateway needs.

    Raises:
        BadSettings: With every fault, not only the first.
    """
    read = _Reader(os.environ if environment is None else environment)
    settings = Settings(
        funnelflux=FunnelFluxSettings(
            url=read.get("FUNNELFLUX_URL", values.url, FunnelFluxSettings().url),
            auth_url=read.get("FUNNELFLUX_AUTH_URL", values.url, FunnelFluxSettings().auth_url),
            access_token=read.secret("FUNNELFLUX_ACCESS_TOKEN"),
            access_token_file=read.get("FUNNELFLUX_ACCESS_TOKEN_FILE", str, None),
            refresh_token=read.secret("FUNNELFLUX_REFRESH_TOKEN"),
            refresh_token_file=read.get("FUNNELFLUX_REFRESH_TOKEN_FILE", str, None),
            cname_target=read.get("FUNNELFLUX_CNAME_TARGET", values.hostname, None),
        ),
        funnelfox=FunnelFoxSettings(
            url=read.get("FUNNELFOX_URL", values.url, FunnelFoxSettings().url),
            org_id=read.get("FUNNELFOX_ORG_ID", values.org_id, None),
            secret_key=read.secret("FUNNELFOX_SECRET_KEY"),
            secret_key_file=read.get("FUNNELFOX_SECRET_KEY_FILE", str, None),
        ),
        oidc=_oidc(read),
        database_url=read.secret("GATEWAY_DATABASE_URL", values.database_url) or Settings().database_url,
        redis_url=read.secret("GATEWAY_REDIS_URL", values.redis_url),
        encryption_keys=read.secret("GATEWAY_ENCRYPTION_KEYS", values.encryption_keys),
        credentials_dir=read.get("GATEWAY_CREDENTIALS_DIR", values.folder, None),
        sandbox=read.get("GATEWAY_SANDBOX", values.sandbox, Settings().sandbox),
        public_url=read.get("GATEWAY_PUBLIC_URL", values.url, ""),
        cors_origins=read.get("GATEWAY_CORS_ORIGINS", values.origins, ()),
        trusted_proxies=read.get("GATEWAY_TRUSTED_PROXIES", values.networks, ()),
        log_level=read.get("GATEWAY_LOG_LEVEL", values.one_of(_NAME_OF_LEVEL), Settings().log_level),
        log_format=read.get("GATEWAY_LOG_FORMAT", values.one_of(Literal["json", "console"]), Settings().log_format),
        **{name: read.get(f"GATEWAY_{name.upper()}", parse, getattr(Settings(), name)) for name, parse in _NUMBERS},
    )
    if to_serve and settings.encryption_keys is None and not settings.database_url.reveal().startswith("sqlite"):
        read.add("GATEWAY_ENCRYPTION_KEYS", "is required on PostgreSQL; `openssl rand -base64 32` makes one.")
    if read.faults:
        raise BadSettings(read.faults)
    return settings


class _Reader:
    """Reads variables one by one and remembers what was wrong with each."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.faults: list[str] = []

    def has(self, name: str) -> bool:
        return bool(self._environment.get(name, "").strip())

    def add(self, name: str, sentence: str) -> None:
        if not any(fault.startswith(name) for fault in self.faults):
            self.faults.append(f"{name}: {sentence}")

    def get(self, name: str, parse: Callable[[str], T], default: T) -> T:
        if not (text := self._environment.get(name, "").strip()):
            return default
        try:
            return parse(text)
        except ValueError as error:
            self.faults.append(f"{name}: {error}")
            return default

    def secret(self, name: str, parse: Callable[[str], str] | None = None) -> Secret | None:
        parse = parse or values.credential
        if f"{name}_FILE" not in self._environment:
            value = self.get(name, parse, "")
            return Secret(value) if value else None
        if self._environment.get(name):
            self.faults.append(f"{name}: give either {name} or {name}_FILE, not both.")
            return None
        return self.get(f"{name}_FILE", lambda path: Secret(parse(values.content_of(path))), None)


def _oidc(read: _Reader) -> OidcSettings:
    usual = OidcSettings()
    found = OidcSettings(
        issuer=read.get("GATEWAY_OIDC_ISSUER", values.issuer, usual.issuer),
        audience=read.get("GATEWAY_OIDC_AUDIENCE", values.credential, usual.audience),
        **{
            name: read.get(f"GATEWAY_OIDC_{name.upper()}", values.credential, getattr(usual, name))
            for name in ("tenant_claim", "mode_claim", "scope_claim", "subject_claim")
        },
    )
    for name, other in (("ISSUER", "AUDIENCE"), ("AUDIENCE", "ISSUER")):
        if read.has(f"GATEWAY_OIDC_{other}") and not read.has(f"GATEWAY_OIDC_{name}"):
            read.faults.append(f"GATEWAY_OIDC_{name}: must be set, because GATEWAY_OIDC_{other} is.")
    return found


_NUMBERS: Final[tuple[tuple[str, Callable[[str], Any]], ...]] = (
    ("deadline_seconds", values.seconds),
    ("money_deadline_seconds", values.seconds),
    ("connect_seconds", values.seconds),
    ("read_attempt_seconds", values.seconds),
    ("cache_list_fresh_seconds", values.age),
    ("cache_list_stale_seconds", values.age),
    ("cache_list_stale_if_error_seconds", values.age),
    ("cache_detail_fresh_seconds", values.age),
    ("cache_entries", values.count),
    ("cache_bytes", values.count),
    ("breaker_calls", values.count),
    ("metrics_port", values.port),
    ("breaker_open_seconds", values.seconds),
    ("audit_retention_days", values.count),
    ("operation_retention_days", values.count),
    ("limit_per_minute", values.limit),
    ("limit_money_per_minute", values.limit),
    ("limit_probe_per_minute", values.limit),
    ("limit_guesses_per_minute", values.limit),
    ("concurrency", values.count),
    ("drain_seconds", values.seconds_or_none),
)

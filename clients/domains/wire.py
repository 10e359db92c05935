"""What FunnelFlux sends, as it sends it.

Every member may be missing: the vendor's schema requires only three, all in
`CheckResult`. Statuses are open sets, because Cloudflare adds values.

Source: FunnelFlux seed, the schemas of the same names.
"""

from typing import Any

import msgspec


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a hostname's TLS certificate and the TXT record that validates it."""

    status: str | None = None
    txt_name: str | None = None
    txt_value: str | None = None


class OwnershipVerification(msgspec.Struct, frozen=True, kw_only=True):
    """The record that proves to Cloudflare that the hostname is its owner's."""

    type: str | None = None
    name: str | None = None
    value: str | None = None


class ParsedHostname(msgspec.Struct, frozen=True, kw_only=True):
    """The hostname, split where its registrable part begins."""

    subdomain: str | None = None
    root_domain: str | None = None


class DomainInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One domain with its Cloudflare state and the records its owner must publish."""

    domain: str
    id: str | None = None
    owner: str | None = None
    created_at: Any = None
    """Format not documented by the vendor."""
    cloudflare_id: str | None = None
    status: str | None = None
    ssl: Certificate | None = None
    ownership_verification: OwnershipVerification | None = None
    verification_errors: list[str] | None = None
    parsed: ParsedHostname | None = None


class DomainSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the list; `status` and `ssl_status` may be blank until the domain is refreshed."""

    domain: str
    id: str | None = None
    cloudflare_id: str | None = None
    status: str | None = None
    ssl_status: str | None = None
    verification_errors: list[str] | None = None
    created_at: Any = None


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor saw when it asked the hostname for its debug page."""

    found: bool
    ssl_valid: bool
    success: bool | None = None
    http_status: int | None = None
    ssl_error: str | None = None
    response_time_ms: int | None = None
    error_message: str | None = None
    check_timestamp: int | None = None
    """Unix time; seconds, judged by the vendor's sample."""
    cloudflare_status: str | None = None
    cloudflare_ssl_status: str | None = None


class DomainList(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to "List all domains"; no rows may come as null."""

    domains: list[DomainSummary] | None = None


class OneDomain(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to create and get."""

    domain: DomainInfo


class Refreshed(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to refresh; a check that could not run may be missing, or not whole."""

    domain: DomainInfo
    check: msgspec.Raw = msgspec.Raw()

    @property
    def checked(self) -> CheckResult | None:
        """The check, if there is a whole one."""
        try:
            return msgspec.json.decode(self.check, type=CheckResult)
        except msgspec.MsgspecError:
            return None

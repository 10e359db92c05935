"""Custom domains, as we show them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from clients.domains import wire
from routes.shapes.missing import Missing
from routes.shapes.readiness import Facts, Readiness, readiness
from routes.shapes.times import from_unix, utc


class NewDomain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hostname, as typed: IDN in either form, any case."""

    hostname: Annotated[str, msgspec.Meta(examples=["track.example.com"])]


class Purpose(StrEnum):
    """What a DNS record is for."""

    OWNERSHIP = "ownership"
    CERTIFICATE = "certificate"
    ROUTING = "routing"


class DnsRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record that the hostname's owner must publish."""

    purpose: Purpose
    type: str
    name: str
    value: str


class ParsedHostname(msgspec.Struct, frozen=True, kw_only=True):
    """The hostname, split where its registrable part begins."""

    subdomain: str | None
    root_domain: str | None


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor saw when it asked the hostname for its debug page."""

    hostname: str
    found: bool
    """Whether the hostname leads to the vendor."""
    ssl_valid: bool
    """Whether the TLS handshake succeeded."""
    http_status: int | None
    ssl_error: str | None
    response_time_ms: int | None
    error_message: str | None
    checked_at: datetime | None
    cloudflare_status: str | None
    cloudflare_ssl_status: str | None

    @classmethod
    def public(cls, hostname: str, result: wire.CheckResult) -> "Check":
        """The check of `hostname` in our words."""
        return cls(
            hostname=hostname,
            found=result.found,
            ssl_valid=result.ssl_valid,
            http_status=result.http_status,
            ssl_error=result.ssl_error or None,
            response_time_ms=result.response_time_ms,
            error_message=result.error_message or None,
            checked_at=from_unix(result.check_timestamp),
            cloudflare_status=result.cloudflare_status or None,
            cloudflare_ssl_status=result.cloudflare_ssl_status or None,
        )


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the list.

    `status` and `ssl_status` are null until the domain was looked at one by
    one. `readiness` and `missing` are there only with `expand=readiness`.
    """

    hostname: str
    id: str | None
    cloudflare_id: str | None
    status: str | None
    ssl_status: str | None
    verification_errors: list[str]
    created_at: datetime | None
    readiness: Readiness | msgspec.UnsetType | None = msgspec.UNSET
    missing: list[Missing] | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def public(cls, summary: wire.DomainSummary) -> "Domain":
        """The row in our words."""
        return cls(
            hostname=summary.domain,
            id=summary.id,
            cloudflare_id=summary.cloudflare_id,
            status=summary.status or None,
            ssl_status=summary.ssl_status or None,
            verification_errors=summary.verification_errors or [],
            created_at=utc(summary.created_at),
        )

    def expanded(self, details: "DomainDetails") -> "Domain":
        """The row with what looking at the domain has told."""
        return msgspec.structs.replace(
            self,
            status=details.status,
            ssl_status=details.ssl_status,
            verification_errors=details.verification_errors,
            readiness=details.readiness,
            missing=details.missing,
        )

    def unexpanded(self, missing: Missing) -> "Domain":
        """The row, when looking at the domain failed."""
        return msgspec.structs.replace(self, readiness=None, missing=[missing])


class DomainDetails(msgspec.Struct, frozen=True, kw_only=True):
    """One domain: its state, the records to publish, a live check, and the verdict on both."""

    hostname: str
    id: str | None
    owner: str | None
    cloudflare_id: str | None
    status: str | None
    """Cloudflare's status of the hostname; an open set."""
    ssl_status: str | None
    """Cloudflare's status of the certificate; an open set."""
    created_at: datetime | None
    parsed: ParsedHostname | None
    dns_records: list[DnsRecord]
    verification_errors: list[str]
    check: Check | None
    """null: see `missing`, or it was not asked for."""
    readiness: Readiness
    missing: list[Missing]
    """Parts that could not be had."""

    @classmethod
    def merge(
        cls,
        info: wire.DomainInfo,
        check: wire.CheckResult | None,
        *,
        cname_target: str | None,
        missing: list[Missing] | None = None,
    ) -> "DomainDetails":
        """The vendor's record and its check, as one answer."""
        errors = info.verification_errors or []
        status = info.status or None
        ssl_status = (info.ssl.status if info.ssl else None) or None
        facts = Facts(
            status=status,
            ssl_status=ssl_status,
            verification_errors=bool(errors),
            reached=check.found and check.ssl_valid if check is not None else None,
        )
        return cls(
            hostname=info.domain,
            id=info.id,
            owner=info.owner,
            cloudflare_id=info.cloudflare_id,
            status=status,
            ssl_status=ssl_status,
            created_at=utc(info.created_at),
            parsed=ParsedHostname(subdomain=info.parsed.subdomain, root_domain=info.parsed.root_domain)
            if info.parsed
            else None,
            dns_records=_records(info, cname_target),
            verification_errors=errors,
            check=Check.public(info.domain, check) if check is not None else None,
            readiness=readiness(facts, hostname=info.domain, cname_target=cname_target),
            missing=missing or [],
        )


def _records(info: wire.DomainInfo, cname_target: str | None) -> list[DnsRecord]:
    """What the owner must publish, as far as the vendor and the operator have told."""
    records = []
    owned, certificate = info.ownership_verification, info.ssl
    if owned is not None and owned.name and owned.value:
        kind = (owned.type or "txt").upper()
        records.append(DnsRecord(purpose=Purpose.OWNERSHIP, type=kind, name=owned.name, value=owned.value))
    if certificate is not None and certificate.txt_name and certificate.txt_value:
        records.append(
            DnsRecord(purpose=Purpose.CERTIFICATE, type="TXT", name=certificate.txt_name, value=certificate.txt_value)
        )
    if cname_target is not None:
        records.append(DnsRecord(purpose=Purpose.ROUTING, type="CNAME", name=info.domain, value=cname_target))
    return records

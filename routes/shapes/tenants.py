"""Tenants as operators write and see them: credentials go in, and never come out."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from clients.secret import Secret
from gateway.storage.tenants import TenantRecord
from gateway.tenants.registry import LONGEST_VALUE, MOST_ORIGINS, Change

TenantName = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z", description="Which tokens name.", examples=["acme"])
]

Credential = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=LONGEST_VALUE,
        description=(
            "`env:NAME` refers to a variable of the gateway whose name begins with `TENANT_`, `file:/path` to a file "
            "below `GATEWAY_CREDENTIALS_DIR`; anything else is the value itself, which is kept encrypted."
        ),
    ),
]

CnameTarget = Annotated[
    str, msgspec.Meta(min_length=1, max_length=253, description="Where the tenant's customers point their CNAME.")
]

CorsOrigins = Annotated[
    list[Annotated[str, msgspec.Meta(max_length=300)]],
    msgspec.Meta(
        max_length=MOST_ORIGINS,
        description="Pages that may read answers to the tenant's tokens, besides those of the settings.",
        examples=[["https://app.example.com"]],
    ),
]


class CredentialChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credentials at the vendors; null removes one, and one that is left out stays."""

    funnelflux_access_token: Credential | UnsetType | None = UNSET
    funnelflux_refresh_token: Credential | UnsetType | None = UNSET
    funnelfox_org_id: Credential | UnsetType | None = UNSET
    funnelfox_secret_key: Credential | UnsetType | None = UNSET

    def by_slot(self) -> dict[str, Secret | None]:
        """Those that are spoken of."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return {slot: Secret(text) if text is not None else None for slot, text in given.items() if text is not UNSET}


class NewTenant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody with vendor accounts of their own."""

    name: TenantName
    cname_target: CnameTarget | None = None
    cors_origins: CorsOrigins = []
    credentials: CredentialChange = CredentialChange()

    def wanted(self) -> Change:
        """All that is said besides the name."""
        return Change(
            cname_target=self.cname_target,
            cors_origins=self.cors_origins,
            credentials={slot: given for slot, given in self.credentials.by_slot().items() if given is not None},
        )


class TenantChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different of a tenant; what is left out stays."""

    cname_target: CnameTarget | UnsetType | None = UNSET
    cors_origins: CorsOrigins | UnsetType = UNSET
    credentials: CredentialChange = CredentialChange()

    def wanted(self) -> Change:
        """All that is said."""
        return Change(
            cname_target=self.cname_target, cors_origins=self.cors_origins, credentials=self.credentials.by_slot()
        )


class HeldCredential(msgspec.Struct, frozen=True, kw_only=True):
    """Where a credential comes from; its value is never shown."""

    source: str
    """`encrypted`, `env:NAME` or `file:/path`."""
    set_at: datetime


class HeldCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials at the vendors; null: there is none."""

    funnelflux_access_token: HeldCredential | None = None
    funnelflux_refresh_token: HeldCredential | None = None
    funnelfox_org_id: HeldCredential | None = None
    funnelfox_secret_key: HeldCredential | None = None


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with vendor accounts of their own."""

    name: str
    created_at: datetime
    cname_target: str | None
    cors_origins: list[str]
    credentials: HeldCredentials
    unusable: dict[str, str]
    """Credentials that are set and can't be used, each with the reason, as the answering process sees them. Calls that
    need one answer 503 `upstream_not_configured`."""

    @classmethod
    def public(cls, record: TenantRecord, unusable: Mapping[str, str]) -> "Tenant":
        """The tenant without any secret.

        Args:
            record: As it is kept.
            unusable: Why credentials can't be used, by their names.
        """
        held = {
            slot: HeldCredential(source=one.source, set_at=_time(one.set_at))
            for slot, one in record.credentials.items()
            if slot in HeldCredentials.__struct_fields__
        }
        return cls(
            name=record.name,
            created_at=_time(record.created_at),
            cname_target=record.cname_target,
            cors_origins=[*record.cors_origins],
            credentials=HeldCredentials(**held),
            unusable=dict(unusable),
        )


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

"""The state of what we depend on."""

import msgspec

from gateway.directory import Directory
from gateway.identity_provider import IdentityProvider
from gateway.shared_store import SharedStore
from gateway.storage.database import Database, Unavailable
from gateway.tokens import DEFAULT_TENANT
from gateway.upstreams import ACCESS_TOKEN, ORG_ID, SECRET_KEY


class Dependency(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that we depend on."""

    state: str
    """`ok`, or what is wrong with it."""
    required: bool
    """Whether we are not ready without it."""
    detail: str | None = None
    """What follows from its state."""


async def readiness(
    database: Database, shared: SharedStore | None, issuer: IdentityProvider | None, directory: Directory
) -> dict[str, Dependency]:
    """Every dependency by name."""
    return {
        "database": Dependency(state=await _database(database), required=True),
        **({"redis": _redis(shared)} if shared is not None else {}),
        **({"identity_provider": Dependency(state=issuer.state, required=False)} if issuer is not None else {}),
        "funnelflux": Dependency(state=_configured(directory, ACCESS_TOKEN), required=False),
        "funnelfox": Dependency(state=_configured(directory, ORG_ID, SECRET_KEY), required=False),
        **({"tenants": Dependency(state=_tenants(directory), required=False)} if len([*directory]) > 1 else {}),
    }


async def _database(database: Database) -> str:
    try:
        return "ok" if await database.is_current() else "not_migrated"
    except Unavailable:
        return "unavailable"


def _redis(shared: SharedStore) -> Dependency:
    if shared.state.reachable:
        return Dependency(state="ok", required=False)
    return Dependency(state="unavailable", required=False, detail="Limits are counted per process.")


def _configured(directory: Directory, *slots: str) -> str:
    """How the default tenant's credentials are."""
    own = directory.of(DEFAULT_TENANT)
    if own is not None and any(slot in own.unusable for slot in slots):
        return "credentials_unusable"
    return "ok" if own is not None and all(slot in own.credentials for slot in slots) else "not_configured"


def _tenants(directory: Directory) -> str:
    """How the registered tenants' credentials are; without names, for anyone may ask."""
    unusable = sum(bool(tenant.unusable) for tenant in directory if tenant.name != DEFAULT_TENANT)
    return f"credentials_unusable: {unusable}" if unusable else "ok"

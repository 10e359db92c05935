"""The state of what we depend on."""

import msgspec

from gateway.identity_provider import IdentityProvider
from gateway.settings import Settings
from gateway.shared_store import SharedStore
from gateway.storage.database import Database, Unavailable


class Dependency(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that we depend on."""

    state: str
    """`ok`, or what is wrong with it."""
    required: bool
    """Whether we are not ready without it."""
    detail: str | None = None
    """What follows from its state."""


async def readiness(
    database: Database, shared: SharedStore | None, issuer: IdentityProvider | None, settings: Settings
) -> dict[str, Dependency]:
    """Every dependency by name."""
    return {
        "database": Dependency(state=await _database(database), required=True),
        **({"redis": _redis(shared)} if shared is not None else {}),
        **({"identity_provider": Dependency(state=issuer.state, required=False)} if issuer is not None else {}),
        "funnelflux": Dependency(state=_configured(settings.funnelflux.access_token), required=False),
        "funnelfox": Dependency(
            state=_configured(settings.funnelfox.org_id and settings.funnelfox.secret_key), required=False
        ),
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


def _configured(credential: object) -> str:
    return "ok" if credential else "not_configured"

"""Which credentials reach the vendors, and where a tenant's come from."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from time import time
from typing import Final

from clients import billing, domains
from clients.secret import Secret
from gateway import setting_values as values
from gateway.settings import Settings
from gateway.storage.database import Database
from gateway.storage.tenants import TenantStore
from gateway.tenants.credential_sources import Sources
from gateway.tenants.directory import Own
from gateway.tenants.encryption import Keyring
from gateway.tenants.fingerprints import fingerprint
from gateway.tenants.registry import Rules, Slot, Tenants, claims_of

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

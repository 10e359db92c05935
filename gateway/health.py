"""The state of what we depend on."""

from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING

import msgspec

from gateway.observing.watching import Vendors
from gateway.shared_store import SharedStore
from gateway.storage.database import Database, Unavailable
from gateway.telemetry.collector import Collector
from gateway.tenants.directory import Directory
from gateway.tokens.lifecycle import DEFAULT_TENANT
from gateway.vendor_credentials import ACCESS_TOKEN, ORG_ID, SECRET_KEY

if TYPE_CHECKING:
    from gateway.oidc.identity_provider import IdentityProvider


class Dependency(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that we depend on."""

    state: str
    """`ok`, or what is wrong with it."""
    required: bool
    """Whether we are not ready without it."""
    detail: str | None = None
    """What follows from its state."""
    since: datetime | None = None
    """From when on this process has seen it so."""


class History:
    """Since when each dependency is as it is, as far as this process has looked."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, float]] = {}

    def since(self, name: str, state: str) -> float:
        """When this state was first seen, as Unix time; now, if it is new."""
        known = self._known.get(name)
        if known is None or known[0] != state:
            known = self._known[name] = (state, time())
        return known[1]


class Health:
    """Looks at everything that we depend on.

    Args:
        database: Without which we are not ready.
        shared: Redis, if there is one.
        issuer: The identity provider, if there is one.
        directory: Whose credentials there are.
        vendors: How their breakers are.
        collector: What is known of the collector; None: nothing is sent.
    """

    def __init__(
        self,
        *,
        database: Database,
        shared: SharedStore | None,
        issuer: "IdentityProvider | None",
        directory: Directory,
        vendors: Vendors,
        collector: Collector | None,
    ) -> None:
        self._database = database
        self._shared = shared
        self._issuer = issuer
        self._directory = directory
        self._vendors = vendors
        self._collector = collector
        self._history = History()

    async def dependencies(self) -> dict[str, Dependency]:
        """Every dependency by name, each with the time since when it is so."""
        found = {
            "database": Dependency(state=await _database(self._database), required=True),
            "funnelflux": self._vendor("funnelflux", ACCESS_TOKEN),
            "funnelfox": self._vendor("funnelfox", ORG_ID, SECRET_KEY),
        }
        if self._shared is not None:
            found["redis"] = _redis(self._shared)
        if self._issuer is not None:
            found["identity_provider"] = Dependency(state=self._issuer.state, required=False)
        if len([*self._directory]) > 1:
            found["tenants"] = Dependency(state=_tenants(self._directory), required=False)
        if self._collector is not None:
            found["collector"] = _collector(self._collector)
        return {name: self._dated(name, dependency) for name, dependency in found.items()}

    def _vendor(self, name: str, *slots: str) -> Dependency:
        """How the default tenant's credentials are, and whether the vendor answers."""
        state = _configured(self._directory, *slots)
        failing = self._vendors.failing(name)
        if state != "ok" or not failing:
            return Dependency(state=state, required=False)
        return Dependency(
            state="failing",
            required=False,
            detail=f"It is left alone for some seconds: {', '.join(sorted(failing))}.",
            since=_moment(min(failing.values())),
        )

    def _dated(self, name: str, dependency: Dependency) -> Dependency:
        if dependency.since is not None:
            return dependency
        since = self._history.since(name, dependency.state)
        return msgspec.structs.replace(dependency, since=_moment(since))


async def _database(database: Database) -> str:
    try:
        return "ok" if await database.is_current() else "not_migrated"
    except Unavailable:
        return "unavailable"


def _redis(shared: SharedStore) -> Dependency:
    since = _moment(shared.state.since)
    if shared.state.reachable:
        return Dependency(state="ok", required=False, since=since)
    return Dependency(state="unavailable", required=False, detail="Limits are counted per process.", since=since)


def _collector(collector: Collector) -> Dependency:
    """How sending traces goes; nothing is lost by it but what they would have shown."""
    state = collector.state
    if state is None:
        return Dependency(state="starting", required=False)
    return Dependency(state="ok" if state.reachable else "unavailable", required=False, since=_moment(state.since))


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


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)

"""What works and what does not, found out by asking each vendor something that changes nothing."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from time import perf_counter
from typing import Final

import msgspec

from clients.errors import (
    CredentialsRefused,
    Garbled,
    NotConfigured,
    NotFound,
    Operation,
    RateLimited,
    Refused,
    TimedOut,
    Unavailable,
    Unreachable,
    UpstreamError,
)
from gateway import telemetry
from gateway.metrics import Metrics
from gateway.observing.watching import Vendors
from gateway.settings import Settings
from gateway.storage.database import Database
from gateway.tenants.tenancy import Tenancy
from gateway.upstreams import HARMLESS, Upstreams, VendorAccounts

FAILING: Final = 1
"""The exit code when a vendor that is configured does not work."""

NOT_CONFIGURED: Final = 2
"""The exit code when no vendor is configured."""

DRIFTING: Final = 3
"""The exit code when all works, but some answers are not as documented."""

_REMEDIES: Final[Mapping[type[UpstreamError], str]] = {
    NotConfigured: "Set the variables that are named, or give the tenant its credentials.",
    CredentialsRefused: "Mint new credentials in the vendor's app and set them; the ones at hand are not accepted.",
    Unreachable: "Check the vendor's URL, name resolution, TLS certificates and the way out of this network.",
    TimedOut: "Check the way out of this network; if others reach the vendor, raise the time limits.",
    Unavailable: "The vendor fails: wait, and tell its support if it lasts.",
    RateLimited: "The vendor is asked too often: wait, and look for other users of these credentials.",
    Garbled: "Check the vendor's URL: what answers there is not the vendor, or its API has changed.",
    NotFound: "Check the vendor's URL and the organization's id.",
    Refused: "Read the vendor's words; they are about our request.",
}

_OTHERWISE: Final = "Try again; if it lasts, look at the gateway's log."


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one call came to."""

    upstream: str
    operation: str
    state: str
    """`ok`, or what went wrong."""
    detail: str | None
    """The same in words; the vendor's own where it spoke."""
    ms: float
    drift: tuple[str, ...]
    """Ways in which the answer is not as documented."""
    remedy: str | None
    """What to do; None: nothing."""


async def examined(settings: Settings, database: Database, tenant: str) -> list[Finding]:
    """Ask the vendors with a tenant's credentials, just as the gateway would.

    Tokens that a vendor renews meanwhile are kept where the gateway finds them.

    Raises:
        LookupError: There is no such tenant.
        database.Unavailable: The database fails.
    """
    log = telemetry.logger("error", settings.log_format)
    vendors = Vendors(Metrics(sent=False), log)
    provider = telemetry.tracer_provider()
    async with AsyncExitStack() as closing:
        tenancy = Tenancy(settings, database, shared=None, log=log)
        await tenancy.start()
        closing.push_async_callback(tenancy.close)
        if tenancy.directory.of(tenant) is None:
            raise LookupError(tenant)
        upstreams = Upstreams(
            settings,
            directory=tenancy.directory,
            bearers=tenancy.bearers,
            sandbox_url=None,
            provider=provider,
            vendors=vendors,
            log=log,
        )
        closing.push_async_callback(upstreams.close)
        accounts = upstreams.accounts(tenant, "live")
        return [await _asked(operation, call, accounts, vendors) for operation, call in HARMLESS]


async def _asked(
    operation: Operation, call: Callable[[VendorAccounts], Awaitable[object]], accounts: VendorAccounts, seen: Vendors
) -> Finding:
    started = perf_counter()
    failure: UpstreamError | None = None
    try:
        await call(accounts)
    except UpstreamError as error:
        failure = error
    drift = tuple(
        " ".join(filter(None, (deviation.kind, deviation.path, deviation.seen)))
        for deviation in seen.deviations(operation)
    )
    return Finding(
        upstream=operation.upstream,
        operation=operation.name,
        state="ok" if failure is None else failure.low_cardinality,
        detail=failure.detail if failure is not None else None,
        ms=round((perf_counter() - started) * 1000, 1),
        drift=drift,
        remedy=_remedy(failure, drift),
    )


def _remedy(failure: UpstreamError | None, drift: tuple[str, ...]) -> str | None:
    if failure is not None:
        return next((told for kind, told in _REMEDIES.items() if isinstance(failure, kind)), _OTHERWISE)
    if drift:
        return "Nothing fails by it. Look for a newer gateway, and read what the vendor has announced."
    return None


def exit_code(findings: Sequence[Finding], *, strict: bool) -> int:
    """0 if what is configured works, or else one of the codes above; drift counts only if `strict`."""
    states = [finding.state for finding in findings]
    if all(state == NotConfigured.__name__ for state in states):
        return NOT_CONFIGURED
    if any(state not in {"ok", NotConfigured.__name__} for state in states):
        return FAILING
    return DRIFTING if strict and any(finding.drift for finding in findings) else 0


def told(findings: Iterable[Finding]) -> str:
    """For people."""
    lines = []
    for finding in findings:
        took = f"{finding.ms:g} ms"
        lines.append(f"{finding.upstream:<11} {finding.operation:<24} {finding.state}, {took}")
        if finding.detail is not None:
            lines.append(f"    why: {finding.detail}")
        lines += [f"    drift: {deviation}" for deviation in finding.drift]
        if finding.remedy is not None:
            lines.append(f"    do: {finding.remedy}")
    return "\n".join(lines)

"""Plays one fault: every call is made while it lasts, and once more when it is over."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import uuid4

import httpx
import msgspec

from clients.sandbox.emulator import Sandbox
from clients.secret import Secret
from gateway.settings import Settings
from tests.faults.asks import ASKS, Ask
from tests.faults.promises import RETRYABLE, Promise
from tests.support.gateway import RunningGateway, Tenant


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one call."""

    during: httpx.Response
    """The answer while the fault lasts."""

    calls: int
    """Requests for its operation that the vendor saw meanwhile."""

    afterwards: httpx.Response
    """The answer to the same call when the fault is over."""


def gateway_settings(folder: Path, vendor_url: str, **numbers: float) -> Settings:
    """A gateway whose vendors are all behind one URL, and whose breakers do not open."""
    return Settings(
        cache_list_fresh_seconds=0,
        cache_detail_fresh_seconds=0,
        database_url=Secret(f"sqlite:///{folder / 'gateway.db'}"),
        sandbox=vendor_url,
        log_level="error",
        breaker_calls=10**8,
        **numbers,  # type: ignore[arg-type]  # numbers of policy only
    )


def played(
    gateway: RunningGateway, sandbox: Sandbox, fault: Callable[[Tenant], AbstractContextManager[None]]
) -> Mapping[str, Played]:
    """Make every call at once under a fault, and one after the other when it is over.

    Args:
        gateway: Of this fault's own, because all its calls share one budget of retries.
        sandbox: Where calls are counted.
        fault: Lasts for its block.

    Returns:
        By the name of the ask.
    """
    tenant = Tenant(f"t{uuid4().hex[:12]}", gateway, sandbox)
    with tenant.client() as api:
        api.get("/v1/domains").raise_for_status()  # The vendor's bearer is validated before the fault begins.
        sends = [ask.prepare(api) for ask in ASKS]
        before = [tenant.calls(ask.operation) for ask in ASKS]
        with fault(tenant):
            with ThreadPoolExecutor(len(sends)) as callers:
                during = list(callers.map(lambda send: send(), sends))
            seen = [tenant.calls(ask.operation) - count for ask, count in zip(ASKS, before, strict=True)]
        afterwards = [ask.prepare(api)() for ask in ASKS]
    return {
        ask.name: Played(during=one, calls=calls, afterwards=after)
        for ask, one, calls, after in zip(ASKS, during, seen, afterwards, strict=True)
    }


def assert_answered(reply: httpx.Response, ask: Ask, promise: Promise) -> None:
    """The answer is what was promised: status, code, whether to try again, whether the outcome is known."""
    if promise.code is None:
        assert reply.status_code == ask.answer, reply.text
        return
    body = reply.json()
    unknown = promise.code == "outcome_unknown"
    assert (reply.status_code, body["code"], body["status"]) == (promise.status, promise.code, promise.status)
    assert reply.headers["content-type"] == "application/problem+json"
    assert body["retryable"] is (promise.code in RETRYABLE or (unknown and ask.orphan_harmless))
    assert body.get("outcome") == ("unknown" if unknown else None)

"""What is seen of calls to vendors: a line and numbers for each attempt, drift, and how the breakers are."""

from collections.abc import Mapping
from time import time
from typing import Final

import httpx
import msgspec
from opentelemetry.trace import format_trace_id, get_current_span
from typing_extensions import override

from clients.drift import Deviation, Sentinel
from clients.errors import Kind, Operation
from clients.watch import Attempt, Watcher
from gateway.metrics import Metrics
from gateway.observing.reporting import current
from gateway.principal import Mode
from gateway.telemetry import Log
from gateway.telemetry.collector import CollectorState

MOST_WARNED: Final = 1000
"""Deviations that are remembered, so that each is told once."""


MOST_TENANTS: Final = 1000
"""Tenants whose vendor tokens are known to expire."""


IDLE_SECONDS: Final = 3600.0
"""So long after its expiry, a token that was not renewed is not in use."""


class Breaker(msgspec.Struct, frozen=True):
    """How one breaker is."""

    is_open: bool
    since: float
    """Unix time."""


class Vendors:
    """Sees the calls of all vendors in this process.

    Args:
        metrics: Where numbers go.
        log: Where lines go.
    """

    def __init__(self, metrics: Metrics, log: Log) -> None:
        self._metrics = metrics
        self._log = log
        self._breakers: dict[tuple[str, Mode, Kind], Breaker] = {}
        self._expiries: dict[tuple[str, Mode], dict[str, float]] = {}
        self._warned: set[tuple[Operation, Deviation]] = set()
        self._sentinel = Sentinel(self._drifted)

    def watcher(self, peer: str, mode: Mode) -> Watcher:
        """What the calls of one vendor in one mode tell."""
        return _Watcher(self, peer, mode)

    def failing(self, vendor: str) -> Mapping[Kind, float]:
        """For which kinds of operation a vendor is left alone in live mode, and since when, as Unix time."""
        return {
            kind: breaker.since
            for (peer, mode, kind), breaker in self._breakers.items()
            if breaker.is_open and mode == "live" and peer.partition("-")[0] == vendor
        }

    def deviations(self, operation: Operation) -> list[Deviation]:
        """What in the answers to an operation was not as documented."""
        return sorted(deviation for its, deviation in self._warned if its == operation)

    def attempted(self, attempt: Attempt, mode: Mode) -> None:
        """An attempt has ended."""
        self._metrics.attempted(attempt, mode)
        if not self._log.tells("info"):
            return
        exchange = current.get()
        principal = exchange.principal if exchange is not None else None
        trace_id = get_current_span().get_span_context().trace_id
        self._log.info(
            "upstream attempt",
            upstream=attempt.operation.upstream,
            operation=attempt.operation.name,
            status=attempt.status,
            error=attempt.error,
            resend=attempt.resend or None,
            ms=round(attempt.seconds * 1000, 1),
            mode=mode,
            request_id=exchange.occurrence.request_id if exchange is not None else None,
            trace_id=format_trace_id(trace_id) if trace_id else None,
            tenant=principal.tenant if principal is not None else None,
            token_id=principal.token_id if principal is not None else None,
        )

    def answered(self, operation: Operation, content: bytes) -> None:
        """A vendor has said yes."""
        self._sentinel.look(operation, content)

    def turned(self, peer: str, mode: Mode, kind: Kind, *, is_open: bool) -> None:
        """A breaker has opened or closed."""
        self._breakers[peer, mode, kind] = Breaker(is_open, time())
        self._metrics.breaker(peer, kind, mode, is_open=is_open)
        if is_open:
            self._log.warning("a vendor fails and is left alone", upstream=peer, kind=kind, mode=mode)
        else:
            self._log.warning("a vendor answers again", upstream=peer, kind=kind, mode=mode)

    def token_expires(self, upstream: str, tenant: str, mode: Mode, at: float) -> None:
        """A tenant's vendor token was renewed, and expires at that Unix time."""
        known = self._expiries.setdefault((upstream, mode), {})
        # A tenant that makes no calls has an expired token, and that is nobody's concern.
        for idle in [other for other, expiry in known.items() if expiry < time() - IDLE_SECONDS]:
            del known[idle]
        known.pop(tenant, None)
        known[tenant] = at
        if len(known) > MOST_TENANTS:
            del known[next(iter(known))]  # The one that was renewed longest ago.
        self._metrics.token_expires(upstream, mode, min(known.values()))

    def _drifted(self, operation: Operation, deviation: Deviation) -> None:
        self._metrics.drifted(operation, deviation.kind)
        told = (operation, deviation)
        if told in self._warned or len(self._warned) >= MOST_WARNED:
            return
        self._warned.add(told)
        self._log.warning(
            "a vendor's answer is not as documented",
            upstream=operation.upstream,
            operation=operation.name,
            drift=deviation.kind,
            path=deviation.path,
            seen=deviation.seen or None,
        )


def collector_turned(log: Log, metrics: Metrics, state: CollectorState) -> None:
    """The collector went, or came back: nothing is lost but what it would have shown."""
    metrics.collector(failing=not state.reachable)
    if state.reachable:
        log.warning("collector is back")
    else:
        log.warning("collector is gone")


class _Watcher(Watcher):
    def __init__(self, vendors: Vendors, peer: str, mode: Mode) -> None:
        self._vendors = vendors
        self._peer = peer
        self._mode = mode

    @override
    def attempted(self, attempt: Attempt) -> None:
        self._vendors.attempted(attempt, self._mode)

    @override
    def answered(self, operation: Operation, reply: httpx.Response) -> None:
        self._vendors.answered(operation, reply.content)

    @override
    def turned(self, kind: Kind, *, is_open: bool) -> None:
        self._vendors.turned(self._peer, self._mode, kind, is_open=is_open)

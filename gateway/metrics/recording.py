"""What happens, in numbers: the one place where any of them is recorded."""

from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, disable_created_metrics

from clients.errors import Kind, Operation
from clients.watch import Attempt
from gateway.metrics.exposition import Exposition
from gateway.metrics.instruments import Instrument
from gateway.metrics.otlp import Sending
from gateway.telemetry import names, traces
from gateway.telemetry.resource import resource


class Metrics:
    """Records; every method takes a few microseconds, and none fails.

    Args:
        who: We, by default as the environment says.
        sent: Whether they are; by default as the environment says.
    """

    def __init__(self, who: Resource | None = None, *, sent: bool | None = None) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # Series that hold when a series began: as many again, for nothing.
        registry = CollectorRegistry()
        self.who = who or resource()
        """We, in whatever is sent by this process."""
        made = {metric: Instrument(metric, registry=registry) for metric in names.METRICS}
        wanted = traces.exports("metrics") if sent is None else sent
        self._sending = Sending([*made.values()], self.who) if wanted else None
        self.exposition = Exposition(registry)
        """The numbers as text."""
        self._requests = made[names.REQUESTS]
        self._active = made[names.ACTIVE]
        self._attempts = made[names.ATTEMPTS]
        self._retries = made[names.RETRIES]
        self._problems = made[names.PROBLEMS]
        self._unknown = made[names.UNKNOWN]
        self._settled = made[names.SETTLED]
        self._cache = made[names.CACHE]
        self._cache_entries = made[names.CACHE_ENTRIES]
        self._cache_bytes = made[names.CACHE_BYTES]
        self._lookups = made[names.TOKEN_LOOKUPS]
        self._breakers = made[names.BREAKERS]
        self._expiry = made[names.TOKEN_EXPIRY]
        self._drift = made[names.DRIFT]
        self._failing = made[names.EXPORT_FAILING]

    def close(self) -> None:
        """Send what was not sent yet; waits for the collector."""
        if self._sending is not None:
            self._sending.shutdown()

    def began(self, method: str, scheme: str) -> None:
        """A request came. `method` is a known one."""
        self._active.add((method, scheme))

    def left(self, method: str, scheme: str) -> None:
        """A request that began waits for nothing any more."""
        self._active.add((method, scheme), -1)

    def ended(
        self, method: str, scheme: str, *, route: str | None, status: int | None, problem: str | None, seconds: float
    ) -> None:
        """A request that began was answered, or its caller left; see `answered`."""
        self.left(method, scheme)
        self.answered(method, scheme, route=route, status=status, problem=problem, seconds=seconds)

    def answered(
        self, method: str, scheme: str, *, route: str | None, status: int | None, problem: str | None, seconds: float
    ) -> None:
        """The same for a request that was answered the moment it came.

        Args:
            method: A known one.
            scheme: `http` or `https`.
            route: The template; None: nothing was routed.
            status: None: no answer was begun.
            problem: The code of the problem that it ended with.
            seconds: From its first byte on.
        """
        failed = status is None or status >= traces.SERVER_FAILURES
        error = (problem or "disconnected") if failed else None
        self._requests.observe((method, route, status, error, scheme), seconds)
        if problem is not None:
            self._problems.add((problem, route))

    def cached(self, result: str, route: str | None) -> None:
        """The cache had something to do with an answer."""
        self._cache.add((result, route))

    def cache_holds(self, entries: int, size: int) -> None:
        """What is kept has changed; `size` in bytes."""
        self._cache_entries.set((), entries)
        self._cache_bytes.set((), size)

    def unknown(self, route: str | None, mode: str) -> None:
        """Nobody knows what came of a write; without a route, the request is gone that it was sent for."""
        self._unknown.add((route, mode))

    def settled(self, outcome: str, mode: str) -> None:
        """A look at the vendor told how an operation ended: `succeeded`, `failed`, or `review` if it takes a person."""
        self._settled.add((outcome, mode))

    def attempted(self, attempt: Attempt, mode: str) -> None:
        """An attempt at a vendor has ended."""
        operation = attempt.operation
        template = operation.name.partition(" ")[2]
        address = (attempt.host, attempt.port, operation.upstream, mode)
        self._attempts.observe((attempt.method, template, attempt.status, attempt.error, *address), attempt.seconds)
        if attempt.resend:
            self._retries.add((operation.upstream, template, mode))

    def looked_up(self, source: str) -> None:
        """A token was checked: `memory` or `database` knew it."""
        self._lookups.add((source,))

    def breaker(self, upstream: str, kind: Kind, mode: str, *, is_open: bool) -> None:
        """A breaker has turned."""
        self._breakers.set((upstream, kind, mode), float(is_open))

    def token_expires(self, upstream: str, mode: str, at: float) -> None:
        """The first of the vendor tokens in use expires at that Unix time."""
        self._expiry.set((upstream, mode), at)

    def drifted(self, operation: Operation, kind: str) -> None:
        """An answer deviates from its document."""
        self._drift.add((operation.upstream, operation.name.partition(" ")[2], kind))

    def collector(self, *, failing: bool) -> None:
        """The collector has turned."""
        self._failing.set((), float(failing))

"""Every name that leaves the gateway in a metric, a span or an attribute: dashboards and alerts rest on them.

HTTP, database and error names are OpenTelemetry's stable conventions; ours begin
with `gateway.`. In Prometheus' text a name has `_` for `.` and ends with its unit.
"""

from typing import Final, Literal

import msgspec

STANDARD_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Seconds; as the conventions for HTTP metrics advise."""


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric. No label names a tenant, a token or a customer: their number has no bound."""

    name: str
    kind: Literal["counter", "histogram", "up_down", "gauge"]
    unit: str
    """UCUM, as OpenTelemetry has it."""
    meaning: str
    labels: tuple[str, ...] = ()
    over_workers: Literal["livesum", "livemin"] = "livesum"
    """How a level of several processes becomes one."""

    @property
    def prometheus(self) -> str:
        """Its name in Prometheus' text, without `_total` and the like."""
        unit = {"s": "_seconds", "By": "_bytes"}.get(self.unit, "")
        return f"{self.name.replace('.', '_')}{unit}"


REQUESTS: Final = Metric(
    name="http.server.request.duration",
    kind="histogram",
    unit="s",
    meaning="Requests of callers, from the first byte read to the last one written.",
    labels=("http.request.method", "http.route", "http.response.status_code", "error.type", "url.scheme"),
)
ACTIVE: Final = Metric(
    name="http.server.active_requests",
    kind="up_down",
    unit="{request}",
    meaning="Requests that are being answered.",
    labels=("http.request.method", "url.scheme"),
)
ATTEMPTS: Final = Metric(
    name="http.client.request.duration",
    kind="histogram",
    unit="s",
    meaning="Attempts at a vendor, each by itself.",
    labels=(
        "http.request.method",
        "url.template",
        "http.response.status_code",
        "error.type",
        "server.address",
        "server.port",
        "gateway.upstream",
        "gateway.mode",
    ),
)
RETRIES: Final = Metric(
    name="gateway.upstream.retries",
    kind="counter",
    unit="{attempt}",
    meaning="Attempts after the first.",
    labels=("gateway.upstream", "url.template", "gateway.mode"),
)
PROBLEMS: Final = Metric(
    name="gateway.problems",
    kind="counter",
    unit="{request}",
    meaning="Requests that ended with a problem, by its code: `rate_limited`, `overloaded`, `outcome_unknown`, ...",
    labels=("gateway.problem", "http.route"),
)
UNKNOWN: Final = Metric(
    name="gateway.outcomes.unknown",
    kind="counter",
    unit="{request}",
    meaning="Writes of which nobody knows yet whether the vendor did them; without a route, their process was lost.",
    labels=("http.route", "gateway.mode"),
)
SETTLED: Final = Metric(
    name="gateway.operations.settled",
    kind="counter",
    unit="{operation}",
    meaning="Open operations by what a look at the vendor told: `succeeded`, `failed`, or `review` (by a person).",
    labels=("gateway.outcome", "gateway.mode"),
)
CACHE: Final = Metric(
    name="gateway.cache.requests",
    kind="counter",
    unit="{request}",
    meaning="Requests by what the cache had to do with their answer.",
    labels=("gateway.cache", "http.route"),
)
CACHE_ENTRIES: Final = Metric(
    name="gateway.cache.entries",
    kind="gauge",
    unit="{entry}",
    meaning="What vendors said that is kept in memory.",
)
CACHE_BYTES: Final = Metric(
    name="gateway.cache.size",
    kind="gauge",
    unit="By",
    meaning="How much memory that takes, with the answers made from it.",
)
TOKEN_LOOKUPS: Final = Metric(
    name="gateway.token.lookups",
    kind="counter",
    unit="{lookup}",
    meaning="Tokens that were checked, by where they were known from: `memory` or `database`.",
    labels=("gateway.token.source",),
)
BREAKERS: Final = Metric(
    name="gateway.breaker.open",
    kind="gauge",
    unit="{process}",
    meaning="Processes whose breaker is open for this vendor and kind of operation.",
    labels=("gateway.upstream", "gateway.operation.kind", "gateway.mode"),
)
TOKEN_EXPIRY: Final = Metric(
    name="gateway.upstream.token.expiry",
    kind="gauge",
    unit="s",
    meaning="When the first of the vendor tokens in use expires, as Unix time; they live for 72 hours.",
    labels=("gateway.upstream", "gateway.mode"),
    over_workers="livemin",
)
DRIFT: Final = Metric(
    name="gateway.upstream.drift",
    kind="counter",
    unit="{deviation}",
    meaning="Deviations of a vendor's answers from its document, among those that were looked at.",
    labels=("gateway.upstream", "url.template", "gateway.drift"),
)
EXPORT_FAILING: Final = Metric(
    name="gateway.collector.failing",
    kind="gauge",
    unit="{process}",
    meaning="Processes whose collector did not take what it was last sent.",
)

METRICS: Final = (
    REQUESTS,
    ACTIVE,
    ATTEMPTS,
    RETRIES,
    PROBLEMS,
    UNKNOWN,
    SETTLED,
    CACHE,
    CACHE_ENTRIES,
    CACHE_BYTES,
    TOKEN_LOOKUPS,
    BREAKERS,
    TOKEN_EXPIRY,
    DRIFT,
    EXPORT_FAILING,
)
"""All of them."""


class SpanName(msgspec.Struct, frozen=True):
    """One kind of span."""

    name: str
    kind: Literal["SERVER", "CLIENT", "INTERNAL"]
    meaning: str


SPANS: Final = (
    SpanName("{METHOD} {route template}", "SERVER", "A request; `{METHOD}` alone if nothing was routed."),
    SpanName("{METHOD} {vendor path template}", "CLIENT", "One attempt at a vendor."),
    SpanName("token lookup", "INTERNAL", "A token that memory does not know; without it, memory did."),
    SpanName("rate limit", "CLIENT", "A limit that is counted in Redis."),
    SpanName("cache", "INTERNAL", "A look into the cache; who waits for another request's load links to its look."),
    SpanName("idempotency", "INTERNAL", "A look at what an `Idempotency-Key` led to before."),
    SpanName("vendor token", "INTERNAL", "The wait for a vendor token to be renewed."),
    SpanName("{SQL verb} {table}", "CLIENT", "A statement."),
    SpanName("{Redis command}", "CLIENT", "A command, or `PIPELINE` for several at once."),
    SpanName("revalidate", "INTERNAL", "A trace of its own, linked to the request that was answered stale."),
    SpanName("settle operation", "INTERNAL", "What the vendor is asked to find out how a write ended."),
    SpanName("renew vendor token", "INTERNAL", "A trace of its own, linked to the request that began it."),
    SpanName("write last use of tokens", "INTERNAL", "A trace of its own."),
    SpanName("remove old audit events", "INTERNAL", "A trace of its own."),
)
"""All of them."""


CACHE_STATUS: Final = "gateway.cache"
CACHE_TOPIC: Final = "gateway.cache.topic"
"""Both are told by more than one."""


ATTRIBUTES: Final = {
    "http.request.method": "The method, `_OTHER` if nobody knows it.",
    "http.request.method_original": "What it was then.",
    "http.route": "The route template.",
    "http.response.status_code": "Our status, or the vendor's; absent if none came.",
    "http.request.resend_count": "1 for the second attempt, and so on; absent on the first.",
    "url.scheme": "`http` or `https`, as the gateway sees it.",
    "url.template": "The vendor's path template; never a path, never a query.",
    "server.address": "The vendor's host.",
    "server.port": "The vendor's port.",
    "error.type": "A problem's code, a kind of failure or a documented code of the vendor.",
    "db.system.name": "`sqlite`, `postgresql` or `redis`.",
    "db.operation.name": "The SQL verb or the Redis command.",
    "db.operation.batch.size": "Commands in a pipeline.",
    "db.collection.name": "The table.",
    "db.query.text": "The statement, without a value.",
    "gateway.request_id": "As in `X-Request-Id`, problems and the log.",
    "gateway.tenant": "Whose token it was.",
    "gateway.mode": "`live` or `test`.",
    "gateway.token_id": "Which token; absent for a JWT.",
    CACHE_STATUS: "`hit`, `stale`, `miss`, `collapsed` or `bypass`.",
    CACHE_TOPIC: "What was looked for.",
    "gateway.problem": "The code of the problem that was answered.",
    "gateway.operation_id": "The operation that a write is, as in `/v1/operations/{id}`.",
    "gateway.idempotency": "`first`: the key was new; `replayed`: its answer is given again.",
    "gateway.outcome": "`unknown`: nobody knows whether the write happened; on `settle operation`, what was found out.",
    "gateway.upstream": "`funnelflux`, `funnelfox` or `identity_provider`.",
    "gateway.upstream.request_id": "The vendor's own, where it gave one.",
    "gateway.upstream.sent": "Whether the vendor may have seen a request that it did not answer.",
    "gateway.deadline.remaining": "Seconds that the request had left as the attempt began.",
}
"""Every attribute, and what it says. None holds a secret, a body, a query, a path, an address or a customer."""

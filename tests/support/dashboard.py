"""The Grafana dashboard, `docs/grafana/dashboard.json`: run as a module, it prints it."""

import json
import sys
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

HEIGHT: Final = 8
ACROSS: Final = 24
"""Grafana's own units."""

OURS: Final = 'http_route!~"/health/.*|/metrics"'
"""Requests that somebody made to have something done."""

FAILED: Final = f'http_response_status_code=~"5..",{OURS}'

HITS: Final = 'gateway_cache=~"hit|stale|collapsed"'

MODE: Final = 'gateway_mode=~"$mode"'


class Panel(NamedTuple):
    """One picture."""

    title: str
    unit: Literal["reqps", "s", "percentunit", "short", "bytes", "ops"]
    queries: dict[str, str]
    """PromQL by its legend."""
    width: int = 8
    kind: Literal["timeseries", "stat"] = "timeseries"


def _rate(metric: str, labels: str = "", by: str = "") -> str:
    return f"sum {f'by ({by}) ' if by else ''}(rate({metric}{{{labels}}}[$__rate_interval]))"


def _quantile(share: float, metric: str, labels: str, by: str = "") -> str:
    groups = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {_rate(f'{metric}_bucket', labels, groups)})"


def _share(part: str, whole: str) -> str:
    return f"{part} / {whole}"


REQUESTS: Final = "http_server_request_duration_seconds"
ATTEMPTS: Final = "http_client_request_duration_seconds"

ROWS: Final[dict[str, tuple[Panel, ...]]] = {
    "Callers": (
        Panel(
            "Requests by status",
            "reqps",
            {"{{http_response_status_code}}": _rate(f"{REQUESTS}_count", OURS, "http_response_status_code")},
        ),
        Panel(
            "Time to answer",
            "s",
            {f"p{share * 100:g}": _quantile(share, REQUESTS, OURS) for share in (0.5, 0.95, 0.99)},
        ),
        Panel(
            "Share of 5xx",
            "percentunit",
            {"5xx": _share(_rate(f"{REQUESTS}_count", FAILED), _rate(f"{REQUESTS}_count", OURS))},
        ),
        Panel(
            "Slowest routes (p95)",
            "s",
            {"{{http_route}}": f"topk(10, {_quantile(0.95, REQUESTS, OURS, 'http_route')})"},
        ),
        Panel("Problems", "ops", {"{{gateway_problem}}": _rate("gateway_problems_total", "", "gateway_problem")}),
        Panel(
            "Being answered",
            "short",
            {"{{http_request_method}}": "sum by (http_request_method) (http_server_active_requests)"},
        ),
    ),
    "Vendors": (
        Panel("Attempts", "reqps", {"{{gateway_upstream}}": _rate(f"{ATTEMPTS}_count", MODE, "gateway_upstream")}),
        Panel(
            "Time to answer (p95)",
            "s",
            {"{{gateway_upstream}}": _quantile(0.95, ATTEMPTS, MODE, "gateway_upstream")},
        ),
        Panel(
            "Failed attempts",
            "ops",
            {
                "{{gateway_upstream}} {{error_type}}": _rate(
                    f"{ATTEMPTS}_count", f'error_type!="",{MODE}', "gateway_upstream, error_type"
                )
            },
        ),
        Panel(
            "Slowest calls (p95)",
            "s",
            {
                "{{gateway_upstream}} {{url_template}}": "topk(10, "
                + _quantile(0.95, ATTEMPTS, MODE, "gateway_upstream, url_template")
                + ")"
            },
        ),
        Panel(
            "Tried again",
            "ops",
            {"{{gateway_upstream}}": _rate("gateway_upstream_retries_total", MODE, "gateway_upstream")},
        ),
        Panel(
            "Open breakers",
            "short",
            {
                "{{gateway_upstream}} {{gateway_operation_kind}}": "sum by (gateway_upstream, gateway_operation_kind)"
                f" (gateway_breaker_open{{{MODE}}})"
            },
        ),
        Panel(
            "First vendor token expires in",
            "s",
            {
                "{{gateway_upstream}}": f"min by (gateway_upstream) (gateway_upstream_token_expiry_seconds{{{MODE}}})"
                " - time()"
            },
            width=8,
            kind="stat",
        ),
        Panel(
            "Answers that are not as documented",
            "short",
            {
                "{{gateway_upstream}} {{url_template}} {{gateway_drift}}": "sum by (gateway_upstream, url_template, "
                "gateway_drift) (gateway_upstream_drift_total)"
            },
            width=16,
        ),
    ),
    "Money": (
        Panel(
            "Payments and refunds, by status",
            "reqps",
            {
                "{{http_route}} {{http_response_status_code}}": _rate(
                    f"{REQUESTS}_count",
                    'http_request_method="POST",http_route=~"/v1/checkout/.*|/v1/refunds|/v1/subscriptions/.*"',
                    "http_route, http_response_status_code",
                )
            },
        ),
        Panel(
            "Writes of unknown outcome",
            "short",
            {"{{http_route}}": f"sum by (http_route) (gateway_outcomes_unknown_total{{{MODE}}})"},
        ),
        Panel(
            "What became of them",
            "short",
            {"{{gateway_outcome}}": f"sum by (gateway_outcome) (gateway_operations_settled_total{{{MODE}}})"},
        ),
    ),
    "Inside": (
        Panel("Cache", "reqps", {"{{gateway_cache}}": _rate("gateway_cache_requests_total", "", "gateway_cache")}),
        Panel(
            "Share of hits",
            "percentunit",
            {"hits": _share(_rate("gateway_cache_requests_total", HITS), _rate("gateway_cache_requests_total"))},
        ),
        Panel("Kept in memory", "bytes", {"{{instance}}": "sum by (instance) (gateway_cache_size_bytes)"}),
        Panel("Entries", "short", {"{{instance}}": "sum by (instance) (gateway_cache_entries)"}),
        Panel(
            "Tokens, by where they were known from",
            "ops",
            {"{{gateway_token_source}}": _rate("gateway_token_lookups_total", "", "gateway_token_source")},
        ),
        Panel("Processes without a collector", "short", {"failing": "sum(gateway_collector_failing)"}),
    ),
}


def queries() -> Iterator[tuple[str, str]]:
    """Every query with the title of its panel."""
    for panels in ROWS.values():
        for panel in panels:
            for query in panel.queries.values():
                yield panel.title, query


def dashboard() -> dict[str, Any]:
    """As Grafana imports it."""
    return {
        "title": "Funnel Gateway",
        "uid": "funnel-gateway",
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "tags": ["funnel-gateway"],
        "templating": {"list": [_datasource(), _mode()]},
        "panels": list(_placed()),
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _mode() -> dict[str, Any]:
    options = [{"text": text, "value": text, "selected": text == "live"} for text in ("live", "test")]
    return {
        "name": "mode",
        "label": "Mode",
        "type": "custom",
        "query": "live,test",
        "multi": True,
        "current": {"text": ["live"], "value": ["live"]},
        "options": options,
    }


def _placed() -> Iterator[dict[str, Any]]:
    number, top = 0, 0
    for title, panels in ROWS.items():
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": top, "w": ACROSS, "h": 1},
        }
        top, left = top + 1, 0
        for panel in panels:
            if left + panel.width > ACROSS:
                top, left = top + HEIGHT, 0
            number += 1
            yield _panel(panel, number) | {"gridPos": {"x": left, "y": top, "w": panel.width, "h": HEIGHT}}
            left += panel.width
        top += HEIGHT


def _panel(panel: Panel, number: int) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": source,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": source, "expr": query, "legendFormat": legend}
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(dashboard(), indent=1) + "\n")

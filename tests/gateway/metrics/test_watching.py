"""The dashboard and the alerts that we give away: each of their queries asks for what there is."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from gateway.problems import catalogue
from tests.support.bad_day import bad_day
from tests.support.dashboard import dashboard, queries
from tests.support.prometheus import tool, watching
from tests.support.promql import lacking, samples
from tests.support.timing import until

RULES = Path("docs/prometheus/alerts.yaml").absolute()
ALERTS = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]

needs_prometheus = pytest.mark.skipif(tool("prometheus") is None, reason="`make check-alerts` fetches Prometheus")

ASKED = [(rule["alert"], rule["expr"]) for rule in ALERTS] + [
    (title, query.replace("$__rate_interval", "1m").replace("$mode", "live")) for title, query in queries()
]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A gateway that has seen it all."""
    with bad_day(tmp_path_factory.mktemp("bad-day")) as api:
        yield api


def test_every_query_asks_for_what_we_have(day: httpx.Client) -> None:
    """Each metric and each label, in what a gateway shows of itself."""
    known = samples(day.get("/metrics").text)

    assert {name: lacking(query, known) for name, query in ASKED} == {name: [] for name, _ in ASKED}


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        ("sum(rate(gateway_problem_total[5m]))", ["gateway_problem_total"]),
        ("sum by (gateway_problem, http_rote) (gateway_problems_total)", ["gateway_problems_total by http_rote"]),
        ('gateway_problems_total{gateway_mode="live"} > 0', ["gateway_problems_total{gateway_mode}"]),
        (
            "histogram_quantile(0.9, sum by (le) (rate(http_server_request_duration_seconds_count[5m])))",
            ["http_server_request_duration_seconds_count by le"],
        ),
        ("gateway_collector_failing unless gone offset 5m", ["gone"]),
    ],
)
def test_a_query_that_asks_for_something_else_is_told(day: httpx.Client, query: str, missing: list[str]) -> None:
    """A name that was mistyped, or was changed on our side."""
    assert lacking(query, samples(day.get("/metrics").text)) == missing


def test_every_problem_that_is_watched_is_one() -> None:
    """The codes in the queries are in the catalogue."""
    named = {
        code
        for _, query in ASKED
        for codes in re.findall(r'gateway_problem=~?"([^"]+)"', query)
        for code in codes.split("|")
    }

    assert named
    assert named <= {problem.code for problem in catalogue()}


def test_the_dashboard_is_as_it_was_written() -> None:
    """`make docs` writes it anew."""
    assert json.loads(Path("docs/grafana/dashboard.json").read_text(encoding="utf-8")) == dashboard()


@needs_prometheus
def test_every_query_has_an_answer(day: httpx.Client, tmp_path: Path) -> None:
    """Prometheus itself scrapes the gateway and evaluates each; alerts without what they compare with."""
    waiting = {name: re.sub(r"> \d[\d.]*", "> -1e18", re.sub(r"< \d+", "< 1e18", query)) for name, query in ASKED}

    with watching(day.base_url, tmp_path) as prometheus:

        def all_answered() -> bool:
            day.get("/v1/domains", headers={"cache-control": "no-cache"})
            for name in [name for name, query in waiting.items() if prometheus.has(query)]:
                del waiting[name]
            return not waiting

        try:
            until(all_answered)
        except AssertionError:
            assert waiting == {}


ATTEMPTS = 'http_client_request_duration_seconds_count{gateway_upstream="a"'

CALM = {
    'http_server_request_duration_seconds_count{http_route="/a",http_response_status_code="200"}': "0+600x200",
    'http_server_request_duration_seconds_count{http_route="/a",http_response_status_code="502"}': "0+6x200",
    'http_server_request_duration_seconds_count{http_route="/health/ready",http_response_status_code="503"}': "0+9x200",
    'http_server_request_duration_seconds_bucket{http_route="/a",le="1"}': "0+600x200",
    'http_server_request_duration_seconds_bucket{http_route="/a",le="+Inf"}': "0+600x200",
    f'{ATTEMPTS},gateway_mode="live",error_type=""}}': "0+600x200",
    f'{ATTEMPTS},gateway_mode="live",error_type="TimedOut"}}': "0+6x200",
    f'{ATTEMPTS},gateway_mode="test",error_type="TimedOut"}}': "0+9x200",
    'gateway_breaker_open{gateway_upstream="a",gateway_operation_kind="read",gateway_mode="live"}': "0x200",
    'gateway_breaker_open{gateway_upstream="a",gateway_operation_kind="read",gateway_mode="test"}': "1x200",
    'gateway_upstream_token_expiry_seconds{gateway_upstream="a",gateway_mode="live"}': "259200x200",
    'gateway_problems_total{gateway_problem="rate_limited",http_route="/a"}': "0+6x200",
    'gateway_problems_total{gateway_problem="internal_error",http_route="/a"}': "3x200",
    'gateway_outcomes_unknown_total{http_route="/v1/refunds",gateway_mode="live"}': "3x200",
    'gateway_operations_settled_total{gateway_outcome="review",gateway_mode="live"}': "3x200",
    'gateway_operations_settled_total{gateway_outcome="review",gateway_mode="test"}': "0+1x200",
    'gateway_upstream_drift_total{gateway_upstream="a",url_template="/a",gateway_drift="unknown_field"}': "3x200",
    "gateway_collector_failing": "0x200",
}
"""Series, each minute: some failures, none of which are too many; and what was long ago."""

FIRST = "_x170 1x29"
"""What happens for the first time, so that its series begins with it."""

SLOW = 'http_server_request_duration_seconds_bucket{http_route="/v1/a",'

BAD = {
    "GatewayFails": {
        'http_server_request_duration_seconds_count{http_route="/v1/a",http_response_status_code="500"}': "0+60x200",
    },
    "GatewayNeedsHelp": {
        'gateway_problems_total{gateway_problem="internal_error",http_route="/v1/b"}': "_x195 1x5",
    },
    "GatewaySlow": {SLOW + 'le="5"}': "0x200", SLOW + 'le="10"}': "0+60x200", SLOW + 'le="+Inf"}': "0+60x200"},
    "VendorLeftAlone": {
        'gateway_breaker_open{gateway_upstream="b",gateway_operation_kind="money",gateway_mode="live"}': "0x190 1x10",
    },
    "VendorFails": {
        f'{ATTEMPTS},gateway_mode="live",error_type="Garbled"}}': "0+200x200",
    },
    "VendorRefusesUs": {
        'gateway_problems_total{gateway_problem="upstream_auth_failed",http_route="/v1/b"}': "_x195 1x5",
    },
    "VendorTokenExpires": {
        'gateway_upstream_token_expiry_seconds{gateway_upstream="b",gateway_mode="live"}': "12600x200",
    },
    "VendorDrifts": {
        'gateway_upstream_drift_total{gateway_upstream="b",url_template="/b",gateway_drift="new_value"}': FIRST,
    },
    "OutcomesUnknown": {'gateway_outcomes_unknown_total{http_route="",gateway_mode="live"}': "_x190 1x10"},
    "OperationsNeedReview": {
        'gateway_operations_settled_total{gateway_outcome="review",gateway_mode="live",instance="new"}': FIRST,
    },
    "LimitsRefuse": {'gateway_problems_total{gateway_problem="rate_limited",http_route="/v1/b"}': "0+60x200"},
    "CollectorFails": {'gateway_collector_failing{instance="new"}': "0x180 1x20"},
}
"""For each alert, series of which it is the one to tell."""


AGAIN = {
    "GatewayNeedsHelp": ("gateway_problems_total", 'gateway_problem="internal_error",http_route="/a"', 195),
    "VendorRefusesUs": ("gateway_problems_total", 'gateway_problem="upstream_auth_failed",http_route="/a"', 195),
    "VendorDrifts": (
        "gateway_upstream_drift_total",
        'gateway_upstream="a",url_template="/a",gateway_drift="unknown_field"',
        170,
    ),
    "OutcomesUnknown": ("gateway_outcomes_unknown_total", 'http_route="/v1/refunds",gateway_mode="live"', 190),
    "OperationsNeedReview": (
        "gateway_operations_settled_total",
        'gateway_outcome="review",gateway_mode="live"',
        150,
    ),
}
"""For each alert on what is rare, a series to which it happens once more, and after which minute."""


def judged(folder: Path, series: dict[str, str], *alerts: str) -> str:
    """What promtool has against the claim that these alerts, and no others, fire at the end of the series."""
    expected = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in alerts]
    asked = {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "199m", "exp_samples": expected}
    given = [{"series": name, "values": values} for name, values in (CALM | series).items()]
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": given, "promql_expr_test": [asked]}],
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(test))
    promtool = tool("promtool")
    assert promtool is not None
    done = subprocess.run(
        [promtool, "test", "rules", folder / "test.yaml"], capture_output=True, text=True, check=False, timeout=60
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_page_names_every_alert() -> None:
    """With its severity."""
    page = Path("docs/observability.md").read_text(encoding="utf-8")

    for rule in ALERTS:
        assert f"| `{rule['alert']}` | {rule['labels']['severity']} |" in page


@needs_prometheus
def test_a_calm_day_raises_no_alert(tmp_path: Path) -> None:
    """There are always some failures, and old ones."""
    assert judged(tmp_path, {}) == ""


@needs_prometheus
@pytest.mark.parametrize("alert", [rule["alert"] for rule in ALERTS])
def test_an_alert_is_raised_by_its_reason_and_no_other_is(alert: str, tmp_path: Path) -> None:
    """Rare ones by the first event already, which is where its series begins."""
    assert judged(tmp_path, BAD[alert], alert) == ""
    assert alert in judged(tmp_path, BAD[alert])


@needs_prometheus
@pytest.mark.parametrize("alert", AGAIN)
def test_an_alert_on_what_is_rare_is_raised_again(alert: str, tmp_path: Path) -> None:
    """By the second event of a series as by its first."""
    metric, labels, minute = AGAIN[alert]

    assert judged(tmp_path, {f"{metric}{{{labels}}}": f"3x{minute} 4x{199 - minute}"}, alert) == ""

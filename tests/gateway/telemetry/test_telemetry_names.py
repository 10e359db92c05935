"""The names that dashboards and alerts rest on."""

from pathlib import Path

import httpx

from gateway.telemetry.names import ATTRIBUTES
from tests.support import telemetry_tables
from tests.support.gateway import RunningGateway, Tenant
from tests.support.timing import until


def test_the_page_shows_the_names_as_they_are() -> None:
    """`python -m tests.support.telemetry_tables` prints its tables anew."""
    page = Path("docs/observability.md").read_text(encoding="utf-8")

    for table in (telemetry_tables.spans(), telemetry_tables.attributes(), telemetry_tables.metrics()):
        assert table in page


def test_no_span_has_an_attribute_that_is_not_in_the_table(
    api: httpx.Client, gateway: RunningGateway, tenant: Tenant
) -> None:
    """Whatever the requests came to, those of earlier tests too."""
    tenant.fails("GET /domains", "status", status=500)
    before = len(gateway.spans.get_finished_spans())
    for path in ("/v1/features", "/v1/domains", "/v1/price-points", "/v1/nothing", "/v1/customers/x"):
        api.get(path)
    api.post("/v1/domains", json={"hostname": "owned.example.net"})

    until(lambda: len(gateway.spans.get_finished_spans()) > before + 12)
    assert gateway.spans.attributes <= ATTRIBUTES.keys()

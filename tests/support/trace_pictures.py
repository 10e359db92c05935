"""The traces of the README, drawn from what a gateway on its sandbox really sends: run as a module, it writes them."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Final

import httpx

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.settings import Settings
from tests.support.charging import order_for, pay
from tests.support.collector import Collector, Span
from tests.support.gateway import RunningGateway, Tenant
from tests.support.waterfall import waterfall

FOLDER: Final = Path(__file__).parents[2] / "docs" / "traces"

DELAYS: Final = {
    "GET /domains/{domain}": 0.09,
    "POST /domains/check": 0.14,
    "POST /checkout/create_payment": 0.12,
}
"""Seconds for which the sandbox waits, so that the picture shows a vendor as far away as they are."""


def pictures() -> dict[str, str]:
    """Each by the name of its file."""
    collector = Collector()
    os.environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_METRICS_EXPORTER": "none"}
    with tempfile.TemporaryDirectory() as folder, SandboxServer() as sandbox:
        settings = Settings(
            database_url=Secret(f"sqlite:///{folder}/gateway.db"), sandbox=sandbox.url, log_level="error"
        )
        with RunningGateway(settings) as running:
            tenant = Tenant("pictures", running, sandbox.sandbox)
            with tenant.client() as api:
                merged, paid = _walked(tenant, api)
        spans = collector.spans
    collector.stop()
    return {
        "merged-domain.svg": waterfall(
            _trace_of(spans, merged),
            title="GET /v1/domains/live.brightside.example",
            caption="One answer from two calls to FunnelFlux at once: it takes as long as the slower one.",
        ),
        "checkout.svg": waterfall(
            _trace_of(spans, paid),
            title="POST /v1/checkout/payments",
            caption="The intention is kept before FunnelFox is called, and the answer before the caller gets it.",
        ),
    }


def _walked(tenant: Tenant, api: httpx.Client) -> tuple[str, str]:
    """The request ids of a merged call and of a payment, on a gateway that is warm."""
    pay(api, order_for(api))
    api.get("/v1/domains")
    order = order_for(api)
    for operation, seconds in DELAYS.items():
        tenant.fails(operation, "latency", seconds=seconds)
    merged = api.get("/v1/domains/live.brightside.example")
    paid = pay(api, order)
    assert (merged.status_code, paid.status_code) == (200, 200)
    return merged.headers["x-request-id"], paid.headers["x-request-id"]


def _trace_of(spans: list[Span], request_id: str) -> list[Span]:
    (trace_id,) = (span.trace_id for span in spans if span.attributes.get("gateway.request_id") == request_id)
    return [span for span in spans if span.trace_id == trace_id]


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, drawn in pictures().items():
        (FOLDER / name).write_text(drawn, encoding="utf-8")
        sys.stdout.write(f"{FOLDER.name}/{name}: {len(drawn)} bytes\n")

"""The emulator, held against what is known of both vendors, under generated requests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from clients.sandbox.credentials import credentials
from clients.sandbox.server import SandboxServer

UPSTREAMS = Path("openapi/upstreams")
TENANT = "conformance"

# Fixed examples, so that a run on CI and one at a desk see the same requests.
GENERATED = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

domains = schemathesis.openapi.from_path(UPSTREAMS / "funnelflux-domains.yaml")
billing = schemathesis.openapi.from_path(UPSTREAMS / "funnelfox-billing.yaml")


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    """A sandbox of its own: generated requests fill it."""
    with SandboxServer() as running:
        yield running


@domains.parametrize()
@GENERATED
def test_the_sandbox_is_the_domains_vendor(case: Case[Any], server: SandboxServer) -> None:
    """Whatever is sent, the answer is one that the document allows."""
    base = f"{server.url}/v1/{'auth' if case.operation.path == '/validate' else 'billing'}"
    case.call_and_validate(
        base_url=base, checks=CHECKS, headers={"authorization": f"Bearer {credentials(TENANT).access_token}"}
    )


@billing.parametrize()
@GENERATED
def test_the_sandbox_is_the_billing_vendor(case: Case[Any], server: SandboxServer) -> None:
    """Whatever is sent, the answer is one that the document allows."""
    secrets = credentials(TENANT)
    secret = {"ff-secret-key": secrets.secret_key} if case.operation.definition.raw["security"] else {}
    case.call_and_validate(base_url=f"{server.url}/{secrets.org_id}/v1", checks=CHECKS, headers=secret)

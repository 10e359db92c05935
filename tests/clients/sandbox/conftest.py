"""A sandbox of its own for every test: what one test does to the clock is no other's business."""

from collections.abc import Iterator

import httpx
import pytest

from clients.sandbox.server import SandboxServer
from tests.clients.sandbox.shop import Shop
from tests.support.plain import PLAIN


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    """A running sandbox."""
    with SandboxServer() as running:
        yield running


@pytest.fixture
def shop(server: SandboxServer) -> Iterator[Shop]:
    """A tenant with credentials at both vendors."""
    with httpx.Client(timeout=5.0, trust_env=False, verify=PLAIN) as http:
        yield Shop(server, http)

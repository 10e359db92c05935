"""The socket layer on servers that speak raw bytes."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the gateway runs on."""
    return "asyncio"

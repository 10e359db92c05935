"""The domains client on a vendor that says what a test tells it to."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the gateway runs on."""
    return "asyncio"

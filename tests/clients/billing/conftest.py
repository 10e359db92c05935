"""The billing clients on two vendors: the sandbox, and one that says what a test tells it to."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from clients.sandbox.account import Account
from clients.sandbox.credentials import credentials
from clients.sandbox.server import SandboxServer
from tests.support.billing import Billing, billing
from tests.support.scripted_vendor import ScriptedVendor


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the gateway runs on."""
    return "asyncio"


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    """A vendor that answers what the test wants; until told otherwise, it refuses everything."""
    async with ScriptedVendor() as listening:
        yield listening


@pytest.fixture
async def client(vendor: ScriptedVendor) -> AsyncIterator[Billing]:
    """Clients of that vendor, with a secret key."""
    async with billing(vendor.url, org_id="acme", secret_key="sk_1") as clients:
        yield clients


@pytest.fixture
def tenant() -> str:
    """A name that no other test uses."""
    return f"b{uuid4().hex[:12]}"


@pytest.fixture
def account(sandbox_server: SandboxServer, tenant: str) -> Account:
    """The tenant's account in the sandbox, with the story's data to begin with."""
    return sandbox_server.sandbox.account(tenant)


@pytest.fixture
async def shop(sandbox_server: SandboxServer, tenant: str) -> AsyncIterator[Billing]:
    """Clients of that account."""
    made = credentials(tenant)
    async with billing(sandbox_server.url, org_id=made.org_id, secret_key=made.secret_key) as clients:
        yield clients

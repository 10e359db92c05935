"""What every test may ask for: a running gateway on a running sandbox, and a tenant of its own."""

import gc
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import httpx
import pytest

from clients.sandbox.emulator import Sandbox
from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.settings import Settings
from tests.support.gateway import RunningGateway, Tenant
from tests.support.servers import Valkey, postgresql_in


def pytest_collection_finish() -> None:
    """Keep modules and tests, which live to the end, from being looked through for garbage again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    """One sandbox for all tests; each has its own tenant there."""
    with SandboxServer() as server:
        yield server


@pytest.fixture(scope="session")
def gateway(sandbox_server: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """One gateway for all tests, on a port of its own, with an SQLite file."""
    folder = tmp_path_factory.mktemp("gateway")
    settings = Settings(
        database_url=Secret(f"sqlite:///{folder / 'gateway.db'}"),
        sandbox=sandbox_server.url,
        cors_origins=("https://app.example.com",),
        log_level="error",
        cache_list_fresh_seconds=0,  # What a test sees is what the vendor says at that moment.
        cache_detail_fresh_seconds=0,
        breaker_calls=10**8,  # One test's failures do not stop the calls of the next.
        limit_per_minute=10**8,  # Nor do its requests use up the next one's.
        limit_money_per_minute=10**8,
        limit_probe_per_minute=10**8,
        limit_guesses_per_minute=0,
    )
    with RunningGateway(settings) as running:
        yield running


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> Iterator[Sandbox]:
    """The sandbox's state; faults that a test adds end with it."""
    yield sandbox_server.sandbox
    sandbox_server.sandbox.faults.clear()


@pytest.fixture
def tenant(gateway: RunningGateway, sandbox: Sandbox) -> Tenant:
    """A tenant that no other test knows, with empty accounts at both vendors."""
    gateway.spans.clear()  # Those of earlier tests: there would be ever more to look through.
    return Tenant(f"t{uuid4().hex[:12]}", gateway, sandbox)


@pytest.fixture
def api(tenant: Tenant) -> Iterator[httpx.Client]:
    """An HTTP client that holds a token of `tenant` with every scope."""
    with tenant.client() as client:
        yield client


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    """Where a test may put an SQLite file."""
    return tmp_path / "gateway.db"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a real PostgreSQL; who uses it begins by emptying it."""
    # Not below pytest's own folder: each run of tests that begins closes that to the user whom the server drops to.
    with (
        TemporaryDirectory(prefix="pytest-postgresql-", ignore_cleanup_errors=True) as folder,
        postgresql_in(Path(folder)) as url,
    ):
        yield url


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A real Valkey of the test's own, empty."""
    server = Valkey()
    yield server
    server.stop()

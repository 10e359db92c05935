"""Gateways that count what they route: one that keeps what it reads, and one that keeps nothing."""

from collections.abc import Iterator
from uuid import uuid4

import httpx
import msgspec
import pytest

from clients.sandbox.emulator import Sandbox
from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.settings import Settings
from tests.support.gateway import Tenant
from tests.support.routing import Counted
from tests.support.sockets import PATH


@pytest.fixture(scope="module")
def settings(sandbox_server: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of a gateway without traces, that writes its log."""
    return Settings(
        database_url=Secret(f"sqlite:///{tmp_path_factory.mktemp('shortcut') / 'gateway.db'}"),
        sandbox=sandbox_server.url,
        log_level="info",
        cors_origins=("https://app.example.com",),
    )


@pytest.fixture(scope="module")
def counted(settings: Settings) -> Iterator[Counted]:
    """That gateway."""
    with Counted(settings) as running:
        yield running


@pytest.fixture
def tenant(counted: Counted, sandbox: Sandbox) -> Tenant:
    """A tenant that no other test knows."""
    return Tenant(f"t{uuid4().hex[:12]}", counted, sandbox)


@pytest.fixture
def api(tenant: Tenant) -> Iterator[httpx.Client]:
    """A caller to whom the list has been shown: from now on it comes at once."""
    with tenant.client() as client:
        assert client.get(PATH).status_code == 200
        yield client


@pytest.fixture(scope="module")
def keeps_nothing(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of a gateway that asks a vendor for each read."""
    path = tmp_path_factory.mktemp("direct") / "gateway.db"
    return msgspec.structs.replace(
        settings,
        database_url=Secret(f"sqlite:///{path}"),
        cache_list_fresh_seconds=0,
        cache_detail_fresh_seconds=0,
        breaker_calls=10**8,
        limit_per_minute=10**6,
    )


@pytest.fixture(scope="module")
def keepless(keeps_nothing: Settings) -> Iterator[Counted]:
    """That gateway."""
    with Counted(keeps_nothing) as running:
        yield running


@pytest.fixture
def shop(keepless: Counted, sandbox: Sandbox) -> Tenant:
    """A tenant of it that no other test knows."""
    return Tenant(f"t{uuid4().hex[:12]}", keepless, sandbox)


@pytest.fixture
def reader(shop: Tenant) -> Iterator[httpx.Client]:
    """A caller who is known there, and has asked for the list: from now on it is asked for directly."""
    with shop.client() as client:
        assert client.get(PATH).status_code == 200
        yield client

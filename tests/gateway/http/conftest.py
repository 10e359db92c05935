"""A gateway of which is known what it answers at once."""

from collections.abc import Iterator

import pytest

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.settings import Settings
from tests.support.sockets import Watched


@pytest.fixture(scope="module")
def settings(sandbox_server: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of a gateway without traces and without limits."""
    return Settings(
        database_url=Secret(f"sqlite:///{tmp_path_factory.mktemp('connection') / 'gateway.db'}"),
        sandbox=sandbox_server.url,
        limit_per_minute=0,
        log_level="warning",
    )


@pytest.fixture(scope="module")
def watched(settings: Settings) -> Iterator[Watched]:
    """That gateway."""
    with Watched(settings) as running:
        yield running

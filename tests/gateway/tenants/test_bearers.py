"""Renewed bearers, shared by processes, also while the database is gone or somebody dies."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from clients import domains
from clients.domains.client import DomainsClient
from clients.domains.credentials import Authenticated, Bearers, Credentials
from clients.sandbox.credentials import credentials
from clients.sandbox.emulator import Sandbox
from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from clients.transport import Upstream, layered
from gateway import telemetry
from gateway.storage.database import Database
from gateway.storage.kept_bearers import KeptBearers
from gateway.tenants.bearers import TURN_SECONDS, Shared
from gateway.tenants.encryption import Keyring
from gateway.vendor_credentials import bearer_fingerprint
from tests.support.plain import PLAIN
from tests.support.timing import PATIENCE, timeouts


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the gateway runs on."""
    return "asyncio"


class Process:
    """One of several that share an account, and what it waits with."""

    def __init__(self, server: SandboxServer, path: Path, key: str = "k" * 32) -> None:
        made = credentials("t1")
        self.server = server
        self.skipped = 0.0
        self.database = Database(Secret(f"sqlite:///{path}"))
        self.shared = Shared(
            self.database,
            Keyring([Secret(key)]),
            fingerprint=bearer_fingerprint,
            now=self.now,
            log=telemetry.logger("error", "json"),
            sleep=self.sleep,
        )
        self.transport = layered(domains.judge, timeouts=timeouts(5), tracer_provider=TracerProvider(), tls=PLAIN)
        held = Credentials(
            Bearers(Secret(made.access_token), Secret(made.refresh_token)),
            auth=Upstream(f"{server.url}/v1/auth", self.transport),
            now=self.now,
            keeper=self.shared.keeper("t1", "origin"),
        )
        self.client = DomainsClient(Upstream(f"{server.url}/v1/billing", Authenticated(self.transport, held)))

    def now(self) -> float:
        """The sandbox's time, and what was slept through."""
        return self.server.sandbox.clock.now().timestamp() + self.skipped

    async def sleep(self, seconds: float) -> None:
        """Time passes, and nobody waits for it."""
        self.skipped += seconds
        await asyncio.sleep(0)

    async def close(self) -> None:
        """End every connection."""
        await self.shared.close()
        await self.transport.aclose()
        await self.database.close()


@pytest.fixture
async def server() -> AsyncIterator[SandboxServer]:
    """A vendor of the test's own."""
    with SandboxServer() as running:
        yield running


def validations(sandbox: Sandbox) -> int:
    """How often the vendor was asked."""
    return sandbox.count("POST /validate")


@pytest.mark.anyio
async def test_a_renewal_outlives_a_lost_database(server: SandboxServer, tmp_path: Path) -> None:
    """
    Without a database calls go on with what the vendor gave; once it is back,
    it is kept, and another process need not ask the vendor.
    """
    path = tmp_path / "not-there-yet" / "gateway.db"
    one, other = Process(server, path), Process(server, path)

    before = await one.client.list_all()
    path.parent.mkdir()
    await one.database.migrate()
    async with asyncio.timeout(PATIENCE):
        while (await KeptBearers(one.database, tenant="t1", origin="origin").read()).sealed is None:  # noqa: ASYNC110 - what is waited for has no event to offer
            await asyncio.sleep(0.01)
    after = await other.client.list_all()
    await one.close()
    await other.close()

    assert before == after
    assert validations(server.sandbox) == 1


@pytest.mark.anyio
async def test_who_dies_while_renewing_holds_nobody_up_for_long(server: SandboxServer, tmp_path: Path) -> None:
    """
    While a turn lasts the others go on with the token at hand; afterwards the
    next one renews.
    """
    one = Process(server, tmp_path / "gateway.db")
    await one.database.migrate()
    dead = KeptBearers(one.database, tenant="t1", origin="origin")
    assert await dead.take_turn("dead", now=one.now(), until=one.now() + TURN_SECONDS) is not None

    meanwhile = await one.client.list_all()
    asked_meanwhile = validations(server.sandbox)
    one.skipped += 3600
    await one.client.list_all()
    await one.close()

    assert meanwhile
    assert (asked_meanwhile, validations(server.sandbox)) == (0, 1)


@pytest.mark.anyio
async def test_what_was_kept_under_a_lost_key_is_asked_for_anew(server: SandboxServer, tmp_path: Path) -> None:
    """The configured pair counts again, and what comes of it is kept under the present key."""
    path = tmp_path / "gateway.db"
    one, other, third = Process(server, path), Process(server, path, key="n" * 32), Process(server, path, key="n" * 32)
    await one.database.migrate()

    for process in (one, other, third):
        assert await process.client.list_all()
        await process.close()

    assert validations(server.sandbox) == 2

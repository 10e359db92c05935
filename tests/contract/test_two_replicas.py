"""Two replicas on one PostgreSQL and one Valkey, behind one port: to callers they are one gateway."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle

import httpx
import pytest

from clients.sandbox.credentials import credentials
from clients.sandbox.server import SandboxServer
from gateway.scopes import SCOPES
from gateway.serving import server
from gateway.tokens.lifecycle import DEFAULT_TENANT
from tests.support.commands import gateway
from tests.support.databases import emptied
from tests.support.processes import Customers, started
from tests.support.servers import Valkey
from tests.support.timing import until

HOURS = 3600.0


@dataclass(frozen=True)
class Release:
    """What replicas have in common, and where their vendors are."""

    environment: dict[str, str]
    listening: socket.socket
    vendors: SandboxServer

    @property
    def url(self) -> str:
        """The one port of all replicas."""
        return server.address_of(self.listening)

    def token(self, *options: str) -> tuple[str, str]:
        """The id and the secret of a live token with every scope but the operator's."""
        scopes = (word for scope in sorted({*SCOPES} - {"admin"}) for word in ("--scope", scope))
        made = gateway(
            *("token", "create", "--name", "replicas", "--json", *scopes, *options), environment=self.environment
        )
        shown = json.loads(made.stdout)
        return shown["id"], shown["token"]


@pytest.fixture
def release(valkey: Valkey, request: pytest.FixtureRequest) -> Iterator[Release]:
    """An empty database, brought to the current schema as the chart's job does it; nothing runs yet."""
    with SandboxServer() as vendors, server.listen("127.0.0.1", 0) as listening:
        made = credentials(DEFAULT_TENANT)
        environment = {
            "PATH": os.environ["PATH"],
            "FUNNELFLUX_URL": f"{vendors.url}/v1/billing",
            "FUNNELFLUX_AUTH_URL": f"{vendors.url}/v1/auth",
            "FUNNELFLUX_ACCESS_TOKEN": made.access_token,
            "FUNNELFLUX_REFRESH_TOKEN": made.refresh_token,
            "FUNNELFOX_URL": vendors.url,
            "FUNNELFOX_ORG_ID": made.org_id,
            "FUNNELFOX_SECRET_KEY": made.secret_key,
            "GATEWAY_DATABASE_URL": emptied("postgresql", request.getfixturevalue).reveal(),
            "GATEWAY_ENCRYPTION_KEYS": "k" * 32,
            "GATEWAY_LOG_LEVEL": "error",
            "GATEWAY_REDIS_URL": valkey.url,
            "GATEWAY_SANDBOX": "off",
        }
        assert gateway("migrate", environment=environment).returncode == 0
        yield Release(environment, listening, vendors)


@contextmanager
def pinned(release: Release, replicas: list[subprocess.Popen[str]], secret: str) -> Iterator[list[httpx.Client]]:
    """A client for each replica, on a connection that the replica keeps.

    Only who is awake accepts a connection, so that the others are put to sleep for a moment.
    """
    headers = {"authorization": f"Bearer {secret}"}
    with ExitStack() as stack:
        clients = []
        for replica in replicas:
            others = [other for other in replicas if other is not replica]
            client = stack.enter_context(httpx.Client(base_url=release.url, headers=headers, timeout=30))
            for other in others:
                other.send_signal(signal.SIGSTOP)
            try:
                assert client.get("/health/ready").status_code == 200
            finally:
                for other in others:
                    other.send_signal(signal.SIGCONT)
            clients.append(client)
        yield clients


@pytest.fixture
def replicas(release: Release) -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes that share a port."""
    with ExitStack() as stack:
        yield [stack.enter_context(started(release.environment, release.listening)) for _ in range(2)]


def at_once(*asks: Callable[[], httpx.Response]) -> list[int]:
    """The statuses of requests that are on their way together."""
    with ThreadPoolExecutor(len(asks)) as threads:
        return [reply.status_code for reply in threads.map(lambda ask: ask(), asks)]


def test_two_replicas_are_one_gateway(release: Release, replicas: list[subprocess.Popen[str]]) -> None:
    """
    A vendor's token is renewed once for both; what one has read serves the
    other; what one writes, the other does not show as it was; who is revoked at
    one is refused by the other; and a limit is one limit.
    """
    vendor = release.vendors.sandbox
    token_id, secret = release.token()
    _, limited = release.token("--limit-per-minute", "20")
    insist = {"cache-control": "no-cache"}

    with pinned(release, replicas, secret) as (one, other), pinned(release, replicas, limited) as ones:
        first = at_once(*(lambda client=client: client.get("/v1/domains") for client in (one, other) * 4))
        renewed_at_first = vendor.count("POST /validate")
        read_at_first = vendor.count("GET /domains")
        vendor.clock.advance(73 * HOURS)
        expired = at_once(
            *(lambda client=client: client.get("/v1/domains", headers=insist) for client in (one, other) * 4)
        )
        renewed_later = vendor.count("POST /validate") - renewed_at_first

        made = one.post("/v1/domains", json={"hostname": "track.two.com"})
        until(lambda: "track.two.com" in other.get("/v1/domains").text)

        admitted = 0
        for client in cycle(ones):
            if client.get("/v1/features").status_code == 429:
                break
            admitted += 1
        refused = [client.get("/v1/features").status_code for client in ones]

        gone = one.delete(f"/v1/tokens/{token_id}")
        until(lambda: other.get("/v1/domains").status_code == 401)
        revoked = other.get("/v1/domains").json()["code"]

    assert first == expired == [200] * 8
    assert (renewed_at_first, read_at_first, renewed_later) == (1, 1, 1)
    assert made.status_code == 201
    assert 19 <= admitted < 30  # Two limits would have been 40; the window slides on while we count.
    assert refused == [429, 429]
    assert (gone.status_code, revoked) == (204, "token_revoked")


def test_replicas_are_replaced_one_by_one_and_no_request_fails(release: Release) -> None:
    """As an upgrade does it, under load: a new one comes, then an old one is told to go."""
    _, secret = release.token("--limit-per-minute", "1000000")
    customers = Customers(release.url, secret)
    codes = []
    with ExitStack() as processes:
        running = [processes.enter_context(started(release.environment, release.listening)) for _ in range(2)]

        with customers.calling():
            for old in [*running]:
                new = processes.enter_context(started(release.environment, release.listening))
                with pinned(release, [*running, new], secret):  # It answers for itself.
                    running = [each for each in running if each is not old] + [new]
                old.send_signal(signal.SIGTERM)
                codes.append(old.wait(timeout=60))
                until(lambda before=customers.answered: customers.answered > before + 20)  # type: ignore[misc]  # its default is what binds it

    assert customers.failed == []
    assert codes == [0, 0]

"""How a gateway stops: told by a signal, under load, restarted again and again."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.serving import server
from gateway.settings import Settings
from tests.support import processes
from tests.support.gateway import RunningGateway, Tenant
from tests.support.hanging import callers
from tests.support.processes import Customers, started
from tests.support.timing import until


class Shop:
    """A tenant whose data lives in a sandbox of the test's own, and a database that outlives the gateway."""

    def __init__(self, sandbox: SandboxServer, path: Path) -> None:
        settings = Settings(database_url=Secret(f"sqlite:///{path}"), sandbox=sandbox.url, log_level="error")
        with RunningGateway(settings) as gateway:
            self.tenant = Tenant("stopping", gateway, sandbox.sandbox)
            _, self.secret = gateway.token(tenant=self.tenant.name)
        self.environment = {
            "PATH": os.environ["PATH"],
            "GATEWAY_DATABASE_URL": f"sqlite:///{path}",
            "GATEWAY_SANDBOX": sandbox.url,
            "GATEWAY_LOG_LEVEL": "error",
            "GATEWAY_LIMIT_PER_MINUTE": "0",
            "GATEWAY_REDIS_URL": "redis://127.0.0.1:1",  # Nobody is there: workers go on without.
        }


@pytest.fixture
def shop(database_path: Path) -> Iterator[Shop]:
    """One that nobody else knows."""
    with SandboxServer() as sandbox:
        yield Shop(sandbox, database_path)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A socket as a service manager holds it, which outlives every process that it is handed to."""
    with server.listen("127.0.0.1", 0) as held:
        yield held


def url(listening: socket.socket) -> str:
    """Where it is reached."""
    return server.address_of(listening)


def ready(listening: socket.socket) -> None:
    """Wait until requests are answered; on a socket that is held, the first one simply waits."""
    assert httpx.get(f"{url(listening)}/health/ready", timeout=30).status_code == 200


def answered(
    address: str, wanted: Callable[[httpx.Response], bool], *, headers: dict[str, str] | None = None
) -> httpx.Response:
    """The first answer that is as wanted: each of several workers hears the signal by itself."""
    replies: list[httpx.Response] = []

    def came() -> bool:
        replies.append(httpx.get(address, headers=headers))
        return wanted(replies[-1])

    until(came)
    return replies[-1]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_fails_readiness_first_and_loses_nothing(shop: Shop, listening: socket.socket, workers: int) -> None:
    """
    503 for a while in which everything else is still served, and connections
    end politely; the request in flight gets its answer; then exit 0.
    """
    shop.environment["GATEWAY_DRAIN_SECONDS"] = "3"
    shop.tenant.fails("DELETE /domains/{domain}", "latency", seconds=4)
    shop.tenant.account.domains.add("track.stopping.com")
    headers = {"authorization": f"Bearer {shop.secret}"}
    with started(shop.environment, listening, workers=workers) as process:
        ready(listening)
        answers: list[httpx.Response] = []
        slow = threading.Thread(
            target=lambda: answers.append(
                httpx.delete(f"{url(listening)}/v1/domains/track.stopping.com", headers=headers, timeout=30)
            )
        )
        slow.start()
        until(lambda: shop.tenant.calls("DELETE /domains/{domain}") == 1)

        process.send_signal(signal.SIGTERM)
        told = answered(f"{url(listening)}/health/ready", lambda reply: reply.status_code == 503)
        served = answered(
            f"{url(listening)}/v1/domains", lambda reply: reply.headers.get("connection") == "close", headers=headers
        )
        slow.join()
        code = process.wait(timeout=30)

    assert told.json()["code"] == "stopping"
    assert served.status_code == 200
    assert [(answer.status_code, answer.headers["connection"]) for answer in answers] == [(204, "close")]
    assert code == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_signal_ends_it_at_once(shop: Shop, listening: socket.socket, workers: int) -> None:
    """For whoever can't wait: requests in flight are cut, and the exit code says so."""
    shop.environment["GATEWAY_DRAIN_SECONDS"] = "60"
    shop.tenant.fails("GET /domains", "latency", seconds=60)
    with started(shop.environment, listening, workers=workers) as process:
        ready(listening)
        with callers(1, "GET", f"{url(listening)}/v1/domains", shop.secret):
            until(lambda: shop.tenant.calls("GET /domains") == 1)
            process.send_signal(signal.SIGTERM)
            answered(f"{url(listening)}/health/ready", lambda reply: reply.status_code == 503)

            process.send_signal(signal.SIGTERM)

            assert process.wait(timeout=30) == 1


def test_workers_end_with_their_parent(shop: Shop, listening: socket.socket) -> None:
    """Also if it could not tell them: nothing is left behind that holds the port."""
    with started(shop.environment, listening, workers=2) as process:
        ready(listening)
        children = processes.children(process.pid)
        process.kill()

        until(lambda: not any(map(_runs, children)))

    assert len(children) >= 2


def test_a_worker_that_dies_is_replaced(shop: Shop, listening: socket.socket) -> None:
    """Callers of the other one notice nothing."""
    with started(shop.environment, listening, workers=2) as process:
        ready(listening)
        until(lambda: len(processes.workers(process.pid)) == 2)
        first, *_ = processes.workers(process.pid)

        os.kill(first, signal.SIGKILL)
        until(lambda: not _runs(first) and len(processes.workers(process.pid)) == 2)
        ready(listening)
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=30) == 0


def test_workers_are_renewed_without_a_gap(shop: Shop, listening: socket.socket) -> None:
    """SIGHUP: a new one serves before an old one stops, and no caller sees it."""
    customers = Customers(url(listening), shop.secret)
    with started(shop.environment, listening, workers=2) as process:
        ready(listening)
        until(lambda: len(processes.workers(process.pid)) == 2)
        before = set(processes.workers(process.pid))

        with customers.calling():
            process.send_signal(signal.SIGHUP)
            until(
                lambda: len(processes.workers(process.pid)) == 2 and before.isdisjoint(processes.workers(process.pid))
            )
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=30)

    assert customers.answered > 0
    assert customers.failed == []
    assert code == 0


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_ten_restarts_under_load_lose_no_request(shop: Shop, listening: socket.socket) -> None:
    """The new process takes over the socket, the old one finishes: not one caller sees it."""
    customers = Customers(url(listening), shop.secret)
    codes: list[int] = []
    with ExitStack() as processes:
        old = processes.enter_context(started(shop.environment, listening))
        ready(listening)

        with customers.calling():
            for _ in range(10):
                before = customers.answered
                new = processes.enter_context(started(shop.environment, listening))
                old.send_signal(signal.SIGTERM)
                codes.append(old.wait(timeout=60))
                until(lambda before=before: customers.answered > before + 20)  # type: ignore[misc]  # its default is what binds it
                old = new

    assert customers.failed == []
    assert codes == [0] * 10

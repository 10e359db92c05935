"""What becomes of a handler that was called without a router when the process stops."""

import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import httpx
import pytest

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.serving import server
from gateway.settings import Settings
from tests.support.gateway import RunningGateway, Tenant
from tests.support.processes import started
from tests.support.routing import Both, own
from tests.support.sockets import LIST, Caller, caller, get, known_head, sent_again, shown
from tests.support.timing import until

LIVE: Final = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


class Process:
    """A gateway that keeps nothing, as a process of its own."""

    def __init__(self, sandbox: SandboxServer, path: Path) -> None:
        settings = Settings(database_url=Secret(f"sqlite:///{path}"), sandbox=sandbox.url, log_level="error")
        with RunningGateway(settings) as running:
            self.tenant = Tenant("stopping", running, sandbox.sandbox)
            _, self.secret = running.token(tenant=self.tenant.name)
        self.environment = {
            "GATEWAY_DATABASE_URL": f"sqlite:///{path}",
            "GATEWAY_SANDBOX": sandbox.url,
            "GATEWAY_LOG_LEVEL": "error",
            "GATEWAY_LIMIT_PER_MINUTE": "0",
            "GATEWAY_CACHE_LIST_FRESH_SECONDS": "0",
            "PATH": "/usr/bin:/bin",
        }


@pytest.fixture
def process(database_path: Path) -> Iterator[Process]:
    """One that has not begun, with a vendor of its own."""
    with SandboxServer() as sandbox:
        yield Process(sandbox, database_path)


@pytest.mark.parametrize("more", [b"", LIVE], ids=["one", "and one behind it"])
@pytest.mark.parametrize("drain", ["0", "60"])
def test_a_process_that_stops_answers_what_is_under_way(process: Process, more: bytes, drain: str) -> None:
    """Then it ends the connection, as it says, and what came behind that is not answered; exit 0."""
    process.environment["GATEWAY_DRAIN_SECONDS"] = drain
    head, calls = get(process.secret), process.tenant.calls(LIST)
    with server.listen("127.0.0.1", 0) as listening, started(process.environment, listening) as running:
        address = listening.getsockname()
        with socket.create_connection(address, timeout=20) as connection:
            one = Caller(connection)
            for _ in range(5):
                assert sent_again(one, head)
            process.tenant.fails(LIST, "latency", seconds=3, times=1)
            calls = process.tenant.calls(LIST)
            one.send(head)
            until(lambda: process.tenant.calls(LIST) == calls + 1)
            running.send_signal(signal.SIGTERM)
            until(lambda: _stopping(address))
            with suppress(BrokenPipeError):
                one.send(more)
            status, headers, body = one.answer()

            assert (status, headers.get("connection")) == (200, "close")
            assert b'"data"' in body
            assert one.ended  # Long before the process has drained.
            running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=30) == 0


def _stopping(address: tuple[str, int]) -> bool:
    """Whether the process has heard the signal."""
    try:
        return httpx.get(f"http://{address[0]}:{address[1]}/health/ready").status_code == 503
    except httpx.HTTPError:
        return True  # It takes no connections any more.


def test_what_is_cut_off_is_not_begun_anew(
    keeps_nothing: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """When the time to stop is over: the connection ends without an answer, and no vendor is asked again."""
    monkeypatch.setattr(server, "GRACE_SECONDS", 0.2)
    with SandboxServer() as vendor, ExitStack() as running_:
        running = running_.enter_context(Both(own(keeps_nothing, tmp_path, sandbox=vendor.url)))
        tenant = Tenant("cut", running, vendor.sandbox)
        with caller(running) as one:
            head = known_head(running, one, shown(tenant))
            tenant.fails(LIST, "latency", seconds=60)
            calls, before = tenant.calls(LIST), (running.tasks, running.routed)
            one.send(head)
            until(lambda: tenant.calls(LIST) == calls + 1)
            capfd.readouterr()
            running_.close()
            with suppress(ConnectionError):
                assert one.ended
        asked = tenant.calls(LIST)
        vendor.stop()

    said = capfd.readouterr().err
    assert (running.tasks, running.routed) == (before[0] + 1, before[1])
    assert asked == calls + 1
    assert "crashed" not in said
    assert "Traceback" not in said

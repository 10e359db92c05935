"""Gateways as processes on a socket that outlives them, and callers who would notice a gap."""

import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Final

import httpx

from tests.support.commands import GATEWAY
from tests.support.plain import PLAIN

_PAUSE_SECONDS: Final = 0.005
"""Between two requests of one caller: processes that start meanwhile need the machine, too."""


@contextmanager
def started(
    environment: Mapping[str, str], listening: socket.socket, *, workers: int = 1
) -> Iterator[subprocess.Popen[str]]:
    """A gateway on a socket that it inherits, ready for requests or about to be."""
    script = 'exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'
    command = ["sh", "-c", script, "sh", GATEWAY, "serve", "--workers", str(workers)]
    with subprocess.Popen(
        command,
        env=environment,
        stdin=listening.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            assert "Serving on" in process.stderr.readline()
            yield process
        finally:
            process.kill()


def workers(pid: int) -> list[int]:
    """The children of a gateway that serve: Python has one more, which looks after shared memory."""
    return [child for child in children(pid) if b"spawn_main" in _command(child)]


def children(pid: int) -> list[int]:
    """All processes that a process has started and that have not been buried."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _command(pid: int) -> bytes:
    """How a process was started; nothing, if it has ended since it was listed."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


class Customers:
    """Callers who try nothing twice: some keep their connection, some make a new one each time.

    Args:
        base: Where they call.
        secret: Their token.
    """

    def __init__(self, base: str, secret: str) -> None:
        self._base = base
        self._headers = {"authorization": f"Bearer {secret}"}
        self._over = threading.Event()
        self.answered = 0
        self.failed: list[str] = []

    @contextmanager
    def calling(self) -> Iterator[None]:
        """For the length of the block."""
        threads = [threading.Thread(target=self._call, args=(keeps,)) for keeps in (True, True, False, False)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _call(self, keeps: bool) -> None:  # noqa: FBT001 - a thread's arguments have no names
        limits = httpx.Limits(max_keepalive_connections=1 if keeps else 0)
        with httpx.Client(
            base_url=self._base, headers=self._headers, timeout=30, limits=limits, verify=PLAIN
        ) as client:
            for path in cycle(("/v1/domains", "/v1/features")):
                if self._over.wait(_PAUSE_SECONDS):
                    return
                try:
                    reply = client.get(path)
                except httpx.HTTPError as error:
                    self.failed.append(f"{error!r} on a connection that was {'kept' if keeps else 'new'}")
                else:
                    self.answered += 1
                    if reply.status_code != 200:
                        self.failed.append(reply.text)

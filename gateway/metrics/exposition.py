"""The numbers as text, summed over all workers."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that tells workers where to keep their numbers; whoever starts them sets it."""


class PortTaken(Exception):
    """Somebody else listens there, or nobody may."""


class Exposition:
    """All numbers of this process, or of all workers where there are several.

    Args:
        registry: Of this process.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        if FOLDER in os.environ:
            self._registry = of_all_workers()

    def text(self, accept: str) -> tuple[bytes, str]:
        """The numbers, and their media type; in OpenMetrics' form where `accept` asks for it.

        With several workers it reads their files, and takes some milliseconds.
        """
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type

    @contextmanager
    def served(self, host: str, port: int) -> Iterator[int]:
        """Serve the numbers, and nothing else, from a thread of its own; gives the port.

        Raises:
            PortTaken: The port is not to be had.
        """
        with served(self._registry, host, port) as served_port:
            yield served_port


def of_all_workers() -> CollectorRegistry:
    """A registry that reads what the workers keep."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types there
    return registry


@contextmanager
def served(registry: CollectorRegistry, host: str, port: int) -> Iterator[int]:
    """Serve a registry at `/metrics` for the length of the block.

    Raises:
        PortTaken: The port is not to be had.
    """
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise PortTaken(f"can't listen on {host}:{port} for metrics: {error.strerror}.") from error
    try:
        yield _port(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _port(server: HTTPServer) -> int:
    return int(server.server_address[1])


@contextmanager
def folder_of_workers() -> Iterator[None]:
    """An empty place for the numbers of the workers that are started within the block.

    It must be there before a worker imports anything: where numbers are kept is decided then.
    """
    folder = mkdtemp(prefix="gateway-metrics-")
    os.environ[FOLDER] = folder
    try:
        yield
    finally:
        del os.environ[FOLDER]
        shutil.rmtree(Path(folder), ignore_errors=True)


def forget_process(pid: int) -> None:
    """A worker is gone: its levels count no more, while what it has counted stays."""
    if FOLDER in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]  # the same

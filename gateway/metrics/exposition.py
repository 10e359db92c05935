"""The numbers as text, summed over all workers."""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that tells workers where to keep their numbers; whoever starts them sets it."""


OPEN_METRICS: Final = "application/openmetrics-text"


class Exposition:
    """All numbers of this process, or of all workers where there are several.

    Args:
        registry: Of this process.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = of_all_workers() if FOLDER in os.environ else registry
        """Of all whose numbers are shown."""

    def text(self, accept: str) -> tuple[bytes, str]:
        """The numbers, and their media type; in OpenMetrics' form where `accept` asks for it.

        With several workers it reads their files, and takes some milliseconds.
        """
        # By its name alone: the library stumbles over versions that are none.
        encode, media_type = choose_encoder(OPEN_METRICS if OPEN_METRICS in accept else "")
        return encode(self.registry), media_type


def of_all_workers() -> CollectorRegistry:
    """A registry that reads what the workers keep."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types there
    return registry


def served(registry: CollectorRegistry, host: str, port: int) -> AbstractContextManager[int]:
    """Serve numbers, and nothing else, from a thread, until the context that is given ends; it gives the port.

    Raises:
        OSError: The port is not to be had.
    """
    server, thread = start_http_server(port, addr=host, registry=registry)

    @contextmanager
    def serving() -> Iterator[int]:
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    return serving()


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

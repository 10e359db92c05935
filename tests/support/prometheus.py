"""A real Prometheus, where there is one: on the PATH, or as `make check-alerts` unpacks it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import Final

import httpx
import yaml

from tests.support import ports
from tests.support.timing import until

UNPACKED: Final = Path(__file__).parents[2] / "build" / "prometheus" / "usr" / "bin"


def tool(name: str) -> Path | None:
    """`prometheus` or `promtool`; None: it is not here."""
    found = shutil.which(name) or shutil.which(name, path=str(UNPACKED))
    return Path(found) if found is not None else None


class Prometheus:
    """One that runs.

    Args:
        url: Where it answers.
        client: Asks it.
    """

    def __init__(self, url: str, client: httpx.Client) -> None:
        self._url = url
        self._client = client

    def answers(self) -> bool:
        """Whether it does yet."""
        try:
            return self._client.get(f"{self._url}/-/ready").is_success
        except httpx.TransportError:
            return False

    def has(self, query: str) -> bool:
        """Whether a query has a result, of which at least one value is a number."""
        reply = self._client.get(f"{self._url}/api/v1/query", params={"query": query})
        assert reply.status_code == 200, reply.text
        return any(not isnan(float(one["value"][1])) for one in reply.json()["data"]["result"])


@contextmanager
def watching(target: httpx.URL, folder: Path) -> Iterator[Prometheus]:
    """One that scrapes a gateway several times a second."""
    binary = tool("prometheus")
    assert binary is not None
    scraped = {"job_name": "gateway", "static_configs": [{"targets": [target.netloc.decode()]}]}
    configured = {"global": {"scrape_interval": "250ms", "scrape_timeout": "250ms"}, "scrape_configs": [scraped]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configured))
    address = f"127.0.0.1:{ports.unused()}"
    arguments = (
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=error",
    )
    with subprocess.Popen([binary, *arguments], cwd=folder) as running, httpx.Client() as client:
        try:
            started = Prometheus(f"http://{address}", client)
            until(started.answers)
            yield started
        finally:
            running.terminate()

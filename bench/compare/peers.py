"""Who we are measured beside: started on the machine's first core, each before the same vendor, each with one token."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from bench.compare.processes import SERVERS, free_port, running

FOLDER: Final = Path(__file__).parent / "peers"

PYTHON: Final = Path(__file__).parents[2] / "build/bench/venv/bin/python"
"""Has FastAPI, which the gateway's own environment must not."""

_RUNTIME: Final = Path(__file__).parents[2] / "build/bench/gateway/bin/gateway"

COMMAND: Final = str(_RUNTIME) if _RUNTIME.exists() else str(Path(sys.executable).with_name("gateway"))
"""Ours: without what only tests need, some of which the framework would load."""

TOKEN: Final = "bench-token"  # noqa: S105 - it opens nothing


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a peer is to run."""

    port: int
    folder: Path
    vendor: str
    """Host and port."""

    def filled_in(self, name: str) -> Path:
        """A configuration file with its blanks filled in."""
        written = self.folder / name
        text = (FOLDER / name).read_text()
        user = "user root;" if os.geteuid() == 0 else ""
        blanks = {"folder": self.folder, "port": self.port, "vendor": self.vendor, "token": TOKEN, "user": user}
        written.write_text(text.format(**blanks))
        return written


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is measured."""

    name: str
    url: str
    token: str
    pid: int
    """0: nobody counts what it uses."""
    version: str


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of peer."""

    name: str
    needs: str
    """A program; without it the peer is left out."""
    command: Callable[[Place], list[str]]
    version: list[str]
    """What to run to be told it."""


def _nginx(place: Place) -> list[str]:
    return ["nginx", "-p", str(place.folder), "-e", "stderr", "-c", str(place.filled_in("nginx.conf"))]


def _traefik(place: Place) -> list[str]:
    place.filled_in("traefik-routes.yml").rename(place.folder / "routes.yml")
    return ["traefik", f"--configFile={place.filled_in('traefik.yml')}"]


def _caddy(place: Place) -> list[str]:
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(place.filled_in("Caddyfile"))]


def _bff(place: Place) -> list[str]:
    options = ["--app-dir", str(FOLDER), "--port", str(place.port), "--no-access-log", "--log-level", "error"]
    return [str(PYTHON), "-m", "uvicorn", "bff:app", *options]


def _node(script: str) -> Callable[[Place], list[str]]:
    return lambda _: ["node", str(FOLDER / script)]


def _node_version(package: str) -> list[str]:
    return ["node", "-p", f"require('{FOLDER}/node_modules/{package}/package.json').version"]


PEERS: Final = (
    Peer(name="nginx", needs="nginx", command=_nginx, version=["nginx", "-v"]),
    Peer(name="traefik", needs="traefik", command=_traefik, version=["traefik", "version"]),
    Peer(name="caddy", needs="caddy", command=_caddy, version=["caddy", "version"]),
    Peer(name="fast-gateway", needs="node", command=_node("fast_gateway.js"), version=_node_version("fast-gateway")),
    Peer(
        name="@fastify/http-proxy",
        needs="node",
        command=_node("fastify_proxy.js"),
        version=_node_version("@fastify/http-proxy"),
    ),
    Peer(
        name="FastAPI + httpx",
        needs=str(PYTHON),
        command=_bff,
        version=[str(PYTHON), "-c", "import fastapi; print(fastapi.__version__)"],
    ),
)


@asynccontextmanager
async def peer(kind: Peer, vendor: str, folder: Path) -> AsyncIterator[Server]:
    """Run a peer for a block.

    Raises:
        RuntimeError: It can't be had here, or does not start.
    """
    if shutil.which(kind.needs) is None:
        raise RuntimeError(f"{kind.needs} is not installed")
    folder.mkdir()  # noqa: ASYNC240 - before anything is measured
    place = Place(port=free_port(), folder=folder, vendor=vendor.removeprefix("http://"))
    environment = {"PORT": str(place.port), "VENDOR": vendor, "TOKEN": TOKEN, "NODE_ENV": "production"}
    async with running(kind.command(place), port=place.port, environment=environment, cores=SERVERS) as pid:
        await _answering(place.port)
        yield Server(
            name=kind.name, url=f"http://127.0.0.1:{place.port}", token=TOKEN, pid=pid, version=_version(kind.version)
        )


async def _answering(port: int) -> None:
    """Wait until it passes on what it is asked: some listen before they have read where to."""
    for _ in range(100):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /domains HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {TOKEN}\r\n\r\n".encode())
        status = await reader.readline()
        writer.close()
        if b" 200 " in status:
            return
        await asyncio.sleep(0.1)
    raise RuntimeError(f"it answers {status.decode().strip()}")


def _version(command: list[str]) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a peer's own
    found = re.search(r"\d+\.\d+(\.\d+)?", said.stdout + said.stderr)
    return found[0] if found else "of unknown version"


def vendor_command(port: int) -> list[str]:
    """What runs the vendor that all share."""
    return [sys.executable, "-m", "bench.compare.vendor", str(port)]


def environment_of(vendor: str) -> Mapping[str, str]:
    """Settings that aim a gateway of ours at the shared vendor."""
    return {
        "FUNNELFLUX_URL": vendor,
        "FUNNELFLUX_AUTH_URL": vendor,
        "FUNNELFLUX_ACCESS_TOKEN": "access",
        "FUNNELFLUX_REFRESH_TOKEN": "refresh",
        "FUNNELFOX_URL": vendor,
        "FUNNELFOX_ORG_ID": "bench",
        "FUNNELFOX_SECRET_KEY": "secret",
        "GATEWAY_SANDBOX": "off",
        # Counted as ever, but never reached.
        "GATEWAY_LIMIT_PER_MINUTE": "999999999",
        # Of the usual 512 places a fifth is kept for money; 500 readers at once need more.
        "GATEWAY_CONCURRENCY": "1024",
        "OTEL_EXPORTER_OTLP_ENDPOINT": vendor,
    }

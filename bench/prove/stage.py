"""The processes that a proof needs: gateways and sandboxes, started as their users start them."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from typing import Any, Final

import httpx
import msgspec

from bench.prove.caller import Caller
from bench.prove.vendor import Vendor
from clients.secret import Secret
from gateway.principal import Mode
from gateway.scopes import SCOPES
from gateway.storage.database import Database
from gateway.storage.tokens import TokenStore
from gateway.tokens.lifecycle import DEFAULT_TENANT, Tokens

COMMAND: Final = str(Path(sys.executable).with_name("gateway"))

NO_CACHE: Final = {"GATEWAY_CACHE_LIST_FRESH_SECONDS": "0", "GATEWAY_CACHE_DETAIL_FRESH_SECONDS": "0"}
"""Every read goes to the vendor, so that it can be counted there."""

NO_LIMITS: Final = {f"GATEWAY_LIMIT_{name}PER_MINUTE": "999999999" for name in ("", "MONEY_", "PROBE_")}
"""One caller asks more than any may: what is turned away at the door proves nothing of what is behind it."""

NO_BREAKER: Final = {"GATEWAY_BREAKER_CALLS": "999999999"}
"""Settings under which it never opens, so that what it would hide is seen."""


class Gateway:
    """A gateway that runs.

    Args:
        pid: Of its process.
        url: Where it listens.
        database: Its own.
    """

    def __init__(self, pid: int, url: str, database: Secret) -> None:
        self.pid = pid
        self.url = url
        self._database = database

    async def token(self, *, tenant: str = DEFAULT_TENANT, mode: Mode = "test") -> str:
        """A new token with every scope."""
        database = Database(self._database)
        _, secret = await Tokens(TokenStore(database), time).create("bench", sorted(SCOPES), tenant=tenant, mode=mode)
        await database.close()
        return secret.reveal()

    async def caller(self, *, tenant: str = DEFAULT_TENANT, mode: Mode = "test") -> Caller:
        """Someone who holds a token with every scope."""
        return Caller(self.url, await self.token(tenant=tenant, mode=mode))


class Emulator:
    """A sandbox that runs, driven through its control.

    Args:
        url: Where it listens.
        control: Aimed at its control.
    """

    def __init__(self, url: str, control: httpx.AsyncClient) -> None:
        self.url = url
        self._control = control

    async def reset(self) -> None:
        """Forget accounts, faults and what has arrived."""
        (await self._control.post("/reset")).raise_for_status()

    async def fail(self, **fault: Any) -> None:
        """Put a fault in force; the members are those of the sandbox's own."""
        (await self._control.post("/faults", content=msgspec.json.encode(fault))).raise_for_status()

    async def heal(self) -> None:
        """Let everything work again."""
        (await self._control.delete("/faults")).raise_for_status()

    async def arrived(self, operations: Sequence[str]) -> int:
        """How many calls of these operations it has seen, of its last 10,000 calls."""
        reply = (await self._control.get("/requests")).raise_for_status()
        return sum(request["operation"] in operations for request in reply.json()["requests"])


@asynccontextmanager
async def gateway(
    environment: Mapping[str, str], *, command: str = COMMAND, workers: int = 1
) -> AsyncIterator[Gateway]:
    """Run `gateway serve` with these settings, nothing kept, the others at their defaults, for a block.

    Args:
        environment: The settings.
        command: Which gateway.
        workers: Its processes.
    """
    with TemporaryDirectory(prefix="prove-") as folder:
        url = f"sqlite:///{Path(folder) / 'gateway.db'}"
        own = {"GATEWAY_DATABASE_URL": url, "GATEWAY_LOG_LEVEL": "error", **NO_CACHE, **NO_LIMITS}
        log = Path(folder) / "log"
        arguments = ("serve", "--port", "0", "--workers", str(workers))
        async with _running(*arguments, command=command, environment={**own, **environment}, log=log) as (pid, address):
            await _answering(address)
            yield Gateway(pid, address, Secret(url))


@asynccontextmanager
async def sandbox() -> AsyncIterator[Emulator]:
    """Run `gateway sandbox` for the length of the block."""
    with TemporaryDirectory(prefix="prove-") as folder:
        log = Path(folder) / "log"
        async with (
            _running("sandbox", "--port", "0", environment={}, log=log) as (_, url),
            httpx.AsyncClient(base_url=f"{url}/_sandbox", trust_env=False) as control,
        ):
            yield Emulator(url, control)


def aimed_at(vendor: Vendor) -> dict[str, str]:
    """Settings that make a vendor of ours the live one."""
    return {
        "FUNNELFLUX_URL": vendor.url("funnelflux"),
        "FUNNELFLUX_AUTH_URL": vendor.url("funnelflux"),
        "FUNNELFLUX_ACCESS_TOKEN": "access",
        "FUNNELFLUX_REFRESH_TOKEN": "refresh",
        "FUNNELFOX_URL": vendor.url("funnelfox"),
        "FUNNELFOX_ORG_ID": "prove",
        "FUNNELFOX_SECRET_KEY": "secret",
        "GATEWAY_SANDBOX": "off",
    }


def sockets(pid: int) -> int:
    """Open sockets of a process."""
    count = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += str(descriptor.readlink()).startswith("socket:")
        except FileNotFoundError:
            continue  # Closed since it was listed.
    return count


@asynccontextmanager
async def _running(
    *arguments: str, environment: Mapping[str, str], log: Path, command: str = COMMAND
) -> AsyncIterator[tuple[int, str]]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            command, *arguments, env={**kept, "PYTHONUNBUFFERED": "1", **environment}, stdout=output, stderr=output
        )
    try:
        yield process.pid, await _printed_url(process, log)
    finally:
        # Not asked to end in peace: calls that hang would make it wait for them.
        process.kill()
        await process.wait()


async def _printed_url(process: asyncio.subprocess.Process, log: Path) -> str:
    while True:
        said = log.read_text()  # noqa: ASYNC240 - a line or two, and nothing else waits
        if found := re.search(r"http://[0-9.:]+(?=[/\s])", said):
            return found[0]
        if process.returncode is not None:
            raise RuntimeError(f"it did not start: {said}")
        await asyncio.sleep(0.02)


async def _answering(url: str) -> None:
    """Wait until it does: it listens before it can answer."""
    with Caller(url) as caller:
        await caller.call("GET", "/health/live")

"""All that runs while we measure: the vendor, the gateway in several settings, the peers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bench.compare.peers import COMMAND, PEERS, Server, environment_of, peer, vendor_command
from bench.compare.processes import CALLERS, CORES, SERVERS, free_port, placed, running
from bench.prove.stage import gateway
from gateway import VERSION

KEPT: Mapping[str, str] = {
    "GATEWAY_CACHE_LIST_FRESH_SECONDS": "86400",
    "GATEWAY_CACHE_DETAIL_FRESH_SECONDS": "86400",
}
"""Nothing grows old while we measure; without these, every read goes to the vendor."""

UNSENT: Mapping[str, str] = {"OTEL_METRICS_EXPORTER": "none"}
"""Metrics are counted for Prometheus, and not sent by OTLP as well."""

UNTRACED: Mapping[str, str] = {**UNSENT, "OTEL_TRACES_SAMPLER": "always_off"}
SENT: Mapping[str, str] = {"OTEL_METRICS_EXPORTER": "otlp"}
TENTH: Mapping[str, str] = {
    **UNSENT,
    "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "0.1",
}
TRACED: Mapping[str, str] = {**UNSENT, "OTEL_TRACES_SAMPLER": "always_on"}


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What runs."""

    vendor: str
    """Its URL."""
    servers: dict[str, Server]
    """By name."""
    absent: dict[str, str]
    """Peers that do not run here, and why."""


@asynccontextmanager
async def vendor() -> AsyncIterator[str]:
    """Run the vendor that all share, for a block; gives its URL."""
    port = free_port()
    async with running(vendor_command(port), port=port, environment={}, cores=CALLERS):
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def ours(name: str, url: str, *settings: Mapping[str, str], workers: int = 1) -> AsyncIterator[Server]:
    """Run a gateway of ours for a block.

    Args:
        name: As the table has it.
        url: The vendor's.
        settings: Beside those that aim it at the vendor; later ones win.
        workers: Its processes; one alone has a core to itself, several have all.
    """
    environment = dict(environment_of(url))
    for more in settings:
        environment |= more
    with placed(SERVERS if workers == 1 else CORES):
        starting = gateway(environment, command=COMMAND, workers=workers)
        running_gateway = await starting.__aenter__()
    try:
        token = await running_gateway.token(mode="live")
        yield Server(name=name, url=running_gateway.url, token=token, pid=running_gateway.pid, version=VERSION)
    finally:
        await starting.__aexit__(None, None, None)


@asynccontextmanager
async def stage(*, peers: bool = True) -> AsyncIterator[Stage]:
    """Run everything for a block; a peer that can't be had is left out."""
    absent: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        url = await stack.enter_async_context(vendor())
        members = [
            await stack.enter_async_context(ours("gateway", url, KEPT, UNTRACED)),
            await stack.enter_async_context(ours("gateway, 10 % traced", url, KEPT, TENTH)),
            await stack.enter_async_context(ours("gateway, metrics sent", url, KEPT, UNTRACED, SENT)),
            await stack.enter_async_context(ours("gateway, all traced", url, KEPT, TRACED)),
            await stack.enter_async_context(
                ours("gateway, one line each", url, KEPT, UNTRACED, {"GATEWAY_LOG_LEVEL": "info"})
            ),
            await stack.enter_async_context(ours("gateway, nothing kept", url, UNTRACED)),
        ]
        for kind in PEERS if peers else ():
            try:
                members.append(await stack.enter_async_context(peer(kind, url, folder / kind.name.replace("/", "-"))))
            except RuntimeError as error:
                absent[kind.name] = str(error)
        yield Stage(vendor=url, servers={member.name: member for member in members}, absent=absent)

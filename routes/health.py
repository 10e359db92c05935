"""Whether this process is alive, and ready for work."""

import asyncio
from typing import Any, Literal

import msgspec
from litestar import Request, Response, Router, get

from gateway.health import Dependency, Health
from gateway.metrics import Metrics
from gateway.needs import needs_nothing
from gateway.problems import NotFound, Stopping, StorageUnavailable
from gateway.settings import Settings


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Requests should be sent here; and the state of everything it depends on."""

    status: Literal["ready"] = "ready"
    dependencies: dict[str, Dependency]


@get("/live", opt=needs_nothing(), operation_id="getLiveness", status_code=200)
async def live() -> Alive:
    """Say that the process is alive."""
    return Alive()


@get("/ready", opt=needs_nothing(), operation_id="getReadiness", status_code=200)
async def ready(request: Request[Any, Any, Any]) -> Ready:
    """Say whether requests should be sent here.

    503 only for what a restart or another replica could cure: the database, or
    that this process is about to stop. All else is reported, and does not count.
    """
    if request.app.state.notice.given:
        raise Stopping("This process is about to stop.")
    health: Health = request.app.state.health
    dependencies = await health.dependencies()
    for name, dependency in dependencies.items():
        if dependency.required and dependency.state != "ok":
            raise StorageUnavailable(f"The {name} is {dependency.state}.")
    return Ready(dependencies=dependencies)


@get("/metrics", opt=needs_nothing(), operation_id="getMetrics", status_code=200, media_type="text/plain")
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Give the metrics as Prometheus' text, summed over all workers.

    404 where they have a port of their own.
    """
    settings: Settings = request.app.state.settings
    if settings.metrics_port is not None:
        raise NotFound("There is no such route.")
    numbers: Metrics = request.app.state.metrics
    # With several workers, it reads files.
    text, media_type = await asyncio.to_thread(numbers.exposition.text, request.headers.get("accept", ""))
    return Response(text, media_type=media_type)


router = Router("/health", route_handlers=[live, ready], tags=["Health"])

metrics_router = Router("/", route_handlers=[metrics], tags=["Health"])

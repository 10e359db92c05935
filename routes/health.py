"""Whether this process is alive, and ready for work."""

from typing import Any, Literal

import msgspec
from litestar import Request, Router, get

from gateway.auth import needs_nothing
from gateway.health import Dependency, readiness
from gateway.problems import Stopping, StorageUnavailable


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
    that this process is about to stop. Vendors and the identity provider are
    reported, and do not count.
    """
    if request.app.state.notice.given:
        raise Stopping("This process is about to stop.")
    state = request.app.state
    dependencies = await readiness(state.database, state.shared, state.identity_provider, state.directory)
    for name, dependency in dependencies.items():
        if dependency.required and dependency.state != "ok":
            raise StorageUnavailable(f"The {name} is {dependency.state}.")
    return Ready(dependencies=dependencies)


router = Router("/health", route_handlers=[live, ready], tags=["Health"])

"""What is kept of the vendors' answers: purged by the operator."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Router, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from gateway.cache.policy import Cache
from gateway.cache.topics import Choice
from gateway.cached_topics import FAMILIES
from gateway.http.rfc9457 import Fault
from gateway.needs import needs
from gateway.problems import ValidationFailed
from gateway.upstreams import TenantContext


class Purge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to drop; what is left out means all."""

    tenant: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")] | None = None
    topic: Annotated[str, msgspec.Meta(max_length=300, examples=["domains", "domain:track.example.com"])] | None = None
    """`domains`, `domain`, `price-points` or `features`; or one domain, as in `domain:track.example.com`."""


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """What was dropped."""

    tenant: str | None
    """null: those of all tenants."""
    topic: str | None
    """null: all of them."""
    modes: list[str]
    shared: bool | None
    """Whether Redis, and with it every other worker, has been told; false: as soon as it answers; null: there is none,
    and this worker is the only one."""


@post("/purge", opt=needs("admin", target=("tenant", "topic")), operation_id="purgeCache", status_code=200)
async def purge_cache(
    data: JSONBody[Purge], request: Request[Any, Any, Any], tenant: NamedDependency[TenantContext]
) -> Purged:
    """Drop what is kept, of all tenants or one, so that the vendors are asked anew.

    A token of mode `test` drops what is kept for tests only.
    """
    if data.topic is not None and data.topic.partition(":")[0] not in FAMILIES:
        fault = Fault("/topic", f"There is no such topic; its first part is one of {', '.join(FAMILIES)}.")
        raise ValidationFailed("The purge is not what is needed.", faults=[fault])
    choice = Choice(
        tenant=data.tenant,
        modes=("test",) if tenant.principal.mode == "test" else ("live", "test"),
        topic=data.topic,
    )
    cache: Cache = request.app.state.cache
    told = await cache.purge(choice)
    return Purged(tenant=choice.tenant, topic=choice.topic, modes=list(choice.modes), shared=told)


router = Router("/cache", route_handlers=[purge_cache], tags=["Cache"])

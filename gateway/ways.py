"""What a path and its query lead to: found once by a router, and remembered."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from litestar.handlers import HTTPRouteHandler

from gateway.cache.readings import Status
from gateway.cache.topics import Topic
from gateway.http.whole import Whole
from gateway.limits.windows import Standing
from gateway.needs import Needs
from gateway.principal import Principal

TENANT: Final = "tenant"
"""The one argument of a handler that each request has of its own."""

_HEAD: Final = b"content-type: application/json\r\ncontent-length: %d\r\n"


class Call(NamedTuple):
    """A handler, and what it is given for one path and query."""

    handler: Callable[..., Awaitable[Any]]
    arguments: Mapping[str, Any]
    """Less the tenant."""

    async def answer(self, tenant: object) -> Whole:
        """What the handler makes for a tenant."""
        body = msgspec.json.encode(await self.handler(tenant=tenant, **self.arguments))
        return Whole(200, _HEAD % len(body), body)


class Way(msgspec.Struct):
    """What is found for one path and query, whoever asks."""

    needs: Needs
    route: str
    """Its template."""
    topic: Topic
    variant: str
    call: Call | None = None
    """What answers if nothing is kept; None: it has not answered yet, or only the long way knows how."""

    def open_to(self, principal: Principal) -> bool:
        """Whether a caller may have it, as far as it can be told here: a token of one customer goes the long way."""
        return principal.subject is None and self.needs.admits(principal)


class Kept(msgspec.Struct):
    """An answer, and who gets it."""

    way: Way
    """What was asked."""
    principal: Principal
    cached: Status
    """What the look into the cache came to."""
    standing: Standing | None
    """The limit that the request counted against."""
    answer: Whole


def depends_on_target(handler: HTTPRouteHandler, model: Any) -> bool:
    """Whether a handler is given its tenant, what is in path and query, and nothing else.

    Args:
        handler: With its declarations.
        model: Where Litestar finds its arguments.
    """
    found = {parameter.field_name for parameter in model.expected_path_params | model.expected_query_params}
    return handler.parsed_fn_signature.parameters.keys() <= {TENANT, *found}

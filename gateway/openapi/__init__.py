"""The OpenAPI document of our surface, made from the routes and nothing else.

What routes declare (paths, parameters, types, docstrings, needs) is read by
`surface`, its types become `schemas`, what can go wrong is told by `codes`,
and what it looks like by `examples`, which were captured on the sandbox.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from litestar import Litestar
from litestar.di import Provide
from litestar.types import ControllerRouterHandler

from gateway import VERSION
from gateway.http.body import StrictRequest
from gateway.http.rfc9457 import ProblemBody
from gateway.openapi import examples, headers
from gateway.openapi.operations import Renderer
from gateway.openapi.schemas import Schemas
from gateway.openapi.surface import Operation, operations
from gateway.scopes import SCOPES

DESCRIPTION: Final = """\
One authenticated surface in front of FunnelFlux Pro custom domains and FunnelFox Billing.

JSON is `snake_case` in UTF-8. Times are RFC 3339 in UTC. Money is a decimal string in major units plus a currency.
A body takes no members besides its own, and a path no query parameters besides its own; answers may grow members.

Every answer that is not a success is `application/problem+json` (RFC 9457). The `code` in it is explained at
`/problems/{code}`, and has always the same status. A path that does not exist answers 404 `not_found`; one that does
not take the method answers 405 `method_not_allowed`, with those that it takes in `Allow`. `HEAD` is answered like
`GET`, without a body.

The same `Idempotency-Key` gives the first answer again and sends nothing; what is `unknown` is found out at
`/v1/operations`.
"""

_BEARER: Final = (
    "A token as `gateway token create` makes it: `fgw_live_...`, or `fgw_test_...` for the sandbox. "
    "`x-scopes` of an operation names all that it needs, `x-scopes-any` those of which one is enough:\n\n"
)


def document(handlers: Sequence[ControllerRouterHandler], dependencies: Mapping[str, Provide]) -> dict[str, Any]:
    """The document as JSON values.

    Args:
        handlers: The routers of the surface.
        dependencies: What the handlers are given, so that it is not taken for a parameter.
    """
    # An application of its own, so that the document needs neither configuration nor a running gateway.
    app = Litestar(
        route_handlers=handlers,
        dependencies=dict(dependencies),
        request_class=StrictRequest,
        openapi_config=None,
        logging_config=None,
    )
    surface = sorted(operations(app), key=lambda operation: (operation.path, operation.method))
    schemas = Schemas(
        taken=[shape for operation in surface for shape in operation.shapes_taken()],
        given=[ProblemBody, *(shape for operation in surface for shape in operation.shapes_given())],
    )
    renderer = Renderer(schemas, examples.captured(), surface)
    paths: dict[str, dict[str, Any]] = {}
    for operation in surface:
        paths.setdefault(operation.path, {})[operation.method.lower()] = renderer.rendered(operation)
    successes = (answer for item in paths.values() for one in item.values() for answer in one["responses"].values())
    return {
        "openapi": "3.1.0",
        "info": {"title": "Funnel Gateway", "version": VERSION, "description": DESCRIPTION},
        "servers": [{"url": "/", "description": "The gateway that serves this document."}],
        "tags": list(_tags(surface)),
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": dict(sorted(renderer.refusals.items())),
            "headers": headers.components((*successes, *renderer.refusals.values())),
            "examples": examples.of_problems(renderer.answered),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": _BEARER + "\n".join(f"- `{scope}`: {allows}" for scope, allows in SCOPES.items()),
                }
            },
        },
    }


def _tags(surface: Iterable[Operation]) -> Iterable[dict[str, str]]:
    """Each tag once, described by the first sentence of the module that bears its name, or else of its first one."""
    modules: dict[str, list[str]] = {}
    for operation in surface:
        for tag in operation.tags:
            modules.setdefault(tag, []).append(operation.handler.fn.__module__)
    for tag, names in sorted(modules.items()):
        namesake = tag.lower().replace(" ", "_")
        best = next((name for name in names if namesake in name.split(".")), names[0])
        yield {"name": tag, "description": (sys.modules[best].__doc__ or tag).partition("\n")[0]}

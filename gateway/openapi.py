"""The OpenAPI document of our surface, made from the routes and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler

from gateway import VERSION
from gateway.auth import Needs
from gateway.body import StrictRequest
from gateway.problems import ProblemBody

DESCRIPTION: Final = """\
One authenticated surface in front of FunnelFlux Pro custom domains and FunnelFox Billing.

JSON is `snake_case`. Times are RFC 3339 in UTC. Money is a decimal string in major units plus a currency.
Every answer that is not a success is `application/problem+json` (RFC 9457);
its `code` is explained at `/problems/{code}`.

An `Idempotency-Key` does not deduplicate yet.
"""

_TAGS: Final = (
    Tag(name="Domains", description="Custom domains: their DNS records, TLS and routing state."),
    Tag(name="Price points", description="What can be bought."),
    Tag(name="Features", description="What a customer gets by buying."),
    Tag(name="Health", description="For whatever keeps the gateway running."),
    Tag(name="Documentation", description="This document, and a page for each problem."),
)

_BEARER: Final = SecurityScheme(
    type="http",
    scheme="bearer",
    bearer_format="fgw_live_... or fgw_test_...",
    description="`gateway token create` makes one. `x-scopes` of an operation tells what it needs.",
)

_ANYWHERE: Final = {
    "400": "The request can't be read.",
    "500": "Something is wrong on our side.",
}
_WITH_TOKEN: Final = {
    "401": "No valid token.",
    "403": "The token does not allow this.",
    "502": "The vendor failed, or answered what it does not document.",
    "503": "The vendor or our storage can't be used now.",
    "504": "The vendor did not answer in time; for a write, whether it happened is unknown.",
}
_WITH_INPUT: Final = {"422": "The request says something that can't be done."}
_WITH_IDENTIFIER: Final = {"404": "There is no such thing."}
_WITH_BODY: Final = {"413": "The body is too large.", "415": "The body is of another media type."}
_WITH_CONFLICT: Final = {"409": "It exists already."}


def document(handlers: Sequence[ControllerRouterHandler], dependencies: Mapping[str, Provide]) -> dict[str, Any]:
    """The document as JSON values.

    Args:
        handlers: The routers of the surface.
        dependencies: What the handlers are given, so that it is not taken for a parameter.
    """
    # An application of its own: the one that serves has none of Litestar's documentation routes.
    app = Litestar(
        route_handlers=handlers,
        dependencies=dict(dependencies),
        request_class=StrictRequest,
        logging_config=None,
        openapi_config=OpenAPIConfig(
            title="Funnel Gateway",
            version=VERSION,
            description=DESCRIPTION,
            tags=list(_TAGS),
            components=Components(security_schemes={"bearer": _BEARER}),
            use_handler_docstrings=True,
            create_examples=False,
        ),
    )
    schema = msgspec.to_builtins(app.openapi_schema.to_schema())
    schemas = schema["components"].setdefault("schemas", {})
    _, problem_schemas = msgspec.json.schema_components([ProblemBody], ref_template="#/components/schemas/{name}")
    schemas |= problem_schemas
    for path, method, handler in _operations(app):
        operation = schema["paths"][path][method.lower()]
        _declare_needs(operation, handler.opt["needs"])
        _declare_failures(operation, handler.opt["needs"], method)
        _close(schemas, handler)
    return {**schema, "components": {**schema["components"], "schemas": dict(sorted(schemas.items()))}}


def _operations(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if "needs" in handler.opt and handler.resolve_include_in_schema():
                    yield route.path_format, method, handler


def _declare_needs(operation: dict[str, Any], needs: Needs) -> None:
    operation["security"] = [{"bearer": []}] if needs.token else []
    if needs.token:
        operation["x-scopes"] = sorted(needs.scopes)


def _declare_failures(operation: dict[str, Any], needs: Needs, method: str) -> None:
    """Put our problems where Litestar has described its own errors."""
    responses = operation["responses"]
    successes = {status: answer for status, answer in responses.items() if status.startswith("2")}
    failures = dict(_ANYWHERE)
    if needs.token:
        failures |= _WITH_TOKEN
    if operation.get("parameters") or "requestBody" in operation:
        failures |= _WITH_INPUT
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
        failures |= _WITH_IDENTIFIER
    if "requestBody" in operation:
        failures |= _WITH_BODY
    if method == "POST" and "201" in successes:
        failures |= _WITH_CONFLICT
    content = {"application/problem+json": {"schema": {"$ref": f"#/components/schemas/{ProblemBody.__name__}"}}}
    described = {status: {"description": text, "content": content} for status, text in failures.items()}
    operation["responses"] = dict(sorted({**successes, **described}.items()))
    for answer in operation["responses"].values():
        headers = answer.setdefault("headers", {})
        headers["X-Request-Id"] = {
            "description": "Names this request in our logs and traces.",
            "schema": {"type": "string"},
        }


def _close(schemas: dict[str, Any], handler: HTTPRouteHandler) -> None:
    """Say that a body takes no members besides its own; Litestar leaves that out."""
    body = handler.parsed_fn_signature.parameters.get("data")
    if body is not None and body.annotation.__struct_config__.forbid_unknown_fields:
        schemas[body.annotation.__name__]["additionalProperties"] = False

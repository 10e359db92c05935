"""One operation, as the document shows it."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from gateway.http.rfc9457 import Problem, ProblemBody
from gateway.openapi import codes, headers
from gateway.openapi.examples import Example, Examples
from gateway.openapi.schemas import Schemas
from gateway.openapi.surface import JSON, Answer, Operation, Parameter
from gateway.scopes import SCOPES

_SUCCESSES: Final = {
    HTTPStatus.CREATED: "Created. ",
    HTTPStatus.ACCEPTED: "Sent; how it ends is not known yet. ",
    HTTPStatus.NO_CONTENT: "Done; there is no body.",
}

_LIMITS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "min_items": "minItems",
    "max_items": "maxItems",
    "pattern": "pattern",
}

_DEMANDED: Final[Mapping[str, Mapping[str, Any]]] = {
    "Idempotency-Key": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"}
}
"""Headers of a policy, which demands them where money moves: handlers declare them optional, so that it refuses."""


class Renderer:
    """Writes operations down.

    Args:
        schemas: Of all their types.
        examples: Of all of them.
        surface: All of them.
    """

    def __init__(self, schemas: Schemas, examples: Examples, surface: Sequence[Operation]) -> None:
        self._schemas = schemas
        self._examples = examples
        self._surface = surface
        self.answered: set[type[Problem]] = set()
        """Every problem that was written down somewhere."""
        self.refusals: dict[str, Any] = {}
        """The answers that are no successes, by the name under which operations refer to them."""

    def rendered(self, operation: Operation) -> dict[str, Any]:
        """The operation as JSON values."""
        summary, rest = operation.prose
        examples = self._examples.get(operation.id, [])
        written: dict[str, Any] = {
            "tags": operation.tags,
            "summary": summary,
            "description": "\n\n".join(filter(None, (rest, _needs(operation)))),
            "operationId": operation.id,
        }
        if parameters := [self._parameter(parameter, operation, examples) for parameter in operation.parameters]:
            written["parameters"] = parameters
        if body := self._body(operation, examples):
            written["requestBody"] = body
        written["responses"] = {**self._successes(operation, examples), **self._failures(operation)}
        scopes, any_of = sorted(operation.needs.scopes), sorted(operation.needs.any_of)
        ways = [[*scopes, scope] for scope in any_of] or [scopes]
        written["security"] = [{"bearer": way} for way in ways] if operation.needs.token else []
        if operation.needs.token:
            written["x-scopes"] = scopes
        if any_of:
            written["x-scopes-any"] = any_of
        return written

    def _parameter(self, parameter: Parameter, operation: Operation, examples: Iterable[Example]) -> dict[str, Any]:
        demanded = {} if self._rehearses(operation) else _DEMANDED.get(parameter.name, {})
        schema = {**self._schemas.of(parameter.shape), **_limits(parameter), **demanded}
        description = (parameter.limits.description if parameter.limits else None) or schema.pop("description", None)
        if parameter.default is not msgspec.UNSET:
            schema["default"] = msgspec.to_builtins(parameter.default)
        if parameter.place == "path":
            schema = {"minLength": 1, **schema} if schema.get("type") == "string" else schema
            description = (
                description or f"The `{parameter.name}`; what is no letter, digit or one of `-._~` is escaped."
            )
        written = {
            "name": parameter.name,
            "in": parameter.place,
            "description": description or f"The `{parameter.name}`.",
            "required": parameter.required or (bool(demanded) and operation.needs.money),
            "schema": schema,
        }
        for example in examples:
            sent = {"path": example.sent.path, "query": example.sent.query, "header": example.sent.headers}
            if (text := sent[parameter.place].get(parameter.name)) is not None:
                written["examples"] = {example.key: {"summary": example.title, "value": _typed(text, schema)}}
                break
        return written

    def _rehearses(self, operation: Operation) -> bool:
        """Whether it can be told to change nothing; then the policies of changes don't apply."""
        return operation.body is not None and "dry_run" in self._schemas.members(operation.body.shape)

    def _body(self, operation: Operation, examples: Sequence[Example]) -> dict[str, Any] | None:
        body = operation.body
        media_type = body.media_type if body else operation.streamed
        if media_type is None:
            return None
        schema = self._schemas.of(body.shape) if body and body.shape is not bytes else {"type": "string"}
        content: dict[str, Any] = {"schema": schema}
        if shown := {
            example.key: {"summary": example.title, "value": example.sent.body}
            for example in examples
            if example.sent.media_type == media_type
        }:
            content["examples"] = shown
        described = (body and self._schemas.description(body.shape)) or "The content of a file."
        return {
            "description": described,
            "required": body is None or body.required,
            "content": {media_type: content},
        }

    def _successes(self, operation: Operation, examples: Sequence[Example]) -> dict[str, Any]:
        written = {}
        usual = operation.answers[operation.handler.status_code]
        seen = {example.received.status for example in examples if example.received.succeeded}
        # What a handler answers besides its usual status need not be declared: it was captured.
        for status in sorted({*operation.answers, *seen}):
            answers = operation.answers.get(status, usual)
            mine = [example for example in examples if example.received.status == status]
            answer: dict[str, Any] = {
                "description": self._success(operation, status, answers),
                "headers": headers.references(
                    status,
                    {name for example in mine for name in example.received.headers},
                    limited=operation.needs.token,
                ),
            }
            if content := {form.media_type: self._content(form, mine) for form in answers}:
                answer["content"] = content
            if operation.method == "POST" and (links := self._links(operation, answers)):
                answer["links"] = links
            written[str(status)] = answer
        if operation.method == "GET" and operation.needs.token and any(form.media_type == JSON for form in usual):
            written["304"] = {
                "description": "What the caller has, by its `If-None-Match`, is still what there is. There is no body.",
                "headers": headers.references(
                    304, {"Age", "Cache-Status", "ETag"} if operation.needs.cached else {"ETag"}
                ),
            }
        return written

    def _success(self, operation: Operation, status: int, answers: Sequence[Answer]) -> str:
        spec = (operation.handler.responses or {}).get(status)
        if spec is not None and spec.description != "Additional response":
            return spec.description
        about = next(filter(None, (self._schemas.description(form.shape) for form in answers)), "")
        if answers and not about:
            about = "The content of a file." if answers[0].shape is str else "A JSON object."
        return f"{_SUCCESSES.get(HTTPStatus(status), '')}{about}".strip()

    def _content(self, form: Answer, examples: Iterable[Example]) -> dict[str, Any]:
        content: dict[str, Any] = {"schema": self._schemas.of(form.shape)}
        if shown := {
            example.key: {"summary": example.title, "value": example.received.body}
            for example in examples
            if example.received.media_type == form.media_type
        }:
            content["examples"] = shown
        return content

    def _links(self, operation: Operation, answers: Sequence[Answer]) -> dict[str, Any]:
        """Where to go on with what came of it: operations below it that take one of its members."""
        members = {member for form in answers for member in self._schemas.members(form.shape)}
        found = {}
        for other in self._surface:
            taken = [parameter.name for parameter in other.parameters if parameter.place == "path"]
            if len(taken) == 1 and taken[0] in members and other.path.startswith(f"{operation.path}/"):
                found[other.id] = {
                    "operationId": other.id,
                    "description": f"`{taken[0]}` of this answer goes into the path.",
                    "parameters": {taken[0]: f"$response.body#/{taken[0]}"},
                }
        return found

    def _failures(self, operation: Operation) -> dict[str, Any]:
        written = {}
        for status, problems in codes.possible(operation).items():
            self.answered.update(problems)
            name = "Or".join(problem.__name__ for problem in problems)
            self.refusals.setdefault(name, _refusal(status, problems))
            written[str(status)] = {"$ref": f"#/components/responses/{name}"}
        return written


def _refusal(status: int, problems: Sequence[type[Problem]]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{ProblemBody.__name__}"}
    shown = {problem.code: {"$ref": f"#/components/examples/{problem.code}"} for problem in problems}
    return {
        "description": "\n".join(f"- `{problem.code}`: {_meaning(problem)}" for problem in problems),
        "headers": headers.references(status),
        "content": {"application/problem+json": {"schema": schema, "examples": shown}},
        "x-codes": [problem.code for problem in problems],
    }


def _meaning(problem: type[Problem]) -> str:
    return " ".join((problem.__doc__ or problem.title).split())


def _needs(operation: Operation) -> str:
    if not operation.needs.token:
        return "Needs no token."
    if operation.needs.any_of:
        return f"Needs a token with {' or '.join(f'`{scope}`' for scope in sorted(operation.needs.any_of))}."
    if not operation.needs.scopes:
        return "Needs a token, whatever its scopes."
    scopes = (f"`{scope}` ({SCOPES[scope].removesuffix('.').lower()})" for scope in sorted(operation.needs.scopes))
    return f"Needs a token with {' and '.join(scopes)}."


def _limits(parameter: Parameter) -> dict[str, Any]:
    """What the declaration of a parameter says beyond its type; whole bounds as integers."""
    found = {name: getattr(parameter.limits, limit, None) for limit, name in _LIMITS.items()}
    extra = (parameter.limits.schema_extra if parameter.limits else None) or {}
    return extra | {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in found.items()
        if value is not None
    }


def _typed(text: str, schema: Mapping[str, Any]) -> Any:
    return int(text) if schema.get("type") == "integer" else text

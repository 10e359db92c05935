"""Which problems each operation may answer with: told by what it declares and by what its code raises."""

import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any, Final

from gateway.http.rfc9457 import Problem
from gateway.openapi.surface import Operation
from gateway.operations.intentions import Intention
from gateway.problems import BY_CREATION, BY_SCOPE, SecretAlreadyShown, catalogue
from gateway.scopes import OWN_SCOPES

ALWAYS: Final = ("malformed_request", "validation_failed", "internal_error")

WITH_TOKEN: Final = (
    "token_missing",
    "token_invalid",
    "token_expired",
    "token_revoked",
    "rate_limited",
    "overloaded",
    "storage_unavailable",
    "identity_provider_unavailable",
)
WITH_SCOPE: Final = ("insufficient_scope", "subject_mismatch")

WITH_IDENTIFIER: Final = ("not_found",)
"""Also where the identifier stands in the body."""

WITH_BODY: Final = ("content_too_large", "unsupported_media_type")

WITH_KEY: Final = ("idempotency_in_progress", "idempotency_mismatch")

WITH_MONEY: Final = ("idempotency_key_required", "operation_in_progress")

FROM_VENDOR: Final = (
    "not_found",
    "upstream_rejected",
    "upstream_unreachable",
    "upstream_error",
    "upstream_invalid_response",
    "upstream_auth_failed",
    "upstream_rate_limited",
    "upstream_not_configured",
    "upstream_unavailable",
    "upstream_timeout",
)
WHEN_CHANGING: Final = ("outcome_unknown",)


def possible(operation: Operation) -> dict[int, list[type[Problem]]]:
    """The problems of an operation, by status and then by code."""
    codes = {*_declared(operation), *(problem.code for problem in _raised(operation))}
    found: dict[int, list[type[Problem]]] = {}
    for problem in catalogue():
        if problem.code in codes:
            found.setdefault(problem.status, []).append(problem)
    return dict(sorted(found.items()))


def _declared(operation: Operation) -> Iterator[str]:
    yield from ALWAYS
    places = {parameter.place for parameter in operation.parameters}
    if operation.needs.token:
        yield from WITH_TOKEN
    yield from _allowed(operation)
    if "path" in places or operation.reads_body:
        yield from WITH_IDENTIFIER
    if operation.reads_body:
        yield from WITH_BODY
    if "header" in places:
        yield from WITH_KEY
    if operation.needs.money:
        yield from WITH_MONEY
    for scope in operation.needs.scopes:
        for code in BY_SCOPE.get(scope, ()):
            if code not in BY_CREATION or 201 in operation.answers:  # noqa: PLR2004 - HTTP's own number
                yield code


def _allowed(operation: Operation) -> Iterator[str]:
    if operation.needs.scopes or operation.needs.any_of:
        yield from WITH_SCOPE
    if operation.needs.scopes - OWN_SCOPES:
        yield from FROM_VENDOR if operation.needs.reads else FROM_VENDOR + WHEN_CHANGING


def _raised(operation: Operation) -> set[type[Problem]]:
    """The problems that the handler names, and the functions of its layer that it calls."""
    handler: Any = operation.handler.fn
    layer = handler.__module__.partition(".")[0]
    waiting, seen, found = [handler], set(), set()
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        for name in _names(function.__code__):
            named = function.__globals__.get(name)
            if isinstance(named, type) and issubclass(named, Problem):
                found.add(named)
            elif isinstance(named, Intention) and named.shows_secret:
                found.add(SecretAlreadyShown)
            elif isinstance(named, FunctionType) and named.__module__.partition(".")[0] == layer:
                waiting.append(named)
            elif isinstance(named, type) and named.__module__.partition(".")[0] == layer:
                waiting.extend(_called(named, function))
    return found


def _called(cls: type, function: FunctionType) -> Iterator[FunctionType]:
    """The methods of a class that a function names."""
    for name in _names(function.__code__):
        method = getattr(vars(cls).get(name), "__func__", vars(cls).get(name))
        if isinstance(method, FunctionType) and method.__module__ in sys.modules:
            yield method


def _names(code: CodeType) -> set[str]:
    """Every name in a function and in the functions within it."""
    return {*code.co_names}.union(*(_names(inner) for inner in code.co_consts if isinstance(inner, CodeType)))

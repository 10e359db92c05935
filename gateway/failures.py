"""Whatever was raised on the way becomes a problem, and is answered as one."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from litestar import Request, Response
from litestar.enums import ParamType
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from clients.errors import UpstreamError
from gateway.edge import Exchange, rendered
from gateway.problems import (
    Fault,
    InternalError,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    Problem,
    StorageUnavailable,
    ValidationFailed,
    problem_of,
)
from gateway.storage.database import Unavailable
from gateway.telemetry import Log

_PLACES: Final[Mapping[object, Literal["query", "path", "header"]]] = {
    ParamType.QUERY: "query",
    ParamType.PATH: "path",
    ParamType.HEADER: "header",
}


def handlers(log: Log) -> dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]]:
    """Litestar's exception handlers: one for everything.

    Args:
        log: A failure of our own is written here, with the identifiers that the caller was given.
    """

    def answered(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        exchange = Exchange.of(request.scope)
        problem = _problem(error)
        if isinstance(problem, InternalError):
            log.error(
                "request crashed",
                request_id=exchange.occurrence.request_id,
                trace_id=exchange.occurrence.trace_id,
                exc_info=error,
            )
        exchange.problem = problem
        return Response(
            rendered(problem, exchange),
            status_code=problem.status,
            headers=problem.headers,
            media_type="application/problem+json",
        )

    return {Exception: answered, HTTPException: answered}


def _problem(error: Exception) -> Problem:  # noqa: PLR0911 - a table: one return per row
    match error:
        case Problem():
            return error
        case UpstreamError():
            return problem_of(error)
        case Unavailable():
            return StorageUnavailable("The gateway's database does not answer.")
        case NotFoundException():
            return NotFound("There is no such route.")
        case MethodNotAllowedException():
            return MethodNotAllowed(
                "The route does not answer this method.", headers={"Allow": _allowed(error.headers or {})}
            )
        case ValidationException():
            return _validation(error)
        case HTTPException() if error.status_code < InternalError.status:
            return MalformedRequest(error.detail)
        case _:
            return InternalError("Something went wrong on our side.")


def _allowed(headers: dict[str, str]) -> str:
    """The methods of a path; where there is a GET there is a HEAD."""
    methods = {method.strip() for method in headers.get("allow", "").split(",")}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _validation(error: ValidationException) -> Problem:
    """Litestar's faults of parameters; those of bodies are ours already."""
    if any(isinstance(fault, dict) and fault.get("key") == "data" for fault in error.extra or ()):
        # An empty body is the one thing that Litestar finds before `StrictRequest` does.
        return MalformedRequest("The body is empty; this route needs a JSON object.")
    faults = [
        Fault(
            f"/{fault.get('key', '')}", f"{fault.get('message', 'Invalid')}.", _PLACES.get(fault.get("source"), "query")
        )
        for fault in error.extra or ()
        if isinstance(fault, dict)
    ]
    return ValidationFailed("The request is not what is needed.", faults=faults)

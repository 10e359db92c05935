"""Whatever was raised on the way becomes a problem, and is answered as one."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from litestar import Request, Response
from litestar.enums import ParamType
from litestar.exceptions import (
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from clients.errors import UpstreamError
from gateway.http import query
from gateway.http.body import missing
from gateway.http.exchange import Exchange
from gateway.http.rfc9457 import Fault, Problem
from gateway.http.way_back import crash, rendered
from gateway.idempotency import Replayed
from gateway.problems import (
    InternalError,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    OutcomeUnknown,
    StorageUnavailable,
    ValidationFailed,
    catalogue,
    problem_of,
)
from gateway.storage.database import Outdated, Unavailable
from gateway.telemetry import Log

_PLACES: Final[Mapping[object, Literal["query", "path", "header"]]] = {
    ParamType.QUERY: "query",
    ParamType.PATH: "path",
    ParamType.HEADER: "header",
}


_LEFT: Final = InternalServerException
"""What Litestar raises, among other things, when the caller hangs up within the body."""


def handlers(log: Log) -> dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]]:
    """Litestar's exception handlers: one for everything.

    Args:
        log: A failure of our own is written here, with the identifiers that the caller was given.
    """

    def answered(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        exchange = Exchange.of(request.scope)
        if isinstance(error, Replayed):
            return _replay(error, exchange)
        problem = told(error, exchange, log, request)
        return Response(
            rendered(problem, exchange),
            status_code=problem.status,
            headers=problem.headers,
            media_type="application/problem+json",
        )

    return {Exception: answered, HTTPException: answered}


def told(error: Exception, exchange: Exchange, log: Log, request: Request[Any, Any, Any] | None = None) -> Problem:
    """What the caller is told of a failure, which the exchange has from now on.

    Args:
        error: What was raised.
        exchange: In which.
        log: Where a failure is written that nobody has foreseen.
        request: Where more may be wrong than was found; None: it was looked through before.
    """
    problem = _problem(error, request)
    if isinstance(error, _LEFT) and str(error.detail) == "client disconnected prematurely":
        problem = MalformedRequest("The connection ended before the body was whole.")
    elif _is_crash(error, problem):
        log.error(
            "request crashed",
            request_id=exchange.occurrence.request_id,
            trace_id=exchange.occurrence.trace_id,
            exc_info=error,
        )
    exchange.problem = problem
    return problem


def _problem(  # noqa: PLR0911 - a table: one return per row
    error: Exception, request: Request[Any, Any, Any] | None
) -> Problem:
    match error:
        case ValidationFailed() if request is not None:
            return _with_query_faults(error, request)
        case Problem():
            return error
        case UpstreamError():
            return problem_of(error)
        case Outdated():
            return StorageUnavailable("The schema of the gateway's database is not current: run `gateway migrate`.")
        case Unavailable():
            return StorageUnavailable("The gateway's database does not answer.")
        case NotFoundException():
            return NotFound("There is no such route.")
        case MethodNotAllowedException():
            return MethodNotAllowed(
                "The route does not answer this method.", headers={"Allow": _allowed(error.headers or {})}
            )
        case ValidationException() if request is not None:
            return _with_query_faults(_validation(error, request), request)
        case HTTPException() if error.status_code < InternalError.status:
            return MalformedRequest(error.detail)
        case _:
            return crash()


def _replay(replayed: Replayed, exchange: Exchange) -> Response[bytes]:
    """An earlier answer, byte for byte."""
    answer = replayed.answer
    if answer.status >= 400:  # noqa: PLR2004 - HTTP's own number
        code = answer.shown.get("code")
        exchange.problem = next((problem("Replayed.") for problem in catalogue() if problem.code == code), None)
    return Response(
        answer.body.encode(),
        status_code=answer.status,
        headers=replayed.headers,
        media_type=answer.headers.get("content-type"),
    )


def _is_crash(error: Exception, problem: Problem) -> bool:
    """Whether this is a failure of ours that nobody has foreseen."""
    return (
        problem is not error
        and isinstance(problem, InternalError | OutcomeUnknown)
        and not isinstance(error, UpstreamError)
    )


def _allowed(headers: dict[str, str]) -> str:
    """The methods of a path; where there is a GET there is a HEAD."""
    methods = {method.strip() for method in headers.get("allow", "").split(",")}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _validation(error: ValidationException, request: Request[Any, Any, Any]) -> ValidationFailed:
    """Litestar's faults of parameters, and the one that it finds in a body: that there is none."""
    faults: list[Fault] = []
    for told in error.extra or ():
        if isinstance(told, dict) and told.get("key") == "data":
            faults += missing(request.route_handler.parsed_fn_signature.parameters["data"].annotation).faults
        elif isinstance(told, dict):
            place = _PLACES.get(told.get("source"), "query")
            faults.append(Fault(f"/{told.get('key', '')}", f"{told.get('message', 'Invalid')}.", place))
    return ValidationFailed("The request is not what is needed.", faults=faults)


def _with_query_faults(problem: ValidationFailed, request: Request[Any, Any, Any]) -> ValidationFailed:
    """All that was found to be wrong, and what else is with the query: it is looked at in several steps."""
    declared = request.route_handler.opt.get("query")
    if declared:
        told = {fault.pointer for fault in problem.faults if fault.location == "query"}
        found = query.value_faults(request.route_handler, request.scope["query_string"], declared)
        problem.faults = (*problem.faults, *(fault for fault in found if fault.pointer not in told))
    return problem

"""The API document, and a page for each problem.

Beside them the page of the API itself, and what pages are made of.
"""

import asyncio
from typing import TYPE_CHECKING, Any, cast

import msgspec
from litestar import Request, Response, Router, get
from litestar.params import FromPath

from gateway.http.rfc9457 import Problem
from gateway.needs import needs_nothing
from gateway.problems import NotFound, catalogue

if TYPE_CHECKING:
    from routes.docs.site import Site


class ProblemPage(msgspec.Struct, frozen=True, kw_only=True):
    """What a code means."""

    code: str
    title: str
    status: int
    meaning: str
    retryable: bool
    """Whether the same request may be sent again as it is, and has a chance."""
    remedy: str

    @classmethod
    def of(cls, problem: type[Problem]) -> "ProblemPage":
        """The page of one entry of the catalogue."""
        return cls(
            code=problem.code,
            title=problem.title,
            status=problem.status,
            meaning=" ".join((problem.__doc__ or "").split()),
            retryable=problem.retryable,
            remedy=problem.remedy,
        )


class ProblemIndex(msgspec.Struct, frozen=True, kw_only=True):
    """Every code there is."""

    data: list[ProblemPage]


@get("/openapi.json", opt=needs_nothing(), operation_id="getApiDocument", status_code=200)
async def api_document(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """Give this document (OpenAPI 3.1)."""
    document: Any = msgspec.Raw(request.app.state.document())  # JSON already
    return cast("dict[str, Any]", document)


@get("/problems", opt=needs_nothing(), operation_id="listProblems", status_code=200)
async def list_problems(request: Request[Any, Any, Any]) -> Response[ProblemIndex] | Response[str]:
    """List every problem; a page for people, or JSON by `Accept`."""
    if not _for_people(request):
        return Response(
            ProblemIndex(data=[ProblemPage.of(problem) for problem in catalogue()]), headers={"Vary": "Accept"}
        )
    # In a thread, like all pages: the first one has to be written.
    return (await asyncio.to_thread(lambda: _site(request).problems)).given(request)


@get("/problems/{code:str}", opt=needs_nothing(), operation_id="getProblem", status_code=200)
async def get_problem(code: FromPath[str], request: Request[Any, Any, Any]) -> Response[ProblemPage] | Response[str]:
    """Explain one problem; a page for people, or JSON by `Accept`."""
    problem = next((problem for problem in catalogue() if problem.code == code), None)
    if problem is None:
        raise NotFound("There is no such problem.")
    if not _for_people(request):
        return Response(ProblemPage.of(problem), headers={"Vary": "Accept"})
    return (await asyncio.to_thread(lambda: _site(request).problem(problem))).given(request)


@get("/docs", opt=needs_nothing(), operation_id="showApi", status_code=200, include_in_schema=False)
async def show_api(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the API to people."""
    return (await asyncio.to_thread(lambda: _site(request).reference)).given(request)


@get("/docs/{name:str}", opt=needs_nothing(), operation_id="showPart", status_code=200, include_in_schema=False)
async def show_part(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[str]:
    """Give a part of a page."""
    if (part := await asyncio.to_thread(lambda: _site(request).part(name))) is None:
        raise NotFound("There is no such file.")
    return part.given(request)


@get("/", opt=needs_nothing(), operation_id="welcome", status_code=200, include_in_schema=False)
async def welcome(request: Request[Any, Any, Any]) -> Response[str]:
    """Lead people to the pages; to programs there is nothing here."""
    if "text/html" not in request.headers.get("accept", ""):
        raise NotFound("There is nothing at this path.")
    return (await asyncio.to_thread(lambda: _site(request).welcome)).given(request)


def _site(request: Request[Any, Any, Any]) -> "Site":
    site: Site = request.app.state.site()
    return site


def _for_people(request: Request[Any, Any, Any]) -> bool:
    """HTML unless JSON is asked for by name and HTML is not."""
    accepted = request.headers.get("accept", "")
    return "text/html" in accepted or "json" not in accepted


router = Router(
    "/",
    route_handlers=[api_document, list_problems, get_problem, show_api, show_part, welcome],
    tags=["Documentation"],
)

"""The API document, and a page for each problem."""

from html import escape
from typing import Any, Final, cast

import msgspec
from litestar import Request, Response, Router, get
from litestar.params import FromPath

from gateway.auth import needs_nothing
from gateway.problems import NotFound, catalogue
from gateway.rfc9457 import Problem

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.6 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}"
    "code{font-size:.95em}dt{font-weight:600;margin-top:1rem}dd{margin:0}"
)
_SECURITY: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
}


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
    pages = [ProblemPage.of(problem) for problem in catalogue()]
    if not _for_people(request):
        return Response(ProblemIndex(data=pages))
    rows = "".join(
        f'<dt><a href="problems/{page.code}"><code>{page.code}</code></a> {page.status}</dt>'
        f"<dd>{escape(page.meaning)}</dd>"
        for page in pages
    )
    return _page("Problems", f"<dl>{rows}</dl>")


@get("/problems/{code:str}", opt=needs_nothing(), operation_id="getProblem", status_code=200)
async def get_problem(code: FromPath[str], request: Request[Any, Any, Any]) -> Response[ProblemPage] | Response[str]:
    """Explain one problem; a page for people, or JSON by `Accept`."""
    problem = next((problem for problem in catalogue() if problem.code == code), None)
    if problem is None:
        raise NotFound("There is no such problem.")
    page = ProblemPage.of(problem)
    if not _for_people(request):
        return Response(page)
    again = "Yes, as it is." if page.retryable else "Not as it is."
    return _page(
        page.title,
        f"<dl><dt>Code</dt><dd><code>{page.code}</code></dd>"
        f"<dt>Status</dt><dd>{page.status}</dd>"
        f"<dt>What happened</dt><dd>{escape(page.meaning)}</dd><dt>Send it again?</dt><dd>{again}</dd>"
        f"<dt>What to do</dt><dd>{escape(page.remedy)}</dd></dl>",
    )


def _for_people(request: Request[Any, Any, Any]) -> bool:
    """HTML unless JSON is asked for by name and HTML is not."""
    accepted = request.headers.get("accept", "")
    return "text/html" in accepted or "json" not in accepted


def _page(title: str, content: str) -> Response[str]:
    html = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} - Funnel Gateway</title><style>{_STYLE}</style>"
        f"<h1>{escape(title)}</h1>{content}</html>"
    )
    return Response(html, media_type="text/html", headers=_SECURITY)


router = Router("/", route_handlers=[api_document, list_problems, get_problem], tags=["Documentation"])

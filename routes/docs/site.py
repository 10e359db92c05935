"""All pages and their parts, each written when it is first asked for and then kept."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

import msgspec

from gateway.http.rfc9457 import Problem
from routes.docs import reference
from routes.docs.explained import Explanations
from routes.docs.files import PAGE, PAGE_WITH_SCRIPT, Bundle, File
from routes.docs.frame import NAME, Frame, main
from routes.docs.html import tag

_DOORS: Final = (
    ("docs", "API", "every operation, with examples and forms to try it on the sandbox"),
    ("problems", "Problems", "every way in which a request can fail, and what to do then"),
    ("openapi.json", "OpenAPI document", "the same for programs"),
    ("health/ready", "Health", "whether the gateway is ready, and the state of what it depends on"),
)


class Site:
    """What browsers are shown.

    Args:
        document: Gives the OpenAPI document as JSON.
    """

    def __init__(self, document: Callable[[], bytes]) -> None:
        self._read = document
        self._bundle = Bundle()
        self._frame = Frame(self._bundle)
        self._pages: dict[str, File] = {}

    @cached_property
    def welcome(self) -> File:
        """The page that leads to the others."""
        doors = (tag("li", tag("a", label, href=path), f": {about}") for path, label, about in _DOORS)
        words = "One authenticated surface in front of FunnelFlux Pro custom domains and FunnelFox Billing."
        content = main(tag("h1", NAME), tag("p", words), tag("ul", *doors))
        return File.page(self._frame.page(NAME, content, here=""), PAGE)

    @cached_property
    def reference(self) -> File:
        """The page of the API."""
        return File.page(reference.page(self._document, self._frame), PAGE_WITH_SCRIPT)

    @cached_property
    def problems(self) -> File:
        """The page that lists the problems."""
        return File.page(self._explanations.index(), PAGE)

    def problem(self, problem: type[Problem]) -> File:
        """The page of one problem."""
        if problem.code not in self._pages:
            self._pages[problem.code] = File.page(self._explanations.page(problem), PAGE)
        return self._pages[problem.code]

    def part(self, name: str) -> File | None:
        """A part of pages; None: there is none of that name."""
        return self._bundle.files.get(name)

    @cached_property
    def _document(self) -> dict[str, Any]:
        return msgspec.json.decode(self._read(), type=dict[str, Any])

    @cached_property
    def _explanations(self) -> Explanations:
        return Explanations(self._document, self._frame)

"""The pages of problems: what happened, whether to try again, what to do, what it looks like, where it comes from."""

import json
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from gateway.http.rfc9457 import Problem
from gateway.openapi import examples
from gateway.problems import catalogue
from routes.docs.frame import Frame, main
from routes.docs.html import Html, inline, joined, listing, tag
from routes.docs.operations import Operation, codes, operations

_FEW: Final = 12
"""Operations that are listed openly; more are opened by the reader."""

_INTRODUCTION: Final = (
    "Every answer that is not a success is `application/problem+json` (RFC 9457). Programs decide by its `code`, which "
    "has always the same status, and by its `retryable`. Say the `request_id` when you ask for help."
)

_AGAIN: Final = {
    "unknown": (
        "Not blindly",
        "It may have happened, and a repeat could do it twice; unless the answer says `retryable: true`.",
    ),
    "wait": (
        "Yes",
        "Send the same again, as it is, after as many seconds as `Retry-After` says; if it is not there, after one.",
    ),
    "pause": (
        "Yes",
        "Send the same again, as it is, after a second; then wait twice as long each time, and give up after some.",
    ),
    "ours": (
        "Not by a program",
        "Nothing says that a repeat would end otherwise. Somebody has to look at it.",
    ),
    "yours": (
        "Not as it is",
        "The same request is answered the same, until something has changed.",
    ),
}

_WAITS: Final = frozenset({429, 503})
"""Statuses that say when to come back."""


def again(problem: type[Problem]) -> tuple[str, str]:
    """Whether to send the same again: in a word, and in full."""
    if problem.outcome is not None:
        return _AGAIN["unknown"]
    if problem.retryable:
        return _AGAIN["wait" if problem.status in _WAITS else "pause"]
    return _AGAIN["ours" if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "yours"]


class Explanations:
    """Writes the pages.

    Args:
        document: Says which operation may answer with what.
        frame: Is put around each.
    """

    def __init__(self, document: Mapping[str, Any], frame: Frame) -> None:
        self._frame = frame
        self._catalogue = [*catalogue()]
        self._sources: dict[str, list[Operation]] = {}
        for operation in operations(document):
            for _, named in codes(operation, document):
                for code in named:
                    self._sources.setdefault(code, []).append(operation)
        self._everything = len(operations(document))

    def index(self) -> str:
        """The page that lists them all."""
        statuses = sorted({problem.status for problem in self._catalogue})
        return self._frame.page(
            "Problems",
            main(
                tag("h1", "Problems"),
                tag("p", inline(_INTRODUCTION)),
                *(self._listed(status) for status in statuses),
            ),
            here="problems",
        )

    def _listed(self, status: int) -> Html:
        rows = (
            joined(
                [
                    tag(
                        "dt",
                        tag("a", tag("code", problem.code), href=f"problems/{problem.code}"),
                        " ",
                        tag("span", f"Again? {again(problem)[0]}.", class_="kind"),
                    ),
                    tag("dd", inline(_meaning(problem))),
                ]
            )
            for problem in self._catalogue
            if problem.status == status
        )
        heading = tag("h2", f"{status} {HTTPStatus(status).phrase}", id=f"status-{status}")
        return tag("section", heading, tag("dl", *rows, class_="members"), aria_labelledby=f"status-{status}")

    def page(self, problem: type[Problem]) -> str:
        """The page of one of them."""
        short, long = again(problem)
        return self._frame.page(
            problem.title,
            main(
                tag(
                    "p",
                    tag("code", problem.code),
                    " ",
                    tag("span", f"{problem.status} {HTTPStatus(problem.status).phrase}", class_="bad"),
                ),
                tag("h1", problem.title),
                tag("h2", "What happened"),
                tag("p", inline(_meaning(problem))),
                tag("h2", "May I send it again?"),
                tag("p", tag("strong", f"{short}."), " ", inline(long)),
                tag("h2", "What to do"),
                tag("p", inline(problem.remedy)),
                tag("h2", "What it looks like"),
                _example(problem),
                tag("h2", "Where it comes from"),
                self._origin(self._sources.get(problem.code, [])),
                self._neighbours(problem),
            ),
            here=f"problems/{problem.code}",
        )

    def _origin(self, sources: Sequence[Operation]) -> Html:
        if not sources:
            return tag("p", "Any path: it is answered before an operation is chosen.")
        listed = tag("ul", *(tag("li", _linked(operation)) for operation in sources), class_="sources")
        if len(sources) <= _FEW:
            return listed
        number = "Every operation" if len(sources) == self._everything else f"{len(sources)} operations"
        return tag("details", tag("summary", number), listed, class_="example")

    def _neighbours(self, problem: type[Problem]) -> Html:
        at = self._catalogue.index(problem)
        before = self._catalogue[at - 1] if at else None
        after = self._catalogue[at + 1] if at + 1 < len(self._catalogue) else None
        return tag(
            "nav",
            _neighbour(before, "Previous", "prev"),
            tag("a", "All problems", href="../problems"),
            _neighbour(after, "Next", "next"),
            aria_label="Other problems",
            class_="neighbours",
        )


def _meaning(problem: type[Problem]) -> str:
    return " ".join((problem.__doc__ or problem.title).split())


def _linked(operation: Operation) -> Html:
    return tag("a", operation.line, href=f"../docs#{operation.id}")


def _neighbour(problem: type[Problem] | None, word: str, rel: str) -> Html:
    if problem is None:
        return tag("span")
    return tag("a", f"{word}: ", tag("code", problem.code), href=problem.code, rel=rel)


def _example(problem: type[Problem]) -> Html:
    """An answer that was captured on the sandbox, or else one made of what is known."""
    body = next(_captured(problem.code), None) or examples.of_problems([problem])[problem.code]["value"]
    head = f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\nContent-Type: application/problem+json\n\n"
    text = head + json.dumps(body, indent=2, ensure_ascii=False)
    return listing("Example", text)


def _captured(code: str) -> Iterator[Any]:
    for calls in examples.captured().values():
        for call in calls:
            if isinstance(call.received.body, dict) and call.received.body.get("code") == code:
                yield call.received.body

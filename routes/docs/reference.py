"""The page of the whole API, written from its document."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from routes.docs import schemas, trying
from routes.docs.entry import entry
from routes.docs.frame import NAME, Frame, main
from routes.docs.html import Html, inline, joined, prose, tag
from routes.docs.operations import Operation, operations

_LAST: Final = ("Health", "Documentation")
"""Tags that come after what the gateway is for."""

_SCRIPTS: Final = ("finding.js", "calling.js")


def page(document: Mapping[str, Any], frame: Frame) -> str:
    """The page at `/docs`."""
    by_tag: dict[str, list[Operation]] = {}
    for operation in operations(document):
        by_tag.setdefault(operation.told["tags"][0], []).append(operation)
    described = {row["name"]: row["description"] for row in document["tags"]}
    tags = sorted(described, key=lambda name: (name in _LAST, name))
    groups = [(name, by_tag.get(name, [])) for name in tags]
    content = main(
        tag("h1", NAME),
        prose(document["info"]["description"]),
        trying.access(),
        *(_group(name, described[name], members, document) for name, members in groups),
        _shapes(document),
        _headers(document),
    )
    return frame.page(NAME, tag("div", _contents(groups), content, class_="layout"), here="docs", scripts=_SCRIPTS)


def _contents(groups: Iterable[tuple[str, list[Operation]]]) -> Html:
    lists = (
        tag("section", tag("h2", name), tag("ul", *(_line(operation) for operation in members)))
        for name, members in groups
    )
    search = tag(
        "form",
        tag("label", "Search the operations", for_="search"),
        tag("input", id="search", type="search", autocomplete="off", placeholder="path, scope, word; / leads here"),
        tag("p", role="status", id="found", class_="muted"),
        role="search",
        hidden=True,
    )
    return tag(
        "nav",
        search,
        tag("details", tag("summary", "All operations"), *lists, open=True),
        class_="contents",
        aria_label="Operations",
    )


def _line(operation: Operation) -> Html:
    return tag("li", tag("a", operation.line, href=f"#{operation.id}"))


def _group(name: str, description: str, members: Iterable[Operation], document: Mapping[str, Any]) -> Html:
    ident = f"tag-{name.lower().replace(' ', '-')}"
    return tag(
        "section",
        tag("h2", name, id=ident),
        tag("p", inline(description)),
        *(entry(operation, document) for operation in members),
        aria_labelledby=ident,
        class_="group",
    )


def _shapes(document: Mapping[str, Any]) -> Html:
    return tag(
        "section",
        tag("h2", "Shapes", id="shapes"),
        tag("p", "What bodies are made of. Answers may grow members; pass over those that you do not know."),
        schemas.shapes(document["components"]["schemas"]),
        aria_labelledby="shapes",
        class_="group",
    )


def _headers(document: Mapping[str, Any]) -> Html:
    rows = (
        joined(
            [
                tag("dt", tag("code", name), id=f"header-{name}"),
                tag("dd", prose(header.get("description", ""))),
            ]
        )
        for name, header in document["components"].get("headers", {}).items()
    )
    return tag(
        "section",
        tag("h2", "Headers of answers", id="headers"),
        tag("dl", *rows, class_="members"),
        aria_labelledby="headers",
        class_="group",
    )

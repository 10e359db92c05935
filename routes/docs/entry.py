"""One operation, as the page of the API shows it."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from routes.docs import schemas, trying
from routes.docs.html import Html, inline, joined, listing, prose, tag
from routes.docs.operations import Operation, codes


def entry(operation: Operation, document: Mapping[str, Any]) -> Html:
    """All that there is to say of it, to be opened."""
    told = operation.told
    heading = tag("h3", operation.line)
    return tag(
        "details",
        tag("summary", heading, tag("span", inline(told["summary"]), class_="summary")),
        tag(
            "div",
            prose(told.get("description", "")),
            trying.form(operation.method, operation.path, told),
            _parameters(told),
            _body(told, document),
            tag("h4", "Answers"),
            *(
                _success(status, answer, document)
                for status, answer in told["responses"].items()
                if "$ref" not in answer
            ),
            _failures(operation, document),
            class_="inside",
        ),
        id=operation.id,
        class_="entry operation",
        data_words=" ".join([operation.id, *told["tags"], *told.get("x-scopes", ())]),
    )


def _parameters(told: Mapping[str, Any]) -> Html | None:
    rows = [
        joined(
            [
                tag(
                    "dt",
                    tag("code", parameter["name"]),
                    tag("span", " ", schemas.kind(parameter["schema"]), f", in the {parameter['in']}", class_="kind"),
                    tag("span", " required", class_="required") if parameter["required"] else None,
                ),
                tag("dd", prose(parameter.get("description", "")), _muted(schemas.bounds(parameter["schema"]))),
            ]
        )
        for parameter in told.get("parameters", ())
    ]
    # The form shows the same beside its fields, and takes its place where it works.
    return tag("div", tag("h4", "Parameters"), tag("dl", *rows, class_="members"), class_="told") if rows else None


def _body(told: Mapping[str, Any], document: Mapping[str, Any]) -> Html | None:
    body = told.get("requestBody")
    if body is None:
        return None
    return joined(
        [
            tag("h4", "Body"),
            prose(body.get("description", "")),
            None if body.get("required") else tag("p", "It may be left out."),
            *(_content(media_type, content, document) for media_type, content in body["content"].items()),
        ]
    )


def _success(status: str, answer: Mapping[str, Any], document: Mapping[str, Any]) -> Html:
    headers = sorted(answer.get("headers", ()))
    named = joined(part for name in headers for part in (" ", tag("a", tag("code", name), href=f"#header-{name}")))
    return tag(
        "div",
        tag("h5", tag("span", f"{status} {HTTPStatus(int(status)).phrase}", class_="good")),
        prose(answer.get("description", "")),
        *(_content(media_type, content, document) for media_type, content in answer.get("content", {}).items()),
        tag("p", "Headers:", named, class_="muted") if headers else None,
        class_="status",
    )


def _content(media_type: str, content: Mapping[str, Any], document: Mapping[str, Any]) -> Html:
    examples = (
        tag(
            "details",
            tag("summary", "Example: ", example["summary"]),
            listing(f"Example: {example['summary']}", trying.written(example["value"])),
            class_="example",
        )
        for example in content.get("examples", {}).values()
    )
    schema = content.get("schema", {})
    return joined(
        [
            tag("p", tag("code", media_type), ": ", schemas.kind(schema)),
            _shape(schemas.name_of(schema), document),
            *examples,
        ]
    )


def _shape(shape: str | None, document: Mapping[str, Any]) -> Html | None:
    """The members of a shape, to be opened on the spot."""
    if shape is None:
        return None
    schema = document["components"]["schemas"][shape]
    return tag("details", tag("summary", f"Members of {shape}"), schemas.members(schema), class_="example")


def _failures(operation: Operation, document: Mapping[str, Any]) -> Html:
    rows = (
        joined(
            [
                tag("dt", f"{status} {HTTPStatus(int(status)).phrase}"),
                tag("dd", *_linked(named)),
            ]
        )
        for status, named in codes(operation, document)
    )
    return tag(
        "div",
        tag("h5", "Problems"),
        tag("dl", *rows, class_="problems"),
        class_="status",
    )


def _linked(named: Iterable[str]) -> Iterable[Html]:
    for code in named:
        yield tag("a", tag("code", code), href=f"problems/{code}")
        yield Html(" ")


def _muted(told: Html | None) -> Html | None:
    return tag("p", told, class_="muted") if told else None

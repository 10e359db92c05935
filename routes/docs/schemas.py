"""JSON Schemas in words: what our own document uses of them, and no more."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from routes.docs.html import Html, inline, joined, prose, tag

Schema = Mapping[str, Any]

_FORMATS: Final = {
    "date-time": "time, RFC 3339",
    "uuid": "UUID",
    "email": "e-mail address",
    "uri-reference": "reference",
}

_BOUNDS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
    "multipleOf": "a multiple of {}",
    "pattern": "matches {}",
}


def name_of(schema: Schema) -> str | None:
    """The shape that a schema refers to."""
    reference: str = schema.get("$ref", "")
    return reference.rpartition("/")[2] or None


def kind(schema: Schema) -> Html:
    """What it is in a few words, such as "list of Feature or null"."""
    if name := name_of(schema):
        return tag("a", name, href=f"#shape-{name}")
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            # null stands last, wherever it was declared.
            options = sorted(schema[choice], key=lambda option: option.get("type") == "null")
            return _either([kind(option) for option in options])
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return _either([tag("code", json.dumps(value, ensure_ascii=False)) for value in values])
    return _plain(schema)


def _plain(schema: Schema) -> Html:
    match schema.get("type"):
        case "array":
            return joined(["list of ", kind(schema.get("items", {}))])
        case "object":
            values = schema.get("additionalProperties")
            return joined(["object of ", kind(values)]) if isinstance(values, dict) and values else Html("object")
        case "string":
            return joined([_FORMATS.get(schema.get("format", ""), schema.get("format")) or "string"])
        case str() as name:
            return joined([name])
        case list() as names:
            return _either([joined([name]) for name in names])
        case _:
            return Html("any JSON")


def _either(options: list[Html]) -> Html:
    return Html(" or ".join(options))


def bounds(schema: Schema) -> Html | None:
    """What a value must keep to beyond its type; None: nothing."""
    told = [*_bounds(schema)]
    return Html("; ".join(told)) if told else None


def _bounds(schema: Schema) -> Iterator[Html]:
    for inner in (schema, *schema.get("anyOf", ()), schema.get("items", {})):
        yield from (_bound(key, inner[key]) for key in _BOUNDS if key in inner)
    if schema.get("default") is not None:
        yield joined(["default ", tag("code", json.dumps(schema["default"]))])


def _bound(key: str, value: Any) -> Html:
    if (key, value) == ("minLength", 1):
        return Html("not empty")
    before, _, after = _BOUNDS[key].partition("{}")
    return joined([before, tag("code", value) if key == "pattern" else str(value), after])


def note(schema: Schema) -> str:
    """Its description; that of an alternative if it has none itself."""
    inner = (option.get("description", "") for option in schema.get("anyOf", ()))
    return schema.get("description") or next(filter(None, inner), "")


def members(schema: Schema) -> Html:
    """The members of an object, or what else there is to say of a shape."""
    if "properties" not in schema:
        return tag("p", kind(schema))
    required = frozenset(schema.get("required", ()))
    rows = (
        joined(
            [
                tag("dt", tag("code", name), " ", tag("span", kind(inner), class_="kind"), _demanded(name in required)),
                tag("dd", prose(note(inner)), _line(bounds(inner))),
            ]
        )
        for name, inner in schema["properties"].items()
    )
    closed = schema.get("additionalProperties") is False
    return joined(
        [
            tag("dl", *rows, class_="members"),
            tag("p", "No other members are taken.", class_="muted") if closed else None,
        ]
    )


def _demanded(claim: bool) -> Html | None:  # noqa: FBT001 - one claim, named by the function
    return joined([" ", tag("span", "required", class_="required")]) if claim else None


def _line(told: Html | None) -> Html | None:
    return tag("p", told, class_="muted") if told else None


def shapes(components: Mapping[str, Schema]) -> Html:
    """Every shape that others refer to, each to be opened."""
    return joined(
        tag(
            "details",
            tag("summary", tag("h3", name), tag("span", inline(_first(schema)), class_="summary")),
            tag("div", prose(schema.get("description", "")), members(schema), class_="inside"),
            id=f"shape-{name}",
            class_="entry",
        )
        for name, schema in components.items()
    )


def _first(schema: Schema) -> str:
    """The first paragraph of its description."""
    text: str = schema.get("description", "")
    return text.partition("\n\n")[0]

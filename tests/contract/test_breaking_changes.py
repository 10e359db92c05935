"""Which changes of the API document break callers, and which do not."""

from copy import deepcopy
from typing import Any

import pytest

from tests.support.breaking import breaks

Json = dict[str, Any]

DOCUMENT: Json = {
    "components": {
        "schemas": {
            "New": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": 9},
                    "kind": {"type": "string", "enum": ["a", "b"]},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                },
                "required": ["name"],
                "additionalProperties": False,
            },
            "Thing": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "state": {"enum": ["on", "off"]},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                },
                "required": ["id", "state"],
            },
        },
        "responses": {"Refused": {"headers": {}, "content": {}}},
    },
    "paths": {
        "/things": {
            "post": {
                "operationId": "createThing",
                "x-scopes": ["things:write"],
                "security": [{"bearer": []}],
                "parameters": [{"in": "query", "name": "limit", "schema": {"type": "integer", "maximum": 9}}],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/New"}}},
                },
                "responses": {
                    "201": {
                        "headers": {"Location": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                    },
                    "422": {"$ref": "#/components/responses/Refused"},
                },
            }
        }
    },
}

POST = "paths", "/things", "post"
NEW = "components", "schemas", "New"
THING = "components", "schemas", "Thing"
GONE = object()


def changed(place: tuple[str | int, ...], value: object) -> Json:
    """The document with one place changed, or emptied."""
    document = deepcopy(DOCUMENT)
    part: Any = document
    for step in place[:-1]:
        part = part[step]
    if value is GONE:
        del part[place[-1]]
    else:
        part[place[-1]] = value
    return document


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("paths", "/things"), {}, "POST /things: removed"),
        ((*POST, "operationId"), "makeThing", "POST /things: operationId createThing is now makeThing"),
        ((*POST, "x-scopes"), ["admin", "things:write"], "POST /things: also needs admin"),
        ((*POST, "parameters"), [], "POST /things query limit: removed"),
        ((*POST, "parameters", 0, "required"), True, "POST /things query limit: required now"),
        ((*POST, "parameters", 0, "schema", "maximum"), 5, "POST /things query limit: maximum is 5 now"),
        ((*POST, "parameters", 0, "schema", "type"), "boolean", "POST /things query limit: no longer integer"),
        ((*NEW, "required"), ["name", "kind"], "POST /things body/kind: required now"),
        ((*NEW, "properties", "kind"), GONE, "POST /things body/kind: removed"),
        ((*NEW, "properties", "kind", "enum"), ["a"], "POST /things body/kind: b removed"),
        ((*NEW, "properties", "note"), {"type": "string"}, "POST /things body/note: no longer null"),
        ((*NEW, "properties", "name", "pattern"), "^a", "POST /things body/name: pattern is ^a now"),
        ((*POST, "requestBody", "content"), {"text/csv": {}}, "POST /things body application/json: removed"),
        ((*POST, "responses", "201"), GONE, "POST /things 201: removed"),
        ((*POST, "responses", "201", "headers"), {}, "POST /things 201 header Location: removed"),
        ((*THING, "properties", "id"), GONE, "POST /things 201/id: removed"),
        (
            (*THING, "properties", "id"),
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "POST /things 201/id: now also null",
        ),
        ((*THING, "required"), ["id"], "POST /things 201/state: may be absent now"),
        ((*THING, "properties", "state", "enum"), ["on"], "POST /things 201/state: off removed"),
    ],
)
def test_a_break_is_told(place: tuple[str | int, ...], value: object, told: str) -> None:
    """With its place, in a sentence."""
    assert told in list(breaks(DOCUMENT, changed(place, value)))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("paths", "/others"), {}),
        ((*POST, "x-scopes"), []),
        ((*POST, "parameters", 0, "schema", "maximum"), 10),
        ((*POST, "parameters", 0, "schema", "type"), "number"),
        ((*POST, "requestBody", "required"), False),
        ((*POST, "responses", "422"), GONE),
        ((*POST, "responses", "202"), {"headers": {}}),
        ((*NEW, "properties", "more"), {"type": "string"}),
        ((*NEW, "properties", "kind", "enum"), ["a", "b", "c"]),
        ((*NEW, "additionalProperties"), True),
        ((*THING, "properties", "more"), {"type": "string"}),
        ((*THING, "required"), ["id", "state", "parts"]),
        ((*THING, "properties", "state", "enum"), ["on", "off", "broken"]),
    ],
)
def test_growth_is_no_break(place: tuple[str | int, ...], value: object) -> None:
    """Callers who read what they know, and send what they sent, notice nothing."""
    assert list(breaks(DOCUMENT, changed(place, value))) == []

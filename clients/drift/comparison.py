"""One answer, held against the schema that the vendor's document has for it.

The schema is JSON Schema as far as our transcriptions use it, in the short form
of `vendors.json`: `known` are values that have been named without the set being
closed. An answer may leave out whatever is not required.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

Schema = Mapping[str, Any]

MOST_ITEMS: Final = 50
"""Of a list that are looked at: the others are like them."""

DEEPEST: Final = 30
"""Levels of an answer that are looked at."""

_TELLING: Final = re.compile(r"(?!.*[0-9]{5})[A-Za-z][A-Za-z0-9_-]{0,47}")
"""A name or value that may be shown: a word of a vendor's vocabulary, and no text, address, identifier or number."""

_TYPES: Final[Mapping[type, tuple[str, ...]]] = {
    type(None): ("null",),
    bool: ("boolean",),
    int: ("integer", "number"),
    float: ("number",),
    str: ("string",),
    list: ("array",),
    dict: ("object",),
}
"""What JSON Schema calls a decoded value; first the narrowest."""


class Deviation(msgspec.Struct, frozen=True, order=True):
    """One way in which an answer differs from its document."""

    kind: Literal["missing_field", "new_value", "unknown_field", "wrong_type"]
    path: str
    """Where, as in `data.subscriptions[].status`; no value is in it."""
    seen: str = ""
    """The new value, or the type that was not expected; empty if it can't be shown."""


def deviations(body: object, schema: Schema, schemas: Mapping[str, Schema]) -> list[Deviation]:
    """All deviations of a decoded answer, each once.

    Args:
        body: The answer.
        schema: Its schema.
        schemas: What `$ref` leads to, by name.
    """
    return sorted(set(_Comparison(schemas).of(body, schema, "", 0)))


class _Comparison:
    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    def of(self, value: object, schema: Schema, path: str, depth: int) -> Iterator[Deviation]:
        schema = self._whole(schema)
        if depth > DEEPEST:
            return
        if choices := schema.get("oneOf"):
            yield from min((list(self.of(value, choice, path, depth + 1)) for choice in choices), key=len)
            return
        if not _is_any(value, schema.get("type")):
            yield Deviation("wrong_type", path, _type_of(value))
            return
        if _is_new(value, schema):
            yield Deviation("new_value", path, _shown(value))
        if isinstance(value, dict):
            yield from self._of_object(value, schema, path, depth)
        elif isinstance(value, list) and (items := schema.get("items")):
            for item in value[:MOST_ITEMS]:
                yield from self.of(item, items, f"{path}[]", depth + 1)

    def _of_object(self, value: dict[str, object], schema: Schema, path: str, depth: int) -> Iterator[Deviation]:
        properties = schema.get("properties")
        for name in schema.get("required", ()):
            if name not in value:
                yield Deviation("missing_field", _below(path, name))
        if properties is None:  # Nothing is known of what is in it.
            return
        for name, inner in value.items():
            if name in properties:
                yield from self.of(inner, properties[name], _below(path, name), depth + 1)
            elif not schema.get("additionalProperties"):
                yield Deviation("unknown_field", _below(path, _shown(name) or "?"))

    def _whole(self, schema: Schema) -> Schema:
        """With everything that it refers to and is made of."""
        while "$ref" in schema:
            schema = {**self._schemas[schema["$ref"]], **{key: schema[key] for key in schema if key != "$ref"}}
        if "allOf" not in schema:
            return schema
        merged: dict[str, Any] = {key: schema[key] for key in schema if key != "allOf"}
        for part in map(self._whole, schema.get("allOf", ())):
            properties = {**part.get("properties", {}), **merged.get("properties", {})}
            required = [*part.get("required", ()), *merged.get("required", ())]
            merged = {**part, **merged, **({"properties": properties} if properties else {}), "required": required}
        return merged


def _is_any(value: object, types: str | list[str] | None) -> bool:
    if types is None:
        return True
    allowed = (types,) if isinstance(types, str) else types
    if isinstance(value, float) and value.is_integer() and "integer" in allowed:
        return True
    return not frozenset(_TYPES[type(value)]).isdisjoint(allowed)


def _is_new(value: object, schema: Schema) -> bool:
    if value in ("", None) or isinstance(value, dict | list):  # An empty value is none.
        return False
    if "const" in schema:
        return bool(value != schema["const"])
    known = schema.get("enum") or schema.get("known")
    return known is not None and value not in known


def _type_of(value: object) -> str:
    return _TYPES[type(value)][0]


def _shown(value: object) -> str:
    return str(value) if _TELLING.fullmatch(str(value)) else ""


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name

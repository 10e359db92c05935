"""What a change of the API document breaks for those who call us already.

Run as a module, it compares two documents, prints each break on a line and
exits 1 if there is any.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

Document = Mapping[str, Any]
Side = Literal["request", "answer"]

_METHODS: Final = ("get", "post", "put", "patch", "delete")

_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems")


def breaks(old: Document, new: Document) -> Iterator[str]:
    """Every break, as a sentence that begins with its place."""
    for path, item in old["paths"].items():
        for method in _METHODS:
            if method not in item:
                continue
            place = f"{method.upper()} {path}"
            if (operation := new["paths"].get(path, {}).get(method)) is None:
                yield f"{place}: removed"
            else:
                yield from _Comparison(old, new).operations(place, item[method], operation)


class _Comparison:
    """Compares parts of two documents.

    Args:
        old: What was promised.
        new: What would be promised.
    """

    def __init__(self, old: Document, new: Document) -> None:
        self._old = old
        self._new = new
        self._within: list[tuple[Side, int, int]] = []

    def operations(self, place: str, old: Document, new: Document) -> Iterator[str]:
        if old["operationId"] != new["operationId"]:
            yield f"{place}: operationId {old['operationId']} is now {new['operationId']}"
        if more := sorted({*new.get("x-scopes", ())} - {*old.get("x-scopes", ())}):
            yield f"{place}: also needs {' '.join(more)}"
        before, after = old.get("x-scopes-any", ()), new.get("x-scopes-any", ())
        if after and (not before or {*before} - {*after}):
            yield f"{place}: needs one of {' '.join(after)}"
        if new.get("security") and not old.get("security"):
            yield f"{place}: needs a token now"
        yield from self._parameters(place, old, new)
        yield from self._bodies(place, old.get("requestBody"), new.get("requestBody"))
        yield from self._answers(place, old["responses"], new["responses"])

    def _parameters(self, place: str, old: Document, new: Document) -> Iterator[str]:
        before, after = (
            {(each["in"], each["name"]): each for each in side.get("parameters", ())} for side in (old, new)
        )
        for key in before.keys() - after.keys():
            yield f"{place} {key[0]} {key[1]}: removed"
        for key, parameter in after.items():
            if parameter.get("required") and not before.get(key, {}).get("required"):
                yield f"{place} {key[0]} {key[1]}: required now"
            if key in before:
                where = f"{place} {key[0]} {key[1]}"
                yield from self._schemas(where, before[key]["schema"], parameter["schema"], "request")

    def _bodies(self, place: str, old: Document | None, new: Document | None) -> Iterator[str]:
        if new is not None and new.get("required") and not (old or {}).get("required"):
            yield f"{place} body: required now"
        if old is not None:
            yield from self._content(f"{place} body", old["content"], (new or {}).get("content", {}), "request")

    def _answers(self, place: str, old: Document, new: Document) -> Iterator[str]:
        for status, answer in old.items():
            if status not in new:
                if status.startswith("2"):
                    yield f"{place} {status}: removed"
                continue
            where = f"{place} {status}"
            before, after = _resolved(self._old, answer), _resolved(self._new, new[status])
            for header in before.get("headers", {}).keys() - after.get("headers", {}).keys():
                yield f"{where} header {header}: removed"
            yield from self._content(where, before.get("content", {}), after.get("content", {}), "answer")

    def _content(self, place: str, old: Document, new: Document, side: Side) -> Iterator[str]:
        for media_type, content in old.items():
            if media_type not in new:
                yield f"{place} {media_type}: removed"
            else:
                yield from self._schemas(place, content["schema"], new[media_type]["schema"], side)

    def _schemas(self, place: str, old: Document, new: Document, side: Side) -> Iterator[str]:
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        key = (side, id(old), id(new))
        if key in self._within:  # A type within itself.
            return
        self._within.append(key)
        wide, narrow = (old, new) if side == "request" else (new, old)
        if lost := _types(self._of(wide, old), wide) - _types(self._of(narrow, old), narrow):
            verb = "no longer" if side == "request" else "now also"
            yield f"{place}: {verb} {' or '.join(sorted(lost))}"
        yield from _limits(place, old, new, side)
        before, after = self._forms(self._old, old), self._forms(self._new, new)
        for kind in before.keys() & after.keys():
            yield from self._objects(place, before[kind], after[kind], side)
            if "items" in before[kind] and "items" in after[kind]:
                yield from self._schemas(f"{place}/*", before[kind]["items"], after[kind]["items"], side)
        self._within.pop()

    def _objects(self, place: str, old: Document, new: Document, side: Side) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        closed = new.get("additionalProperties") is False
        for name in before.keys() - after.keys():
            if side == "answer" or closed:
                yield f"{place}/{name}: removed"
        was, now = {*old.get("required", ())}, {*new.get("required", ())}
        for name in sorted(now - was if side == "request" else (was - now) & after.keys()):
            yield f"{place}/{name}: {'required now' if side == 'request' else 'may be absent now'}"
        for name in before.keys() & after.keys():
            yield from self._schemas(f"{place}/{name}", before[name], after[name], side)
        if side == "request" and closed and old.get("additionalProperties") is not False:
            yield f"{place}: takes no other members now"

    def _of(self, schema: Document, old: Document) -> Document:
        return self._old if schema is old else self._new

    @staticmethod
    def _forms(document: Document, schema: Document) -> dict[str, Document]:
        """The alternatives of a schema, by their type; the last of a type stands for all of it."""
        return {
            kind: form
            for each in schema.get("anyOf", (schema,))
            for form in (_resolved(document, each),)
            for kind in _types(document, form)
        }


def _resolved(document: Document, part: Document) -> Document:
    while "$ref" in part:
        _, _, kind, name = part["$ref"].split("/")
        part = document["components"][kind][name]
    return part


def _types(document: Document, schema: Document) -> set[str]:
    """The JSON types that a schema admits; empty set: not told, so any."""
    schema = _resolved(document, schema)
    if alternatives := schema.get("anyOf", schema.get("oneOf")):
        return {kind for each in alternatives for kind in _types(document, each)}
    if isinstance(kind := schema.get("type"), str):
        return {"number", "integer"} if kind == "number" else {kind}
    if "enum" in schema:
        return {"string"}
    return {"array", "boolean", "integer", "null", "number", "object", "string"}


def _limits(place: str, old: Document, new: Document, side: Side) -> Iterator[str]:
    before, after = {*map(str, old.get("enum", ()))}, {*map(str, new.get("enum", ()))}
    if before - after and after:
        yield f"{place}: {', '.join(sorted(before - after))} removed"
    if side == "answer":
        return
    if after and not before:
        yield f"{place}: only some values now"
    for name in _UPPER:
        if name in new and new[name] < old.get(name, float("inf")):
            yield f"{place}: {name} is {new[name]} now"
    for name in _LOWER:
        if name in new and new[name] > old.get(name, float("-inf")):
            yield f"{place}: {name} is {new[name]} now"
    for name in ("pattern", "format"):
        if name in new and new[name] != old.get(name):
            yield f"{place}: {name} is {new[name]} now"


def main(old: str, new: str) -> int:
    """Compare two files."""
    found = sorted(breaks(*(json.loads(Path(name).read_text(encoding="utf-8")) for name in (old, new))))
    sys.stderr.writelines(f"{sentence}\n" for sentence in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

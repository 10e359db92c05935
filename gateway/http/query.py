"""Query strings: which parameters a route takes, and every fault at once."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from litestar.handlers import HTTPRouteHandler

from gateway.http.rfc9457 import Fault
from gateway.problems import ValidationFailed


class Parameter(NamedTuple):
    """One that a route takes."""

    field: str
    """What the handler calls it."""
    repeatable: bool
    """Whether it may be given several times."""


class Readable(NamedTuple):
    """Stands beside a parameter's declaration: its text has a form that no type tells."""

    read: Callable[[str], object]
    """Raises `ValidationFailed` if it has another."""


def faults(handler: HTTPRouteHandler, query: bytes, declared: Mapping[str, Parameter]) -> list[Fault]:
    """All that is wrong with a query string; nothing, for nearly every request.

    Args:
        handler: Of the route.
        query: As it came.
        declared: What the route takes, by the names that callers use.
    """
    if not query or _is_plain(query, declared):
        return []
    given = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    names = [name for name, _ in given]
    strange = sorted({*names} - declared.keys())
    again = sorted(name for name in declared if names.count(name) > 1 and not declared[name].repeatable)
    null = [f"/{name}" for name, text in given if text == "null" and _is_nothing(handler, declared.get(name))]
    if not strange and not again and not null:
        return []  # What single values have wrong else, the framework tells.
    return [
        *(Fault(pointer, "There is no null in a query: leave the parameter out.", "query") for pointer in null),
        *(Fault(f"/{name[:100]}", "There is no such query parameter.", "query") for name in strange),
        *(Fault(f"/{name}", "Give it once.", "query") for name in again),
        *value_faults(handler, query, declared),
    ]


def _is_plain(query: bytes, declared: Mapping[str, Parameter]) -> bool:
    """Whether nothing can be wrong with the names, seen at a glance: as of nearly every query."""
    if b"%" in query or b"+" in query or b"null" in query:
        return False
    names = [part.partition("=")[0] for part in query.decode("latin-1").split("&") if part]
    return len({*names}) == len(names) and declared.keys() >= {*names}


def _is_nothing(handler: HTTPRouteHandler, parameter: Parameter | None) -> bool:
    """Whether the framework would take the text "null" for no value at all, and so for no filter."""
    if parameter is None:
        return False
    types = {field.name: field.type for field in msgspec.structs.fields(handler.signature_model)}
    try:
        return msgspec.convert("null", type=types[parameter.field], strict=False) is None
    except msgspec.ValidationError:
        return False


def value_faults(handler: HTTPRouteHandler, query: bytes, declared: Mapping[str, Parameter]) -> list[Fault]:
    """What is wrong with the values of the parameters that the route takes."""
    types = {field.name: field.type for field in msgspec.structs.fields(handler.signature_model)}
    values: dict[str, Any] = {}
    for name, text in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name in declared:
            values[name] = [*values.get(name, ()), text] if declared[name].repeatable else text
    found = []
    for name, value in values.items():
        field = declared[name].field
        try:
            msgspec.convert(value, type=types[field], strict=False)
        except msgspec.ValidationError as error:
            found.append(Fault(f"/{name}", f"{str(error).partition(' - at ')[0]}.", "query"))
        else:
            found += _unreadable(handler, field, value)
    return found


def _unreadable(handler: HTTPRouteHandler, field: str, value: Any) -> Iterator[Fault]:
    for form in handler.parsed_fn_signature.parameters[field].metadata:
        if isinstance(form, Readable):
            try:
                form.read(value)
            except ValidationFailed as problem:
                yield from problem.faults

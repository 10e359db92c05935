"""Types as JSON Schema: what msgspec knows of them, under names that read well."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final, cast

import msgspec

_REFERENCE: Final = "#/components/schemas/"

_WITHIN: Final = ("type", "item_type", "key_type", "value_type")
"""Where msgspec keeps the types inside a type."""

_GENERIC: Final = re.compile(r"(?P<outer>[A-Za-z0-9]+)_(?P<inner>.+)_")


class AmbiguousName(Exception):
    """Two types would have the same name in the document."""


class Schemas:
    """The schemas of all types of the surface.

    Args:
        taken: Types of parameters and bodies.
        given: Types of answers. A member that is always written is required
            there, though it has a default.

    Raises:
        AmbiguousName: Rename one of the two.
    """

    def __init__(self, *, taken: Iterable[Any], given: Iterable[Any]) -> None:
        taken, given = list(taken), list(given)
        shapes = [*taken, *given]
        schemas, components = msgspec.json.schema_components(
            shapes, schema_hook=_anything, ref_template=f"{_REFERENCE}{{name}}"
        )
        self._names = _clean_names(components)
        self._of = {shape: self._renamed(schema) for shape, schema in zip(shapes, schemas, strict=True)}
        structs = {self._name(info): info for shape in shapes for info in _structs(shape)}
        read = {self._name(info) for shape in taken for info in _structs(shape)}
        self.components: dict[str, Any] = {
            name: _finished(self._renamed(components[given_name]), structs.get(name), read=name in read)
            for given_name, name in sorted(self._names.items(), key=lambda pair: pair[1])
        }

    def of(self, shape: Any) -> dict[str, Any]:
        """The schema of one of the types; named types are referred to."""
        return dict(self._of[shape])

    def description(self, shape: Any) -> str:
        """The first sentence about a type; empty if it has none."""
        return str(self._component(shape).get("description", "")).partition("\n")[0]

    def members(self, shape: Any) -> Iterable[str]:
        """The names of a type's members."""
        return cast("Mapping[str, Any]", self._component(shape).get("properties", {})).keys()

    def _component(self, shape: Any) -> Mapping[str, Any]:
        """The component that a type is, or may be; empty if it has no name."""
        schema = self.of(shape)
        references = [str(part.get("$ref", "")).removeprefix(_REFERENCE) for part in (schema, *schema.get("anyOf", ()))]
        return cast("Mapping[str, Any]", next((self.components[name] for name in references if name), {}))

    def _name(self, info: msgspec.inspect.StructType) -> str:
        """The name of a struct in the document."""
        (schema,), _ = msgspec.json.schema_components([info.cls], schema_hook=_anything, ref_template="{name}")
        return self._names.get(schema["$ref"]) or clean(f"{info.cls.__module__}.{info.cls.__qualname__}")

    def _renamed(self, schema: Any) -> Any:
        """The schema in the document's terms: clean names, no titles, patterns as ECMA-262 has them."""
        if isinstance(schema, list):
            return [self._renamed(part) for part in schema]
        if not isinstance(schema, dict):
            return self._reference(schema) if isinstance(schema, str) else schema
        renamed = {name: self._renamed(part) for name, part in schema.items()}
        if isinstance(renamed.get("title"), str):
            del renamed["title"]
        if isinstance(description := renamed.get("description"), str):
            renamed["description"] = inspect.cleandoc(description)
        if isinstance(pattern := renamed.get("pattern"), str):
            renamed["pattern"] = re.sub(r"\\Z$", "$", pattern)
        return renamed

    def _reference(self, text: str) -> str:
        return f"{_REFERENCE}{self._names[text.removeprefix(_REFERENCE)]}" if text.startswith(_REFERENCE) else text


def clean(name: str) -> str:
    """A name as people would have chosen it: `Page_Domain_` is `DomainPage`, `a.readiness.State` `ReadinessState`."""
    if generic := _GENERIC.fullmatch(name):
        return f"{clean(generic['inner'])}{generic['outer']}"
    *modules, last = name.split(".")
    return f"{modules[-1].title().replace('_', '')}{last}" if modules else last


def field_docstrings(cls: type) -> dict[str, str]:
    """The strings that stand below the fields of a class and its bases; none where the source is not at hand."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue
        statements = cast("ast.ClassDef", tree.body[0]).body
        for field, below in pairwise(statements):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = inspect.cleandoc(text)
                case _:
                    pass
    return found


def _clean_names(components: Iterable[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for given in components:
        if (name := clean(given)) in names.values():
            raise AmbiguousName(f"Two types are called {name}.")
        names[given] = name
    return names


def _anything(shape: type) -> dict[str, Any]:
    """The schema of a type that msgspec does not know."""
    if shape is object:
        return {}
    raise NotImplementedError  # How msgspec wants to be told that a hook does not know a type.


def _structs(shape: Any) -> Iterator[msgspec.inspect.StructType]:
    """Every struct within a type, its own members' included."""
    waiting: list[Any] = [msgspec.inspect.type_info(shape)]
    seen: set[Any] = set()
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in seen:
                continue
            seen.add(info.cls)
            yield info
            waiting.extend(field.type for field in info.fields)
        waiting.extend(getattr(info, part) for part in _WITHIN if hasattr(info, part))
        waiting.extend(inner for part in ("types", "item_types") for inner in getattr(info, part, ()))


def _finished(schema: dict[str, Any], info: msgspec.inspect.StructType | None, *, read: bool) -> dict[str, Any]:
    """A struct's schema with what only its class knows."""
    if info is None:
        return {"type": "string", **schema} if all(isinstance(v, str) for v in schema.get("enum", [0])) else schema
    told = field_docstrings(getattr(info.cls, "__origin__", info.cls))
    omitted = getattr(info.cls, "__origin__", info.cls).__struct_config__.omit_defaults
    unset = {field.name for field in msgspec.structs.fields(info.cls) if field.default is msgspec.UNSET}
    required = set(schema["required"])
    for field in info.fields:
        member = schema["properties"][field.encode_name]
        _mark_times(member, field.type)
        _open_objects(member)
        if text := told.get(field.name):
            member["description"] = text
        if not read:
            member.pop("default", None)
            if not omitted and field.name not in unset:
                required.add(field.encode_name)
    ordered = [name for name in schema["properties"] if name in required]
    return {**{name: part for name, part in schema.items() if name != "required"}, "required": ordered}


def _mark_times(schema: dict[str, Any], info: msgspec.inspect.Type) -> None:
    """Say which strings are times: msgspec does so only where it demands a zone."""
    if isinstance(info, msgspec.inspect.DateTimeType):
        schema["format"] = "date-time"
    elif isinstance(info, msgspec.inspect.UnionType) and any(
        isinstance(part, msgspec.inspect.DateTimeType) for part in info.types
    ):
        for part in schema.get("anyOf", [schema]):
            if part.get("type") == "string":
                part["format"] = "date-time"


def _open_objects(schema: dict[str, Any]) -> None:
    """Say that an object of no declared shape may hold anything: left out, some tools take it for an empty one."""
    for part in (schema, *schema.get("anyOf", ())):
        if part.get("type") == "object" and "properties" not in part:
            part.setdefault("additionalProperties", True)

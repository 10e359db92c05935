"""What each route declares: the part of the document that only the routes know."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin

import msgspec
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg, ParameterKwarg
from litestar.response import File, Stream
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition

from gateway.needs import Needs

JSON: Final = "application/json"

Place = Literal["path", "query", "header"]


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of an operation."""

    name: str
    place: Place
    shape: Any
    required: bool
    default: Any
    limits: ParameterKwarg | BodyKwarg | None


class Body(NamedTuple):
    """What an operation reads."""

    media_type: str
    shape: Any
    required: bool


class Answer(NamedTuple):
    """One form of a success."""

    media_type: str
    shape: Any


class Operation:
    """One method of one path.

    Args:
        path: With its parameters as `{name}`.
        method: In upper case.
        handler: Of Litestar's, already registered.
        places: Where its parameters are, by the name in the handler's signature.
    """

    def __init__(
        self, path: str, method: str, handler: HTTPRouteHandler, places: Mapping[str, tuple[str, Place]]
    ) -> None:
        self.path = path
        self.method = method
        self.handler = handler
        self._places = places

    @property
    def id(self) -> str:
        """The `operationId`."""
        return str(self.handler.operation_id)

    @property
    def needs(self) -> Needs:
        """Who may call."""
        needs: Needs = self.handler.opt["needs"]
        return needs

    @cached_property
    def tags(self) -> list[str]:
        """Of the handler and of the routers around it."""
        return sorted({tag for layer in self.handler.ownership_layers for tag in layer.tags or ()})

    @cached_property
    def prose(self) -> tuple[str, str]:
        """The first paragraph of the docstring on one line, and the rest."""
        first, _, rest = inspect.cleandoc(self.handler.fn.__doc__ or self.id).partition("\n\n")
        return " ".join(first.split()).removesuffix("."), rest

    @cached_property
    def parameters(self) -> list[Parameter]:
        """Those of the path first, then in the order of the signature."""
        found = [
            Parameter(
                name=self._places[name][0],
                place=self._places[name][1],
                shape=without_none(field),
                required=self._places[name][1] == "path" or field.is_required,
                default=field.default if field.has_default and field.default is not None else msgspec.UNSET,
                limits=field.kwarg_definition if isinstance(field.kwarg_definition, ParameterKwarg) else None,
            )
            for name, field in self.handler.parsed_fn_signature.parameters.items()
            if name in self._places
        ]
        return sorted(found, key=lambda parameter: parameter.place != "path")

    @cached_property
    def body(self) -> Body | None:
        """What it reads; None: no body, or one that the handler takes from the socket by itself."""
        field = self.handler.parsed_fn_signature.parameters.get("data")
        if field is None:
            return None
        kwarg = field.kwarg_definition
        media_type = str(getattr(kwarg.media_type, "value", kwarg.media_type)) if isinstance(kwarg, BodyKwarg) else JSON
        # Where a body may be left out, `null` stands for none too.
        return Body(media_type, field.annotation, required=not field.is_optional and field.is_required)

    @cached_property
    def answers(self) -> dict[int, list[Answer]]:
        """The forms of each success, by status."""
        # Without one until Litestar has to decide, whatever its type says.
        declared: Any = self.handler.media_type or None
        media_type = None if declared is None else str(getattr(declared, "value", declared))
        usual = [*_answers(self.handler.parsed_fn_signature.return_type.annotation, media_type)]
        others: Mapping[int, ResponseSpec] = self.handler.responses or {}
        return {self.handler.status_code: usual} | {
            status: [*_answers(spec.data_container, str(getattr(spec.media_type, "value", spec.media_type)))]
            for status, spec in others.items()
        }

    @property
    def streamed(self) -> str | None:
        """The media type of a body that the handler takes from the socket by itself."""
        return None if self.body is not None or self.needs.largest_body is None else "text/csv"

    @property
    def reads_body(self) -> bool:
        """Whether it reads a body, in whatever way."""
        return self.body is not None or self.streamed is not None

    def shapes_taken(self) -> Iterator[Any]:
        """The types of its parameters and its body."""
        yield from (parameter.shape for parameter in self.parameters)
        if self.body is not None:
            yield self.body.shape

    def shapes_given(self) -> Iterator[Any]:
        """The types of its successes."""
        yield from (answer.shape for answers in self.answers.values() for answer in answers)


def operations(app: Litestar) -> Iterator[Operation]:
    """Every declared operation of an application."""
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for method, (handler, model) in route.route_handler_map.items():
            if "needs" not in handler.opt or not handler.resolve_include_in_schema():
                continue
            places: dict[str, tuple[str, Place]] = {name: (name, "path") for name in route.path_parameters}
            places |= _placed(model.expected_query_params, "query")
            places |= _placed(model.expected_header_params, "header")
            yield Operation(route.path_format, method, handler, places)


def without_none(field: FieldDefinition) -> Any:
    """The type of a field that may be left out, less the None that stands for its absence."""
    if not field.is_optional:
        return field.annotation
    rest = [inner.raw for inner in field.inner_types if not inner.is_none_type]
    shape = rest[0]
    for other in rest[1:]:
        shape |= other
    return shape


def _placed(definitions: Iterable[Any], place: Place) -> dict[str, tuple[str, Place]]:
    return {definition.field_name: (definition.field_alias, place) for definition in definitions}


def _answers(annotation: Any, media_type: str | None) -> Iterator[Answer]:
    """Each alternative of a return type, out of its envelope."""
    alternatives = get_args(annotation) if _is_union(annotation) else (annotation,)
    for alternative in alternatives:
        envelope = get_origin(alternative) or alternative
        shape = alternative
        if isinstance(envelope, type) and issubclass(envelope, Response):
            shape = (get_args(alternative) or (Any,))[0]
            if issubclass(envelope, Stream | File):
                shape = bytes
        if shape in {None, type(None)}:
            continue
        if media_type not in {None, JSON}:
            yield Answer(str(media_type), str if shape is bytes else shape)
        elif shape in {str, bytes}:
            yield Answer("text/html", str)
        else:
            yield Answer(JSON, shape)


def _is_union(annotation: Any) -> bool:
    return FieldDefinition.from_annotation(annotation).is_union

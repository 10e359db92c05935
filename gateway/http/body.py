"""Request bodies: the media type, the decoding, and every fault at once."""

import re
from collections.abc import Iterator
from itertools import islice
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, cast, get_args, get_origin

import msgspec
from litestar import Request
from typing_extensions import override

from gateway.http.exchange import Exchange
from gateway.http.repeated_members import repeated
from gateway.http.rfc9457 import Fault, escaped
from gateway.problems import (
    MalformedRequest,
    UnsupportedMediaType,
    ValidationFailed,
)
from gateway.subjects import Owned, check_owned, filled
from gateway.upstreams import tenant_context

T = TypeVar("T")

MOST_FAULTS: Final = 100
"""Told at once: beyond that nobody reads, and a hostile body could ask for a million."""

MOST_ITEMS: Final = 1000
"""Of a list, looked at one by one; where only later ones are wrong, the first of those is told."""

_PLACE: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP: Final = re.compile(r"\[(?P<index>\d+|\.\.\.)\]|\.(?P<name>[^.\[\]]+)")


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body is decoded strictly to the type that its handler declares.

    Litestar's own decoding stops at the first fault, takes `"5"` for a number
    and does not ask for the media type. A token that is limited to one customer
    fills that customer in.
    """

    @override
    async def json(self) -> Any:
        declared = self.route_handler.parsed_fn_signature.parameters["data"].annotation
        if self.content_type[0] != "application/json":
            raise UnsupportedMediaType("This route reads application/json only.")
        _check_coding(self)
        body = await self.body()
        principal = Exchange.of(self.scope).principal
        needs = self.route_handler.opt["needs"]
        subject = principal.subject if principal is not None else None
        data = decoded(body if subject is None else filled(body, _members(declared), subject), declared, sent=body)
        Exchange.of(self.scope).target |= {
            name: given for name in needs.target if (given := getattr(data, name)) is not None
        }
        if subject is None:
            return data
        source = needs.customer
        if isinstance(source, Owned) and source.place == "body":
            await check_owned(self.app.state.owners, tenant_context(self), source, str(getattr(data, source.name)))
        return data


def _members(shape: Any) -> frozenset[str]:
    info = _struct(msgspec.inspect.type_info(shape))
    return frozenset(
        field.encode_name for field in (info.fields if isinstance(info, msgspec.inspect.StructType) else ())
    )


async def csv_file(request: Request[Any, Any, Any]) -> bytes:
    """The body where it is a CSV file, as it came.

    Raises:
        UnsupportedMediaType: It is called something else, is not said to be in UTF-8, or is compressed.
    """
    media_type, parameters = request.content_type
    if media_type != "text/csv" or parameters.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType("This route reads text/csv in UTF-8 only.")
    _check_coding(request)
    return await request.body()


def _check_coding(request: Request[Any, Any, Any]) -> None:
    """Refuse a body that is compressed, or says so: it is read as it came (RFC 9110, section 15.5.16)."""
    codings = ",".join(request.headers.getall("content-encoding", [])).lower().split(",")
    if {coding.strip() for coding in codings} - {"", "identity"}:
        raise UnsupportedMediaType(
            "A body is read as it came: send it without a Content-Encoding.", headers={"Accept-Encoding": "identity"}
        )


def decoded(body: bytes, shape: type[T], *, sent: bytes) -> T:
    """The body as `shape`.

    Args:
        body: With what is filled in for the caller.
        shape: What the handler declares.
        sent: The body as it came.

    Raises:
        MalformedRequest: It is not JSON, not UTF-8, empty, or nested beyond reason.
        ValidationFailed: It is JSON, with every fault that the shape finds in it, and every member that is given twice.
    """
    if not body.strip():
        raise missing(shape)
    try:
        found, faults = msgspec.json.decode(body, type=shape), _repeated(sent)
    except msgspec.ValidationError as error:
        # The walk knows structs; what lies deeper is told by the decoder's own words.
        faults = [*islice(_faults(_plain(body), shape, ""), MOST_FAULTS)] or [_fault(error, "")]
        raise _wrong([*_repeated(sent), *faults]) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable() from error
    if faults:
        raise _wrong(faults)
    return found


def _repeated(body: bytes) -> list[Fault]:
    """Members that are given twice: which one was meant nobody knows, and it may be the amount of a refund."""
    try:
        return [Fault(pointer, "Give this member once.") for pointer in islice(repeated(body), MOST_FAULTS)]
    except (ValueError, RecursionError) as error:
        raise _unreadable() from error


def missing(shape: Any) -> ValidationFailed:
    """What a request without the body that it needs is told: each member that had to be there."""
    faults = [*_faults({}, shape, "")] or [Fault("", "The body is missing.")]
    return ValidationFailed("The body is missing.", faults=faults)


def _plain(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable() from error


def _unreadable() -> MalformedRequest:
    return MalformedRequest("The body is not valid JSON in UTF-8.")


def _wrong(faults: list[Fault]) -> ValidationFailed:
    told = faults[:MOST_FAULTS]
    several = f"{len(told)} things are wrong with the body."
    return ValidationFailed(several if len(told) > 1 else "The body is not what is needed.", faults=told)


def _faults(value: Any, shape: Any, pointer: str) -> Iterator[Fault]:
    """Everything wrong with `value`, walked member by member where `shape` is a struct or a list."""
    if isinstance(value, list) and (item := _item(shape)) is not None:
        yield from _list_faults(value, shape, item, pointer)
        return
    info = _struct(msgspec.inspect.type_info(shape)) if value is not None else None
    if not isinstance(info, msgspec.inspect.StructType):
        yield from _one(value, shape, pointer)
        return
    if not isinstance(value, dict):
        yield Fault(pointer, "Expected an object.")
        return
    fields = {field.encode_name: field for field in info.fields}
    if info.forbid_unknown_fields:
        for name in sorted(value.keys() - fields.keys()):
            yield Fault(f"{pointer}/{escaped(name)}", "There is no such member.")
    hints = msgspec.structs.fields(info.cls)
    for hint in hints:
        place = f"{pointer}/{escaped(hint.encode_name)}"
        if hint.encode_name in value:
            yield from _faults(value[hint.encode_name], hint.type, place)
        elif hint.required:
            yield Fault(place, "This member is missing.")


def _struct(info: msgspec.inspect.Type) -> msgspec.inspect.Type:
    """The struct of `Struct | None`, and any other type as it is."""
    if isinstance(info, msgspec.inspect.UnionType):
        structs = [part for part in info.types if isinstance(part, msgspec.inspect.StructType)]
        return structs[0] if len(structs) == 1 else info
    return info


def _list_faults(value: list[Any], shape: Any, item: Any, pointer: str) -> Iterator[Fault]:
    found = False
    for index, member in enumerate(value[:MOST_ITEMS]):
        for fault in _faults(member, item, f"{pointer}/{index}"):
            found = True
            yield fault
    if not found:
        yield from _one(value, shape, pointer)


def _item(shape: Any) -> Any:
    """What a list holds, also one that may be left out; None: it is no list."""
    origin = get_origin(shape)
    if origin is Annotated:
        return _item(get_args(shape)[0])
    if origin in {Union, UnionType}:
        return next((item for part in get_args(shape) if (item := _item(part)) is not None), None)
    return get_args(shape)[0] if origin is list else None


def _one(value: Any, shape: Any, pointer: str) -> Iterator[Fault]:
    try:
        msgspec.convert(value, type=shape)
    except msgspec.ValidationError as error:
        yield _fault(error, pointer)


def _fault(error: msgspec.ValidationError, pointer: str) -> Fault:
    """The decoder's words as a fault; its `$.a[0]` becomes `/a/0`."""
    words = str(error)
    if place := _PLACE.search(words):
        words = words[: place.start()]
        steps = _STEP.finditer(place["path"])
        pointer += "".join(f"/{escaped(cast('str', step['index'] or step['name']))}" for step in steps)
    return Fault(pointer, f"{words[:1].upper()}{words[1:]}.")

"""Objects of a JSON text that name a member twice: which of the two counts is open (RFC 8259, section 4)."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from gateway.http.rfc9457 import escaped


class _Object(NamedTuple):
    """All that an object holds, in its order."""

    members: list[tuple[str, Any]]


class _Repeated(Exception):
    """Some object names a member twice."""


def _once(members: list[tuple[str, Any]]) -> None:
    if len(members) > 1 and len({name for name, _ in members}) < len(members):
        raise _Repeated


# Numbers stay text: how large one may be is the reader's concern.
_GLANCE: Final = json.JSONDecoder(object_pairs_hook=_once, parse_int=str, parse_float=str, strict=False)
_WALK: Final = json.JSONDecoder(object_pairs_hook=_Object, parse_int=str, parse_float=str, strict=False)


def repeated(body: bytes) -> Iterator[str]:
    """Pointers to the members that are named more than once; none, for nearly every body.

    Args:
        body: That was found to be JSON.
    """
    text = body.decode()
    try:
        _GLANCE.decode(text)
    except _Repeated:
        yield from _below(_WALK.decode(text), "")


def _below(value: Any, pointer: str) -> Iterator[str]:
    if isinstance(value, _Object):
        counted = Counter(name for name, _ in value.members)
        yield from (f"{pointer}/{escaped(name)}" for name, count in counted.items() if count > 1)
        for name, member in value.members:
            yield from _below(member, f"{pointer}/{escaped(name)}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _below(member, f"{pointer}/{index}")

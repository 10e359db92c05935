"""Paths are routed undecoded, so that what an identifier holds never decides where a request goes."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from litestar.routes import BaseRoute, HTTPRoute

from gateway.problems import MalformedRequest

_UNRESERVED: Final = re.compile(rb"%(2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])")

_PARAMETER: Final = re.compile(r"\{[^}]*\}")


def undecoded(raw_path: bytes) -> str:
    """The path to route on: an escaped slash stays inside its segment.

    Only escapes of unreserved characters are undone, which RFC 3986 (section
    6.2.2.2) calls equivalent.

    Raises:
        MalformedRequest: A segment is empty, or not UTF-8.
    """
    path = _UNRESERVED.sub(lambda escape: bytes([int(escape[1], 16)]), raw_path).decode("latin-1")
    if path != "/" and "" in path.split("/")[1:]:
        raise MalformedRequest("A segment of the path is empty.")
    decoded(path)
    return path


def decoded(segment: str) -> str:
    """One path segment, decoded once.

    Raises:
        MalformedRequest: It is not UTF-8.
    """
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as error:
        raise MalformedRequest("A segment of the path is not UTF-8.") from error


class Namesakes:
    """Identifiers that are spelled like a fixed segment: a customer called "search" beside `/customers/search`.

    Litestar follows the fixed segment and never turns back. Where only the
    route with the identifier can answer, its first character is escaped, which
    hides it from the fixed one and is undone by `decoded`.

    Args:
        routes: Every route of the application.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        methods = {route.path: route.route_handler_map.keys() for route in routes if isinstance(route, HTTPRoute)}
        shapes = {_PARAMETER.sub("{}", path): allowed for path, allowed in methods.items()}
        self._swallowed: Mapping[str, frozenset[str]] = {
            path: frozenset(shapes[beside] - allowed)
            for path, allowed in methods.items()
            if not _PARAMETER.search(path) and (beside := f"{path.rpartition('/')[0]}/{{}}") in shapes
        }

    def told_apart(self, path: str, method: str) -> str:
        """The path, changed where a fixed segment would swallow an identifier."""
        for fixed, methods in self._swallowed.items():
            if (path == fixed and method in methods) or path.startswith(f"{fixed}/"):
                parent, _, name = fixed.rpartition("/")
                return f"{parent}/%{ord(name[0]):02X}{path[len(parent) + 2 :]}"
        return path


def request_target(scope: Any) -> bytes:
    """Path and query of a request, as they came (RFC 9112, 3.2.1)."""
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return b"%b?%b" % (path, query) if query else path

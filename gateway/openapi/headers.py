"""The headers of answers, and where each is documented."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple


class Header(NamedTuple):
    """What a header says."""

    description: str
    schema: Mapping[str, Any]
    always: bool = False
    """Whether every answer that is documented with it has it."""


_TEXT: Final = {"type": "string"}

KNOWN: Final[Mapping[str, Header]] = {
    "Age": Header("Seconds since the vendor was asked.", {"type": "integer", "minimum": 0}),
    "Cache-Status": Header("Whether the cache answered (RFC 9211).", _TEXT),
    "Content-Disposition": Header("The name of the file.", _TEXT),
    "ETag": Header("For `If-None-Match`: 304 if nothing has changed.", _TEXT),
    "Gateway-Operation": Header("Names the operation, to ask later what became of it.", _TEXT),
    "Idempotency-Replayed": Header("`true`: this is the answer to an earlier request with the same key.", _TEXT),
    "Location": Header("Where the new thing is.", {"type": "string", "format": "uri-reference"}),
    "RateLimit": Header(
        "What is left of each limit (`r` requests) and when there is more (in `t` seconds), as in "
        '`"default";r=599;t=60`. Once the token is known.',
        _TEXT,
    ),
    "RateLimit-Policy": Header(
        'The limits that the request counts against: `q` requests in `w` seconds, as in `"default";q=600;w=60`. '
        "Once the token is known.",
        _TEXT,
    ),
    "Retry-After": Header("Seconds to wait before the same may be sent again.", {"type": "integer", "minimum": 0}),
    "Server-Timing": Header("How long this took, and each vendor call in it, in milliseconds.", _TEXT, always=True),
    "WWW-Authenticate": Header(
        "What is wrong with the token, or which scopes it lacks (RFC 6750).", _TEXT, always=True
    ),
    "X-Request-Id": Header("Names this request in our logs and traces.", _TEXT, always=True),
}
"""Every header that means something to a caller; others are HTTP's own affair."""

EVERYWHERE: Final = ("Server-Timing", "X-Request-Id")

OF_LIMITS: Final = ("RateLimit", "RateLimit-Policy")
"""Of every answer to a known caller; their values are never the same twice."""

UNKNOWN_CALLER: Final = 401

OF_FAILURES: Final[Mapping[int, str]] = {
    401: "WWW-Authenticate",
    403: "WWW-Authenticate",
    429: "Retry-After",
    503: "Retry-After",
}


def references(status: int, seen: Iterable[str] = (), *, limited: bool = True) -> dict[str, Any]:
    """The headers of an answer.

    Args:
        status: Of the answer.
        limited: Whether callers of the route are known, and so have limits.
        seen: Those that it had when it was captured.
    """
    names = {*EVERYWHERE, *(name for name in KNOWN if name.lower() in {*map(str.lower, seen)})}
    if limited and status != UNKNOWN_CALLER:
        names.update(OF_LIMITS)
    if status in OF_FAILURES:
        names.add(OF_FAILURES[status])
    return {name: {"$ref": f"#/components/headers/{name}"} for name in sorted(names)}


def components(answers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The headers that answers refer to."""
    used = {name for answer in answers for name in answer.get("headers", ())}
    return {
        name: {"description": header.description, "required": header.always, "schema": dict(header.schema)}
        for name, header in KNOWN.items()
        if name in used
    }

"""What arrives: the request as read from the socket, and the record kept of it."""

from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# The largest CSV file that a gateway passes on is 8 MiB; beyond that nothing is read.
MAX_BODY_BYTES = 9 * 1024 * 1024

# Ten thousand records are kept, so each is small.
_MAX_RECORDED_CHARACTERS = 1024
_MAX_RECORDED_HEADERS = 64

_CREDENTIAL_HEADERS = frozenset({"authorization", "ff-secret-key"})


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, whole."""

    method: str
    path: str
    """As it came, percent-escapes and all."""

    segments: tuple[str, ...] | None
    """Split at its slashes, each part decoded once; None where that is no UTF-8."""

    query: bytes
    headers: dict[str, str]
    peer: str
    body: bytes | None
    """None where it is larger than anything the vendors take."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one request: enough to count calls, nothing secret."""

    vendor: str
    operation: str
    """Such as "POST /domains/check"; empty for what matches no operation."""

    method: str
    path: str
    account: str | None
    """The tenant whose credentials or organization it bears, right or wrong."""

    header_names: tuple[str, ...]
    with_credentials: bool
    body_bytes: int
    at: datetime


def recorded(request: Request, *, vendor: str, operation: str, account: str | None, at: datetime) -> Received:
    """Make the record of `request`."""
    return Received(
        vendor=vendor,
        operation=operation,
        method=request.method,
        path=request.path[:_MAX_RECORDED_CHARACTERS],
        account=account,
        header_names=tuple(sorted(request.headers))[:_MAX_RECORDED_HEADERS],
        with_credentials=not _CREDENTIAL_HEADERS.isdisjoint(request.headers),
        body_bytes=MAX_BODY_BYTES if request.body is None else len(request.body),
        at=at,
    )


async def arrived(scope: Scope, receive: Receive) -> Request | None:
    """Read a request to its end; None when the peer left before that."""
    chunks: list[bytes] = []
    length = 0
    more = True
    while more and length <= MAX_BODY_BYTES:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        chunks.append(event.get("body", b""))
        length += len(chunks[-1])
        more = event.get("more_body", False)
    raw_path: bytes = scope["raw_path"]
    return Request(
        method=scope["method"],
        path=raw_path.decode("latin-1"),
        segments=_segments(raw_path),
        query=scope["query_string"],
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        peer=scope["client"][0] if scope["client"] else "",
        body=b"".join(chunks) if length <= MAX_BODY_BYTES else None,
    )


def _segments(raw_path: bytes) -> tuple[str, ...] | None:
    # Split before decoding: an escaped slash is part of a name, not of the route.
    try:
        return tuple(unquote_to_bytes(part).decode() for part in raw_path.removeprefix(b"/").split(b"/"))
    except UnicodeDecodeError:
        return None

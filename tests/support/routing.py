"""Gateways of which is known what their router has to do, and answers as they can be held against each other."""

import re
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from litestar.routes import HTTPRoute

from clients.secret import Secret
from gateway.settings import Settings
from tests.support.gateway import RunningGateway
from tests.support.sockets import PATH, Watched

LONG_WAY: Final = [("x-a", "1"), ("x-a", "2")]
"""Two headers of one name: the request is not plain, and is routed; what it asks is the same."""

_NUMBER: Final = re.compile(rb"\d+(\.\d+)?")
_PASSING: Final = re.compile(rb'"(fetched_at|checked_at|request_id|trace_id)":"[^"]*"')

_NEVER_THE_SAME: Final = {b"date", b"x-request-id"}
_NUMBERS: Final = {b"server-timing", b"ratelimit", b"age", b"cache-status"}


class Counted(RunningGateway):
    """A gateway that counts what comes as far as its router."""

    def __init__(self, settings: Settings, *, traced: bool = False) -> None:
        super().__init__(settings, traced=traced)
        self.routed = 0
        edge: Any = self.app
        inner = self._inner = edge._inner  # noqa: SLF001 - the one seam between what comes at once and the long way

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            self.routed += scope["type"] == "http"
            await inner(scope, receive, send)

        edge._inner = counted  # noqa: SLF001 - as above

    @property
    def routes(self) -> list[HTTPRoute]:
        """All that it serves."""
        return [route for route in self._inner.routes if isinstance(route, HTTPRoute)]


class Both(Watched):
    """A gateway of which all of that is known: what is routed, what becomes a task, what is not parsed."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.routed = 0
        edge: Any = self.app
        inner = edge._inner  # noqa: SLF001 - the one seam between what comes at once and the long way

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            self.routed += scope["type"] == "http"
            await inner(scope, receive, send)

        edge._inner = counted  # noqa: SLF001 - as above


def routed(counted: Counted, api: httpx.Client, path: str = PATH, **request: Any) -> tuple[httpx.Response, int]:
    """An answer, and how many requests it took the router."""
    before = counted.routed
    reply = api.get(path, **request)
    return reply, counted.routed - before


def directly(counted: Counted, api: httpx.Client, path: str, *headers: tuple[str, str]) -> httpx.Response:
    """An answer that took the router nothing."""
    reply, by_router = routed(counted, api, path, headers=[*headers])
    assert by_router == 0
    return reply


def the_long_way(counted: Counted, api: httpx.Client, path: str, *headers: tuple[str, str]) -> httpx.Response:
    """The answer to the same question by the router."""
    reply, by_router = routed(counted, api, path, headers=[*headers, *LONG_WAY])
    assert by_router == 1
    return reply


def own(settings: Settings, tmp_path: Path, **changed: Any) -> Settings:
    """Settings of a gateway with a database of its own."""
    database = Secret(f"sqlite:///{tmp_path / 'gateway.db'}")
    return msgspec.structs.replace(settings, **{"database_url": database, **changed})


def places(running: RunningGateway) -> int:
    """How many requests are being answered."""
    edge: Any = running.app
    in_flight: int = edge._shortcut._load._in_flight  # noqa: SLF001 - no answer tells, for to ask is one more
    return in_flight


def told(reply: httpx.Response) -> dict[str, str]:
    """The headers, less what differs between any two answers."""
    passing = {"date", "x-request-id", "server-timing", "ratelimit", "age", "cache-status"}
    return {name: value for name, value in reply.headers.items() if name not in passing}


def whole(reply: httpx.Response) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """All of an answer, in its order; what differs between any two answers is made the same."""
    # The tag of a check says when that was made.
    passing = _NEVER_THE_SAME | {b"etag"} if b'"checked_at":"' in reply.content else _NEVER_THE_SAME
    headers = [
        (name, b"*" if name in passing else _without_numbers(value) if name in _NUMBERS else value)
        for name, value in reply.headers.raw
    ]
    return reply.status_code, headers, _PASSING.sub(rb'"\1":"*"', reply.content)


def _without_numbers(value: bytes) -> bytes:
    """A list of which each kind of member is named once: what is tried again depends on what others have tried."""
    return b", ".join(dict.fromkeys(_NUMBER.sub(b"#", value).split(b", ")))


def remaining(reply: httpx.Response) -> int:
    """What is left of the caller's limit."""
    return int(reply.headers["ratelimit"].partition("r=")[2].partition(";")[0])

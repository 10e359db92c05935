"""One call on its way through the layers: what is sent, and what they tell each other of it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import httpx
import msgspec
from typing_extensions import override

from clients.errors import Operation
from clients.secret import Secret


class Origin(NamedTuple):
    """Whom a connection leads to."""

    scheme: str
    host: str
    port: int


class Call(msgspec.Struct, kw_only=True):
    """What there is to send, and what the layers know of it; each finds it in its request's `extensions["call"]`."""

    operation: Operation
    origin: Origin

    head: bytes
    """The first line, and the headers that are the same in every call."""

    headers: dict[str, str]
    """The others, by their names in lower case."""

    body: bytes

    secrets: tuple[Secret | None, ...] = ()
    """What an answer may repeat, and no error may tell."""

    left_alone: Callable[[], bool] = bool
    """Whether the breaker is open by now."""

    resends: int = 0
    """0 in the first attempt, then 1, 2."""

    sent_anew: bool = False
    """Whether this attempt went out twice, because the first connection was gone."""

    remaining: float = 0.0
    """Seconds that the whole request had left as this attempt began."""

    ends: float = 0.0
    """When this attempt is over, by the event loop's clock."""

    connect_seconds: float = 0.0
    """For making a connection."""

    @override
    def __repr__(self) -> str:
        return f"Call({self.operation.name!r})"  # Headers and body may hold secrets.

    def written(self) -> bytes:
        """The whole request as it goes over the wire.

        Raises:
            ValueError: See `lines`.
        """
        return b"%s%s\r\n%s" % (self.head, lines(self.headers), self.body)


class Outgoing(httpx.Request):
    """A call as httpx has requests.

    httpx's own way to one takes several times as long as to write it; what only
    a pool of httpx asks for is made when it asks.

    Args:
        method: Of HTTP.
        url: The whole.
        call: What there is to send.
    """

    def __init__(self, method: str, url: httpx.URL, call: Call) -> None:
        self.method = method
        self.url = url
        self.extensions = {"call": call}

    @property
    @override
    def headers(self) -> httpx.Headers:  # type: ignore[override]  # Nobody sets them: layers add to the call's.
        call = self.extensions["call"]
        _, *written = (call.head + lines(call.headers)).split(b"\r\n")[:-1]
        return httpx.Headers([(name, value) for name, _, value in (line.partition(b": ") for line in written)])

    @property
    @override
    def stream(self) -> httpx.ByteStream:  # type: ignore[override]  # Nobody sets it.
        return httpx.ByteStream(self.extensions["call"].body)


def lines(headers: Mapping[str, str]) -> bytes:
    """Headers as they go over the wire.

    Raises:
        ValueError: One would end its line early; nothing that a caller sends
            becomes a header, so this is a mistake of ours.
    """
    written = ""
    for name, value in headers.items():
        written += f"{name}: {value}\r\n"
    if not written.count("\r") == written.count("\n") == len(headers) or "\0" in written:
        raise ValueError("a header holds a line break")
    return written.encode()

"""How what a handler returns is sent."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.status_codes import HTTP_204_NO_CONTENT
from typing_extensions import override

# ASGI's own types, as loose as its servers and frameworks are among themselves.
Send = Callable[[Any], Awaitable[None]]


class Json(Response[Any]):
    """What a handler returned, as JSON.

    Litestar's own answers are made for headers, cookies, media types and
    encoders that ours have not, and to look for them takes longer than to encode.

    Args:
        content: As the handler returned it.
        status_code: As the handler declares it.
        **_: What our handlers have none of.
    """

    def __init__(self, content: Any, *, status_code: int, **_: Any) -> None:
        self.content = content
        self.status_code = status_code

    @override
    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        return cast("ASGIResponse", self)  # It is called, and nothing else.

    async def __call__(self, _scope: Any, _receive: Any, send: Send) -> None:
        """Send it (ASGI 3)."""
        headers: list[tuple[bytes, bytes]] = []
        body = b""
        if self.status_code != HTTP_204_NO_CONTENT:
            body = msgspec.json.encode(self.content)
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

"""A whole answer, before it is written."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from gateway.http.field_lines import fields


class Whole(msgspec.Struct):
    """An answer of which nothing is missing."""

    status: int
    head: bytes
    """Its field lines."""
    body: bytes

    async def send(self, send: Callable[[Any], Awaitable[None]]) -> None:
        """Hand it to a server, or to who wraps one (ASGI 3)."""
        await send({"type": "http.response.start", "status": self.status, "headers": fields(self.head)})
        await send({"type": "http.response.body", "body": self.body})

"""The socket of one request: orderly answers, and everything that is none."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress

from clients.sandbox.arrivals import Receive, Send
from clients.sandbox.replies import Header, Reply

# Under this name the protocol puts its transport into `scope["extensions"]`.
EXTENSION = "clients.sandbox.wire"

# How long a closed connection may take to send what is buffered before it is cut.
_FLUSH_SECONDS = 5.0

# Linger on, for no time: close() then sends RST instead of FIN.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Wire:
    """One request's way back.

    Args:
        transport: The connection itself, for what HTTP does not allow.
        receive: Tells when the peer has left.
        send: The orderly way, with flow control.
    """

    def __init__(self, transport: asyncio.Transport, receive: Receive, send: Send) -> None:
        self._transport = transport
        self._receive = receive
        self._send = send

    async def answer(self, reply: Reply) -> None:
        """Send a correct HTTP answer."""
        await self._start(reply.status, reply.headers())
        await self._send({"type": "http.response.body", "body": reply.body})

    async def stream(self, reply: Reply, chunks: AsyncIterator[bytes], *, length: int) -> None:
        """Send the reply's head, then `chunks`, `length` bytes in all, as its body."""
        await self._start(reply.status, reply.headers(length=length))
        async for chunk in chunks:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    def write(self, *parts: bytes) -> None:
        """Put raw bytes on the connection, unless the peer has left."""
        if not self._transport.is_closing():
            self._transport.write(b"".join(parts))

    async def close(self) -> None:
        """End the connection after what was written (FIN)."""
        self._transport.close()
        if not await self.left_within(_FLUSH_SECONDS):
            await self._cut()

    async def reset(self) -> None:
        """Break the connection off (RST), as a crashed machine or a middlebox does."""
        handle = self._transport.get_extra_info("socket")
        # The peer may have been faster.
        with suppress(OSError):
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        await self._cut()

    async def left_within(self, seconds: float) -> bool:
        """Wait for the connection's end; return whether it came in time."""
        try:
            async with asyncio.timeout(seconds):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return False
        return True

    async def _cut(self) -> None:
        self._transport.abort()
        # Only when the server has noticed does it accept that no answer comes.
        await self.left_within(_FLUSH_SECONDS)

    async def _start(self, status: int, headers: list[Header]) -> None:
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

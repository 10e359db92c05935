"""A server that answers each request with bytes of a test's choice, on connections that stay open."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class RawServer:
    """Listens on loopback and counts what comes.

    Args:
        answer: What each request is answered with; None: nothing, ever.
    """

    def __init__(self, answer: bytes | None = OK) -> None:
        self.answer = answer
        self.connections = 0
        self.requests: list[bytes] = []
        self.close_after_answer = False
        self.hang_up_on_empty = False
        """Whether an empty answer is the end of the connection; otherwise it is silence."""
        self.first: list[bytes] = []
        """Answers to the first requests, before `answer` is given to all others."""
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def open(self) -> int:
        """Connections that neither side has ended."""
        return len(self._writers)

    async def __aenter__(self) -> Self:
        await self.listen(0)
        return self

    async def listen(self, port: int) -> None:
        """Begin to listen; 0: on any free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)

    async def __aexit__(self, *_: object) -> None:
        self.hang_up()
        self._server.close()
        await self._server.wait_closed()

    def hang_up(self) -> None:
        """End every connection."""
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
                )
                self.requests.append(head + await reader.readexactly(length))
                answer = self.first.pop(0) if self.first else self.answer
                if answer is not None:
                    writer.write(answer)
                    await writer.drain()
                    if self.close_after_answer or (self.hang_up_on_empty and not answer):
                        break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # The other side has left.
        finally:
            self._writers.discard(writer)
            writer.close()

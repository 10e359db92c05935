"""A vendor that says what it was told to say, over a real socket, and keeps what it heard."""

import asyncio
import json
from typing import Any, Self

import msgspec


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read by another parser than the one that wrote it."""
        return json.loads(self.body)


class ScriptedVendor:
    """An HTTP/1.1 server on loopback that gives one answer to everything and then hangs up."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.refuses()

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._server.sockets[0].getsockname()
        return f"http://{host}:{port}"

    def succeeds(self, data: str) -> None:
        """Answer with the envelope of success; `data` is JSON text, so that its numbers are what they look like."""
        self.says(f'{{"status": "success", "data": {data}}}')

    def refuses(self, *, code: str | None = None, status: int = 200) -> None:
        """Answer with the envelope of an error."""
        item = {"msg": "Not today.", "type": "api_exception"} | ({"code": code} if code is not None else {})
        self.says(json.dumps({"status": "error", "req_id": "acMMsjP9", "error": [item]}), status=status)

    def says(
        self, body: str | bytes, *, status: int = 200, media_type: str = "application/json", header: str = "x-said: so"
    ) -> None:
        """Answer with this body, and one more line of header."""
        content = body.encode() if isinstance(body, str) else body
        head = f"HTTP/1.1 {status} Said\r\ncontent-type: {media_type}\r\ncontent-length: {len(content)}\r\n{header}"
        self._answer = f"{head}\r\nconnection: close\r\n\r\n".encode() + content

    def breaks_off(self) -> None:
        """Answer as before, but for the last byte."""
        self._answer = self._answer[:-1]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers: dict[str, str] = {}
        for name, _, value in (line.partition(": ") for line in head[1:] if line):
            # A header that comes twice is a list (RFC 9110, 5.2).
            headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.heard.append(Heard(method=method, path=path, headers=headers, body=body))
        writer.write(self._answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

"""A vendor that costs next to nothing: fixed answers over raw sockets, in a process of its own.

The end of a path says what is answered, so that plain proxies and gateways
that rewrite paths can share it:

- `/domains`: a list of 2 KB, `/features`: a list of 50 KB;
- `/domains/{hostname}` and `/domains/check`: a record and a check, after
  `SLOW_SECONDS` if `slow` is in the name;
- `/validate`: bearers that last for years; `/traces`, `/metrics`: a collector;
- `/_delay/{ms}`: from now on lists take so long; `/_count`: how many lists were asked for.
"""

import asyncio
import socket
import sys
from typing import Any, Final

import msgspec
import uvloop
from typing_extensions import override

SLOW_SECONDS: Final = 0.02
"""What a vendor's answer takes where its latency matters."""

_SMALL_ROWS: Final = 12
_LARGE_ROWS: Final = 500


def _domain(index: int) -> dict[str, object]:
    return {
        "id": f"6b1f{index:04x}",
        "domain": f"track-{index:03d}.example.com",
        "cloudflare_id": f"{index:08x}c1a4",
        "status": "active",
        "ssl_status": "active",
        "created_at": "2026-01-01T00:00:00Z",
    }


_SMALL: Final = msgspec.json.encode({"success": True, "domains": [_domain(index) for index in range(_SMALL_ROWS)]})
_LARGE: Final = msgspec.json.encode(
    {
        "status": "success",
        "req_id": "bench",
        "data": {
            "features": [
                {
                    "ident": f"feature-{index:04d}-of-the-catalogue-of-an-organization-with-a-great-many",
                    "feature_type": "permanent",
                }
                for index in range(_LARGE_ROWS)
            ]
        },
    }
)
_DETAILS: Final = msgspec.json.encode(
    {
        "success": True,
        "domain": {
            **_domain(1),
            "ssl": {"status": "active", "txt_name": "_acme.example.com", "txt_value": "x" * 40},
            "ownership_verification": {"type": "txt", "name": "_cf.example.com", "value": "y" * 40},
            "verification_errors": [],
        },
    }
)
_CHECK: Final = msgspec.json.encode(
    {
        "success": True,
        "found": True,
        "ssl_valid": True,
        "http_status": 200,
        "response_time_ms": 12,
        "check_timestamp": 1767225600,
    }
)
_BEARERS: Final = msgspec.json.encode(
    {"success": True, "tokens": {"access_token": "a", "refresh_token": "r", "expires_at": 4_000_000_000}}
)
_NOTHING: Final = b"{}"


def _answer(body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
        b"date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n" % len(body)
    ) + body


_ANSWERS: Final = {
    b"domains": _answer(_SMALL),
    b"features": _answer(_LARGE),
    b"check": _answer(_CHECK),
    b"validate": _answer(_BEARERS),
    b"traces": _answer(_NOTHING),
    b"metrics": _answer(_NOTHING),
}
_LISTS: Final = frozenset({b"domains", b"features"})
_OTHERWISE: Final = _answer(_DETAILS)


class _Lists:
    """What is known of the lists that were asked for."""

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0


class _Connection(asyncio.Protocol):
    """One connection of a caller, who waits for each answer before the next request."""

    def __init__(self, lists: _Lists) -> None:
        self._lists = lists
        self._received = b""
        self._transport: Any = None  # uvloop's are of no class of asyncio's.

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        request, self._received = self._received, b""
        path = head.split(b" ", 2)[1].partition(b"?")[0]
        answer, seconds = self._answered(path, slow=b"slow" in request)
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._write, answer)
        else:
            self._write(answer)

    def _answered(self, path: bytes, *, slow: bool) -> tuple[bytes, float]:
        last = path.rpartition(b"/")[2]
        if last in _LISTS:
            self._lists.count += 1
            return _ANSWERS[last], self._lists.seconds
        if last == b"_count":
            return _answer(b"%d" % self._lists.count), 0.0
        if b"/_delay/" in path:
            self._lists.seconds = int(last) / 1000
            return _answer(_NOTHING), 0.0
        return _ANSWERS.get(last, _OTHERWISE), SLOW_SECONDS if slow else 0.0

    def _write(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


async def _serve(listening: socket.socket) -> None:
    lists = _Lists()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(lists), sock=listening)
    host, port = listening.getsockname()[:2]
    print(f"http://{host}:{port}/", flush=True)  # noqa: T201 - whoever started it reads the address
    await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    listening = socket.create_server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), backlog=4096)
    uvloop.run(_serve(listening))


if __name__ == "__main__":
    main()

"""One attempt at a vendor: what is known of it afterwards, and what it costs when callers leave."""

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from clients.budget import Budget
from clients.connection import LARGEST_BODY, LARGEST_HEAD, Answer
from clients.errors import Garbled, Interrupted, Kind, Operation, TimedOut, Unreachable, UpstreamError
from clients.pool import MOST_IDLE
from clients.timeouts import Timed
from clients.transport import Socket, Upstream
from tests.support.plain import PLAIN
from tests.support.raw_server import OK, RawServer
from tests.support.timing import timeouts

pytestmark = pytest.mark.anyio

SECONDS = 5.0


def operation(kind: Kind = "read") -> Operation:
    """A call of this kind."""
    return Operation("vendor", "POST /x", kind)


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    """A vendor that answers `{}`."""
    async with RawServer() as listening:
        yield listening


def upstream(port: int, *, seconds: float = SECONDS, connect: float = 2.0) -> Upstream:
    """The socket layer alone, which takes every whole answer for a yes."""
    socket = Socket(lambda _reply, _operation: None, tls=PLAIN, budget=Budget())
    return Upstream(f"http://127.0.0.1:{port}", Timed(socket, timeouts(seconds, connect=connect)))


async def failure(server: RawServer, kind: Kind = "read", *, seconds: float = SECONDS) -> UpstreamError:
    """What a call ends in that does not end well."""
    client = upstream(server.port, seconds=seconds)
    with pytest.raises(UpstreamError) as caught:
        await client.call(operation(kind), "/x", json=b"{}")
    await client.aclose()
    return caught.value


async def test_reads_share_a_connection(server: RawServer) -> None:
    """One after the other needs one connection; at once needs several, and no more than callers."""
    client = upstream(server.port)

    for _ in range(5):
        await client.call(operation(), "/x")
    one = server.connections
    await asyncio.gather(*(client.call(operation(), "/x") for _ in range(20)))

    assert one == 1
    assert server.connections <= 20
    assert len(server.requests) == 25
    await client.aclose()


async def test_an_answer_that_was_read_is_gone(server: RawServer) -> None:
    """A body may have megabytes: its memory does not wait for the collector of cycles."""
    client = upstream(server.port)
    gc.collect()
    gc.disable()

    try:
        await client.call(operation(), "/x")
        await asyncio.sleep(0)  # The event loop itself holds what has woken us, until its next turn.
        left = [one for one in gc.get_objects() if isinstance(one, Answer)]
    finally:
        gc.enable()

    assert left == []
    await client.aclose()


@pytest.mark.parametrize("kind", ["write", "money"])
async def test_what_can_not_be_repeated_gets_a_connection_of_its_own(server: RawServer, kind: Kind) -> None:
    """On one that the vendor has just closed, it would look as if it had been sent and not answered."""
    client = upstream(server.port)
    await client.call(operation("read"), "/x")

    for _ in range(3):
        await client.call(operation(kind), "/x")

    assert server.connections == 4
    await client.aclose()


async def test_a_connection_that_the_vendor_closed_costs_a_read_nothing(server: RawServer) -> None:
    """Unannounced, and in whatever moment: the read is answered."""
    client = upstream(server.port)
    server.close_after_answer = True

    for _ in range(50):
        assert (await client.call(operation(), "/x")).status_code == 200

    assert len(server.requests) == 50
    await client.aclose()


async def test_writes_leave_no_more_connections_behind_than_may_be_used_again(server: RawServer) -> None:
    """Each opens one, and nobody may ever read."""
    client = upstream(server.port)

    for _ in range(MOST_IDLE + 50):
        await client.call(operation("write"), "/x")
    while server.open > MOST_IDLE:  # noqa: ASYNC110 - the server sets no event
        await asyncio.sleep(0)

    assert server.connections == MOST_IDLE + 50
    await client.aclose()


async def test_nobody_listening_means_nothing_was_sent() -> None:
    """Refused at once."""
    async with RawServer() as gone:
        port = gone.port
    client = upstream(port)

    with pytest.raises(Unreachable) as caught:
        await client.call(operation("money"), "/x")

    assert caught.value.sent is False


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 2",
    ],
)
async def test_half_an_answer_is_no_answer(answer: bytes) -> None:
    """Wherever it breaks off."""
    async with RawServer(answer) as server:
        server.close_after_answer = True

        assert isinstance(await failure(server), Garbled)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\xff\x00\xff" * 100,
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * (LARGEST_HEAD + 1),
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * LARGEST_HEAD,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
        b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (LARGEST_BODY + 1) + b" " * (LARGEST_BODY + 1),
    ],
    ids=["ssh", "noise", "two-lengths", "negative", "chunk", "upgrade", "long-line", "many-lines", "interim", "huge"],
)
async def test_what_is_no_http_is_ended_at_once(answer: bytes) -> None:
    """Bounded in bytes, and long before the time is up."""
    async with RawServer(answer) as server:
        assert isinstance(await failure(server), Garbled)


async def test_no_answer_at_all_is_told_apart(server: RawServer) -> None:
    """The connection ended: it was sent, and nobody knows what came of it."""
    server.answer = b""
    server.close_after_answer = True

    error = await failure(server, "money")

    assert isinstance(error, Interrupted)
    assert error.sent is True
    assert len(server.requests) == 1


async def test_a_dripping_answer_is_ended_in_time() -> None:
    """Each byte in time is not enough: the whole must be."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b" " * 1000:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        client = upstream(server.sockets[0].getsockname()[1], seconds=0.2)
        started = asyncio.get_running_loop().time()

        with pytest.raises(TimedOut) as caught:
            await client.call(operation(), "/x")

        assert caught.value.sent is True
        assert asyncio.get_running_loop().time() - started < 2
        await client.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    ],
)
async def test_every_framing_of_http_is_read(answer: bytes) -> None:
    """Interim answers are passed over, chunks are joined."""
    async with RawServer(answer) as server:
        client = upstream(server.port)

        replies = [await client.call(operation(), "/x") for _ in range(2)]

        assert [reply.content for reply in replies] == [b"{}", b"{}"]
        assert server.connections == 1
        await client.aclose()


async def test_names_of_headers_are_read_in_any_case() -> None:
    """How long the body is, that the connection stays, and what else the vendor says."""
    answer = b"HTTP/1.1 200 OK\r\nCONTENT-LENGTH: 2\r\nX-Said: a\r\nx-sAID: b\r\nRETRY-after: 3\r\n\r\n{}"
    async with RawServer(answer) as server:
        client = upstream(server.port)

        replies = [await client.call(operation(), "/x") for _ in range(2)]

        assert [reply.content for reply in replies] == [b"{}", b"{}"]
        assert [(reply.headers["Retry-After"], reply.headers["x-said"]) for reply in replies] == [("3", "a, b")] * 2
        assert server.connections == 1
        await client.aclose()


@pytest.mark.parametrize(
    "lines",
    [
        b"CONTENT-ENCODING: gzip",
        b"Content-encoding: GZip",
        b"content-encoding: identity\r\nConTent-Encoding: br",
        b"content-encoding: identity, gzip",
    ],
)
async def test_an_encoding_hides_in_no_spelling(lines: bytes) -> None:
    """Nor behind another that was asked for: none is unfolded."""
    async with RawServer(b"HTTP/1.1 200 OK\r\n%b\r\ncontent-length: 2\r\n\r\n{}" % lines) as server:
        assert isinstance(await failure(server), Garbled)


async def test_an_answer_that_ends_with_the_connection_is_whole() -> None:
    """As HTTP/1.0 does it."""
    async with RawServer(b"HTTP/1.0 200 OK\r\n\r\n{}") as server:
        server.close_after_answer = True
        client = upstream(server.port)

        assert (await client.call(operation(), "/x")).content == b"{}"
        await client.aclose()


async def test_bytes_that_nobody_asked_for_are_no_answer_to_the_next() -> None:
    """A vendor that answers twice is not believed the second time."""
    async with RawServer(OK + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen") as server:
        client = upstream(server.port)

        replies = [await client.call(operation(), "/x") for _ in range(5)]

        assert {reply.content for reply in replies} == {b"{}"}
        assert server.connections == 5
        await client.aclose()


async def test_a_header_can_not_be_smuggled_in(server: RawServer) -> None:
    """A line break in a value is a mistake of ours, and nothing is sent."""
    client = upstream(server.port)

    with pytest.raises(ValueError, match="line break"):
        await client.call(operation(), "/x", headers={"traceparent": "a\r\nevil: b"})

    assert server.requests == []
    await client.aclose()


async def test_a_foreign_certificate_means_nothing_was_sent(server: RawServer) -> None:
    """TLS is verified: a server that has none, or another's, hears nothing of the call."""
    socket = Socket(lambda _reply, _operation: None, tls=PLAIN, budget=Budget())
    client = Upstream(f"https://127.0.0.1:{server.port}", Timed(socket, timeouts(SECONDS)))
    server.close_after_answer = True

    with pytest.raises((Unreachable, TimedOut)) as caught:
        await client.call(operation("money"), "/x")

    assert caught.value.sent is False
    assert not any(b"POST" in seen for seen in server.requests)

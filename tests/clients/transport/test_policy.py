"""Every operation of both vendors: what is repeated, how often, on which failure. Counted at a real server."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from clients import billing, domains
from clients.errors import Operation, UpstreamError
from clients.operations import OPERATIONS
from clients.timeouts import began
from clients.transport import Upstream, layered
from tests.support import operations_page
from tests.support.plain import PLAIN
from tests.support.raw_server import RawServer
from tests.support.timing import timeouts

pytestmark = pytest.mark.anyio

# How many attempts each kind makes. Written down once more, and not read from the table that is tested.
ATTEMPTS = {
    "read": {"refused": 3, "reset": 3, "down": 3, "nonsense": 3, "wait": 3, "no_wait": 1, "too_long": 1},
    "probe": {"refused": 2, "reset": 2, "down": 2, "nonsense": 2, "wait": 2, "no_wait": 1, "too_long": 1},
    "write": {"refused": 3, "reset": 1, "down": 1, "nonsense": 1, "wait": 1, "no_wait": 1, "too_long": 1},
    "money": {"refused": 3, "reset": 1, "down": 1, "nonsense": 1, "wait": 1, "no_wait": 1, "too_long": 1},
}

ANSWERS = {
    "reset": b"",
    "down": b"HTTP/1.1 503 Down\r\ncontent-length: 0\r\n\r\n",
    "nonsense": b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
    "wait": b"HTTP/1.1 429 Wait\r\nretry-after: 3\r\ncontent-length: 0\r\n\r\n",
    "no_wait": b"HTTP/1.1 429 Wait\r\ncontent-length: 0\r\n\r\n",
    "too_long": b"HTTP/1.1 429 Wait\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n",
}

JUDGES = {"funnelflux": domains.judge, "funnelfox": billing.judge}


class Vendor:
    """One vendor behind all its layers: what was tried, and how long was waited in between.

    Args:
        port: Where it listens.
        name: Whose envelope it speaks.
    """

    def __init__(self, port: int, name: str) -> None:
        self.waited: list[float] = []
        self.spans = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.spans))
        transport = layered(
            JUDGES[name],
            timeouts=timeouts(10),
            tracer_provider=provider,
            tls=PLAIN,
            sleep=self._sleep,
        )
        self._upstream = Upstream(f"http://127.0.0.1:{port}", transport)

    async def _sleep(self, pause: float) -> None:
        self.waited.append(pause)

    async def fails(self, operation: Operation) -> None:
        """Call an operation, which does not end well."""
        with pytest.raises(UpstreamError):
            await self._upstream.call(operation, "/x", json=b"{}")
        await self._upstream.aclose()

    @property
    def attempts(self) -> list[dict[str, object]]:
        """What the span of each attempt says."""
        return [dict(span.attributes or {}) for span in self.spans.get_finished_spans()]


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    """A vendor that fails in the way that a test wants."""
    async with RawServer() as listening:
        listening.close_after_answer = True
        yield listening


@pytest.fixture
def refusing() -> Iterator[int]:
    """A port where nobody listens, and nobody else will."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def _name(operation: Operation) -> str:
    return operation.name


def test_every_operation_has_its_row() -> None:
    """Six of one vendor, twenty-five of the other, and the renewal of credentials: each once."""
    assert len({(operation.upstream, operation.name) for operation in OPERATIONS}) == len(OPERATIONS) == 32


@pytest.mark.parametrize("failure", list(ANSWERS))
@pytest.mark.parametrize("operation", OPERATIONS, ids=_name)
async def test_an_operation_is_repeated_as_its_kind_says(operation: Operation, failure: str, server: RawServer) -> None:
    """What may have been carried out is never repeated; a vendor's wait is obeyed where there is time for it."""
    server.answer = ANSWERS[failure]
    vendor = Vendor(server.port, operation.upstream)

    await vendor.fails(operation)

    expected = ATTEMPTS[operation.kind][failure]
    assert len(server.requests) == len(vendor.attempts) == expected
    assert len(vendor.waited) == expected - 1
    if failure == "wait":
        assert set(vendor.waited) <= {3.0}


@pytest.mark.parametrize("operation", OPERATIONS, ids=_name)
async def test_what_was_never_connected_is_tried_again(operation: Operation, refusing: int) -> None:
    """Nothing was sent, so even money may be: each attempt is a span, and the later ones say which they are."""
    vendor = Vendor(refusing, operation.upstream)

    await vendor.fails(operation)

    expected = ATTEMPTS[operation.kind]["refused"]
    resends = [attempt.get("http.request.resend_count", 0) for attempt in vendor.attempts]
    assert resends == list(range(expected))


async def test_an_attempt_tells_how_much_time_the_request_has_left(server: RawServer) -> None:
    """In seconds, the less the later."""
    server.answer = ANSWERS["down"]
    vendor = Vendor(server.port, "funnelflux")
    began.set(asyncio.get_running_loop().time())

    await vendor.fails(OPERATIONS[0])

    left = [attempt["gateway.deadline.remaining"] for attempt in vendor.attempts]
    assert len(left) == 3
    assert all(isinstance(seconds, float) and 0 < seconds <= 10 for seconds in left)
    assert left == sorted(left, reverse=True)  # type: ignore[type-var]  # floats, as was just seen


def test_the_page_says_what_the_code_does() -> None:
    """If this fails, run `make docs` and commit the page."""
    assert (Path(__file__).parents[3] / "docs" / "operations.md").read_text() == operations_page.page()

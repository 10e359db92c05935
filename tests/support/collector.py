"""A real OTLP receiver over HTTP, and the spans that it was sent."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1 import trace_pb2
from typing_extensions import override

Value = str | int | float | bool


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One span, as it arrived."""

    name: str
    kind: str
    """As the protocol has it, without its prefix: `SERVER`, `CLIENT`, `INTERNAL`."""
    trace_id: str
    span_id: str
    parent_id: str
    """Empty: it has none."""
    links: tuple[tuple[str, str], ...]
    """Trace and span ids."""
    failed: bool
    attributes: dict[str, Value]
    began: int
    """Unix time in nanoseconds, as `ended`."""
    ended: int
    words: tuple[str, ...]
    """Of its events and its status: there should be none."""


class Collector:
    """A real OTLP receiver over HTTP, which answers as it is told."""

    def __init__(self) -> None:
        self.status: int | None = 200
        """None: it does not answer at all."""
        self.bodies: list[tuple[str, bytes]] = []
        """Paths and what was sent there."""
        self.released = threading.Event()
        own = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Take what is sent."""
                own.bodies.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
                if own.status is None:
                    own.released.wait(30)
                self.send_response(own.status or 503)
                self.send_header("content-length", "0")
                self.end_headers()

            @override
            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def spans(self) -> list[Span]:
        """All that arrived, the oldest first."""
        sent = [ExportTraceServiceRequest.FromString(body) for path, body in self.bodies if path == "/v1/traces"]
        return sorted(
            (
                _decoded(span)
                for one in sent
                for resource in one.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            ),
            key=lambda span: span.began,
        )

    def stop(self) -> None:
        """End, and let go of whoever waits."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _decoded(span: trace_pb2.Span) -> Span:
    return Span(
        name=span.name,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        attributes={attribute.key: _value(attribute.value) for attribute in span.attributes},
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        words=tuple(_words(span)),
    )


def _value(value: AnyValue) -> Value:
    found: Value = getattr(value, value.WhichOneof("value") or "string_value")
    return found


def _words(span: trace_pb2.Span) -> Iterator[str]:
    if span.status.message:
        yield span.status.message
    for event in span.events:
        yield event.name

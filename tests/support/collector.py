"""A collector for traces and metrics, for real."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typing_extensions import override


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

    def stop(self) -> None:
        """End, and let go of whoever waits."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

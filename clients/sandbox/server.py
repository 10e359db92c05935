"""The sandbox as a server: a thread, an event loop, and a socket of its own."""

import asyncio
import logging
import socket
from ipaddress import ip_address
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self, cast

from typing_extensions import override
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from clients.sandbox.app import SandboxApp
from clients.sandbox.choices import Choices
from clients.sandbox.clock import Clock
from clients.sandbox.emulator import Sandbox
from clients.sandbox.replies import Reply
from clients.sandbox.wire import EXTENSION

# Room for a load test's burst of connections.
_BACKLOG = 2048
# As long as common load balancers keep an idle connection.
_KEEP_ALIVE_SECONDS = 75
# Binding and starting a loop takes milliseconds; longer means that something is very wrong.
_START_SECONDS = 10.0
# Ending takes one turn of the loop.
_STOP_SECONDS = 10.0


# What peers and faults do to connections is this server's trade, and no news.
_SILENT = logging.getLogger("clients.sandbox.wire")
_SILENT.disabled = True


class PortTaken(OSError):
    """The sandbox can't listen where it was told to."""


class _Protocol(HttpToolsProtocol):
    """Uvicorn's HTTP/1.1, with its socket handed to the application and its log turned off."""

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        super().__init__(config, server_state, app_state)
        self.logger = _SILENT
        self.access_log = False

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {"transport": self.transport}}

    @override
    def send_400_response(self, msg: str) -> None:
        # What is no HTTP is answered by uvicorn alone, but marked like everything else.
        reply = Reply(status=400, body=msg.encode(), content_type=b"text/plain", extra=((b"connection", b"close"),))
        self.transport.write(reply.head(reply.headers()) + reply.body)
        self.transport.close()


class SandboxServer:
    """Both vendors' emulators as one HTTP server.

    It may be started and stopped again and again; it keeps its state, and after
    the first start its port, so that an outage can be played.

    Args:
        host: Where to listen.
        port: 0 lets the system choose.
        expose: Needed for a host that others can reach: the sandbox lets anyone
            in who knows a tenant's name. Its control stays local even then.
        clock: The sandbox's idea of time.
        choices: How to behave where the vendors' documents are silent.

    Raises:
        ValueError: The host is not loopback and `expose` was not given.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        expose: bool = False,
        clock: Clock | None = None,
        choices: Choices | None = None,
    ) -> None:
        if not expose and not _loopback(host):
            raise ValueError(f"{host} can be reached from other machines; say so with expose=True")
        self.sandbox = Sandbox(clock=clock, choices=choices)
        self._host = host
        self._port = port
        self._thread: Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """The base of both vendors' paths, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def start(self) -> None:
        """Listen; when this returns, requests are answered.

        Raises:
            PortTaken: Somebody else listens there, or the address is not this machine's.
        """
        if self._thread is not None:
            raise RuntimeError("the sandbox is running already")
        listener = self._listener()
        self._port = listener.getsockname()[1]
        started = Event()
        self._failure = None
        self._thread = Thread(target=self._run, args=(listener, started), name="sandbox", daemon=True)
        self._thread.start()
        if not started.wait(_START_SECONDS) or self._failure is not None:
            self.stop()
            raise RuntimeError("the sandbox did not start") from self._failure

    def stop(self) -> None:
        """Cut all connections and free the port; harmless when it is not running."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._stopping is not None and thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join(_STOP_SECONDS)

    def join(self) -> None:
        """Wait until it is stopped; a Ctrl-C ends the waiting."""
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _listener(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        # A port that was just freed may be taken again at once.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
            # Only now does a second server on the same port fail.
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            reason = error.strerror or str(error)
            raise PortTaken(error.errno, f"the sandbox can't listen on {self._host}:{self._port}: {reason}") from error
        return listener

    def _run(self, listener: socket.socket, started: Event) -> None:
        config = Config(
            cast("Any", SandboxApp(self.sandbox)),
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
        try:
            with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
                runner.run(self._serve(config, listener, started))
        except BaseException as failure:  # noqa: BLE001 - whatever ended this thread is shown by the one that waits
            self._failure = failure
        finally:
            listener.close()
            started.set()

    async def _serve(self, config: Config, listener: socket.socket, started: Event) -> None:
        # Not uvicorn's own Server: it logs to the loggers of the gateway's uvicorn, which may share the process.
        config.load()
        state = ServerState()
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        serving = await self._loop.create_server(lambda: _Protocol(config, state, {}), sock=listener)
        started.set()
        await self._stopping.wait()
        serving.close()
        for connection in list(state.connections):
            cast("_Protocol", connection).transport.abort()
        # One turn of the loop, in which every request learns that its peer is gone.
        await asyncio.sleep(0)
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await serving.wait_closed()


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""Listening on a port, with uvicorn behind it."""

import gc
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Thread
from time import sleep
from typing import Any, Final

from prometheus_client import CollectorRegistry
from uvicorn import Config

from gateway import telemetry
from gateway.app import create_app, sandbox
from gateway.http.connection import Connection
from gateway.metrics import Metrics, exposition
from gateway.serving.stopping import LINGER_SECONDS, Notice, StoppableServer
from gateway.settings import Settings, from_environment

BACKLOG: Final = 2048
"""Connections that may wait while every worker is busy."""

KEEP_ALIVE_SECONDS: Final = 75
"""Longer than the 60 s of usual load balancers, so that it is they who close an idle connection."""

GRACE_SECONDS: Final = 5.0
"""For requests in flight when told to stop: the longest deadline, and so much."""

CLOSING_SECONDS: Final = 10.0
"""For a worker to send its last spans and close its files, before it is killed."""

FIRST_INHERITED: Final = 3
"""The first file descriptor that a service manager hands over (`sd_listen_fds`)."""

GARBAGE: Final = (50_000, 20, 20)
"""New objects, and rounds of each generation, after which garbage is looked for. What we make goes by itself, without
cycles; Python's own 700 has all requests that wait for a slow vendor looked through, and the others stand still."""

START_POLL_SECONDS: Final = 0.01
"""Between two looks at whether a server in a thread has started."""


class PortTaken(Exception):
    """Somebody else listens there, or nobody may."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: A name or an address of this machine.
        port: 0 for any free one.

    Raises:
        PortTaken: With a sentence for people.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise PortTaken(f"{host} is no address of this machine: {error.strerror}.") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise PortTaken(f"can't listen on {host}:{port}: {error.strerror}.") from error
    listening.set_inheritable(True)
    return listening


def inherited() -> socket.socket | None:
    """The socket that a service manager listens on for us (`LISTEN_FDS`); None if there is none.

    It outlives this process, so that no connection is refused while we are restarted.

    Raises:
        PortTaken: It is no listening TCP socket.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS", "0") == "0":
        return None
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)  # Meant for this process, and for none that it starts.
    try:
        handed = socket.socket(fileno=FIRST_INHERITED)
        listens = handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise PortTaken(f"the inherited file descriptor is no socket: {error.strerror}.") from error
    if not listens or handed.family not in {socket.AF_INET, socket.AF_INET6}:
        raise PortTaken("the inherited socket does not listen for TCP.")
    return handed


def address_of(listening: socket.socket) -> str:
    """The URL at which a listening socket is reached."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def config(app: Any) -> Config:
    """How uvicorn runs the gateway, whoever starts it."""
    return Config(
        app,
        http=Connection,
        access_log=False,  # The edge writes one line per request.
        log_config=None,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


@contextmanager
def in_thread(app: Any, listening: socket.socket) -> Iterator[str]:
    """Serve in a thread of this process for the length of the block, which is given the URL.

    Raises:
        RuntimeError: The application did not start.
    """
    server = StoppableServer(config(app), Notice(), drain_seconds=0, grace_seconds=GRACE_SECONDS)
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the gateway did not start")
            sleep(START_POLL_SECONDS)
        yield address_of(listening)
    finally:
        server.should_exit = True
        thread.join()


def serve(settings: Settings, listening: socket.socket, *, workers: int) -> int:
    """Serve until told to stop.

    Args:
        settings: What the environment says; each worker reads it anew.
        listening: Shared by all workers.
        workers: Processes.

    Returns:
        The exit code: 0 if no request was cut off.

    Raises:
        PortTaken: The port for metrics is not to be had.
    """
    if workers == 1:
        telemetry.load_sender()
        metrics = Metrics()
        with _numbers_served(settings, listening, metrics.exposition.registry):
            return _served(settings, listening, metrics=metrics)
    from gateway.serving.workers import Workers  # noqa: PLC0415 - what starts processes is needed here alone

    log = telemetry.logger(settings.log_level, settings.log_format)
    telemetry.adopt_stdlib(log)
    stop_seconds = settings.drain_seconds + LINGER_SECONDS + _grace(settings) + CLOSING_SECONDS
    with (
        sandbox(settings) as url,
        exposition.folder_of_workers(),
        _numbers_served(settings, listening, exposition.of_all_workers()),
    ):
        os.environ["GATEWAY_SANDBOX"] = url or "off"  # One for all workers, which inherit the environment.
        parent = Workers(
            _worker, listening, count=workers, stop_seconds=stop_seconds, log=log, gone=exposition.forget_process
        )
        return parent.run()


def _numbers_served(
    settings: Settings, listening: socket.socket, registry: CollectorRegistry
) -> AbstractContextManager[object]:
    """Serve the numbers on a port of their own, if they have one, at the address at which requests are taken.

    Raises:
        PortTaken: It is not to be had.
    """
    if settings.metrics_port is None:
        return nullcontext()
    try:
        return exposition.served(registry, listening.getsockname()[0], settings.metrics_port)
    except OSError as error:
        raise PortTaken(f"can't listen on port {settings.metrics_port} for metrics: {error.strerror}.") from error


def _worker(listening: socket.socket, told_ready: Callable[[], None]) -> int:
    """What each of several processes does."""
    telemetry.load_sender()
    return _served(from_environment(to_serve=True), listening, supervised=True, told_ready=told_ready)


def _served(
    settings: Settings,
    listening: socket.socket,
    *,
    metrics: Metrics | None = None,
    supervised: bool = False,
    told_ready: Callable[[], None] | None = None,
) -> int:
    telemetry.adopt_stdlib(telemetry.logger(settings.log_level, settings.log_format))
    notice = Notice()
    # What Python remembers of the folders that it has looked through for modules: whoever imports more looks again.
    sys.path_importer_cache.clear()
    configured = config(create_app(settings, notice=notice, metrics=metrics))
    configured.load()  # Imports the protocol, too.
    server = StoppableServer(
        configured,
        notice,
        drain_seconds=settings.drain_seconds,
        grace_seconds=_grace(settings),
        supervised=supervised,
        told_ready=told_ready,
    )
    # All that is there now stays: to look through it for garbage again and again would halt every request for 60 ms.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    server.run(sockets=[listening])
    return server.exit_code


def _grace(settings: Settings) -> float:
    return max(settings.deadline_seconds, settings.money_deadline_seconds) + GRACE_SECONDS

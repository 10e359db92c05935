"""Listening on a port, with uvicorn behind it."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Thread
from time import sleep
from typing import Any, Final

from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess

from clients.sandbox.server import SandboxServer
from gateway.settings import Settings

BACKLOG: Final = 2048
"""Connections that may wait while every worker is busy."""

KEEP_ALIVE_SECONDS: Final = 75
"""Longer than the 60 s of usual load balancers, so that it is they who close an idle connection."""

GRACE_SECONDS: Final = 35
"""For requests in flight when told to stop: the longest deadline, and some."""

WORKER_START_SECONDS: Final = 30
"""After which a worker that does not answer is replaced."""


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


def address_of(listening: socket.socket) -> str:
    """The URL at which a listening socket is reached."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def config(app: Any, **overrides: Any) -> Config:
    """How uvicorn runs the gateway, whoever starts it."""
    return Config(
        app,
        access_log=False,  # The edge writes one line per request.
        log_config=None,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=WORKER_START_SECONDS,
        **overrides,
    )


@contextmanager
def in_thread(app: Any, listening: socket.socket) -> Iterator[str]:
    """Serve in a thread of this process for the length of the block, which is given the URL.

    Raises:
        RuntimeError: The application did not start.
    """
    server = Server(config(app))
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


def serve(settings: Settings, listening: socket.socket, *, workers: int) -> None:
    """Serve until told to stop.

    Args:
        settings: What the environment says; each worker reads it anew.
        listening: Shared by all workers.
        workers: Processes.
    """
    configured = config("gateway.app:from_environment", factory=True, workers=workers)
    if workers == 1:
        Server(configured).run(sockets=[listening])
        return
    with SandboxServer() if settings.sandbox == "embedded" else nullcontext() as sandbox:
        if sandbox is not None:
            os.environ["GATEWAY_SANDBOX"] = sandbox.url  # One for all workers, which inherit the environment.
        Multiprocess(configured, sockets=[listening]).run()

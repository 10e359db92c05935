"""Ports that are free now, and still when a server takes them, or takes them again."""

import socket
from random import SystemRandom
from typing import Final

_CHOICE: Final = range(15_000, 30_000)
"""Below those that systems lend: one of these may be a connection's, of any process, before the server has it."""


def unused() -> int:
    """One of this machine that nobody listens on; chosen by chance, because others are choosing too."""
    while True:
        port = SystemRandom().choice(_CHOICE)
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port

"""Timeouts for tests, the same for every kind of operation; and how tests wait."""

from collections.abc import Callable
from time import monotonic, sleep
from typing import Final

from clients.errors import Kind
from clients.timeouts import Timeouts


def timeouts(seconds: float, *, connect: float = 2.0) -> Timeouts:
    """So many seconds for each attempt, and for the request."""
    every: dict[Kind, float] = {"read": seconds, "probe": seconds, "write": seconds, "money": seconds}
    return Timeouts(connect=connect, attempt=every, request=every)


PATIENCE: Final = 60.0
"""Seconds that are waited for what should come at once, on a machine that may have much else to do."""


def until(reached: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    ends = monotonic() + PATIENCE
    while not reached():
        assert monotonic() < ends, "It did not become true."
        sleep(0.01)

"""Timeouts for tests, the same for every kind of operation."""

from clients.errors import Kind
from clients.timeouts import Timeouts


def timeouts(seconds: float, *, connect: float = 2.0) -> Timeouts:
    """So many seconds for each attempt, and for the request."""
    every: dict[Kind, float] = {"read": seconds, "probe": seconds, "write": seconds, "money": seconds}
    return Timeouts(connect=connect, attempt=every, request=every)

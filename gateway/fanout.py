"""Calls made at the same time, of which some may fail."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from clients.errors import Operation, TimedOut, UpstreamError

T = TypeVar("T")
U = TypeVar("U")

GIVEN_UP_AFTER: Final = 5.0
"""Seconds that an optional part may take, counted from the start."""

_left_behind: Final[set[asyncio.Task[Any]]] = set()
"""Calls that nobody waits for any more; asyncio itself keeps no reference."""


async def with_optional(
    required: Coroutine[Any, Any, T], optional: Coroutine[Any, Any, U], *, operation: Operation
) -> tuple[T, U | UpstreamError]:
    """Both results, at the latency of the slower one.

    If `required` fails, its failure is raised at once. If `optional` fails or
    takes over `GIVEN_UP_AFTER`, its failure stands in its place. A call that is
    given up is left to end by its own timeouts: cancelling it would lose its
    connection for good.

    Args:
        required: Without it there is no answer.
        optional: Without it the answer is partial.
        operation: What `optional` calls, for its failure.
    """
    loop = asyncio.get_running_loop()
    ends = loop.time() + GIVEN_UP_AFTER
    task = asyncio.create_task(optional)
    try:
        have = await required
    except BaseException:
        _leave_behind(task)
        raise
    await asyncio.wait((task,), timeout=max(0.0, ends - loop.time()))
    if not task.done():
        _leave_behind(task)
        return have, TimedOut("It took too long and was given up.", operation=operation, sent=True)
    try:
        return have, task.result()
    except UpstreamError as error:
        return have, error


def _leave_behind(task: asyncio.Task[Any]) -> None:
    _left_behind.add(task)
    task.add_done_callback(_forget)


def _forget(task: asyncio.Task[Any]) -> None:
    _left_behind.discard(task)
    if not task.cancelled():
        task.exception()  # Looked at, or asyncio complains that nobody did.

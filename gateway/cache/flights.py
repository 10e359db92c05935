"""One load of what is not kept, and those who wait for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
from opentelemetry.trace import get_current_span

from clients.errors import TimedOut
from gateway.cache.memory import Held
from gateway.cache.topics import Lifetime, Topic


class Source(NamedTuple):
    """Where a topic's value comes from."""

    topic: Topic
    ask: Callable[[], Awaitable[Any]]
    """Calls the vendor."""
    whole: Callable[[Any], bool]
    """Whether what it gave may be kept: a part may be missing."""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a load came to."""

    value: Any
    data: bytes | None
    """The value as bytes, for those who waited; None: it can't be kept."""
    fetched_at: float
    born: float
    lifetime: Lifetime
    held: Held | None
    """Where it is kept, unless it was dropped meanwhile."""
    elsewhere: bool = False
    """Whether another replica asked the vendor."""


class Flight:
    """One load, that any number of requests may wait for.

    It is a task of its own: whoever waits may give up, and it goes on.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.span = get_current_span().get_span_context()
        """Below which it happens, for those who wait to refer to."""
        self.stores = True
        """Whether anyone who waits lets its result be kept."""
        self.outdated = False
        """Whether the key was dropped since it began: then its result may not be kept."""
        self.task: asyncio.Task[Loaded]
        self._calls: list[Callable[[], None]] = []

    async def settled(self, seconds: float) -> bool:
        """Wait for its end; whether it came in time."""
        if not self.task.done():
            await asyncio.wait((self.task,), timeout=max(0.0, seconds))
        return self.task.done()

    def then(self, call: Callable[[], None]) -> None:
        """Have something called after its end, when who began it has gone on with the result."""
        if not self._calls:
            self.task.add_done_callback(self._ended)
        self._calls.append(call)

    def _ended(self, task: "asyncio.Task[Loaded]") -> None:
        loop = task.get_loop()
        for call in self._calls:
            loop.call_soon(call)

    def failure(self, topic: Topic) -> BaseException | None:
        """What went wrong; None: nothing."""
        if not self.task.done() or self.task.cancelled():
            return TimedOut("The time was up while the vendor was waited for.", operation=topic.operation, sent=True)
        error = self.task.exception()
        # Many may raise it, each from its own place.
        return error.with_traceback(None) if error is not None else None

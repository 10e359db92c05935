"""The breaker: a vendor that fails half of its calls is left alone for some seconds.

It counts calls, not attempts, for each kind of operation by itself: while the
probes of a vendor hang, its reads go on. A refusal is an answer, and no failure;
neither is a call that found no place, for it says nothing of the vendor.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Final

import httpx
import msgspec
from typing_extensions import override

from clients.call import Call
from clients.errors import CircuitOpen, Garbled, Unanswered, Unavailable, UpstreamError
from clients.policy import POLICIES
from clients.watch import Unwatched, Watcher

WINDOW_SECONDS: Final = 10.0
"""How far back calls count."""

FAILED_SHARE: Final = 0.5
"""Of the calls in the window: from here on it opens."""


class BreakerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """When a breaker opens, and for how long."""

    calls: int = 20
    """In the window, at least: fewer say nothing."""

    open_seconds: float = 5.0
    """Then one call is let through, to find out."""


class _Circuit:
    """One kind of operation of one vendor."""

    def __init__(self, limits: BreakerLimits, now: Callable[[], float], turned: Callable[..., None]) -> None:
        self._limits = limits
        self._now = now
        self._turned = turned
        self._calls: deque[tuple[float, bool]] = deque()
        self._failed = 0
        self._open_until: float | None = None
        self._trying = False

    def is_open(self) -> bool:
        """Whether the vendor is left alone; also while one call tries how it is."""
        return self._open_until is not None

    def seconds_to_wait(self) -> float | None:
        """How long no call is let through; None: this one is."""
        if self._open_until is None:
            return None
        wait = self._open_until - self._now()
        if wait > 0 or self._trying:
            return max(wait, 0.0)
        self._trying = True
        return None

    def count(self, *, failed: bool) -> None:
        """A call has ended."""
        if self._open_until is not None:
            self._try_ended(failed=failed)
            return
        now = self._now()
        self._calls.append((now, failed))
        self._failed += failed
        while self._calls[0][0] < now - WINDOW_SECONDS:
            self._failed -= self._calls.popleft()[1]
        if len(self._calls) >= self._limits.calls and self._failed >= len(self._calls) * FAILED_SHARE:
            self._open()

    def abandon(self) -> None:
        """A call has ended, and nobody knows how."""
        self._trying = False

    def _try_ended(self, *, failed: bool) -> None:
        if not self._trying:
            return  # It began before the breaker opened, and tells nothing new.
        self._trying = False
        if failed:
            self._open()
        else:
            self._open_until = None
            self._turned(is_open=False)

    def _open(self) -> None:
        if self._open_until is None:
            self._turned(is_open=True)
        self._open_until = self._now() + self._limits.open_seconds
        self._calls.clear()
        self._failed = 0


class Guarded(httpx.AsyncBaseTransport):
    """The layer that does not call a vendor who fails.

    Args:
        inner: The next layer.
        limits: When it opens.
        now: A monotonic clock in seconds.
        watcher: Is told when it opens and closes.
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        limits: BreakerLimits,
        *,
        now: Callable[[], float] = monotonic,
        watcher: Watcher | None = None,
    ) -> None:
        self._inner = inner
        told = watcher or Unwatched()
        self._circuits = {kind: _Circuit(limits, now, partial(told.turned, kind)) for kind in POLICIES}

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call: Call = request.extensions["call"]
        circuit = self._circuits[call.operation.kind]
        if (wait := circuit.seconds_to_wait()) is not None:
            raise CircuitOpen(
                "The vendor fails and is left alone for some seconds.", operation=call.operation, wait=wait
            )
        call.left_alone = circuit.is_open
        try:
            reply = await self._inner.handle_async_request(request)
        except UpstreamError as error:
            circuit.count(failed=isinstance(error, Unanswered | Unavailable | Garbled))
            raise
        except BaseException:
            circuit.abandon()
            raise
        circuit.count(failed=False)
        return reply

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()

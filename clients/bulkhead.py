"""Places at a vendor: one that hangs holds so many of our calls, and no more.

Without a bound, a vendor that answers nothing would gather every request of the
gateway. Reads and probes can't fill all places, so that money gets through.
"""

import asyncio
from collections import deque
from time import monotonic
from typing import Final

import httpx
from typing_extensions import override

from clients.call import Call
from clients.errors import Crowded, Operation, Unanswered, UpstreamError
from clients.policy import POLICIES, Kind
from clients.timeouts import Timeouts, left

PLACES: Final = 100
"""Calls at once to one vendor: more would not make it answer faster."""

STUCK_SECONDS: Final = 0.5
"""Without an answer to anyone: from then on, waiting for a place is of little use."""


class Bulkhead(httpx.AsyncBaseTransport):
    """The layer that lets so many attempts at a vendor be under way at once.

    A place is held for one attempt, never through the pause before the next,
    and given back however the attempt ends, so that callers who leave cost
    nothing. Who finds none waits for as long as connecting may take. While the
    vendor answers nobody, no more may wait than there are places: further ones
    are turned away at once, so that it does not gather all that we can take on.

    Args:
        inner: The next layer.
        timeouts: How long to wait.
        places: How many there are.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, timeouts: Timeouts, *, places: int = PLACES) -> None:
        self._inner = inner
        self._timeouts = timeouts
        self._places = places
        self._taken = 0
        self._last_answer = 0.0
        self._bounds: dict[Kind, int] = {
            kind: max(1, int(places * policy.may_fill)) for kind, policy in POLICIES.items()
        }
        # Who may fill the most goes first, and among equals who came first.
        self._queues: dict[int, deque[asyncio.Future[None]]] = {
            bound: deque() for bound in sorted(set(self._bounds.values()), reverse=True)
        }

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call: Call = request.extensions["call"]
        if not self._enters(call.operation.kind):
            await self._turn(call.operation)
        try:
            reply = await self._inner.handle_async_request(request)
        except UpstreamError as error:
            if not isinstance(error, Unanswered):
                self._last_answer = monotonic()
            raise
        else:
            self._last_answer = monotonic()
            return reply
        finally:
            self._leave()

    def _enters(self, kind: Kind) -> bool:
        """Whether there is a place at once; it is taken then."""
        bound = self._bounds[kind]
        if self._taken >= bound or self._queues[bound]:
            return False
        if not self._taken:
            self._last_answer = monotonic()  # Nobody waits for one: it begins anew.
        self._taken += 1
        return True

    async def _turn(self, operation: Operation) -> None:
        """Wait for a place."""
        queue = self._queues[self._bounds[operation.kind]]
        if len(queue) >= self._places and self._stuck:
            raise _crowded(operation)
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        queue.append(turn)
        try:
            async with asyncio.timeout(min(self._timeouts.connect, left(operation.kind, self._timeouts, loop.time()))):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._leave()  # It was our turn in the very moment in which we gave up.
            elif turn in queue:
                queue.remove(turn)
            if isinstance(error, TimeoutError):
                raise _crowded(operation) from error
            raise

    @property
    def _stuck(self) -> bool:
        return monotonic() > self._last_answer + STUCK_SECONDS

    def _leave(self) -> None:
        self._taken -= 1
        for bound, queue in self._queues.items():
            while queue and self._taken < bound:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    self._taken += 1

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()


def _crowded(operation: Operation) -> Crowded:
    return Crowded("Too many calls are under way to the vendor.", operation=operation)

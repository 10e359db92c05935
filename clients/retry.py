"""Trying again: what may be repeated, how often, and never so much that it makes an outage worse."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

import httpx
from typing_extensions import override

from clients.budget import Budget
from clients.call import Call
from clients.errors import Garbled, RateLimited, Unanswered, Unavailable, UpstreamError
from clients.policy import POLICIES
from clients.timeouts import Timeouts, left

FIRST_PAUSE: Final = 0.1
"""Seconds before the first retry at the most; it doubles with each, and chance takes some of it away."""


class Retried(httpx.AsyncBaseTransport):
    """The layer that repeats a failed attempt, where that does no harm and may help.

    Args:
        inner: The next layer: one attempt.
        timeouts: How long the whole request may take; no retry begins after that.
        budget: What all retries together may cost the vendor.
        sleep: Waits so many seconds.
        rng: Spreads the pauses, so that callers who failed together do not come back together.
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        timeouts: Timeouts,
        budget: Budget,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: Random | None = None,
    ) -> None:
        self._inner = inner
        self._timeouts = timeouts
        self._sleep = sleep
        self._rng = rng or Random()  # noqa: S311 - it spreads load and guards nothing
        self._budget = budget

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call: Call = request.extensions["call"]
        self._budget.earn()
        repeated = 0
        while True:
            try:
                return await self._inner.handle_async_request(request)
            except UpstreamError as error:
                # One that went out twice, because the first connection was gone, the vendor may have seen twice.
                repeated += call.sent_anew
                call.sent_anew = False
                if repeated >= POLICIES[call.operation.kind].retries or not _worth_it(error) or self._budget.empty:
                    raise
                if call.left_alone():
                    raise  # The breaker has opened meanwhile: what leaves a vendor alone repeats nothing either.
                pause = self._pause(error, repeated)
                if pause >= left(call.operation.kind, self._timeouts, asyncio.get_running_loop().time()):
                    raise
                self._budget.spend()
            await self._sleep(pause)
            repeated += 1
            call.resends += 1

    def _pause(self, error: UpstreamError, retry: int) -> float:
        if isinstance(error, RateLimited) and error.retry_after is not None:
            return float(error.retry_after)
        return self._rng.uniform(0, FIRST_PAUSE * 2**retry)

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()


def _worth_it(error: UpstreamError) -> bool:
    """Whether another attempt does no harm, and may end otherwise."""
    match error:
        case Unanswered(sent=False):
            return True
        case Unanswered() | Unavailable() | Garbled():
            return error.operation.repeatable
        case RateLimited():
            # Without a time to wait, coming back at once is what the vendor asks us not to do.
            return error.operation.repeatable and error.retry_after is not None
        case _:
            return False

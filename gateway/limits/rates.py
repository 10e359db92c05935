"""Rate limits: how many requests a minute each caller may make.

With Redis they are counted there, by the `limits` library, for all workers and
replicas together; the script that looks and counts is atomic. Without Redis, or
while it is gone, each process counts for itself. A request never fails because
of Redis, and only the first few after a loss wait for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from math import ceil
from time import monotonic, time
from typing import TYPE_CHECKING, Final, Literal

from opentelemetry.trace import SpanKind

from clients.spans import child
from gateway.limits.windows import WINDOW_SECONDS, Standing, Windows
from gateway.principal import Principal
from gateway.problems import RateLimited
from gateway.settings import Settings
from gateway.shared_store import PREFIX, SharedStore, failures
from gateway.telemetry import Log

if TYPE_CHECKING:
    from limits import RateLimitItem

Name = Literal["default", "money", "probe"]
"""What is limited: all requests, those that move money, those that make a vendor look at the world."""

NAMES: Final[tuple[Name, ...]] = ("default", "money", "probe")

AGAIN_SECONDS: Final = 1.0
"""After Redis failed to answer, so long until one request asks it again."""

MOST_AT_ONCE: Final = 16
"""Requests that ask Redis: a crowd that opens a connection each would keep it, and us, too busy to answer in time."""


class Limits:
    """Counts the requests of each caller.

    Args:
        settings: The limits of a token that has none of its own.
        shared: Where all processes count together; None: each for itself.
        log: Is told when counting moves between Redis and the process.
        now: Seconds that never go back.
    """

    def __init__(
        self, settings: Settings, shared: SharedStore | None, log: Log, now: Callable[[], float] = monotonic
    ) -> None:
        self._quotas: dict[Name, int] = {
            "default": settings.limit_per_minute,
            "money": settings.limit_money_per_minute,
            "probe": settings.limit_probe_per_minute,
        }
        self._log = log
        self._now = now
        self._windows = Windows(now)
        self._shared = shared
        self._together = _Together(shared) if shared is not None else None
        self.alone = shared is None
        """Whether this process counts for itself, and has nobody to ask."""
        self._places = asyncio.Semaphore(MOST_AT_ONCE)
        self._again: float | None = None
        """While Redis does not answer: when to ask it again."""

    def count_alone(self, name: Name, principal: Principal) -> Standing | None:
        """Count one request in this process.

        Returns:
            How the limit stands now; None: there is none.
        """
        quota = self._quota(name, principal)
        return self._windows.hit((principal.holder, name), name, quota) if quota else None

    async def count(self, name: Name, principal: Principal) -> Standing | None:
        """Count one request, with all other processes where they count together.

        Returns:
            As `count_alone`.
        """
        if self._together is None:
            return self.count_alone(name, principal)
        quota = self._quota(name, principal)
        if not quota:
            return None
        key = (principal.holder, name)
        standing = await self._asked(lambda redis: redis.hit(principal.holder, name, quota))
        if standing is None:
            return self._windows.hit(key, name, quota)
        if standing.admitted:
            # Counted here too, so that a loss of Redis does not give everyone a new minute.
            self._windows.add(key)
        return standing

    async def left(self, principal: Principal) -> list[Standing]:
        """How each limit of a caller stands; nothing is counted."""
        quotas = {name: self._quota(name, principal) for name in NAMES}
        return [await self._look(name, principal.holder, quota) for name, quota in quotas.items() if quota]

    async def _look(self, name: Name, holder: str, quota: int) -> Standing:
        standing = await self._asked(lambda redis: redis.look(holder, name, quota))
        return standing or self._windows.look((holder, name), name, quota)

    def _quota(self, name: Name, principal: Principal) -> int:
        own = None
        if name == "default":
            own = principal.limit_per_minute
        elif name == "money":
            own = principal.limit_money_per_minute
        return self._quotas[name] if own is None else own

    async def _asked(self, ask: "Callable[[_Together], Awaitable[Standing]]") -> Standing | None:
        """What Redis says; None: there is none, it does not answer, or did not a moment ago."""
        if self._together is None:
            return None
        async with self._places:
            # Looked at only now: while this request waited, another may have found Redis gone.
            if not self._within_reach():
                return None
            try:
                with child("rate limit", {"db.system.name": "redis"}, kind=SpanKind.CLIENT):
                    standing = await ask(self._together)
            except failures() as error:
                if self._again is None:
                    self._log.warning("limits are counted per process", error=type(error).__name__)
                self._again = self._now() + AGAIN_SECONDS
                return None
        if self._again is not None:
            self._again = None
            self._log.info("limits are counted together again")
        return standing

    def _within_reach(self) -> bool:
        if self._shared is None or not self._shared.state.reachable:
            return False
        if self._again is not None:
            now = self._now()
            if now < self._again:
                return False
            self._again = now + AGAIN_SECONDS  # The others go on alone until this request knows more.
        return True


class _Together:
    """Counts for all processes, in Redis.

    Every method raises one of `shared_store.failures` if Redis is slow or gone.
    """

    def __init__(self, shared: SharedStore) -> None:
        # Not needed by a process that counts for itself.
        from limits import RateLimitItemPerMinute  # noqa: PLC0415 - see above
        from limits.aio.storage import RedisStorage  # noqa: PLC0415 - the same
        from limits.aio.strategies import SlidingWindowCounterRateLimiter  # noqa: PLC0415 - the same

        # The pool brings address, credentials and time limits along.
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=f"{PREFIX}limit",
            connection_pool=shared.redis.connection_pool,  # type: ignore[arg-type]  # documented, and left out of the type
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._item = RateLimitItemPerMinute

    async def hit(self, holder: str, name: Name, quota: int) -> Standing:
        """Count one more, unless the quota is used up."""
        item, key = self._item(quota), _key(holder)
        admitted = await self._limiter.hit(item, name, key)
        return await self._standing(item, name, key, admitted=admitted)

    async def look(self, holder: str, name: Name, quota: int) -> Standing:
        """How it stands; nothing is counted."""
        return await self._standing(self._item(quota), name, _key(holder), admitted=None)

    async def _standing(self, item: "RateLimitItem", name: Name, key: str, *, admitted: bool | None) -> Standing:
        stats = await self._limiter.get_window_stats(item, name, key)
        return Standing(
            name=name,
            quota=item.amount,
            # Another process may have counted in between.
            remaining=0 if admitted is False else stats.remaining,
            wait_seconds=min(max(0.0, stats.reset_time - time()), WINDOW_SECONDS),
            admitted=stats.remaining > 0 if admitted is None else admitted,
        )


def _key(holder: str) -> str:
    """A caller's place in Redis: the holder of a JWT may be an e-mail address, and hold any character."""
    return sha256(holder.encode()).hexdigest()[:32]


def within(standings: Iterable[Standing]) -> bool:
    """Whether a request is within all its limits."""
    return all(standing.admitted for standing in standings)


def refused(standings: Iterable[Standing]) -> RateLimited:
    """What a caller is told whose request is beyond a limit."""
    standing = next(standing for standing in standings if not standing.admitted)
    return refusal(f"More than {standing.quota} requests a minute ({standing.name}).", standing.wait_seconds)


def refusal(detail: str, wait_seconds: float) -> RateLimited:
    """What one who must wait is told; here as below seconds are rounded up, so that nobody comes back too early."""
    return RateLimited(detail, headers={"Retry-After": str(ceil(wait_seconds) or 1)})


def field_lines(standings: Sequence[Standing]) -> bytes:
    """`RateLimit-Policy` and `RateLimit` as draft-ietf-httpapi-ratelimit-headers-11 has them; none without a limit.

    Without the partition key `pk`: all that a caller sees is its own.
    """
    if not standings:
        return b""
    if len(standings) == 1:  # As of nearly all requests.
        (limit,) = standings
        policies, left = _policy(limit.name, limit.quota), _left(limit)
    else:
        policies = ", ".join([_policy(limit.name, limit.quota) for limit in standings])
        left = ", ".join([_left(limit) for limit in standings])
    return f"ratelimit-policy: {policies}\r\nratelimit: {left}\r\n".encode()


@lru_cache
def _policy(name: str, quota: int) -> str:
    return f'"{name}";q={quota};w={WINDOW_SECONDS}'


def _left(limit: Standing) -> str:
    return f'"{limit.name}";r={limit.remaining};t={ceil(limit.wait_seconds)}'

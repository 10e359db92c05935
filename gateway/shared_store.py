"""What workers and replicas share: Redis or Valkey, and what happens while it is gone.

Nothing depends on it being there: whoever uses it goes on alone without it, and
`state` says so.
"""

import asyncio
from collections.abc import Callable
from time import time
from typing import TYPE_CHECKING, Final

import msgspec

from clients.secret import Secret
from gateway.telemetry import Log

# Fifteen megabytes, which a process without Redis does without.
if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

PREFIX: Final = "fgw:"
"""Before every key and channel, so that the server may serve others too."""

ANSWER_SECONDS: Final = 0.25
"""For one command: more is slower than doing without."""

CONNECT_SECONDS: Final = 0.5

LISTEN_SECONDS: Final = 2.0
"""Without a message, so long until the server is asked whether it lives, and so long it has to answer."""

AGAIN_SECONDS: Final = 0.2
"""Between two tries to listen again."""


def failures() -> tuple[type[Exception], ...]:
    """How a command shows that the server is slow or gone."""
    from redis.exceptions import RedisError  # noqa: PLC0415 - loaded already where there is a command

    return RedisError, OSError, TimeoutError


class State(msgspec.Struct, frozen=True):
    """How the server is."""

    reachable: bool
    since: float
    """Unix time."""


class Subscription(msgspec.Struct, frozen=True):
    """Who hears what."""

    heard: Callable[[bytes], None]
    """Is given each message."""
    missed: Callable[[], None]
    """Is called whenever messages may have been lost, as on every new connection."""


class SharedStore:
    """One Redis or Valkey.

    Args:
        url: `redis://...` or `rediss://...`.
        log: Is told when the server goes, and when it comes back.
    """

    def __init__(self, url: Secret, log: Log) -> None:
        from redis.asyncio.retry import Retry  # noqa: PLC0415 - see above
        from redis.backoff import NoBackoff  # noqa: PLC0415 - the same

        from gateway.telemetry.redis_spans import TracedRedis  # noqa: PLC0415 - the same

        # Without retries of its own: a second try costs the request more than going on alone.
        self.redis: Redis = TracedRedis.from_url(
            url.reveal(),
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        """For commands; each raises one of `failures` if the server is slow or gone."""
        self.state = State(reachable=True, since=time())
        self._log = log
        self._subscriptions: dict[bytes, Subscription] = {}
        self._listening: asyncio.Task[None] | None = None

    def subscribe(self, channel: str, *, heard: Callable[[bytes], None], missed: Callable[[], None]) -> None:
        """Hear a channel from `start` on.

        Args:
            channel: Without the prefix.
            heard: Is given each message, also those of this process.
            missed: Is called whenever messages may have been lost.
        """
        self._subscriptions[f"{PREFIX}{channel}".encode()] = Subscription(heard, missed)

    async def publish(self, channel: str, message: bytes) -> None:
        """Tell every process that hears `channel`.

        Raises:
            RedisError: Or another of `failures`: nobody may have heard it.
        """
        await self.redis.publish(f"{PREFIX}{channel}", message)

    async def start(self) -> None:
        """Begin to listen."""
        self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """End every connection."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self.redis.aclose()

    async def _listen(self) -> None:
        """Stay subscribed, whatever happens to the server."""
        while True:
            try:
                async with self.redis.pubsub() as channel:
                    await self._hear(channel)
            except failures() as error:
                self._turned(reachable=False, why=type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _hear(self, channel: "PubSub") -> None:
        await channel.subscribe(f"{PREFIX}alive", *self._subscriptions)
        self._turned(reachable=True)
        for subscription in self._subscriptions.values():
            subscription.missed()
        asked = False
        while True:
            message = await channel.get_message(timeout=LISTEN_SECONDS)
            if message is None:
                if asked:
                    raise TimeoutError
                await channel.ping()
            elif message["type"] == "message" and message["channel"] in self._subscriptions:
                self._subscriptions[message["channel"]].heard(message["data"])
            asked = message is None

    def _turned(self, *, reachable: bool, why: str | None = None) -> None:
        if self.state.reachable == reachable:
            return
        self.state = State(reachable=reachable, since=time())
        if reachable:
            self._log.info("shared store is back")
        else:
            self._log.warning("shared store is gone", error=why)

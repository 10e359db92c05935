"""What processes share by Redis, and what they do without it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from clients.secret import Secret
from gateway import telemetry
from gateway.settings import Settings
from gateway.shared_store import SharedStore, failures
from tests.support.gateway import RunningGateway
from tests.support.servers import Valkey
from tests.support.timing import PATIENCE


async def until(reached: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(PATIENCE):
        while not reached():  # noqa: ASYNC110 - what is waited for has no event to offer
            await asyncio.sleep(0.01)


class Listener:
    """One process, and what reached it."""

    def __init__(self, valkey: Valkey) -> None:
        self.messages: list[bytes] = []
        self.losses = 0
        self.store = SharedStore(Secret(valkey.url), telemetry.logger("error", "json"))
        self.store.subscribe("news", heard=self.messages.append, missed=self._lost)

    def _lost(self) -> None:
        self.losses += 1


def test_what_one_process_says_every_process_hears(valkey: Valkey) -> None:
    """
    A message reaches all who listen, the one who said it too.
    """

    async def said() -> tuple[Listener, Listener]:
        one, other = Listener(valkey), Listener(valkey)
        await one.store.start()
        await other.store.start()
        await until(lambda: one.losses == 1 and other.losses == 1)
        await one.store.publish("news", b"hear, hear")
        await until(lambda: bool(one.messages and other.messages))
        await one.store.close()
        await other.store.close()
        return one, other

    one, other = asyncio.run(said())

    assert one.messages == other.messages == [b"hear, hear"]


@pytest.mark.parametrize("loss", ["gone", "asleep"])
def test_a_lost_server_is_noticed_and_what_was_missed_is_told(valkey: Valkey, loss: str) -> None:
    """
    While the server is gone or hangs, commands fail soon and the state says
    so; once it is back, listeners learn that they may have missed something.
    """

    async def lost() -> list[bool]:
        listener = Listener(valkey)
        await listener.store.start()
        await until(lambda: listener.losses == 1)
        states = [listener.store.state.reachable]
        (valkey.stop if loss == "gone" else valkey.freeze)()
        with pytest.raises(failures()):
            await listener.store.publish("news", b"nobody hears this")
        await until(lambda: not listener.store.state.reachable)
        states.append(listener.store.state.reachable)
        (valkey.start if loss == "gone" else valkey.thaw)()
        await until(lambda: listener.losses == 2)
        states.append(listener.store.state.reachable)
        await listener.store.close()
        return states

    assert asyncio.run(lost()) == [True, False, True]


def test_a_gateway_serves_on_without_redis(valkey: Valkey, database_path: Path) -> None:
    """
    Readiness names the loss and stays ready: another replica has no other Redis.
    """
    settings = Settings(
        database_url=Secret(f"sqlite:///{database_path}"),
        redis_url=Secret(valkey.url),
        sandbox="off",
        log_level="error",
    )

    with RunningGateway(settings) as gateway, gateway.client() as client:

        def redis() -> str:
            reply = client.get("/health/ready")
            assert reply.status_code == 200
            state: str = reply.json()["dependencies"]["redis"]["state"]
            return state

        before = redis()
        valkey.stop()
        asyncio.run(until(lambda: redis() == "unavailable"))

    assert before == "ok"

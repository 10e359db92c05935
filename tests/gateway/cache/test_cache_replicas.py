"""Two gateways on one Valkey: what one has read serves the other, and what one writes the other drops."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random
from time import monotonic, time
from uuid import uuid4

import httpx
import pytest
from redis import Redis

from clients.sandbox.emulator import Sandbox
from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway import telemetry
from gateway.cache.shared import FORMAT, Look, SharedLevel, Stored
from gateway.cache.topics import Key, Lifetime
from gateway.settings import Settings
from gateway.shared_store import SharedStore
from tests.support.commands import gateway
from tests.support.gateway import RunningGateway, Tenant
from tests.support.servers import Valkey
from tests.support.timing import until

LIST = "GET /domains"


@pytest.fixture
def replicas(valkey: Valkey, sandbox_server: SandboxServer, database_path: Path) -> Iterator[list[RunningGateway]]:
    """Two gateways that share database and Valkey, both listening."""
    settings = Settings(
        database_url=Secret(f"sqlite:///{database_path}"),
        redis_url=Secret(valkey.url),
        sandbox=sandbox_server.url,
        log_level="error",
        breaker_calls=10**8,
    )
    with ExitStack() as stack:
        running = [stack.enter_context(RunningGateway(settings, traced=False)) for _ in range(2)]
        with Redis.from_url(valkey.url) as redis:
            until(lambda: dict(redis.pubsub_numsub("fgw:cache"))[b"fgw:cache"] == 2)
        yield running


@pytest.fixture
def shared(replicas: list[RunningGateway], sandbox: Sandbox) -> Tenant:
    """A tenant that both serve."""
    return Tenant(f"t{uuid4().hex[:12]}", replicas[0], sandbox)


@pytest.fixture
def apis(replicas: list[RunningGateway], shared: Tenant) -> Iterator[list[httpx.Client]]:
    """The same caller at each of them."""
    _, secret = replicas[0].token(tenant=shared.name)
    with ExitStack() as stack:
        yield [stack.enter_context(replica.client(secret)) for replica in replicas]


def test_what_one_has_read_serves_the_other(apis: list[httpx.Client], shared: Tenant) -> None:
    """One vendor call for all replicas, and the same answer with the same tag."""
    first, second, third = apis[0].get("/v1/domains"), apis[1].get("/v1/domains"), apis[1].get("/v1/domains")

    assert shared.calls(LIST) == 1
    assert first.content == second.content == third.content
    assert first.headers["etag"] == second.headers["etag"]
    assert second.headers["cache-status"].startswith("gateway; hit; ttl=")
    assert second.headers["cache-status"].endswith("detail=shared")


def test_one_call_serves_all_who_wait_on_all_replicas(apis: list[httpx.Client], shared: Tenant) -> None:
    """The others wait for the one who asks, wherever they are."""
    shared.fails(LIST, "latency", seconds=0.5, times=1)
    with ThreadPoolExecutor(20) as many:
        replies = list(many.map(lambda number: apis[number % 2].get("/v1/domains"), range(20)))

    assert {reply.status_code for reply in replies} == {200}
    assert shared.calls(LIST) == 1


def test_who_died_while_asking_is_not_waited_for_for_long(
    apis: list[httpx.Client], shared: Tenant, valkey: Valkey
) -> None:
    """A lock is a lease: when it ends, the next one asks."""
    key = str(Key(shared.name, "test", "domains"))
    with Redis.from_url(valkey.url) as redis:
        redis.set(f"{FORMAT}generation:{key}", b"g" * 16)
        redis.set(f"{FORMAT}lock:{(b'g' * 16).hex()}:{key}", "of the dead", px=300)

    reply = apis[0].get("/v1/domains")

    assert reply.status_code == 200
    assert shared.calls(LIST) == 1


def test_a_write_drops_what_the_others_keep(apis: list[httpx.Client], shared: Tenant) -> None:
    """At once where it was made, and soon everywhere else."""
    for api in apis:
        api.get("/v1/domains")

    hostname = f"new.{shared.name}.com"
    assert apis[0].post("/v1/domains", json={"hostname": hostname}).status_code == 201

    assert hostname in apis[0].get("/v1/domains").text
    until(lambda: hostname in apis[1].get("/v1/domains").text)
    assert shared.calls(LIST) == 2


@pytest.mark.parametrize("seed", range(3))
def test_no_read_is_older_than_a_write(apis: list[httpx.Client], shared: Tenant, seed: int) -> None:
    """Writers and readers at both at once: at the writer's own replica nobody misses what was answered before they
    asked; at the other nobody misses it a second later, nor ever again.
    """
    rng = Random(seed)  # noqa: S311 - a plan, not a secret
    written: list[dict[str, float]] = [{}, {}]
    missed: list[str] = []

    def write(number: int) -> None:
        place = number % 2
        hostname = f"w{number}.{shared.name}.com"
        assert apis[place].post("/v1/domains", json={"hostname": hostname}).status_code == 201
        written[place][hostname] = monotonic()

    def read(number: int) -> None:
        place = number % 2
        began = monotonic()
        due = [name for name, at in list(written[place].items()) if at < began]
        due += [name for name, at in list(written[1 - place].items()) if at < began - 1.0]
        headers = {"cache-control": "no-cache"} if number % 7 == 0 else {}
        seen = apis[place].get("/v1/domains", params={"limit": 500}, headers=headers).text
        missed.extend(name for name in due if name not in seen)

    plan = [(write if rng.random() < 0.2 else read, number) for number in range(200)]
    for _ in range(10):
        shared.fails(LIST, "latency", seconds=rng.random() * 0.1, times=1)
    with ThreadPoolExecutor(12) as many:
        for done in [many.submit(act, number) for act, number in plan]:
            done.result()

    assert missed == []
    everything = {*written[0], *written[1]}
    for api in apis:
        until(partial(_shows, api, everything))


def _shows(api: httpx.Client, hostnames: set[str]) -> bool:
    seen = api.get("/v1/domains?limit=500").text
    return all(hostname in seen for hostname in hostnames)


@pytest.mark.parametrize("loss", ["gone", "asleep"])
def test_without_redis_each_goes_on_alone(apis: list[httpx.Client], shared: Tenant, valkey: Valkey, loss: str) -> None:
    """Reads and writes work as before, in time; what was written is told to the other when Redis is back."""
    for api in apis:
        api.get("/v1/domains")
    hostname = f"new.{shared.name}.com"
    (valkey.stop if loss == "gone" else valkey.freeze)()

    created = apis[0].post("/v1/domains", json={"hostname": hostname})
    own = [apis[0].get("/v1/domains") for _ in range(20)]
    others = apis[1].get("/v1/domains")
    (valkey.start if loss == "gone" else valkey.thaw)()

    assert created.status_code == 201
    assert all(hostname in reply.text for reply in own)
    assert others.status_code == 200
    until(lambda: hostname in apis[1].get("/v1/domains").text)


def test_without_redis_a_write_shows_elsewhere_all_the_same(
    replicas: list[RunningGateway], apis: list[httpx.Client], shared: Tenant, valkey: Valkey
) -> None:
    """
    Nobody tells the other of it, so that the other does not rely on what it has:
    it asks again in time, and shows nothing stale meanwhile. Where the vendor
    fails, what it has is better than nothing.
    """
    valkey.stop()
    for replica in replicas:
        until(partial(_alone, replica))
    for api in apis:
        api.get("/v1/domains")
    hostname = f"new.{shared.name}.com"

    created = apis[0].post("/v1/domains", json={"hostname": hostname})
    seen: list[httpx.Response] = []

    def look() -> httpx.Response:
        seen.append(apis[1].get("/v1/domains"))
        return seen[-1]

    until(lambda: hostname in look().text)
    shared.fails(LIST, "status", status=500)
    until(lambda: "stale" in look().headers["cache-status"])

    assert created.status_code == 201
    assert all(int(told.partition("ttl=")[2].partition(";")[0]) <= 1 for told in _told(seen))
    assert "stale-while-revalidate" not in "".join(_told(seen))
    assert (seen[-1].status_code, "stale-if-error" in _told(seen)[-1], hostname in seen[-1].text) == (200, True, True)


def _alone(replica: RunningGateway) -> bool:
    with replica.client() as anyone:
        return '"redis":{"state":"unavailable"' in anyone.get("/health/ready").text


def _told(replies: list[httpx.Response]) -> list[str]:
    return [reply.headers["cache-status"] for reply in replies]


def test_what_lies_in_redis_is_not_believed_blindly(apis: list[httpx.Client], shared: Tenant, valkey: Valkey) -> None:
    """Another release's bytes, half a value, nonsense: the vendor is asked."""
    key = str(Key(shared.name, "test", "domains"))
    with Redis.from_url(valkey.url) as redis:
        for nonsense in (b"", b"\xff\xfe", b"\x95\xc4\x00"):
            redis.set(f"{FORMAT}value:{key}", nonsense)
            assert apis[0].get("/v1/domains", headers={"cache-control": "max-age=9"}).status_code == 200
            redis.publish("fgw:cache", nonsense)
    until(lambda: apis[1].get("/v1/domains").status_code == 200)


def test_a_purge_reaches_every_replica(
    replicas: list[RunningGateway], apis: list[httpx.Client], shared: Tenant, valkey: Valkey, database_path: Path
) -> None:
    """By the API of one of them, and by the command line."""
    _, admin = replicas[0].token(scopes=["admin"])
    for api in apis:
        api.get("/v1/domains")

    with replicas[0].client(admin) as operator:
        purged = operator.post("/v1/cache/purge", json={"tenant": shared.name, "topic": "domains"})
    until(lambda: apis[1].get("/v1/domains").is_success and shared.calls(LIST) == 2)
    calls = shared.calls(LIST)
    given = {"GATEWAY_REDIS_URL": valkey.url, "GATEWAY_DATABASE_URL": f"sqlite:///{database_path}"}
    told = gateway("cache", "purge", "--topic", "domains", environment=given)
    until(lambda: apis[0].get("/v1/domains").is_success and shared.calls(LIST) > calls)

    assert purged.json() == {"tenant": shared.name, "topic": "domains", "modes": ["test"], "shared": True}
    assert told.returncode == 0


@pytest.mark.parametrize(("step", "believed"), [(0.0, True), (-86400.0, True), (30.0, True), (86400.0, False)])
def test_clocks_that_were_set_make_nothing_younger(valkey: Valkey, step: float, believed: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """Ages in Redis are told by Redis; a clock of ours can only make something older."""
    lifetime = Lifetime(60.0, 300.0, 3600.0)

    async def looked() -> Look | None:
        store = SharedStore(Secret(valkey.url), telemetry.logger("error", "json"))
        writer = SharedLevel(store, forget=lambda _: None, forget_where=lambda _: None)
        reader = SharedLevel(store, forget=lambda _: None, forget_where=lambda _: None, now=lambda: time() + step)
        begun = await writer.look("key")
        assert begun is not None
        assert await writer.put("key", Stored(begun.generation, time(), lifetime, b"[]"), age=20.0)
        found = await reader.look("key")
        await store.close()
        return found

    look = asyncio.run(looked())

    assert look is not None
    assert (look.stored is not None) == believed
    assert look.age >= 20.0

"""How much one caller may ask for, and what it is told about it."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway import telemetry
from gateway.limits.rates import Limits
from gateway.principal import Principal
from gateway.settings import Settings
from gateway.shared_store import SharedStore
from tests.support.gateway import RunningGateway
from tests.support.servers import Valkey
from tests.support.timing import PATIENCE

ADA = Principal(
    holder="https://issuer.example ada@example.com",
    token_id=None,
    tenant="default",
    mode="test",
    scopes=frozenset(),
    subject=None,
)

LIMIT = re.compile(r'"(?P<name>[a-z]+)";r=(?P<left>[0-9]+);t=(?P<wait>[0-9]+)')

Start = Callable[..., RunningGateway]


@pytest.fixture
def start(sandbox_server: SandboxServer, database_path: Path) -> Iterator[Start]:
    """Starts gateways with limits of the test's choice; all share one database."""
    with ExitStack() as running:

        def started(**limits: object) -> RunningGateway:
            settings = {
                "database_url": Secret(f"sqlite:///{database_path}"),
                "sandbox": sandbox_server.url,
                "cors_origins": ("https://app.example.com",),
                "log_level": "error",
                **limits,
            }
            return running.enter_context(RunningGateway(Settings(**settings)))  # type: ignore[arg-type]  # checked where it is built

        yield started


def left(reply: httpx.Response) -> dict[str, int]:
    """What remains of each limit that an answer names."""
    return {limit["name"]: int(limit["left"]) for limit in LIMIT.finditer(reply.headers.get("ratelimit", ""))}


async def at_once(secret: str, *calls: tuple[str, int]) -> Counter[str]:
    """Ask for a list so often from each gateway, all at the same time; the codes."""
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {secret}"}, timeout=30) as client:
        asked = [client.get(f"{url}/v1/features") for url, times in calls for _ in range(times)]
        return Counter(reply.json()["code"] for reply in await asyncio.gather(*asked))


async def until(reached: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(PATIENCE):
        while not reached():  # noqa: ASYNC110 - what is waited for has no event to offer
            await asyncio.sleep(0.02)


def test_every_answer_to_a_known_caller_says_what_is_left(start: Start) -> None:
    """
    Successes and problems alike, in the syntax of the draft; who is not known
    is told nothing.
    """
    gateway = start(limit_per_minute=9)
    _, secret = gateway.token(scopes=["catalog:read"])

    with gateway.client(secret) as api:
        replies = [
            api.get("/v1/features"),
            api.get("/v1/domains"),  # Lacks the scope.
            api.get("/v1/features?bogus=1"),
            api.get("/v1/price-points/nothing-like-it"),
            api.head("/v1/features"),
        ]
    with gateway.client() as nobody:
        unknown = [nobody.get("/v1/features"), nobody.get("/health/live"), nobody.get("/nowhere")]

    assert [reply.status_code for reply in replies] == [200, 403, 422, 404, 200]
    assert {reply.headers["ratelimit-policy"] for reply in replies} == {'"default";q=9;w=60'}
    assert [left(reply) for reply in replies] == [{"default": remaining} for remaining in (8, 7, 6, 5, 4)]
    assert all(
        0 < int(match["wait"]) <= 60 for reply in replies if (match := LIMIT.fullmatch(reply.headers["ratelimit"]))
    )
    assert not any("ratelimit" in reply.headers or "ratelimit-policy" in reply.headers for reply in unknown)


def test_beyond_the_limit_there_is_nothing_but_a_problem(start: Start) -> None:
    """The vendor is not called, `Retry-After` agrees with `RateLimit`, and pages may read all of it."""
    gateway = start(limit_per_minute=2)
    _, secret = gateway.token()

    with gateway.client(secret) as api:
        for _ in range(2):
            assert api.get("/v1/features").status_code == 200
        refused = api.get("/v1/features", headers={"origin": "https://app.example.com"})

    assert (refused.status_code, refused.json()["code"], refused.json()["retryable"]) == (429, "rate_limited", True)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["ratelimit"] == f'"default";r=0;t={refused.headers["retry-after"]}'
    assert 0 < int(refused.headers["retry-after"]) <= 60
    exposed = refused.headers["access-control-expose-headers"]
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= {*exposed.split(", ")}


def test_another_token_is_not_affected(start: Start) -> None:
    """Each has its own minute, also within one tenant."""
    gateway = start(limit_per_minute=1)
    replies = []

    for _ in range(2):
        _, secret = gateway.token()
        with gateway.client(secret) as api:
            replies += [api.get("/v1/features").status_code for _ in range(2)]

    assert replies == [200, 429, 200, 429]


def test_what_is_forbidden_stays_forbidden_beyond_the_limit(start: Start) -> None:
    """The checks come in their order: a limit never hides that a token may not do it at all."""
    gateway = start(limit_per_minute=1)
    _, secret = gateway.token(scopes=["catalog:read"])

    with gateway.client(secret) as api:
        replies = [api.get("/v1/domains"), api.get("/v1/domains"), api.get("/v1/features")]

    assert [reply.status_code for reply in replies] == [403, 403, 429]


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/v1/refunds", "money"),
        ("POST", "/v1/checkout/payments", "money"),
        ("POST", "/v1/checkout/payments/o-1/resume", "money"),
        ("POST", "/v1/checkout/one-click", "money"),
        ("POST", "/v1/subscriptions/8b0f5d0e-2c8f-4f0e-8f55-1f6f3f4f9b21/migrate", "money"),
        ("POST", "/v1/domains/check", "probe"),
        ("POST", "/v1/domains/a.example.com/refresh", "probe"),
    ],
)
def test_money_and_probes_have_limits_of_their_own(start: Start, method: str, path: str, name: str) -> None:
    """Both limits are told; the smaller one ends it, and leaves everything else open."""
    gateway = start(limit_money_per_minute=2, limit_probe_per_minute=2, limit_per_minute=100)
    _, secret = gateway.token()

    with gateway.client(secret) as api:
        replies = [api.request(method, path, json={}) for _ in range(3)]
        other = api.get("/v1/features")

    assert [reply.status_code == 429 for reply in replies] == [False, False, True]
    assert replies[0].headers["ratelimit-policy"] == f'"default";q=100;w=60, "{name}";q=2;w=60'
    assert [left(reply)[name] for reply in replies] == [1, 0, 0]
    assert (other.status_code, left(other)) == (200, {"default": 96})


def test_a_limit_of_zero_is_none(start: Start) -> None:
    """Then no header speaks of it."""
    gateway = start(limit_per_minute=0, limit_money_per_minute=0)
    _, secret = gateway.token()

    with gateway.client(secret) as api:
        replies = [api.get("/v1/features") for _ in range(30)]

    assert {reply.status_code for reply in replies} == {200}
    assert not any("ratelimit" in reply.headers for reply in replies)


@pytest.mark.parametrize("limit", [1, 17, 40])
def test_of_many_at_once_exactly_as_many_get_in_as_may(start: Start, limit: int) -> None:
    """Not one more, and not one fewer."""
    gateway = start(limit_per_minute=limit, sandbox="off")
    _, secret = gateway.token()

    codes = asyncio.run(at_once(secret, (gateway.url, 60)))

    assert codes == {"upstream_not_configured": limit, "rate_limited": 60 - limit}


@pytest.mark.parametrize("limit", [1, 33])
def test_two_replicas_count_together(start: Start, valkey: Valkey, limit: int) -> None:
    """What one admits the other knows, at the same moment."""
    replicas = [start(limit_per_minute=limit, redis_url=Secret(valkey.url), sandbox="off") for _ in range(2)]
    _, secret = replicas[0].token()

    codes = asyncio.run(at_once(secret, *((replica.url, 40) for replica in replicas)))

    assert codes == {"upstream_not_configured": limit, "rate_limited": 80 - limit}


@pytest.mark.parametrize("loss", ["gone", "asleep"])
def test_without_redis_each_process_counts_for_itself(start: Start, valkey: Valkey, loss: str) -> None:
    """
    No request fails for it; health says so; what the process has seen still
    counts; and when Redis is back, all count together again.
    """
    gateway = start(limit_per_minute=1000, redis_url=Secret(valkey.url))
    _, secret = gateway.token()

    with gateway.client(secret) as api:

        def redis() -> tuple[str, str | None]:
            state = api.get("/health/ready").json()["dependencies"]["redis"]
            return state["state"], state.get("detail")

        before = [left(api.get("/v1/features"))["default"] for _ in range(3)]
        (valkey.stop if loss == "gone" else valkey.freeze)()
        alone = [api.get("/v1/features") for _ in range(20)]
        asyncio.run(until(lambda: redis() == ("unavailable", "Limits are counted per process.")))
        (valkey.start if loss == "gone" else valkey.thaw)()
        # A Valkey that was gone has forgotten; one that was asleep knows no more than what it was told before.
        asyncio.run(until(lambda: left(api.get("/v1/features"))["default"] > 976))
        after = redis()

    assert before == [999, 998, 997]
    assert [(reply.status_code, left(reply)["default"]) for reply in alone] == [(200, 996 - n) for n in range(20)]
    assert after == ("ok", None)


def test_only_the_first_request_after_a_loss_waits_for_redis(valkey: Valkey) -> None:
    """A thousand requests while it hangs: it is asked once, or the test would take minutes."""

    async def counted() -> tuple[list[int], int]:
        now = [0.0]
        shared = SharedStore(Secret(valkey.url), telemetry.logger("error", "json"))
        limits = Limits(Settings(limit_per_minute=2000), shared, telemetry.logger("error", "json"), lambda: now[0])
        await limits.count("default", ADA)
        valkey.freeze()
        alone = [await limits.count("default", ADA) for _ in range(1000)]
        valkey.thaw()
        now[0] += 1.0
        back = await limits.count("default", ADA)
        await shared.close()
        assert back is not None
        return [standing.remaining for standing in alone if standing], back.remaining

    alone, back = asyncio.run(asyncio.wait_for(counted(), 30))

    assert alone == [1998 - n for n in range(1000)]
    assert back >= 1997  # The one that was given up may have been counted when the server woke.


@pytest.mark.parametrize("shared", [False, True])
def test_looking_at_what_is_left_counts_nothing(valkey: Valkey, shared: bool) -> None:  # noqa: FBT001 - a table
    """A caller can be shown its limits as often as it asks; its own limits come before the usual ones."""
    mine = Principal(**{name: getattr(ADA, name) for name in ADA.__struct_fields__} | {"limit_money_per_minute": 7})

    async def looked() -> list[list[tuple[str, int, int, bool]]]:
        log = telemetry.logger("error", "json")
        store = SharedStore(Secret(valkey.url), log) if shared else None
        limits = Limits(Settings(limit_probe_per_minute=0), store, log)
        found = [await limits.left(mine)]
        await limits.count("money", mine)
        found += [await limits.left(mine), await limits.left(mine)]
        if store is not None:
            await store.close()
        return [[(one.name, one.quota, one.remaining, one.admitted) for one in standings] for standings in found]

    first, second, third = asyncio.run(looked())

    assert first == [("default", 600, 600, True), ("money", 7, 7, True)]
    assert second == third == [("default", 600, 600, True), ("money", 7, 6, True)]


def test_a_caller_is_shown_what_is_left(start: Start) -> None:
    """By the names of the headers; looking counts as the request that it is, and no limit is told as none."""
    gateway = start(limit_per_minute=9, limit_money_per_minute=5, limit_probe_per_minute=0)
    _, secret = gateway.token()

    with gateway.client(secret) as client:
        client.get("/v1/features")
        reply = client.get("/v1/me")

    limits = reply.json()["limits"]
    assert list(limits) == ["default", "money", "probe"]
    assert left(reply) == {"default": limits["default"]["remaining"]} == {"default": 7}
    assert limits["default"]["quota"] == 9
    assert 0 < limits["default"]["reset_seconds"] <= 60
    assert limits["money"] == {"quota": 5, "remaining": 5, "reset_seconds": limits["money"]["reset_seconds"]}
    assert limits["probe"] == {"quota": None, "remaining": None, "reset_seconds": None}


def test_redis_is_told_nothing_of_who_calls(valkey: Valkey) -> None:
    """The holder of a JWT may be named by an e-mail address: no key holds it, and every key goes by itself."""

    async def counted() -> tuple[list[bytes], list[int]]:
        shared = SharedStore(Secret(valkey.url), telemetry.logger("error", "json"))
        await Limits(Settings(), shared, telemetry.logger("error", "json")).count("default", ADA)
        keys = [key async for key in shared.redis.scan_iter()]
        lives = [await shared.redis.ttl(key) for key in keys]
        await shared.close()
        return keys, lives

    keys, lives = asyncio.run(counted())

    assert keys
    assert all(key.startswith(b"fgw:limit:") and b"ada" not in key for key in keys)
    assert all(0 < life <= 120 for life in lives)


def forged(number: int) -> str:
    """A token that nobody has issued, and that is well formed but for its checksum."""
    return f"fgw_test_{number:032d}000000"


def test_whoever_tries_tokens_out_is_stopped(start: Start) -> None:
    """After some wrong tokens, no more are looked at from that address; a token known to be good is not affected."""
    gateway = start(limit_guesses_per_minute=3)
    _, known = gateway.token()
    _, late = gateway.token()

    with gateway.client() as client:

        def ask(secret: str) -> httpx.Response:
            return client.get("/v1/features", headers={"authorization": f"Bearer {secret}"})

        assert ask(known).status_code == 200
        guesses = [ask(forged(number)) for number in range(5)]
        good, unseen, none = ask(known), ask(late), client.get("/v1/features")

    assert [guess.status_code for guess in guesses] == [401, 401, 401, 429, 429]
    assert guesses[-1].json()["code"] == "rate_limited"
    assert 0 < int(guesses[-1].headers["retry-after"]) <= 60
    assert "ratelimit" not in guesses[-1].headers
    assert (good.status_code, unseen.status_code, none.status_code) == (200, 429, 401)


def test_an_old_token_is_no_guess(start: Start) -> None:
    """Expired and revoked ones were ours: whoever still sends them locks nobody out."""
    gateway = start(limit_guesses_per_minute=2)
    record, revoked = gateway.token()
    gateway.revoke(record.id)
    _, expired = gateway.token(lifetime_seconds=0)
    _, good = gateway.token()

    with gateway.client() as client:
        replies = [
            client.get("/v1/features", headers={"authorization": f"Bearer {secret}"})
            for secret in (revoked, expired, revoked, expired, good)
        ]

    assert [reply.status_code for reply in replies] == [401, 401, 401, 401, 200]


@pytest.mark.parametrize(("proxies", "statuses"), [((), [401, 401, 429]), (("127.0.0.0/8",), [401, 401, 401])])
def test_behind_a_trusted_proxy_each_caller_counts_for_itself(
    start: Start, proxies: tuple[str, ...], statuses: list[int]
) -> None:
    """Its header is believed when the operator has named it, and only then."""
    gateway = start(limit_guesses_per_minute=2, trusted_proxies=proxies)

    with gateway.client() as client:
        replies = [
            client.get(
                "/v1/features",
                headers={"authorization": f"Bearer {forged(number)}", "x-forwarded-for": f"203.0.113.{number}"},
            )
            for number in range(3)
        ]

    assert [reply.status_code for reply in replies] == statuses


def test_who_asks_too_often_fills_no_audit(start: Start) -> None:
    """A refusal for a limit did nothing, and is not recorded: else it would be the caller who writes our database."""
    gateway = start(limit_money_per_minute=2)
    _, secret = gateway.token(scopes=["payments:refund", "admin"])

    with gateway.client(secret) as api:
        refunds = [api.post("/v1/refunds", json={}).status_code for _ in range(5)]
        recorded = [event["outcome"] for event in api.get("/v1/audit-events").json()["data"]]

    assert refunds[2:] == [429, 429, 429]
    assert recorded == ["validation_failed", "validation_failed"]

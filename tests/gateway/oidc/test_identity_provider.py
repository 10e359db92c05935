"""How long an issuer's keys are believed, with a clock of the test's own."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from joserfc.jwk import OctKey, RSAKey
from opentelemetry.sdk.trace import TracerProvider

from gateway import telemetry
from gateway.oidc.identity_provider import IdentityProvider, UnknownKey
from gateway.problems import IdentityProviderUnavailable
from tests.support.issuer import Issuer, new_key

pytestmark = pytest.mark.anyio

DAY = 24 * 3600


class Clock:
    """Stands still until it is put on."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """What the clock shows."""
        return self.seconds


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the gateway runs on."""
    return "asyncio"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer of the test's own."""
    with Issuer() as serving:
        yield serving


@pytest.fixture
def clock() -> Clock:
    """The only clock that counts."""
    return Clock()


@pytest.fixture
async def keys(issuer: Issuer, clock: Clock) -> AsyncIterator[IdentityProvider]:
    """What is under test."""
    found = IdentityProvider(issuer.url, provider=TracerProvider(), log=telemetry.logger("error", "json"), clock=clock)
    yield found
    await found.close()


async def ask(keys: IdentityProvider, issuer: Issuer) -> None:
    """Ask for the key that the issuer signs with now."""
    await keys.key(issuer.keys[-1].kid, issuer.algorithm)


@pytest.mark.parametrize(
    ("cache_control", "fresh"),
    [
        (None, 3600),
        ("public, max-age=1000", 1000),
        ("max-age=1", 300),
        ("max-age=99999999", 6 * 3600),
        ("no-cache", 300),
        ("no-store, max-age=4000", 300),
        ("max-age=never", 3600),
    ],
)
async def test_keys_are_fresh_as_long_as_the_issuer_says(
    keys: IdentityProvider, issuer: Issuer, clock: Clock, cache_control: str | None, fresh: int
) -> None:
    """Within bounds: not asked all the time, and not believed for ever."""
    issuer.cache_control = cache_control
    await ask(keys, issuer)

    clock.seconds = fresh - 1
    await ask(keys, issuer)
    before = issuer.fetches()
    clock.seconds = fresh + 301  # So late that a request waits for the new ones.
    await ask(keys, issuer)

    assert (before, issuer.fetches()) == (1, 2)


async def test_a_withdrawn_key_ends_with_its_time(keys: IdentityProvider, issuer: Issuer, clock: Clock) -> None:
    """After a quiet night the first request waits for today's keys."""
    old = issuer.keys[-1].kid
    await ask(keys, issuer)
    issuer.rotate()

    clock.seconds = DAY / 2

    with pytest.raises(UnknownKey):
        await keys.key(old, issuer.algorithm)


async def test_keys_outlive_an_outage_by_a_day(keys: IdentityProvider, issuer: Issuer, clock: Clock) -> None:
    """Not longer: by then they may have been withdrawn. When the issuer is back, so are we."""
    await ask(keys, issuer)
    issuer.behaviour = "fail"

    clock.seconds = DAY - 1
    await ask(keys, issuer)
    outlived = keys.state
    clock.seconds = DAY + 1
    with pytest.raises(IdentityProviderUnavailable):
        await ask(keys, issuer)
    gone = keys.state
    issuer.behaviour = "answer"
    clock.seconds += 6
    await ask(keys, issuer)

    assert (outlived, gone, keys.state) == ("stale", "unavailable", "ok")


async def test_an_issuer_that_is_away_is_left_alone_for_some_seconds(
    keys: IdentityProvider, issuer: Issuer, clock: Clock
) -> None:
    """A failure is remembered: those who come next are answered at once."""
    issuer.behaviour = "garbage"
    for _ in range(10):
        with pytest.raises(IdentityProviderUnavailable):
            await ask(keys, issuer)
    first = len(issuer.requests)

    clock.seconds = 6
    with pytest.raises(IdentityProviderUnavailable):
        await ask(keys, issuer)

    assert len(issuer.requests) == 2 * first


async def test_unknown_keys_cause_one_fetch_in_some_seconds(
    keys: IdentityProvider, issuer: Issuer, clock: Clock
) -> None:
    """Ten names in one moment, and ten more later."""
    await ask(keys, issuer)
    counted = []

    for clock.seconds in (1.0, 2.0, 7.0):
        for number in range(10):
            with pytest.raises(UnknownKey):
                await keys.key(f"k{number}", "ES256")
        counted.append(issuer.fetches())

    assert counted == [2, 2, 3]


async def test_a_key_for_another_algorithm_causes_no_fetch(keys: IdentityProvider, issuer: Issuer) -> None:
    """It is known; it just does not fit."""
    await ask(keys, issuer)

    with pytest.raises(UnknownKey):
        await keys.key(issuer.keys[-1].kid, "RS256")

    assert issuer.fetches() == 1


async def test_a_key_serves_the_algorithm_that_it_is_published_for(keys: IdentityProvider, issuer: Issuer) -> None:
    """An RSA key could sign with two; if the issuer names one, the other is not accepted."""
    rsa = new_key("RS256").as_dict(private=False)
    issuer.published = [{**rsa, "kid": "one", "alg": "RS256"}, {**rsa, "kid": "any"}]

    await keys.key("one", "RS256")
    await keys.key("any", "PS256")

    with pytest.raises(UnknownKey):
        await keys.key("one", "PS256")


async def test_a_token_without_a_name_means_the_only_key(keys: IdentityProvider, issuer: Issuer) -> None:
    """Of two that fit, neither is guessed."""
    only = await keys.key(None, "ES256")
    issuer.keys.append(new_key("ES256"))
    await keys.key(issuer.keys[-1].kid, "ES256")

    with pytest.raises(UnknownKey):
        await keys.key(None, "ES256")

    assert only.kid == issuer.keys[0].kid


async def test_keys_that_can_not_sign_tokens_are_passed_over(keys: IdentityProvider, issuer: Issuer) -> None:
    """An odd key beside a good one does no harm, and is never used."""
    good = issuer.keys[-1].as_dict(private=False)
    rsa = RSAKey.generate_key(2048).as_dict(private=False)
    odd: list[dict[str, Any]] = [
        {},
        {"kty": "RSA"},
        {"kty": ["RSA"]},
        {"kty": "PQ", "kid": "future"},
        {**good, "kid": "enc", "use": "enc"},
        {**good, "kid": "ops", "key_ops": ["sign"]},
        {**good, "kid": "ops-of-no-form", "key_ops": 1},
        {**good, "kid": "private", "d": "AA"},
        {**good, "kid": "other-alg", "alg": "ES512"},
        {**rsa, "kid": "encrypts", "alg": "RSA-OAEP"},
        {**good, "kid": "alg-of-no-form", "alg": ["ES256"]},
        {**good, "kid": "curve", "crv": "P-384"},
        {**good, "kid": "curve-of-no-form", "crv": {}},
        {**good, "kid": "no-point", "x": "AA"},
        {**good, "kid": 7},
        {**rsa, "kid": "small", "n": rsa["n"][:100]},
        {**rsa, "kid": "number", "n": 7},
        {**OctKey.generate_key(256).as_dict(private=True), "kid": "shared"},
    ]
    issuer.published = [*odd, good]

    await ask(keys, issuer)

    for jwk in odd:
        for algorithm in ("ES256", "RS256", "PS256"):
            if isinstance(kid := jwk.get("kid"), str):
                with pytest.raises(UnknownKey):
                    await keys.key(kid, algorithm)


@pytest.mark.parametrize(
    "uri",
    [
        "http://keys.example/",
        "ftp://127.0.0.1/",
        "https://u:p@127.0.0.1/",
        "//x",
        "https://",
        "https://\u00e9.example/",
        "",
    ],
)
async def test_keys_come_from_nowhere_else(keys: IdentityProvider, issuer: Issuer, uri: str) -> None:
    """Over TLS, or from this machine if the issuer is there."""
    issuer.jwks_uri = uri or "http://[::1"

    with pytest.raises(IdentityProviderUnavailable):
        await ask(keys, issuer)


async def test_an_issuer_without_keys_is_no_issuer(keys: IdentityProvider, issuer: Issuer) -> None:
    """An empty set is a failure of the issuer, and not a reason to refuse everybody."""
    issuer.published = []

    with pytest.raises(IdentityProviderUnavailable):
        await ask(keys, issuer)

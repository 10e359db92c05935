"""The 72-hour bearer, kept fresh: once, in time, and for everyone who waits."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Self

import pytest
from opentelemetry.sdk.trace import TracerProvider

from clients import domains
from clients.domains.client import DomainsClient
from clients.domains.credentials import Authenticated, Bearers, Credentials
from clients.errors import CredentialsRefused, Refused, UpstreamError
from clients.sandbox.choices import Choices
from clients.sandbox.credentials import credentials as made_for
from clients.sandbox.faults import Fault
from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from clients.transport import Upstream, layered
from tests.support.plain import PLAIN
from tests.support.timing import timeouts

HOURS = 3600.0


@pytest.fixture(params=[401, 400])
def server(request: pytest.FixtureRequest) -> Iterator[SandboxServer]:
    """A vendor of the test's own; both documented answers to an expired bearer."""
    with SandboxServer(choices=Choices(expired_token_status=request.param)) as running:
        yield running


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the gateway runs on."""
    return "asyncio"


class Kept:
    """What another process kept; nobody learns it before the test says so."""

    granted = True
    version = 1

    def __init__(self, access: str, refresh: str) -> None:
        self.kept = Secret(f'{{"access": "{access}", "refresh": "{refresh}", "expires_at": 4e9, "asked_at": 0}}')
        self.looked = asyncio.Event()
        self.told = asyncio.Event()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Self]:
        """Granted as soon as the test says so."""
        self.looked.set()
        await self.told.wait()
        yield self

    async def keep(self, renewed: Secret, *parts: Secret) -> int:  # noqa: ARG002 - the names are the protocol's
        """Counts."""
        self.version += 1
        return self.version


class Account:
    """One account's client, and the clock that both sides go by."""

    def __init__(self, server: SandboxServer, *, refresh: str | None = "", keeper: Kept | None = None) -> None:
        secrets = made_for("t1")
        refresh_token = secrets.refresh_token if refresh == "" else refresh
        self.server = server
        self.behind = 0.0
        self.transport = layered(
            domains.judge,
            timeouts=timeouts(5),
            tracer_provider=TracerProvider(),
            tls=PLAIN,
        )
        bearers = Bearers(Secret(secrets.access_token), Secret(refresh_token) if refresh_token else None)
        held = Credentials(bearers, auth=Upstream(f"{server.url}/v1/auth", self.transport), now=self.now, keeper=keeper)
        self.client = DomainsClient(Upstream(f"{server.url}/v1/billing", Authenticated(self.transport, held)))

    def now(self) -> float:
        """The sandbox's time, less how far our clock is behind: 0, unless a test wants us not to know of an expiry."""
        return self.server.sandbox.clock.now().timestamp() - self.behind

    def count(self, operation: str) -> int:
        """How many calls arrived."""
        return self.server.sandbox.count(operation)


@pytest.fixture
async def account(server: SandboxServer) -> AsyncIterator[Account]:
    """An account whose tokens are good."""
    made = Account(server)
    yield made
    await made.transport.aclose()


@pytest.mark.anyio
async def test_a_token_is_validated_once_at_first_use(account: Account) -> None:
    """Fifty first callers cost one validation, and then it is known for three days."""
    await asyncio.gather(*(account.client.list_all() for _ in range(50)))
    await account.client.list_all()

    assert account.count("POST /validate") == 1
    assert account.count("GET /domains") == 51


@pytest.mark.anyio
async def test_an_expired_token_is_renewed_before_it_is_sent(account: Account) -> None:
    """The vendor never sees a token that we know to be over."""
    await account.client.list_all()
    account.server.sandbox.clock.advance(73 * HOURS)

    await asyncio.gather(*(account.client.list_all() for _ in range(20)))

    assert account.count("POST /validate") == 2
    assert account.count("GET /domains") == 21


@pytest.mark.anyio
async def test_a_token_is_looked_at_in_its_last_hour(account: Account) -> None:
    """The vendor answers a valid token with itself, so it is asked now and then, and not at every call."""
    await account.client.list_all()
    account.server.sandbox.clock.advance(71.5 * HOURS)

    for _ in range(5):
        await account.client.list_all()

    assert account.count("POST /validate") == 2


@pytest.mark.anyio
async def test_a_write_refused_for_its_token_is_sent_again_once(account: Account) -> None:
    """The refusal came before processing, so the repeat does no harm; everyone shares one renewal."""
    await account.client.list_all()
    account.behind = 10 * HOURS
    account.server.sandbox.clock.advance(73 * HOURS)

    created = await asyncio.gather(*(account.client.create(f"a{n}.renewal-test.com") for n in range(5)))

    assert all(info is not None for info in created)
    assert account.count("POST /validate") == 2
    assert account.count("POST /domains") == 10


@pytest.mark.anyio
async def test_a_look_at_what_others_kept_answers_no_refusal(server: SandboxServer) -> None:
    """
    The look began before the vendor refused the token, and finds the very same:
    the vendor is asked, once for everyone, and every call is sent again.
    """
    made = made_for("t1")
    others = Kept(made.access_token, made.refresh_token)
    account = Account(server, keeper=others)
    account.behind = 100 * HOURS
    server.sandbox.clock.advance(73 * HOURS)

    calls = [asyncio.create_task(account.client.create("b.renewal-test.com"))]
    await others.looked.wait()
    calls += [asyncio.create_task(account.client.create(f"b{n}.renewal-test.com")) for n in range(9)]
    while account.count("POST /domains") < 9:  # noqa: ASYNC110 - the other thread sets no event
        await asyncio.sleep(0)
    others.told.set()
    created = await asyncio.gather(*calls)
    await account.transport.aclose()

    assert all(info is not None for info in created)
    assert account.count("POST /validate") == 1


@pytest.mark.anyio
async def test_a_token_that_can_not_be_renewed_is_our_failure(server: SandboxServer) -> None:
    """Expired, and no refresh token: nothing helps but the operator."""
    account = Account(server, refresh=None)
    server.sandbox.clock.advance(73 * HOURS)

    with pytest.raises(CredentialsRefused):
        await account.client.list_all()

    assert account.count("GET /domains") == 0
    await account.transport.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["drop_before", "html", "rate_limited", "status"])
async def test_a_validation_that_fails_does_not_stop_a_good_token(account: Account, kind: str) -> None:
    """While the vendor's other address is down, the token at hand is tried."""
    account.server.sandbox.faults.add(
        Fault(operation="POST /validate", kind=kind, status=500 if kind == "status" else None)  # type: ignore[arg-type]  # the parameters above are kinds
    )

    await account.client.list_all()
    asked = account.count("POST /validate")
    await account.client.list_all()

    assert account.count("GET /domains") == 2
    assert asked == account.count("POST /validate") == (1 if kind == "rate_limited" else 3)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "expires_at", ['"1795000000"', '"2027-01-01T00:00:00Z"', "1795000000000", "null", "true", "[]"]
)
async def test_a_new_token_is_kept_whatever_its_expiry_looks_like(account: Account, expires_at: str) -> None:
    """The unit is known from a sample only; a token that the vendor gave is not thrown away for it."""
    made = made_for("t1")
    body = f'{{"tokens": {{"access_token": "{made.access_token}", "expires_at": {expires_at}}}}}'
    account.server.sandbox.faults.add(Fault(operation="POST /validate", kind="status", status=200, body=body))

    await account.client.list_all()
    await account.client.list_all()

    assert account.count("POST /validate") == 1


@pytest.mark.anyio
@pytest.mark.parametrize("token", ["", "two\\nlines", "\u00fcber"])
async def test_what_no_header_can_carry_is_no_token(account: Account, token: str) -> None:
    """The one at hand stays in use."""
    body = f'{{"tokens": {{"access_token": "{token}"}}}}'
    account.server.sandbox.faults.add(Fault(operation="POST /validate", kind="status", status=200, body=body))

    await account.client.list_all()

    assert account.count("GET /domains") == 1


@pytest.mark.anyio
async def test_a_refusal_is_not_hidden_by_a_renewal_that_fails(account: Account) -> None:
    """A 400 may be about the request; while nobody can say otherwise, its words count."""
    body = '{"error": "invalid_domain", "error_description": "No such zone."}'
    account.server.sandbox.faults.add(Fault(operation="POST /domains", kind="status", status=400, body=body))
    account.server.sandbox.faults.add(Fault(operation="POST /validate", kind="drop_before"))

    with pytest.raises(Refused) as caught:
        await account.client.create("a.example.com")

    assert (caught.value.code, caught.value.detail) == ("invalid_domain", "No such zone.")


@pytest.mark.anyio
async def test_a_caller_who_leaves_does_not_end_the_renewal(account: Account) -> None:
    """The others still wait for it."""
    account.server.sandbox.faults.add(Fault(operation="POST /validate", kind="latency", seconds=0.2, times=1))
    first = asyncio.create_task(account.client.list_all())
    second = asyncio.create_task(account.client.list_all())
    while account.count("POST /validate") == 0:  # noqa: ASYNC110 - the other thread sets no event
        await asyncio.sleep(0)

    first.cancel()

    assert await second
    assert account.count("POST /validate") == 1


@pytest.mark.anyio
async def test_a_refused_token_is_named_ours(account: Account) -> None:
    """A 401 that stays after renewing is a failure of our credentials, for whatever call."""
    body = '{"error":"invalid_token","error_description":"No."}'
    account.server.sandbox.faults.add(Fault(operation="GET /domains", kind="status", status=401, body=body))

    with pytest.raises(UpstreamError) as caught:
        await account.client.list_all()

    assert isinstance(caught.value, CredentialsRefused)
    assert account.count("GET /domains") == 1
    assert account.count("POST /validate") == 2

"""The main journeys, each as the whole of what a collector is sent of it: every span, every attribute, every link.

What is never the same twice is held against its form; see `tests.support.traces`.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.settings import OidcSettings, Settings
from tests.support.charging import CHARGE, SESSION
from tests.support.collector import Collector
from tests.support.gateway import RunningGateway, Tenant
from tests.support.issuer import AUDIENCE, Issuer
from tests.support.servers import Valkey
from tests.support.spans import LIMIT, STRANGER, call, look, request, statement, step
from tests.support.timing import until
from tests.support.traces import arrived, expected

BUYER: Final = {"external_id": "canary-customer", "email_address": "canary@example.com"}
CARD: Final = "canary-card"
KEY: Final = "canary-key"

CANARIES: Final = ("canary", "user-ada", "ada@example.com")
"""In every e-mail address, card, key, query and customer's id of these journeys."""

HOUSEKEEPING: Final = frozenset({"write last use of tokens", "remove old audit events"})
"""Traces of work that no request has caused."""


class Trip:
    """A gateway of the journey's own on a sandbox of its own, and what a collector is sent of it.

    Args:
        collector: That receiver.
        sandbox: Of the journey.
        settings: Of the gateway.
    """

    def __init__(self, collector: Collector, sandbox: SandboxServer, settings: Settings) -> None:
        self._collector = collector
        self._sandbox = sandbox
        self._settings = settings
        self._secrets: list[str] = []

    @contextmanager
    def begun(self, **settings: Any) -> Iterator[tuple[Tenant, httpx.Client]]:
        """Start, with a tenant and a client that holds its token; at the end all spans are sent."""
        configured = msgspec.structs.replace(self._settings, **settings)
        with RunningGateway(configured) as running:
            tenant = Tenant("journey", running, self._sandbox.sandbox)
            made = tenant.account.credentials
            with tenant.client() as api:
                secret = api.headers["authorization"].removeprefix("Bearer ")
                self._secrets += [secret, made.access_token, made.refresh_token, made.secret_key]
                yield tenant, api

    def knows(self, *secrets: str) -> None:
        """More that must not be sent."""
        self._secrets += secrets

    def revalidated(self) -> bool:
        """Whether the work behind a stale answer has ended."""
        return any(span.name == "revalidate" for span in self._collector.spans)

    def told(self) -> str:
        """All traces, as text, once it is certain that nothing secret was sent, in whatever place."""
        sent = b"".join(body for _, body in self._collector.bodies)
        leaked = [canary for canary in (*CANARIES, *self._secrets) if canary.encode() in sent]
        assert leaked == []
        return arrived(self._collector.spans, without=HOUSEKEEPING)


@pytest.fixture
def sandbox_of_its_own() -> Iterator[SandboxServer]:
    """Whose clock may be moved."""
    with SandboxServer() as server:
        yield server


@pytest.fixture
def trip(monkeypatch: pytest.MonkeyPatch, sandbox_of_its_own: SandboxServer, database_path: Path) -> Iterator[Trip]:
    """A journey that has not begun."""
    collector = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    settings = Settings(
        database_url=Secret(f"sqlite:///{database_path}"), sandbox=sandbox_of_its_own.url, log_level="error"
    )
    yield Trip(collector, sandbox_of_its_own, settings)
    collector.stop()


def open_order(api: httpx.Client) -> str:
    """What the buyer has chosen, and not paid."""
    order: str = api.post("/v1/checkout/sessions", json=SESSION | BUYER).json()["order_id"]
    return order


def pay(api: httpx.Client, order: str, card: str) -> httpx.Response:
    """Always with the same key."""
    body = {"order_id": order, "payment_method_token": f"{card}-{CARD}"}
    return api.post("/v1/checkout/payments", json=body, headers={"Idempotency-Key": KEY})


SESSION_OPENED: Final = request(
    "POST /v1/checkout/sessions",
    201,
    *STRANGER,
    statement("INSERT operations"),
    call("funnelfox", "POST /checkout/create_client_session", 200),
    statement("INSERT owned_resources"),
    statement("UPDATE operations"),
    statement("INSERT audit_events"),
)

OPERATION: Final = "<operation id>"

KEY_LOOKED_UP: Final = step("idempotency", statement("SELECT operations"))

ORDER_READ: Final = (
    statement("SELECT resource_aliases"),
    statement("SELECT owned_resources"),
    statement("SELECT operations"),
)
"""Whose it is, under which names, and whether it is being paid."""

PAYMENT_KEPT: Final = (statement("INSERT operations"), statement("SELECT operations"))
ANSWER_KEPT: Final = (statement("UPDATE operations"), statement("INSERT audit_events"))


def test_a_list_is_asked_for_once(trip: Trip) -> None:
    """A miss asks the vendor; the hit after it asks nobody, not even the database."""
    with trip.begun() as (_, api):
        api.get("/v1/features?limit=5", headers={"baggage": "user=canary"})
        api.get("/v1/features?limit=5")

    assert trip.told() == expected(
        request(
            "GET /v1/features",
            200,
            *STRANGER,
            look("features", "miss", call("funnelfox", "POST /features", 200)),
            cache="miss",
        ),
        request("GET /v1/features", 200, look("features", "hit"), cache="hit"),
    )


def test_a_stale_answer_is_mended_behind_it(trip: Trip) -> None:
    """Nobody waits for it: it is a trace of its own, that leads back to who was answered."""
    with trip.begun(cache_list_fresh_seconds=1e-6) as (_, api):
        api.get("/v1/features")
        api.get("/v1/features")
        until(trip.revalidated)

    assert trip.told() == expected(
        request(
            "GET /v1/features",
            200,
            *STRANGER,
            look("features", "miss", call("funnelfox", "POST /features", 200)),
            cache="miss",
        ),
        request("GET /v1/features", 200, look("features", "stale"), cache="stale"),
        step(
            "revalidate",
            call("funnelfox", "POST /features", 200),
            links=("trace 2: GET /v1/features",),
            **{"cache.topic": "features"},
        ),
    )


def test_readers_who_wait_refer_to_who_asks(trip: Trip) -> None:
    """Three readers, one call: two have a link to the look that it is below of."""
    with trip.begun() as (tenant, api), ThreadPoolExecutor(1) as first:
        tenant.fails("POST /features", "latency", seconds=1, times=1)
        leader = first.submit(api.get, "/v1/features")
        until(lambda: tenant.calls("POST /features") == 1)
        with ThreadPoolExecutor(2) as others:
            list(others.map(api.get, ["/v1/features"] * 2))
        leader.result()

    waits = request(
        "GET /v1/features", 200, look("features", "collapsed", links=("trace 1: cache",)), cache="collapsed"
    )
    assert trip.told() == expected(
        request(
            "GET /v1/features",
            200,
            *STRANGER,
            look("features", "miss", call("funnelfox", "POST /features", 200)),
            cache="miss",
        ),
        waits,
        waits,
    )


def test_a_domain_is_two_calls_at_once(trip: Trip) -> None:
    """The record and the live check; both wait for the vendor token that is validated first."""
    with trip.begun() as (_, api):
        api.get("/v1/domains/live.brightside.example")

    waits = step("vendor token", upstream="funnelflux")
    assert trip.told() == expected(
        request(
            "GET /v1/domains/{hostname}",
            200,
            *STRANGER,
            look(
                "domain",
                "miss",
                waits,
                waits,
                call("funnelflux", "GET /domains/{domain}", 200),
                call("funnelflux", "POST /domains/check", 200),
            ),
            cache="miss",
        ),
        step(
            "renew vendor token",
            call("funnelflux", "POST /validate", 200),
            links=("trace 1: cache",),
            upstream="funnelflux",
        ),
    )


def test_a_customer_is_three_calls_at_once(trip: Trip) -> None:
    """Assets, payments and subscriptions; whose they are is in no span."""
    with trip.begun() as (_, api):
        api.get("/v1/customers/user-ada")

    assert trip.told() == expected(
        request(
            "GET /v1/customers/{external_id}",
            200,
            *STRANGER,
            call("funnelfox", "POST /my_assets", 200),
            call("funnelfox", "POST /payments_history", 200),
            call("funnelfox", "POST /subscription/search", 200),
        )
    )


def test_a_checkout_is_kept_sent_and_replayed(trip: Trip) -> None:
    """What is about to be sent is durable before it is; the same key again sends nothing, and names the operation."""
    with trip.begun() as (_, api):
        order = open_order(api)
        pay(api, order, "pmt_ok")
        pay(api, order, "pmt_ok")

    assert trip.told() == expected(
        SESSION_OPENED,
        request(
            "POST /v1/checkout/payments",
            200,
            KEY_LOOKED_UP,
            *ORDER_READ,
            *PAYMENT_KEPT,
            call("funnelfox", "POST /checkout/create_payment", 200),
            *ANSWER_KEPT,
            idempotency="first",
            operation_id=OPERATION,
        ),
        request(
            "POST /v1/checkout/payments",
            200,
            KEY_LOOKED_UP,
            statement("INSERT audit_events"),
            idempotency="replayed",
            operation_id=OPERATION,
        ),
    )


def test_a_decline_under_http_200_marks_the_call(trip: Trip) -> None:
    """The vendor's yes to the request is a no to the payment."""
    with trip.begun() as (_, api):
        pay(api, open_order(api), "pmt_declined")

    assert trip.told() == expected(
        SESSION_OPENED,
        request(
            "POST /v1/checkout/payments",
            402,
            KEY_LOOKED_UP,
            *ORDER_READ,
            *PAYMENT_KEPT,
            call("funnelfox", "POST /checkout/create_payment", 200, error="payment_failed"),
            *ANSWER_KEPT,
            idempotency="first",
            operation_id=OPERATION,
            problem="payment_failed",
        ),
    )


def test_a_read_that_met_a_fault_is_sent_again(trip: Trip) -> None:
    """Each attempt is a span; the second says that it is one."""
    with trip.begun() as (tenant, api):
        tenant.fails("POST /subscription/search", "status", status=503, times=1)
        api.get("/v1/subscriptions?external_id=user-ada")

    search = "POST /subscription/search"
    assert trip.told() == expected(
        request(
            "GET /v1/subscriptions",
            200,
            *STRANGER,
            call("funnelfox", search, 503, error="Unavailable", request_id="<vendor's request id>"),
            call("funnelfox", search, 200, resend=1),
        )
    )


def test_a_lost_payment_is_settled_by_reading(trip: Trip) -> None:
    """The vendor charged, and its answer was lost; what it has booked tells later how that ended."""
    with trip.begun() as (tenant, api):
        order = open_order(api)
        tenant.fails(CHARGE, "drop_after", times=1)
        lost = pay(api, order, "pmt_ok")
        settled = api.get(f"/v1/operations/{lost.headers['gateway-operation']}")

    assert (lost.status_code, settled.json()["state"]) == (504, "succeeded")
    assert trip.told() == expected(
        SESSION_OPENED,
        request(
            "POST /v1/checkout/payments",
            504,
            KEY_LOOKED_UP,
            *ORDER_READ,
            *PAYMENT_KEPT,
            call("funnelfox", "POST /checkout/create_payment", None, error="Interrupted", sent=True),
            *ANSWER_KEPT,
            idempotency="first",
            outcome="unknown",
            problem="outcome_unknown",
            operation_id=OPERATION,
        ),
        request(
            "GET /v1/operations/{operation_id}",
            200,
            statement("SELECT operations"),
            statement("UPDATE operations"),
            step(
                "settle operation",
                statement("SELECT resource_aliases"),
                statement("SELECT resource_aliases"),
                call("funnelfox", "POST /payments_history", 200),
                outcome="succeeded",
                tenant="journey",
                mode="test",
                operation_id=OPERATION,
            ),
            statement("UPDATE operations"),
            statement("SELECT operations"),
        ),
    )


def test_a_limit_that_is_shared_is_asked_for_in_redis(trip: Trip, valkey: Valkey) -> None:
    """Who is nobody gets no further than the door, and who asks too often no further than the limit."""
    with trip.begun(limit_per_minute=1, redis_url=Secret(valkey.url)) as (_, api):
        refused = api.get("/v1/operations", headers={"authorization": "Bearer fgw_test_canary"})
        answers = [refused, api.get("/v1/operations"), api.get("/v1/operations")]

    assert [answer.status_code for answer in answers] == [401, 200, 429]
    assert trip.told() == expected(
        request("GET /v1/operations", 401, token=None, problem="token_invalid"),
        request("GET /v1/operations", 200, *STRANGER, LIMIT, statement("SELECT operations")),
        request("GET /v1/operations", 429, LIMIT, problem="rate_limited"),
    )


def test_a_vendor_token_that_expires_is_renewed_on_the_way(trip: Trip, sandbox_of_its_own: SandboxServer) -> None:
    """The refused call is sent again with the new one; the renewal is a trace of its own."""
    with trip.begun() as (_, api):
        api.get("/v1/domains?q=canary")
        sandbox_of_its_own.sandbox.clock.advance(73 * 3600)
        api.get("/v1/domains?q=canary", headers={"cache-control": "no-cache"})

    waits = step("vendor token", upstream="funnelflux")
    renewed = call("funnelflux", "POST /validate", 200)
    assert trip.told() == expected(
        request(
            "GET /v1/domains",
            200,
            *STRANGER,
            look("domains", "miss", waits, call("funnelflux", "GET /domains", 200)),
            cache="miss",
        ),
        step("renew vendor token", renewed, links=("trace 1: cache",), upstream="funnelflux"),
        request(
            "GET /v1/domains",
            200,
            look(
                "domains",
                "miss",
                call("funnelflux", "GET /domains", 401, error="CredentialsRefused"),
                waits,
                call("funnelflux", "GET /domains", 200, resend=1),
            ),
            cache="miss",
        ),
        step("renew vendor token", renewed, links=("trace 3: cache",), upstream="funnelflux"),
    )


def test_a_jwt_is_nobodys_token(trip: Trip) -> None:
    """Its customer's tenant is known, and there is no token to name; the issuer's keys were fetched at the start."""
    with Issuer() as issuer, trip.begun(oidc=OidcSettings(issuer=issuer.url, audience=AUDIENCE)) as (_, api):
        token = issuer.token(tenant="journey", external_id="canary-customer", sub="canary-subject")
        trip.knows(token)
        reply = api.get("/v1/features", headers={"authorization": f"Bearer {token}"})

    assert reply.status_code == 200
    assert trip.told() == expected(
        call("identity_provider", "GET /.well-known/openid-configuration", 200),
        call("identity_provider", "GET jwks_uri", 200),
        request(
            "GET /v1/features",
            200,
            look("features", "miss", call("funnelfox", "POST /features", 200)),
            token=False,
            cache="miss",
        ),
    )


def test_what_is_secret_is_found_where_it_leaked(trip: Trip) -> None:
    """The check that each journey ends with can fail."""
    with trip.begun() as (_, api):
        api.get("/v1/me")
        trip.knows("funnel-gateway")  # It stands in every export, as our name.

    with pytest.raises(AssertionError, match="funnel-gateway"):
        trip.told()

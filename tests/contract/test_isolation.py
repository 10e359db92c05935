"""Nothing of one tenant, mode or customer reaches another: walked over every route, with another's identifiers."""

import asyncio
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.app import document
from gateway.scopes import OWN_SCOPES, SCOPES
from gateway.settings import Settings
from gateway.storage.database import Database
from tests.support.databases import emptied
from tests.support.gateway import RunningGateway, Tenant

DOCUMENT = document()


def keyed() -> dict[str, str]:
    """A key that was never used."""
    return {"idempotency-key": uuid4().hex}


MEMBERS = {
    "client_token": "client_token",
    "external_id": "external_id",
    "hostname": "hostname",
    "ident": "ident",
    "operation_id": "operation_id",
    "order_id": "order_id",
    "price_point": "ident",
    "subscription_id": "subscription_id",
    "token_id": "token_id",
    "name": "tenant",
}
"""Which of the victim's identifiers stands for which parameter or member of a body."""


class Call(NamedTuple):
    """One operation, asked about another's resources."""

    operation: str
    method: str
    path: str
    ways_in: tuple[frozenset[str], ...]
    """Sets of scopes, each of which lets a caller in."""
    takes: frozenset[str]
    body: Any

    def by(self, client: httpx.Client, victim: dict[str, str]) -> httpx.Response:
        """Make the call with the victim's identifiers wherever one fits."""
        theirs = {name: victim[source] for name, source in MEMBERS.items()}
        query = {name: theirs[name] for name in self.takes & theirs.keys()}
        url = httpx.URL(self.path.format(**theirs, code="not_found"), params=query)
        if isinstance(self.body, dict):
            own = {name: theirs.get(name, value) for name, value in self.body.items()}
            return client.request(self.method, url, json=own, headers=keyed())
        headers = keyed() if self.body is None else keyed() | {"content-type": "text/csv"}
        return client.request(self.method, url, content=self.body, headers=headers)


def calls() -> Iterator[Call]:
    """Every operation of the document, with its first example as the body."""
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            (content,) = operation.get("requestBody", {}).get("content", {"": {}}).values()
            examples = [*content.get("examples", {}).values()]
            yield Call(
                operation["operationId"],
                method.upper(),
                path,
                tuple(frozenset(needed["bearer"]) for needed in operation["security"]),
                frozenset(place["name"] for place in operation.get("parameters", ()) if place.get("in") == "query"),
                examples[0]["value"] if examples else None,
            )


CALLS = [call for call in calls() if any(call.ways_in)]

OF_TENANTS = [call for call in CALLS if call.ways_in != (frozenset({"admin"}),)]
"""The operator sees all tenants, and is another test's affair."""

OF_A_TENANT = [scope for scope in SCOPES if scope != "admin"]

every_call_of_tenants = pytest.mark.parametrize("call", OF_TENANTS, ids=lambda call: call.operation)
every_call = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.operation)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def gateway(
    request: pytest.FixtureRequest, sandbox_server: SandboxServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """One on each kind of database, with its cache and without limits that an attacker's many calls would meet."""
    url = Secret(f"sqlite:///{tmp_path_factory.mktemp('isolation') / 'gateway.db'}")
    if request.param == "postgresql":
        url = emptied("postgresql", request.getfixturevalue)
        asyncio.run(_migrated(url))
    settings = Settings(
        database_url=url,
        encryption_keys=Secret("a-key-that-has-at-least-32-characters"),
        sandbox=sandbox_server.url,
        log_level="error",
        limit_per_minute=0,
        limit_money_per_minute=0,
        limit_probe_per_minute=0,
        limit_guesses_per_minute=0,
    )
    with RunningGateway(settings, traced=False) as running:
        yield running


async def _migrated(url: Secret) -> None:
    database = Database(url)
    await database.migrate()
    await database.close()


@pytest.fixture(scope="module")
def victim_tenant(gateway: RunningGateway, sandbox_server: Any) -> Tenant:
    """Whose data everybody else is after."""
    return Tenant(f"victim{uuid4().hex[:8]}", gateway, sandbox_server.sandbox)


@pytest.fixture(scope="module")
def victim(victim_tenant: Tenant) -> dict[str, str]:
    """A customer, and all that they and their shop have, by names that occur nowhere else."""
    mark = uuid4().hex[:10]
    customer = f"canary-customer-{mark}"
    ident = f"canary-price-{mark}"
    terms = {
        "ident": ident,
        "currency_code": "USD",
        "intro_type": "no_intro",
        "lifetime_price": "9876.54",
        "features": ["premium-access"],
    }
    with victim_tenant.client() as api:
        hostname = f"canary-{mark}.example.com"
        assert api.post("/v1/domains", json={"hostname": hostname}).status_code == 201
        assert api.post("/v1/price-points", json=terms).status_code == 201
        paid = [bought(api, customer, what) for what in ("monthly-paid-trial", ident)]
        token = api.post("/v1/tokens", json={"name": f"canary-token-{mark}", "scopes": ["domains:read"]}).json()
        (subscription,) = api.get("/v1/subscriptions", params={"external_id": customer}).json()["data"]
    return {
        "hostname": hostname,
        "ident": ident,
        "external_id": customer,
        "order_id": paid[0]["order_id"],
        "client_token": paid[0]["client_token"],
        "operation_id": paid[0]["operation_id"],
        "subscription_id": subscription["id"],
        "token_id": token["id"],
        "token name": token["name"],
        "tenant": victim_tenant.name,
        "other order": paid[1]["order_id"],
        "amount": "9876.54",
    }


def bought(api: httpx.Client, customer: str, price_point: str) -> dict[str, str]:
    """A session, paid."""
    wish = {"price_point": price_point, "external_id": customer, "integration_type": "fakeintegration"}
    session: dict[str, str] = api.post("/v1/checkout/sessions", json=wish | {"email_address": "c@example.com"}).json()
    payment = {"order_id": session["order_id"], "payment_method_token": f"pmt_ok_{uuid4().hex[:8]}"}
    paid = api.post("/v1/checkout/payments", json=payment, headers=keyed())
    assert paid.json()["state"] == "succeeded"
    return session | {"operation_id": paid.headers["gateway-operation"]}


def told(reply: httpx.Response, victim: dict[str, str]) -> set[str]:
    """What an answer gives away: the victim's data that stood in the request are no news."""
    request = f"{reply.request.url} {reply.request.content.decode()}"
    answer = f"{reply.text} {[*reply.headers.multi_items()]}"
    return {name for name, value in victim.items() if value in answer and value not in request}


def changes(victim: dict[str, str], api: httpx.Client) -> list[Any]:
    """How the victim's resources are: whatever strangers ask, this stays as it is."""
    reads = (
        f"/v1/domains/{victim['hostname']}",
        f"/v1/price-points/{victim['ident']}",
        f"/v1/customers/{victim['external_id']}",
    )
    return [api.get(path).json() for path in reads]


def test_what_needs_no_scope_is_meant_for_all() -> None:
    """Every other route is attacked below, a new one from the day it is added."""
    open_to_all = {call.operation for call in calls() if not any(call.ways_in)}

    assert open_to_all == {
        "getLiveness",
        "getReadiness",
        "getMetrics",
        "getApiDocument",
        "listProblems",
        "getProblem",
        "getMe",
        "listOperations",  # What is whose is for tests of its own: tests/routes/test_operations.py.
        "getOperation",
    }


@every_call_of_tenants
def test_another_tenant_learns_and_changes_nothing(call: Call, victim_tenant: Tenant, victim: dict[str, str]) -> None:
    """To a tenant with every scope but the operator's, another's resources are as if they did not exist."""
    with victim_tenant.client() as api, victim_tenant.neighbour().client(OF_A_TENANT) as stranger:
        if call.method == "GET":
            call.by(api, victim)  # What may be remembered for the one is not given to the other.
        before = changes(victim, api)

        reply = call.by(stranger, victim)

        assert told(reply, victim) == set()
        assert _without_times(changes(victim, api)) == _without_times(before)


@every_call_of_tenants
def test_another_mode_learns_nothing(
    call: Call, gateway: RunningGateway, victim_tenant: Tenant, victim: dict[str, str]
) -> None:
    """A live token never reaches what a test token made, nor the sandbox at all."""
    _, secret = gateway.token(tenant=victim_tenant.name, mode="live", scopes=OF_A_TENANT)
    with gateway.client(secret) as live:
        reply = call.by(live, victim)

    assert told(reply, victim) <= {"tenant"}  # Its own.
    if not OWN_SCOPES & frozenset().union(*call.ways_in):
        assert reply.json()["code"] in {"upstream_not_configured", "validation_failed"}


@every_call_of_tenants
def test_another_customer_learns_and_changes_nothing(call: Call, victim_tenant: Tenant, victim: dict[str, str]) -> None:
    """A token for one customer is refused on what is another's, or nobody's but the shop's."""
    with victim_tenant.client() as api, victim_tenant.client(subject="user-ada") as ada:
        before = changes(victim, api)

        reply = call.by(ada, victim)

        if call.ways_in != (frozenset({"catalog:read"}),):
            assert told(reply, victim) == set()
            assert reply.json()["code"] in {"subject_mismatch", "not_found"}
        assert _without_times(changes(victim, api)) == _without_times(before)


@every_call
def test_nobody_gets_in_without_the_scope(call: Call, victim_tenant: Tenant, victim: dict[str, str]) -> None:
    """Each scope that a route names is needed: with all others there is no way in, and none without a token."""
    for lacking in product(*call.ways_in):
        with victim_tenant.client(scopes=[scope for scope in SCOPES if scope not in lacking]) as api:
            reply = call.by(api, victim)
            assert (reply.status_code, reply.json()["code"]) == (403, "insufficient_scope")
            assert told(reply, victim) == set()
    with httpx.Client(base_url=str(reply.request.url.copy_with(path="/", query=None))) as anyone:
        assert call.by(anyone, victim).json()["code"] == "token_missing"


def _without_times(resources: list[Any]) -> list[Any]:
    """Without what differs between two looks at the same thing."""
    for resource in resources:
        resource.pop("check", None)
    return resources

"""What is left of a charge whose gateway dies on the way, or whose database does: never a second charge."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.settings import Settings
from gateway.storage.database import Database
from tests.support.charging import CHARGE, charged, customer, eventually, key, order_for, pay, payment
from tests.support.commands import running
from tests.support.databases import FleetingDatabase, emptied
from tests.support.front import Front
from tests.support.gateway import RunningGateway, Tenant
from tests.support.timing import until

Killing = Callable[[], None]


class Shop:
    """A gateway that can be killed, on a database and a vendor that outlive it."""

    def __init__(self, sandbox: SandboxServer, front: Front, path: Path) -> None:
        self.path = path
        self.front = front
        self.url = f"http://127.0.0.1:{front.port}"
        settings = Settings(database_url=Secret(f"sqlite:///{path}"), sandbox=self.url, log_level="error")
        with RunningGateway(settings) as gateway:
            self.tenant = Tenant("killed", gateway, sandbox.sandbox)
            _, self.secret = gateway.token(tenant=self.tenant.name)
        self.environment = {
            "GATEWAY_DATABASE_URL": f"sqlite:///{path}",
            "GATEWAY_SANDBOX": self.url,
            "GATEWAY_LOG_LEVEL": "error",
            "GATEWAY_CONNECT_SECONDS": "30",
        }

    def client(self, url: str) -> httpx.Client:
        """A caller of the gateway that runs at `url`."""
        return httpx.Client(base_url=url, headers={"authorization": f"Bearer {self.secret}"}, timeout=30)

    def operations(self) -> int:
        """How many payments are kept."""
        with closing(sqlite3.connect(self.path)) as database:
            return int(database.execute("SELECT count(*) FROM operations WHERE kind = 'createPayment'").fetchone()[0])

    def minute_passes(self) -> None:
        """Leases end: as if the requests had begun a minute earlier."""
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute("UPDATE operations SET lease_until = 1, due_at = 1 WHERE lease_until IS NOT NULL")

    def killed_within(self, body: dict[str, Any], header: dict[str, str], moment: Killing) -> None:
        """Send a payment and kill the gateway at a moment."""
        with (
            running("serve", "--port", "0", environment=self.environment) as (process, url),
            self.client(url) as api,
            ThreadPoolExecutor(1) as caller,
        ):
            sent: Future[httpx.Response] = caller.submit(api.post, "/v1/checkout/payments", json=body, headers=header)
            moment()
            os.kill(process.pid, signal.SIGKILL)
            with pytest.raises(httpx.TransportError):
                sent.result()


@pytest.fixture
def shop(database_path: Path) -> Iterator[Shop]:
    """One that nobody else knows."""
    with SandboxServer() as sandbox, Front(int(sandbox.url.rpartition(":")[2])) as front:
        yield Shop(sandbox, front, database_path)


@pytest.fixture
def order(shop: Shop) -> str:
    """An order to pay."""
    with running("serve", "--port", "0", environment=shop.environment) as (_, url), shop.client(url) as api:
        return order_for(api)


def told_after(shop: Shop, order: str, body: dict[str, Any], header: dict[str, str]) -> list[tuple[int, str]]:
    """What a gateway that is started again says: at once, when the lease is over, to a new key, when it has looked."""
    told = []
    with running("serve", "--port", "0", environment=shop.environment) as (_, url), shop.client(url) as api:
        first = api.post("/v1/checkout/payments", json=body, headers=header)
        told.append((first.status_code, first.json()["code"]))
        shop.front.refuses()  # So that nobody settles it between two questions.
        shop.minute_passes()
        unknown = api.post("/v1/checkout/payments", json=body, headers=header)
        told.append((unknown.status_code, unknown.json()["code"]))
        new_key = pay(api, order)
        told.append((new_key.status_code, new_key.json()["code"]))
        assert unknown.json()["operation"] == new_key.json()["operation"] == first.json()["operation"]
        shop.front.forwards()
        operation = eventually(lambda: looked(api, str(unknown.json()["operation"])))
        last = api.post("/v1/checkout/payments", json=body, headers=header)
        told.append((last.status_code, operation["state"]))
    return told


def looked(api: httpx.Client, path: str) -> dict[str, Any] | None:
    """The operation, once the vendor could be read."""
    operation: dict[str, Any] = api.get(path).json()
    return operation if operation["attempts"] and "unread" not in operation["evidence"] else None


def test_a_gateway_that_dies_before_it_sends_has_charged_nobody(shop: Shop, order: str) -> None:
    """Nobody can know that nothing was sent, so it is unknown, and stays so: nothing is charged by us."""
    body, header = payment(order), key()
    shop.front.fills_up()  # The connection to the vendor hangs.

    shop.killed_within(body, header, lambda: until(lambda: shop.operations() == 1))
    shop.front.forwards()
    told = told_after(shop, order, body, header)

    assert told == [
        (409, "idempotency_in_progress"),
        (504, "outcome_unknown"),
        (409, "operation_in_progress"),
        (504, "unknown"),
    ]
    assert (shop.tenant.calls(CHARGE), charged(shop.tenant.account.ledger.entries, order)) == (0, [])


def test_a_gateway_that_dies_within_the_call_has_charged_once(shop: Shop, order: str) -> None:
    """Reading the vendor finds the charge, and the key gives its answer."""
    body, header = payment(order), key()
    shop.tenant.fails(CHARGE, "latency", seconds=1.0, times=1)

    shop.killed_within(body, header, lambda: until(lambda: shop.tenant.calls(CHARGE) == 1))
    until(lambda: len(charged(shop.tenant.account.ledger.entries, order)) == 1)
    told = told_after(shop, order, body, header)

    assert told == [
        (409, "idempotency_in_progress"),
        (504, "outcome_unknown"),
        (409, "operation_in_progress"),
        (200, "succeeded"),
    ]
    assert (shop.tenant.calls(CHARGE), len(charged(shop.tenant.account.ledger.entries, order))) == (1, 1)


def test_a_gateway_that_dies_before_it_keeps_the_answer_has_charged_once(shop: Shop, order: str) -> None:
    """The answer had come, and was not written down: the same as if it had not."""
    body, header = payment(order), key()
    shop.tenant.fails(CHARGE, "latency", seconds=0.3, times=1)

    with closing(sqlite3.connect(shop.path, isolation_level=None, timeout=30)) as other:

        def when_the_answer_waits() -> None:
            until(lambda: shop.tenant.calls(CHARGE) == 1)
            other.execute("BEGIN IMMEDIATE")  # Whatever is to be kept has to wait from now on.
            until(lambda: len(charged(shop.tenant.account.ledger.entries, order)) == 1)

        shop.killed_within(body, header, when_the_answer_waits)
        other.execute("ROLLBACK")
    told = told_after(shop, order, body, header)

    assert told[1:] == [(504, "outcome_unknown"), (409, "operation_in_progress"), (200, "succeeded")]
    assert (shop.tenant.calls(CHARGE), len(charged(shop.tenant.account.ledger.entries, order))) == (1, 1)


@pytest.fixture
def replicas(postgresql: str, sandbox_server: SandboxServer) -> Iterator[list[RunningGateway]]:
    """Two gateways on one PostgreSQL, which share nothing else."""
    url = emptied("postgresql", lambda _: postgresql)

    async def migrated() -> None:
        database = Database(url)
        await database.migrate()
        await database.close()

    asyncio.run(migrated())
    settings = Settings(
        database_url=url,
        sandbox=sandbox_server.url,
        log_level="error",
        encryption_keys=Secret("an-encryption-key-that-nobody-guesses"),
    )
    with RunningGateway(settings) as one, RunningGateway(settings) as other:
        yield [one, other]


def test_two_replicas_lead_one_key_once(replicas: list[RunningGateway], sandbox_server: SandboxServer) -> None:
    """Callers of both, at the same moment: one charge, and one answer for all."""
    tenant = Tenant(customer(), replicas[0], sandbox_server.sandbox)
    _, secret = replicas[0].token(tenant=tenant.name)
    with replicas[0].client(secret) as one, replicas[1].client(secret) as other:
        for _ in range(5):
            order, header = order_for(one), key()
            body = payment(order)
            before = tenant.calls(CHARGE)

            with ThreadPoolExecutor(8) as callers:
                sent = [
                    callers.submit(api.post, "/v1/checkout/payments", json=body, headers=header)
                    for api in (one, other) * 4
                ]
                replies = [one.result() for one in sent]

            assert tenant.calls(CHARGE) == before + 1
            assert {reply.status_code for reply in replies} <= {200, 409}
            assert len({reply.content for reply in replies if reply.status_code == 200}) == 1


def test_two_replicas_lead_one_resource_once(replicas: list[RunningGateway], sandbox_server: SandboxServer) -> None:
    """The same order under two keys, at the same moment: one of them waits for the other."""
    tenant = Tenant(customer(), replicas[0], sandbox_server.sandbox)
    _, secret = replicas[0].token(tenant=tenant.name)
    with replicas[0].client(secret) as one, replicas[1].client(secret) as other:
        order = order_for(one)
        order_for(other)  # What it opens at first use is open, so that it is not late for the same moment.
        tenant.fails(CHARGE, "latency", seconds=1)

        with ThreadPoolExecutor(2) as callers:
            replies = list(callers.map(lambda api: pay(api, order), (one, other)))

    assert sorted(reply.json().get("code", "paid") for reply in replies) == ["operation_in_progress", "paid"]
    assert tenant.calls(CHARGE) == 1


def test_two_replicas_count_one_card_together(replicas: list[RunningGateway], sandbox_server: SandboxServer) -> None:
    """However many charge it at once, two a day are sent."""
    tenant = Tenant(customer(), replicas[0], sandbox_server.sandbox)
    _, secret = replicas[0].token(tenant=tenant.name)
    with replicas[0].client(secret) as one, replicas[1].client(secret) as other:
        card = payment(customer())["payment_method_token"]
        bodies = [{"order_id": order_for(one), "payment_method_token": card} for _ in range(6)]

        with ThreadPoolExecutor(6) as callers:
            sent = [
                callers.submit(api.post, "/v1/checkout/payments", json=body, headers=key())
                for api, body in zip((one, other) * 3, bodies, strict=True)
            ]
            replies = [reply.result() for reply in sent]

    assert sorted(reply.status_code for reply in replies) == [200, 200, 429, 429, 429, 429]
    assert tenant.calls(CHARGE) == 2


def test_answers_and_facts_are_encrypted_at_rest(replicas: list[RunningGateway], sandbox_server: SandboxServer) -> None:
    """Whoever steals the database learns neither who paid nor what they were told."""
    tenant = Tenant(customer(), replicas[0], sandbox_server.sandbox)
    with tenant.client() as api:
        order, header = order_for(api, external_id="canary-customer"), key("canary-key")
        body = payment(order, "pmt_3ds_canary")

        first = api.post("/v1/checkout/payments", json=body, headers=header)
        again = api.post("/v1/checkout/payments", json=body, headers=header)

    async def dumped() -> str:
        database = Database(replicas[0].settings.database_url)
        async with database.transaction() as connection:
            rows = (await connection.execute(text("SELECT * FROM operations"))).all()
        await database.close()
        return str(rows)

    rows = asyncio.run(dumped())
    assert first.content == again.content
    for word in ("canary", first.json()["action_required_token"], order):
        assert word not in rows


@pytest.fixture
def fleeting(postgresql: str) -> FleetingDatabase:
    """A database that can be taken away, with the schema."""
    database = FleetingDatabase(postgresql, "ledger")

    async def migrated() -> None:
        opened = Database(database.url)
        await opened.migrate()
        await opened.close()

    asyncio.run(migrated())
    return database


def test_without_a_database_nothing_is_sent(fleeting: FleetingDatabase, sandbox_server: SandboxServer) -> None:
    """A charge that can't be written down is not made; it is safe to ask again."""
    settings = Settings(database_url=fleeting.url, sandbox=sandbox_server.url, log_level="error")
    with RunningGateway(settings) as gateway:
        tenant = Tenant(customer(), gateway, sandbox_server.sandbox)
        with tenant.client() as api:
            order, header = order_for(api), key()
            body = payment(order)
            fleeting.vanish()

            refused = api.post("/v1/checkout/payments", json=body, headers=header)
            called = tenant.calls(CHARGE)
            fleeting.return_()
            again = api.post("/v1/checkout/payments", json=body, headers=header)

    assert (refused.status_code, refused.json()["code"], called) == (503, "storage_unavailable", 0)
    assert (again.status_code, again.json()["state"]) == (200, "succeeded")
    assert len(charged(tenant.account.ledger.entries, order)) == 1


def test_an_answer_that_cannot_be_kept_is_still_given(
    fleeting: FleetingDatabase, sandbox_server: SandboxServer, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is true; who asks again is told that it is unknown, until reading the vendor has settled it."""
    settings = Settings(database_url=fleeting.url, sandbox=sandbox_server.url, log_level="error")
    with RunningGateway(settings) as gateway:
        tenant = Tenant(customer(), gateway, sandbox_server.sandbox)
        tenant.fails(CHARGE, "latency", seconds=1.0, times=1)
        with tenant.client() as api, ThreadPoolExecutor(1) as caller:
            order, header = order_for(api), key()
            body = payment(order)

            sent = caller.submit(api.post, "/v1/checkout/payments", json=body, headers=header)
            until(lambda: tenant.calls(CHARGE) == 1)
            fleeting.vanish()
            reply = sent.result()
            fleeting.return_()
            at_once = api.post("/v1/checkout/payments", json=body, headers=header)
            asyncio.run(_minute_passes(fleeting.url))
            settled = eventually(lambda: _settled(api, body, header))

    assert (reply.status_code, reply.json()["state"]) == (200, "succeeded")
    assert (at_once.status_code, at_once.json()["code"]) == (409, "idempotency_in_progress")
    assert settled.json() == reply.json()
    assert (tenant.calls(CHARGE), len(charged(tenant.account.ledger.entries, order))) == (1, 1)
    assert "answer not stored" in capfd.readouterr().err


def _settled(api: httpx.Client, body: dict[str, Any], header: dict[str, str]) -> httpx.Response | None:
    reply = api.post("/v1/checkout/payments", json=body, headers=header)
    return reply if reply.status_code == 200 else None


async def _minute_passes(url: Secret) -> None:
    database = Database(url)
    async with database.transaction() as connection:
        await connection.execute(
            text("UPDATE operations SET lease_until = 1, due_at = 1 WHERE lease_until IS NOT NULL")
        )
    await database.close()

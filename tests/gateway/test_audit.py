"""Who did what: the record of every change."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.audit import first_id
from gateway.settings import Settings
from gateway.storage.audit_events import AuditRecord, AuditStore
from gateway.storage.database import Database
from tests.support.databases import emptied
from tests.support.gateway import RunningGateway, Tenant

Events = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def events(gateway: RunningGateway, tenant: Tenant) -> Iterator[Events]:
    """What an operator sees of this tenant, the oldest first."""
    _, secret = gateway.token(tenant="operators", scopes=["admin"])
    with gateway.client(secret) as operator:

        def seen() -> list[dict[str, Any]]:
            page = operator.get("/v1/audit-events", params={"tenant": tenant.name})
            assert page.status_code == 200, page.text
            found: list[dict[str, Any]] = page.json()["data"]
            return found[::-1]

        yield seen


def test_a_change_is_recorded_with_who_and_what(gateway: RunningGateway, tenant: Tenant, events: Events) -> None:
    """
    The record leads to the token, the resource, the answer and the trace.
    """
    record, secret = gateway.token(tenant=tenant.name)
    with gateway.client(secret) as api:
        reply = api.post("/v1/domains", json={"hostname": "audit.example.com"})

    (event,) = events()
    assert reply.status_code == 201
    assert event == {
        "id": event["id"],
        "at": event["at"],
        "tenant": tenant.name,
        "mode": "test",
        "actor": record.id,
        "subject": None,
        "action": "createDomain",
        "target": {"hostname": "audit.example.com", "location": "/v1/domains/audit.example.com"},
        "outcome": "201",
        "request_id": reply.headers["x-request-id"],
        "trace_id": event["trace_id"],
    }
    assert event["at"].endswith("Z")
    assert len(event["trace_id"]) == 32


def test_a_refusal_and_an_unknown_outcome_are_recorded_by_their_code(
    api: httpx.Client, tenant: Tenant, events: Events
) -> None:
    """
    Also what failed was tried, and by whom.
    """
    tenant.fails("DELETE /domains/{domain}", "drop_after")

    api.delete("/v1/domains/gone.example.com")
    api.post("/v1/domains", json={"hostname": "not a hostname"})
    api.post(
        "/v1/refunds", json={"external_id": "user-ada", "order_id": str(uuid4())}, headers={"Idempotency-Key": "k"}
    )

    assert [(event["action"], event["outcome"]) for event in events()] == [
        ("deleteDomain", "outcome_unknown"),
        ("createDomain", "validation_failed"),
        ("createRefund", "not_found"),
    ]


def test_reads_and_strangers_are_not_recorded(
    gateway: RunningGateway, api: httpx.Client, tenant: Tenant, events: Events
) -> None:
    """
    The record is of changes; who has no token or no scope changes nothing, and can't fill the disk.
    """
    api.get("/v1/domains")
    api.post("/v1/domains/check", json={"hostname": "live.brightside.example"})
    api.post("/v1/subscriptions/search", json={})
    with gateway.client() as stranger, tenant.client(["domains:read"]) as reader:
        stranger.post("/v1/domains", json={"hostname": "a.example.com"})
        reader.post("/v1/domains", json={"hostname": "a.example.com"})

    assert events() == []


def test_neither_secrets_nor_cards_are_in_the_record(api: httpx.Client, events: Events) -> None:
    """
    Only identifiers: what pays, and what authenticates, is left out.
    """
    wish = {"price_point": "lifetime", "external_id": "user-eve", "integration_type": "fakeintegration"}
    session = api.post("/v1/checkout/sessions", json=wish | {"email_address": "eve@example.com"}).json()
    pay = {"order_id": session["order_id"], "payment_method_token": "pmt_canary", "postal_code": "canary-postal"}

    api.post("/v1/checkout/payments", json=pay, headers={"Idempotency-Key": "canary-key"})

    opened, paid = events()
    assert opened["target"] == {
        "external_id": "user-eve",
        "price_point": "lifetime",
        "location": f"/v1/checkout/sessions/{session['order_id']}",
    }
    assert paid["target"] == {"order_id": session["order_id"]}
    assert not [word for word in ("canary", "eve@", session["client_token"]) if word in f"{opened} {paid}"]


def test_pages_are_turned_without_gap_or_repetition(gateway: RunningGateway, tenant: Tenant, api: httpx.Client) -> None:
    """
    The newest first, whatever is added meanwhile.
    """
    _, secret = gateway.token(scopes=["admin"])
    for number in range(5):
        api.post("/v1/features", json={"ident": f"audited-{number}", "feature_type": "consumable"})

    seen: list[str] = []
    cursor: str | None = None
    with gateway.client(secret) as operator:
        for _ in range(3):
            asked = {"tenant": tenant.name, "limit": "2"} | ({"cursor": cursor} if cursor else {})
            page = operator.get("/v1/audit-events", params=asked).json()
            seen += [event["target"]["ident"] for event in page["data"]]
            cursor = page["meta"]["next_cursor"]
            api.post("/v1/features", json={"ident": f"later-{len(seen)}", "feature_type": "consumable"})

    assert seen == [f"audited-{number}" for number in (4, 3, 2, 1, 0)]
    assert cursor is None


def test_an_operator_of_test_mode_sees_test_mode(gateway: RunningGateway, tenant: Tenant) -> None:
    """
    What was done with live tokens is not for them.
    """
    _, live = gateway.token(tenant=tenant.name, mode="live")
    seen = {}
    with gateway.client(live) as api:
        api.delete("/v1/domains/live.example.com")

    for mode in ("test", "live"):
        _, secret = gateway.token(scopes=["admin"], mode=mode)
        with gateway.client(secret) as operator:
            seen[mode] = operator.get("/v1/audit-events", params={"tenant": tenant.name}).json()["meta"]["count"]

    assert seen == {"test": 0, "live": 1}


@pytest.mark.parametrize("query", ["since=yesterday", "cursor=%00", "cursor=x", "tenants=x", "limit=0"])
def test_a_bad_question_is_refused(gateway: RunningGateway, query: str) -> None:
    """
    With every fault named.
    """
    _, secret = gateway.token(scopes=["admin"])
    with gateway.client(secret) as operator:
        reply = operator.get(f"/v1/audit-events?{query}")

    assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed")


def test_what_is_done_is_answered_though_the_record_fails(
    sandbox_server: SandboxServer, database_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """
    With the table gone the change is still told as made, and its event stands whole in the log.
    """
    settings = Settings(database_url=Secret(f"sqlite:///{database_path}"), sandbox=sandbox_server.url)
    with RunningGateway(settings) as gateway:
        _, secret = gateway.token(tenant="recordless")
        asyncio.run(_drop(settings.database_url))
        with gateway.client(secret) as api:
            reply = api.post("/v1/domains", json={"hostname": "unrecorded.example.com"})

    (line,) = [line for line in capfd.readouterr().err.splitlines() if "audit event not stored" in line]
    assert reply.status_code == 201
    assert "unrecorded.example.com" in line
    assert secret not in line


def test_old_events_are_removed(database_path: Path) -> None:
    """
    Those before the moment go, the others stay.
    """

    async def kept() -> list[str]:
        database = Database(Secret(f"sqlite:///{database_path}"))
        await database.migrate()
        store = AuditStore(database)
        for moment in (1_000.0, 2_000.0, 3_000.0):
            await store.add(_event(f"{first_id(moment)}aaaa"))
        assert await store.forget(before=first_id(2_000.0)) == 1
        left = await store.newest(before=None, since=first_id(0.0), limit=10)
        await database.close()
        return [record.id for record in left]

    assert asyncio.run(kept()) == [f"{first_id(moment)}aaaa" for moment in (3_000.0, 2_000.0)]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_events_are_found_by_what_they_were_about(kind: str, request: pytest.FixtureRequest) -> None:
    """
    Whatever an identifier is made of: what a pattern or JSON would take for
    something else is taken for itself.
    """
    url = emptied(kind, request.getfixturevalue)
    names = ["order-1", "100%", "a_b", "axb", 'say "ho"', "back\\slash", "Jörg"]

    async def found() -> dict[str, list[str]]:
        database = Database(url)
        await database.migrate()
        store = AuditStore(database)
        for number, name in enumerate(names):
            event = _event(f"{first_id(float(number + 1))}aaaa")
            await store.add(msgspec.structs.replace(event, target={"order_id": name}))
        told = {
            name: [
                event.target["order_id"]
                for event in await store.newest(before=None, since=first_id(0.0), limit=10, about=name)
            ]
            for name in names
        }
        await database.close()
        return told

    assert asyncio.run(found()) == {name: [name] for name in names}


def _event(ident: str) -> AuditRecord:
    return AuditRecord(
        id=ident,
        tenant="t",
        mode="live",
        actor="tok_1",
        subject=None,
        action="createDomain",
        target={"hostname": "a.example.com"},
        outcome="201",
        request_id=None,
        trace_id=None,
    )


async def _drop(url: Secret) -> None:
    database = Database(url)
    async with database.transaction() as connection:
        await connection.exec_driver_sql("DROP TABLE audit_events")
    await database.close()

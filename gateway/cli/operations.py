"""`gateway operation`: see what became of changes, and say how those ended that nothing else tells."""

import getpass
import json
from collections.abc import Awaitable, Callable
from time import time
from typing import Final, TypeVar

import click
import msgspec

from gateway.cli.environment import configured, fail, refuse, with_audit, with_database
from gateway.http.rfc9457 import Occurrence
from gateway.operations.ledger import Operations
from gateway.operations.outcomes import Operation, State
from gateway.operations.settling import resolve
from gateway.problems import ValidationFailed
from gateway.settings import Settings
from gateway.storage.database import Database
from gateway.storage.operations import OperationStore
from gateway.tenants.encryption import Keyring, Unreadable
from routes.settlement import KINDS
from routes.shapes.operations import OperationDetails

T = TypeVar("T")

MOST: Final = 500
"""Operations in one list."""


class _Place(msgspec.Struct, frozen=True):
    """Where an operation was begun, as far as the environment tells."""

    at: Occurrence
    cname_target: str | None


@click.group()
def operation() -> None:
    """List, show and resolve operations: changes that were sent to a vendor."""


@operation.command("list")
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only those in this state.")
@click.option("--tenant", help="Only those of this tenant.")
@click.option("--needs-review", is_flag=True, help="Only those that are open for over a day.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, MOST), help="The most rows.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of text.")
def list_operations(*, state: str | None, tenant: str | None, needs_review: bool, limit: int, as_json: bool) -> None:
    """List operations of all tenants and modes, the newest first."""
    wanted = State(state) if state is not None else None
    found = _done(lambda operations: operations.newest(before=None, limit=limit, tenant=tenant, state=wanted))
    now_ms = int(time() * 1000)
    rows = [row for row in found if not needs_review or row.needs_review(now_ms)]
    if as_json:
        click.echo(json.dumps([_shown(row) for row in rows]))
        return
    for row in rows:
        record = row.record
        review = "  needs review" if row.needs_review(now_ms) else ""
        click.echo(
            f"{row.id}  {row.sent_at:%Y-%m-%dT%H:%M:%SZ}  {row.state:9}  {record.mode}  {record.tenant}  "
            f"{record.kind}{review}"
        )


@operation.command("show")
@click.argument("operation_id")
def show_operation(operation_id: str) -> None:
    """Show one operation as JSON: what was answered, and what was seen since."""
    found = _done(lambda operations: operations.find(operation_id))
    if found is None:
        fail(f"there is no operation {operation_id}; `gateway operation list` shows them.")
    click.echo(json.dumps(_shown(found), indent=2))


@operation.command("resolve")
@click.argument("operation_id")
@click.option("--state", required=True, type=click.Choice(["succeeded", "failed"]), help="How it ended.")
@click.option("--note", required=True, help="How you know.")
def resolve_operation(operation_id: str, *, state: str, note: str) -> None:
    """Say how an operation ended that reading the vendor does not tell."""
    given = configured()

    async def resolved(database: Database) -> Operation | None:
        operations = _operations(given, database)
        if (found := await operations.find(operation_id)) is None:
            return None
        place = _Place(found.at(given.public_url), given.funnelflux.cname_target)
        by = f"cli:{getpass.getuser()}"
        return await resolve(operations, KINDS, found, State(state), place=place, note=note, by=by)

    target = {"operation_id": operation_id, "state": state, "note": note}
    if _told(lambda: with_audit(resolved, "resolveOperation", lambda _: target)) is None:
        fail(f"there is no operation {operation_id}; `gateway operation list` shows them.")
    click.echo(f"{operation_id} has {state}.")


def _done(act: Callable[[Operations], Awaitable[T]]) -> T:
    given = configured()
    return _told(lambda: with_database(given, lambda database: act(_operations(given, database))))


def _told(act: Callable[[], T]) -> T:
    """What `act` gives; or why it was refused, and the end."""
    try:
        return act()
    except ValidationFailed as problem:
        refuse(problem.detail)
    except (LookupError, Unreadable):
        fail("the operations are encrypted; set GATEWAY_ENCRYPTION_KEYS as the gateway has it.")


def _operations(given: Settings, database: Database) -> Operations:
    return Operations(
        OperationStore(database),
        now=time,
        deadline_seconds=max(given.deadline_seconds, given.money_deadline_seconds),
        keep_days=given.operation_retention_days,
        sealing=Keyring.of(given.encryption_keys),
    )


def _shown(found: Operation) -> dict[str, object]:
    record = found.record
    details = msgspec.to_builtins(OperationDetails.public(found, now_ms=int(time() * 1000)))
    return {
        "tenant": record.tenant,
        "mode": record.mode,
        "request_id": record.request_id,
        "trace_id": record.trace_id,
        **details,
    }

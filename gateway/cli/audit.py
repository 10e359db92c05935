"""`gateway audit`: see who did what."""

import json
from typing import Final

import click
import msgspec

from gateway.audit import first_id
from gateway.cli.environment import configured, printable, refuse, with_database
from gateway.problems import ValidationFailed
from gateway.storage.audit_events import AuditStore
from routes.shapes.audit import AuditEvent
from routes.shapes.page import MOST_ROWS
from routes.shapes.times import moment


@click.command("audit")
@click.option("--tenant", help="Only what was done as this tenant.")
@click.option("--action", help="Only this: an operationId of the API document, as in createToken.")
@click.option("--actor", help="Only what this one did: a token's id, or cli:USER.")
@click.option("--about", help="Only what was done to this: an order's id, a hostname, a customer's id, ...")
@click.option("--since", help="Only from then on: RFC 3339, with a zone.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, MOST_ROWS), help="The most rows.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of text.")
def audit(
    *,
    tenant: str | None,
    action: str | None,
    actor: str | None,
    about: str | None,
    since: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show who did what, in all tenants and modes, the newest first."""
    begin = first_id(_seconds(since) if since is not None else 0.0)
    found = with_database(
        configured(),
        lambda database: AuditStore(database).newest(
            before=None, since=begin, limit=limit, tenant=tenant, actor=actor, action=action, about=about
        ),
    )
    events = [AuditEvent.public(record) for record in found]
    if as_json:
        click.echo(msgspec.json.encode(events).decode())
        return
    for event in events:
        click.echo(_line(event))


_BY_NAME: Final = ("tenant", "mode", "subject", "request_id")
"""What is shown by its name, where it is known."""


def _line(event: AuditEvent) -> str:
    """An event for people: when, how it ended, what, by whom, and to what."""
    named = {name: value for name in _BY_NAME if (value := getattr(event, name)) is not None}
    about = "  ".join(f"{printable(name)}={_one_word(value)}" for name, value in {**named, **event.target}.items())
    return (
        f"{event.at:%Y-%m-%dT%H:%M:%SZ}  {event.outcome}  {event.action}  by {_one_word(event.actor)}  {about}".rstrip()
    )


def _one_word(text: str) -> str:
    """A value that can't be taken for two, nor for another line: callers made some of them up."""
    return text if text and text.isprintable() and not {" ", '"', "="} & {*text} else json.dumps(text)


def _seconds(since: str) -> float:
    """The Unix time of what was typed."""
    try:
        return moment(since).timestamp()
    except ValidationFailed:
        refuse("--since takes an RFC 3339 time with a zone, as in 2026-01-31T00:00:00Z.")

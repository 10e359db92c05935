"""`gateway tenant ...`: the same store as `/v1/tenants`.

A credential's value comes from a file or from standard input, never from the
command line, which other users of the machine and the shell's history see.
"""

import json
import sys
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from msgspec import UNSET

from clients.secret import Secret
from gateway.cli.environment import configured, fail, refuse, with_audit, with_database
from gateway.problems import ValidationFailed
from gateway.storage.claims import AccountTaken
from gateway.storage.tenants import NameTaken, TenantRecord
from gateway.tenants.credential_sources import Unusable, content
from gateway.tenants.registry import LONGEST_VALUE, Change, Tenants
from gateway.vendor_credentials import RULES, tenants_of

T = TypeVar("T")

STANDARD_INPUT: Final = "-"

SLOTS: Final = RULES.slots
"""Which credentials a tenant can have."""


def _dashed(slot: str) -> str:
    return slot.replace("_", "-")


def _as_json(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")(command)


def _described(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that describe a tenant."""
    wrapped = command
    for slot, rule in reversed([*SLOTS.items()]):
        name = f"--{_dashed(slot)}"
        wrapped = click.option(
            f"{name}-from", f"{slot}_from", metavar="REFERENCE", help="env:TENANT_... or file:/path."
        )(wrapped)
        wrapped = click.option(
            f"{name}-file", f"{slot}_file", metavar="PATH", help="Keep what is in the file, encrypted; -: stdin."
        )(wrapped)
        if not rule.secret:
            wrapped = click.option(name, f"{slot}_value", metavar="TEXT", help="Keep this, encrypted.")(wrapped)
    wrapped = click.option(
        "--cors-origin", "cors_origins", multiple=True, help="A page that may read answers. Repeatable."
    )(wrapped)
    return click.option("--cname-target", help="Where its customers point their CNAME.")(wrapped)


@click.group()
def tenant() -> None:
    """Register, change and remove tenants, who have vendor accounts of their own."""


@tenant.command("create")
@click.argument("name")
@_described
@_as_json
def create_tenant(name: str, *, as_json: bool, **given: Any) -> None:
    """Register a tenant; running gateways know it within a second."""
    wanted = Change(
        cname_target=given.pop("cname_target"),
        cors_origins=given.pop("cors_origins"),
        credentials=_credentials(given),
    )
    record = _changed(lambda tenants: tenants.create(name, wanted), "createTenant", name)
    _print([record], as_json=as_json, one=True)


@tenant.command("list")
@_as_json
def list_tenants(*, as_json: bool) -> None:
    """List registered tenants; no credential is shown."""
    _print(_done(lambda tenants: tenants.list_all()), as_json=as_json)


@tenant.command("show")
@click.argument("name")
@_as_json
def show_tenant(name: str, *, as_json: bool) -> None:
    """Show a tenant, and where each of its credentials comes from."""
    _print([_found(_done(lambda tenants: tenants.get(name)), name)], as_json=as_json, one=True)


@tenant.command("update")
@click.argument("name")
@_described
@click.option(
    "--remove",
    "removed",
    multiple=True,
    type=click.Choice(["cname-target", "cors-origins", *(_dashed(slot) for slot in SLOTS)]),
    help="Empty it. Repeatable.",
)
@_as_json
def update_tenant(name: str, *, removed: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Change what is named of a tenant; running gateways follow within a second."""
    target, origins = given.pop("cname_target"), given.pop("cors_origins")
    wanted = Change(
        cname_target=None if "cname-target" in removed else target or UNSET,
        cors_origins=() if "cors-origins" in removed else origins or UNSET,
        credentials={**_credentials(given), **{slot: None for slot in SLOTS if _dashed(slot) in removed}},
    )
    record = _found(_changed(lambda tenants: tenants.change(name, wanted), "updateTenant", name), name)
    _print([record], as_json=as_json, one=True)


@tenant.command("delete")
@click.argument("name")
def delete_tenant(name: str) -> None:
    """Forget a tenant and its credentials, and revoke its tokens."""
    if not _changed(lambda tenants: tenants.remove(name), "deleteTenant", name):
        fail(f"there is no tenant {name}; `gateway tenant list` shows them.")
    click.echo(f"{name} is deleted, and its tokens are revoked.")


def _done(act: Callable[[Tenants], Awaitable[T]]) -> T:
    given = configured()
    return _told(lambda: with_database(given, lambda database: act(tenants_of(given, database))))


def _changed(act: Callable[[Tenants], Awaitable[T]], action: str, name: str) -> T:
    given = configured()
    return _told(
        lambda: with_audit(lambda database: act(tenants_of(given, database)), action, lambda _: {"name": name})
    )


def _told(act: Callable[[], T]) -> T:
    """What `act` gives; or why it was refused, and the end."""
    try:
        return act()
    except ValidationFailed as problem:
        refuse("\ngateway: ".join(f"{fault.pointer}: {fault.detail}" for fault in problem.faults))
    except NameTaken as error:
        fail(f"there is a tenant {error}.")
    except AccountTaken as error:
        fail(f"{error.slot}: the tenant {error.tenant} has this vendor account already.")


def _credentials(given: dict[str, str | None]) -> dict[str, Secret]:
    """The credentials among the options, by slot."""
    found: dict[str, Secret] = {}
    if sum(path == STANDARD_INPUT for path in given.values()) > 1:
        refuse("only one value can come from standard input.")
    for slot in SLOTS:
        options = {kind: given.get(f"{slot}_{kind}") for kind in ("from", "file", "value")}
        chosen = {kind: text for kind, text in options.items() if text is not None}
        if len(chosen) > 1:
            refuse(f"give --{_dashed(slot)} in one way only.")
        for kind, text in chosen.items():
            if kind == "from" and not text.startswith(("env:", "file:")):
                refuse(f"--{_dashed(slot)}-from takes env:NAME or file:/path.")
            value = _content(text) if kind == "file" else text
            if kind != "from" and value.startswith(("env:", "file:")):
                refuse(f"--{_dashed(slot)}: that is a reference; use --{_dashed(slot)}-from.")
            found[slot] = Secret(value)
    return found


def _content(path: str) -> str:
    """The text in a file, or on standard input."""
    if path == STANDARD_INPUT:
        return sys.stdin.read(LONGEST_VALUE + 2).strip()
    try:
        return content(Path(path))
    except Unusable as error:
        refuse(f"{path}: {error}")


def _found(record: TenantRecord | None, name: str) -> TenantRecord:
    if record is None:
        fail(f"there is no tenant {name}; `gateway tenant list` shows them.")
    return record


def _print(records: Iterable[TenantRecord], *, as_json: bool, one: bool = False) -> None:
    if as_json:
        shown = [_shown(record) for record in records]
        click.echo(json.dumps(shown[0] if one else shown))
        return
    for record in records:
        click.echo(f"{record.name}  cname {record.cname_target or '-'}  pages {' '.join(record.cors_origins) or '-'}")
        for slot, held in sorted(record.credentials.items()):
            click.echo(f"  {slot}  {held.source}  set {_time(held.set_at)}")


def _shown(record: TenantRecord) -> dict[str, Any]:
    """A tenant for machines; times as RFC 3339."""
    return {
        "name": record.name,
        "created_at": _time(record.created_at),
        "cname_target": record.cname_target,
        "cors_origins": [*record.cors_origins],
        "credentials": {
            slot: {"source": held.source, "set_at": _time(held.set_at)} for slot, held in record.credentials.items()
        },
    }


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

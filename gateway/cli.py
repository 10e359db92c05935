"""The `gateway` command."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import time
from typing import Any, Final, NoReturn, TypeVar

import click
import msgspec
from sqlalchemy.engine import make_url
from typing_extensions import override

from clients.sandbox.credentials import credentials
from clients.sandbox.server import PortTaken as SandboxPortTaken
from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway import VERSION, serving, settings, telemetry
from gateway.app import document
from gateway.audit import Audit
from gateway.principal import Mode
from gateway.settings import BadSettings, Settings
from gateway.storage.audit_events import AuditStore
from gateway.storage.database import Database, Unavailable
from gateway.storage.tokens import TokenRecord, TokenStore
from gateway.tenant_commands import Audited, tenant_commands
from gateway.tenants import Tenants
from gateway.tokens import DEFAULT_TENANT, TENANT, Tokens
from gateway.upstreams import RULES, SCOPES, tenants_of

T = TypeVar("T")

MISCONFIGURED: Final = 2
"""The exit code that says: nothing was tried, mend the command or the environment."""

LONGEST_LIFETIME: Final = 10 * 365 * 86400
"""Seconds: a token for longer than ten years is one without expiry."""

LONGEST_NAME: Final = 200
LONGEST_SUBJECT: Final = 256
"""Characters; as long as the vendor allows an `external_id` to be."""

_CREATED: Final = ("id", "token", "scopes", "tenant", "mode", "subject", "expires_at")
"""What `token create --json` prints."""

_LIFETIME: Final = re.compile(r"(?P<count>[1-9][0-9]{0,8})(?P<unit>[dhms])")
_UNIT_SECONDS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}


class Lifetime(click.ParamType[int]):
    """A duration such as `90d`, `12h`, `15m` or `30s`, as seconds."""

    name = "duration"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Seconds, from what was typed."""
        form = _LIFETIME.fullmatch(str(value))
        seconds = int(form["count"]) * _UNIT_SECONDS[form["unit"]] if form else 0
        if not 0 < seconds <= LONGEST_LIFETIME:
            self.fail("write it like 90d, 12h, 15m or 30s; ten years at most", param, ctx)
        return seconds


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="gateway")
def main() -> None:
    """One authenticated surface in front of FunnelFlux Pro custom domains and FunnelFox Billing.

    Configuration comes from the environment; `gateway check-config` shows it.
    """


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes.")
def serve(host: str, port: int, workers: int) -> None:
    """Serve, with the configuration of the environment."""
    configured = _settings(to_serve=True)
    if workers > 1 and configured.redis_url is None:
        _refuse("several workers share their state through Redis: set GATEWAY_REDIS_URL, or use --workers 1.")
    _with_database(configured, _nothing)
    try:
        listening = serving.listen(host, port)
    except serving.PortTaken as error:
        _fail(str(error))
    click.echo(f"Serving on {serving.address_of(listening)}", err=True)
    serving.serve(configured, listening, workers=workers)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", default=8090, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@click.option("--expose", is_flag=True, help="Allow a host that others can reach.")
def sandbox(host: str, port: int, *, expose: bool) -> None:
    """Run the emulator of both vendors alone, and print how to point a gateway at it."""
    try:
        server = SandboxServer(host, port, expose=expose)
    except ValueError:
        _refuse(f"{host} can be reached by others, and the sandbox lets anyone in; add --expose if that is meant.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with server:
            click.echo(_exports(server.url))
            while True:
                signal.pause()
    except KeyboardInterrupt:
        pass
    except SandboxPortTaken as error:
        _fail(str(error))


def _exports(url: str) -> str:
    made = credentials(DEFAULT_TENANT)
    variables = {
        "FUNNELFLUX_URL": f"{url}/v1/billing",
        "FUNNELFLUX_AUTH_URL": f"{url}/v1/auth",
        "FUNNELFLUX_ACCESS_TOKEN": made.access_token,
        "FUNNELFLUX_REFRESH_TOKEN": made.refresh_token,
        "FUNNELFOX_URL": url,
        "FUNNELFOX_ORG_ID": made.org_id,
        "FUNNELFOX_SECRET_KEY": made.secret_key,
    }
    return "\n".join(f"export {name}={value}" for name, value in variables.items())


@main.group()
def token() -> None:
    """Make, list and revoke tokens."""


@token.command("create")
@click.option("--name", required=True, help="For people, to know it again.")
@click.option("--scope", "scopes", required=True, multiple=True, type=click.Choice(sorted(SCOPES)), help="Repeatable.")
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose vendor accounts it reaches.")
@click.option(
    "--mode", default="live", show_default=True, type=click.Choice(["live", "test"]), help="test: the sandbox only."
)
@click.option("--subject", help="Limit it to one customer, by external_id.")
@click.option("--expires-in", type=Lifetime(), help="As in 90d, 12h, 15m or 30s; default: it does not expire.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def create_token(  # noqa: PLR0917 - click passes one parameter per option, by name
    name: str,
    scopes: tuple[str, ...],
    tenant: str,
    mode: Mode,
    subject: str | None,
    expires_in: int | None,
    *,
    as_json: bool,
) -> None:
    """Make a token and print its secret, once."""
    if not TENANT.fullmatch(tenant):
        _refuse("--tenant may hold letters, digits, '_' and '-', 64 at most.")
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        _refuse(f"--name has 1 to {LONGEST_NAME} printable characters.")
    if subject is not None and not 0 < len(subject) <= LONGEST_SUBJECT:
        _refuse(f"--subject has 1 to {LONGEST_SUBJECT} characters.")
    record, secret = _with_tokens(
        lambda tokens: tokens.create(
            name, scopes, tenant=tenant, mode=mode, subject=subject, lifetime_seconds=expires_in
        )
    )
    if as_json:
        shown = {"id": record.id, "token": secret.reveal(), **_shown(record)}
        click.echo(json.dumps({key: shown[key] for key in _CREATED}))
        return
    click.echo(secret.reveal())
    click.echo(f"{record.id}: keep the secret now, it can't be shown again.", err=True)


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of text.")
def list_tokens(*, as_json: bool) -> None:
    """List every token; no secret is among it."""
    records = _with_tokens(lambda tokens: tokens.list_all())
    if as_json:
        click.echo(json.dumps([_shown(record) for record in records]))
        return
    for record in records:
        state = _state(record)
        click.echo(
            f"{record.id}  {record.mode:4}  {record.tenant}  {state:8}  {' '.join(record.scopes)}  {record.name}"
        )


@token.command("revoke")
@click.argument("token_id")
def revoke_token(token_id: str) -> None:
    """Withdraw a token, by its id; effective everywhere within a second."""
    if not _with_tokens(lambda tokens: tokens.revoke(token_id)):
        _fail(f"there is no token {token_id}; `gateway token list` shows them.")
    click.echo(f"{token_id} is revoked.")


@main.command()
def migrate() -> None:
    """Bring the database to the current schema."""
    _with_database(_settings(), lambda database: database.migrate())
    click.echo("The database is current.")


@main.command("openapi")
def print_openapi() -> None:
    """Print the OpenAPI document."""
    click.echo(json.dumps(document(), indent=2, ensure_ascii=False))


@main.command("check-config")
def check_config() -> None:
    """Print the effective configuration, secrets masked; or every fault, and exit 2."""
    for name, value in sorted(_variables(_settings(to_serve=True)).items()):
        click.echo(f"{name}={value}")


def _variables(configured: Settings) -> dict[str, str]:
    """Each variable and what it amounts to."""
    shown: dict[str, str] = {}
    for field in msgspec.structs.fields(configured):
        value = getattr(configured, field.name)
        if isinstance(value, msgspec.Struct):
            owner = "gateway_" if field.name == "oidc" else ""
            shown |= {
                f"{owner}{field.name}_{inner.name}".upper(): _masked(inner.name, getattr(value, inner.name))
                for inner in msgspec.structs.fields(value)
            }
        else:
            shown[f"GATEWAY_{field.name}".upper()] = _masked(field.name, value)
    return shown


def _masked(name: str, value: object) -> str:
    if isinstance(value, Secret) and name.endswith("_url"):
        # A password may stand in the query, too.
        return make_url(value.reveal()).set(query={}).render_as_string(hide_password=True)
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def _settings(*, to_serve: bool = False) -> Settings:
    try:
        return settings.from_environment(to_serve=to_serve)
    except BadSettings as error:
        for fault in error.faults:
            click.echo(f"gateway: {fault}", err=True)
        sys.exit(MISCONFIGURED)


async def _nothing(_: Database) -> None:
    """Only the schema was wanted."""


def _with_tokens(act: Callable[[Tokens], Awaitable[T]]) -> T:
    return _with_database(_settings(), lambda database: act(Tokens(TokenStore(database), time)))


def _with_tenants(act: Callable[[Tenants], Awaitable[T]], audited: Audited | None = None) -> T:
    configured = _settings()

    async def done(database: Database) -> T:
        result = await act(tenants_of(configured, database))
        if audited is not None and result:
            log = telemetry.logger(configured.log_level, configured.log_format)
            audit = Audit(AuditStore(database), log, now=time, keep_days=configured.audit_retention_days)
            await audit.command(*audited)
        return result

    return _with_database(configured, done)


main.add_command(tenant_commands(RULES.slots, _with_tenants))


def _with_database(configured: Settings, act: Callable[[Database], Awaitable[T]]) -> T:
    """Do something with the database, brought to the current schema if it is our own file."""

    async def opened() -> T:
        database = Database(configured.database_url)
        try:
            if database.embedded and not await database.is_current():
                await database.migrate()
            return await act(database)
        finally:
            await database.close()

    try:
        return asyncio.run(opened())
    except Unavailable as error:
        place = _masked("database_url", configured.database_url)
        _fail(f"the database {place} can't be used: {error}.")


def _shown(record: TokenRecord) -> dict[str, Any]:
    """A token for machines; times as RFC 3339."""
    times = {name: _time(getattr(record, name)) for name in ("created_at", "expires_at", "revoked_at")}
    return {**msgspec.to_builtins(record), **times}


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _state(record: TokenRecord) -> str:
    if record.revoked_at is not None:
        return "revoked"
    return "expired" if record.expires_at is not None and record.expires_at <= time() else "valid"


def _refuse(why: str) -> NoReturn:
    """Nothing was tried: the command or the environment must be mended."""
    click.echo(f"gateway: {why}", err=True)
    sys.exit(MISCONFIGURED)


def _fail(why: str) -> NoReturn:
    """It was tried, and did not work."""
    click.echo(f"gateway: {why}", err=True)
    sys.exit(1)

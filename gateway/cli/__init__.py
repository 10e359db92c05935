"""The `gateway` command."""

import json
import signal
import sys
from importlib import import_module
from typing import Final

import click
import msgspec
from typing_extensions import override

from gateway import VERSION
from gateway.app import document
from gateway.cli.environment import configured, fail, masked, refuse, with_database
from gateway.serving import server
from gateway.settings import Settings
from gateway.storage.database import Database
from gateway.tokens.lifecycle import DEFAULT_TENANT

GROUPS: Final = {
    "audit": "audit",
    "cache": "cache",
    "operation": "operations",
    "tenant": "tenants",
    "token": "tokens",
}
"""Commands that have commands, and the module of each."""


class _Commands(click.Group):
    """The commands; groups of them are loaded when they are asked for."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *GROUPS])

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in GROUPS:
            return super().get_command(ctx, cmd_name)
        group: click.Command = getattr(import_module(f"gateway.cli.{GROUPS[cmd_name]}"), cmd_name)
        return group


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
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
    given = configured(to_serve=True)
    if workers > 1 and given.redis_url is None:
        refuse("several workers share their state through Redis: set GATEWAY_REDIS_URL, or use --workers 1.")
    with_database(given, _nothing, any_schema=True)
    try:
        listening = server.inherited() or server.listen(host, port)
    except server.PortTaken as error:
        fail(str(error))
    click.echo(f"Serving on {server.address_of(listening)}", err=True)
    try:
        sys.exit(server.serve(given, listening, workers=workers))
    except server.PortTaken as error:
        fail(str(error))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", default=8090, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@click.option("--expose", is_flag=True, help="Allow a host that others can reach.")
def sandbox(host: str, port: int, *, expose: bool) -> None:
    """Run the emulator of both vendors alone, and print how to point a gateway at it."""
    from clients.sandbox.server import PortTaken, SandboxServer  # noqa: PLC0415 - needed here alone

    try:
        emulator = SandboxServer(host, port, expose=expose)
    except ValueError:
        refuse(f"{host} can be reached by others, and the sandbox lets anyone in; add --expose if that is meant.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with emulator:
            click.echo(_exports(emulator.url))
            while True:
                signal.pause()
    except KeyboardInterrupt:
        pass
    except PortTaken as error:
        fail(str(error))


def _exports(url: str) -> str:
    from clients.sandbox.credentials import credentials  # noqa: PLC0415 - needed here alone

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


@main.command()
def migrate() -> None:
    """Bring the database to the current schema."""
    with_database(configured(), lambda database: database.migrate(), any_schema=True)
    click.echo("The database is current.")


@main.command("openapi")
def print_openapi() -> None:
    """Print the OpenAPI document."""
    click.echo(json.dumps(document(), indent=2, ensure_ascii=False))


@main.command("check-config")
def check_config() -> None:
    """Print the effective configuration, secrets masked; or every fault, and exit 2."""
    for name, value in sorted(_variables(configured(to_serve=True)).items()):
        click.echo(f"{name}={value}")


@main.command("doctor")
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose credentials are tried.")
@click.option("--strict", is_flag=True, help="Exit with 3 if answers are not as documented.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of text.")
def examine(tenant: str, *, strict: bool, as_json: bool) -> None:
    """Ask each vendor something harmless, and say what works, what drifts, and what to do.

    Exits with 0 if what is configured works, 1 if it does not, and 2 if nothing is configured.
    """
    from gateway import doctor  # noqa: PLC0415 - needed here alone

    given = configured()
    try:
        findings = with_database(given, lambda database: doctor.examined(given, database, tenant))
    except LookupError:
        refuse(f"there is no tenant {tenant!r}; `gateway tenant list` shows them.")
    click.echo(msgspec.json.encode(findings).decode() if as_json else doctor.told(findings))
    sys.exit(doctor.exit_code(findings, strict=strict))


def _variables(given: Settings) -> dict[str, str]:
    """Each variable and what it amounts to."""
    shown: dict[str, str] = {}
    for field in msgspec.structs.fields(given):
        value = getattr(given, field.name)
        if isinstance(value, msgspec.Struct):
            owner = "gateway_" if field.name == "oidc" else ""
            shown |= {
                f"{owner}{field.name}_{inner.name}".upper(): masked(inner.name, getattr(value, inner.name))
                for inner in msgspec.structs.fields(value)
            }
        else:
            shown[f"GATEWAY_{field.name}".upper()] = masked(field.name, value)
    return shown


async def _nothing(_: Database) -> None:
    """Only the schema was wanted."""

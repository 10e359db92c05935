"""What the commands share: the environment, the database, and how a command says no."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from time import time
from typing import Any, Final, NoReturn, TypeVar

import click
from sqlalchemy.engine import make_url
from typing_extensions import override

from clients.secret import Secret
from gateway import durations, settings, telemetry
from gateway.audit import Audit
from gateway.settings import BadSettings, Settings
from gateway.storage.audit_events import AuditStore
from gateway.storage.database import Database, Outdated, Unavailable

T = TypeVar("T")

MISCONFIGURED: Final = 2
"""The exit code that says: nothing was tried, mend the command or the environment."""


class Duration(click.ParamType[int]):
    """A duration such as `90d`, `12h`, `15m` or `30s`, as seconds.

    Args:
        least: Seconds.
        most: Seconds.
        told: The bounds in words.
    """

    name = "duration"

    def __init__(self, least: int, most: int, told: str) -> None:
        self._least = least
        self._most = most
        self._told = told

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Seconds, from what was typed."""
        try:
            seconds = durations.seconds(str(value))
        except ValueError as error:
            self.fail(f"{error}; {self._told}", param, ctx)
        if not self._least <= seconds <= self._most:
            self.fail(self._told, param, ctx)
        return seconds


def configured(*, to_serve: bool = False) -> Settings:
    """The settings; or every fault of the environment, and exit 2.

    Args:
        to_serve: Whether all that a server needs must be there.
    """
    try:
        return settings.from_environment(to_serve=to_serve)
    except BadSettings as error:
        for fault in error.faults:
            click.echo(f"gateway: {fault}", err=True)
        sys.exit(MISCONFIGURED)


def with_database(given: Settings, act: Callable[[Database], Awaitable[T]], *, any_schema: bool = False) -> T:
    """Do something with the database, brought to the current schema if it is our own file.

    Args:
        given: Where it is.
        act: What is done.
        any_schema: Whether a PostgreSQL database may have an older schema, or none; otherwise nothing is done there.
    """

    async def opened() -> T:
        database = Database(given.database_url)
        try:
            if (database.embedded or not any_schema) and not await database.is_current():
                if not database.embedded:
                    raise Outdated
                await database.migrate()
            return await act(database)
        finally:
            await database.close()

    try:
        return asyncio.run(opened())
    except Outdated:
        place = masked("database_url", given.database_url)
        fail(f"the schema of the database {place} is not current; run `gateway migrate`.")
    except Unavailable as error:
        place = masked("database_url", given.database_url)
        fail(f"the database {place} can't be used: {error}.")


def with_audit(act: Callable[[Database], Awaitable[T]], action: str, target: Callable[[T], Mapping[str, str]]) -> T:
    """Change something in the database; what gives something was done, and is recorded.

    Args:
        act: What is done.
        action: Its name, the API's operation.
        target: To what, as what it gave tells.
    """
    given = configured()

    async def done(database: Database) -> T:
        result = await act(database)
        if result:
            await recorded(given, database, action, target(result))
        return result

    return with_database(given, done)


async def recorded(given: Settings, database: Database, action: str, target: Mapping[str, str]) -> None:
    """Record in the audit what was done; a database that fails has it written to the log instead."""
    log = telemetry.logger(given.log_level, given.log_format)
    audit = Audit(AuditStore(database), log, now=time, keep_days=given.audit_retention_days)
    await audit.command(action, target)


def masked(name: str, value: object) -> str:
    """A setting as it may be shown."""
    if isinstance(value, Secret) and name.endswith("_url"):
        # A password may stand in the query, too.
        return make_url(value.reveal()).set(query={}).render_as_string(hide_password=True)
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def printable(text: str) -> str:
    """A text for a terminal, which obeys some characters: what callers made up is quoted and escaped where need be."""
    return text if text.isprintable() else json.dumps(text)


def refuse(why: str) -> NoReturn:
    """Nothing was tried: the command or the environment must be mended."""
    click.echo(f"gateway: {why}", err=True)
    sys.exit(MISCONFIGURED)


def fail(why: str) -> NoReturn:
    """It was tried, and did not work."""
    click.echo(f"gateway: {why}", err=True)
    sys.exit(1)

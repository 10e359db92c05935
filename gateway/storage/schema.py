"""The schema's revisions. Alembic, which applies them, is loaded where there is something to apply."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

_MIGRATIONS: Final = Path(__file__).parent / "migrations"

_VERSION: Final = "alembic_version"
"""Alembic's own table: one row, that names the revision."""


def known() -> list[str]:
    """The revisions that this version of the code knows, the newest last: its files are named by their numbers."""
    return sorted(file.name.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def revision(connection: Connection) -> str | None:
    """The revision that a database is at; None: it is empty."""
    if not inspect(connection).has_table(_VERSION):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {_VERSION}")).scalar()  # noqa: S608 - a name of ours
    return found


def upgrade(connection: Connection) -> None:
    """Bring a database to the newest revision."""
    if revision(connection) == known()[-1]:
        return
    from alembic import command  # noqa: PLC0415 - ten megabytes, of no use to a process that only serves
    from alembic.config import Config  # noqa: PLC0415 - the same

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")

"""What is asked of a database: the little that SQLAlchemy's own asynchronous engine and ours have in common."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

import sqlalchemy
from sqlalchemy import CursorResult, Executable

T = TypeVar("T")

Rows = CursorResult[*tuple[Any, ...]]
"""What a statement gives: rows, or the number of those that it changed."""


class Connection(Protocol):
    """A connection, and a transaction on it unless each statement stands for itself."""

    async def execute(self, statement: Executable, parameters: Any = None, /) -> Rows:
        """Do what a statement says, once or once for each of a list of parameters; what it gives is all there."""

    async def exec_driver_sql(self, statement: str, /) -> Rows:
        """The same with a statement as the driver takes it."""

    async def run_sync(self, work: Callable[[sqlalchemy.Connection], T], /) -> T:
        """Do something that needs SQLAlchemy's plain connection."""

    async def commit(self) -> None:
        """Keep what was done so far."""


class Engine(Protocol):
    """Where connections come from."""

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """A connection for a block, after which whatever was not kept is undone."""

    def begin(self) -> AbstractAsyncContextManager[Connection]:
        """The same for a block that is kept if it ends well."""

    async def dispose(self) -> None:
        """Close every connection."""

"""SQLite in threads: the module of Python's library waits, so it does that where nobody else does.

Each connection in use has a thread to itself, in which everything on it is
done, one after the other: also the end of what a caller gave up waiting for.
SQLAlchemy's own asynchronous engine does the same in more steps, by way of a
further driver; to import it loads the whole object-relational mapper, six
megabytes of no use here.
"""

import asyncio
from asyncio import wrap_future
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any, Final, TypeVar, cast

import sqlalchemy
from sqlalchemy import Executable, Result

from gateway.storage.connection import Rows

T = TypeVar("T")

MOST_CONNECTIONS: Final = 2
"""In use at a time by one engine; whoever comes then waits for one. SQLite has one writer, and Python does one thing at
a time: with more of them the same work takes longer."""

Threads = asyncio.LifoQueue[ThreadPoolExecutor]
"""Those that have nothing to do; the last one used is the first one taken."""


def _threads() -> Threads:
    """One thread for each connection, none of which runs before it is used."""
    free = Threads()
    for _ in range(MOST_CONNECTIONS):
        free.put_nowait(_thread())
    return free


def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")


class ThreadedEngine:
    """Has a plain engine's work done in threads.

    Args:
        engine: SQLAlchemy's; its connections may move from thread to thread, as those to SQLite files do.
    """

    def __init__(self, engine: sqlalchemy.Engine) -> None:
        self._engine = engine
        self._free = _threads()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["ThreadedConnection"]:
        """A connection for a block, after which whatever was not kept is undone."""
        thread = await self._free.get()
        opening = _begun(thread, self._engine.connect)
        try:
            yield ThreadedConnection(await wrap_future(opening), thread)
        finally:
            try:
                await asyncio.shield(wrap_future(_begun(thread, lambda: _close(opening))))
            finally:
                self._free.put_nowait(thread)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["ThreadedConnection"]:
        """The same for a block that is kept if it ends well."""
        async with self.connect() as connection:
            yield connection
            await connection.commit()

    async def dispose(self) -> None:
        """Close every connection, and end the threads."""
        free = [self._free.get_nowait() for _ in range(self._free.qsize())]
        for _ in free:
            self._free.put_nowait(_thread())  # For whoever goes on all the same.
        if free:
            await wrap_future(_begun(free[0], self._engine.dispose))
        for thread in free:
            thread.shutdown(wait=False)


class ThreadedConnection:
    """A connection whose work is done in a thread.

    Args:
        connection: SQLAlchemy's.
        thread: Where.
    """

    def __init__(self, connection: sqlalchemy.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread

    async def execute(self, statement: Executable, parameters: Any = None) -> Rows:
        """Do what a statement says, once or once for each of a list of parameters; what it gives is all there."""
        return await self.run_sync(lambda connection: _whole(connection.execute(statement, parameters)))

    async def exec_driver_sql(self, statement: str) -> Rows:
        """The same with a statement as the driver takes it."""
        return await self.run_sync(lambda connection: _whole(connection.exec_driver_sql(statement)))

    async def run_sync(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        """Do something that needs SQLAlchemy's plain connection."""
        return await wrap_future(_begun(self._thread, lambda: work(self._connection)))

    async def commit(self) -> None:
        """Keep what was done so far."""
        await self.run_sync(sqlalchemy.Connection.commit)


def _begun(thread: ThreadPoolExecutor, work: Callable[[], T]) -> Future[T]:
    """What will come of something that is done in a thread, below the span that is current here."""
    return thread.submit(copy_context().run, work)


def _close(opening: Future[sqlalchemy.Connection]) -> None:
    """Undo what was not kept, and give a connection back, if there is one."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _whole(result: Rows) -> Rows:
    """A result that is read to its end, here and not where it is looked at."""
    if not result.returns_rows:
        return result
    whole: Result[*tuple[Any, ...]] = result.freeze()()
    return cast("Rows", whole)  # All but the number of rows, which says nothing of those that are read.

"""When each token was last used, written now and then: no request waits for it, and none fails by it."""

import asyncio
from itertools import islice
from typing import Final

from clients.spans import background
from gateway.storage.database import Unavailable
from gateway.storage.tokens import TokenStore

WRITE_SECONDS: Final = 10.0
"""Between two batches."""

MOST_WAITING: Final = 10_000
"""Tokens of one batch; the times of further ones are lost."""


class LastUsed:
    """Collects times in memory.

    Args:
        store: Where they are kept in the end.
    """

    def __init__(self, store: TokenStore) -> None:
        self._store = store
        self._waiting: dict[str, int] = {}
        self._writing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def note(self, token_id: str, at: int) -> None:
        """A token was used at `at`, in Unix seconds."""
        if token_id in self._waiting or len(self._waiting) < MOST_WAITING:
            self._waiting[token_id] = at

    async def start(self) -> None:
        """Begin to write."""
        self._writing = asyncio.create_task(self._write_until_closed())

    async def close(self) -> None:
        """Write what is left, if the database takes it."""
        self._closing.set()
        if self._writing is not None:
            await self._writing

    async def write(self) -> None:
        """Write what has come together; what the database does not take waits for the next time."""
        if not self._waiting:
            return
        batch, self._waiting = self._waiting, {}
        try:
            with background("write last use of tokens"):
                await self._store.used([*batch.items()])
        except Unavailable:
            self._waiting = dict(islice((batch | self._waiting).items(), MOST_WAITING))

    async def _write_until_closed(self) -> None:
        while not self._closing.is_set():
            try:
                async with asyncio.timeout(WRITE_SECONDS):
                    await self._closing.wait()
            except TimeoutError:
                pass
            await self.write()

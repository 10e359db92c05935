"""What was found for which secret, remembered without forgetting to forget.

A revocation is promised to work in every process within a second, whoever made
it: the API, or the command line, which knows of no process and no Redis. So the
database counts changes in one row, and a process reads that number before it
believes what it remembers, at most every `FRESH_SECONDS`: one cheap query for
all tokens, in place of one for each. With Redis a change is pushed besides, so
that others know at once, and what is remembered is believed on while the
database is gone.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Final, TypeVar

import msgspec

from clients.spans import child
from gateway.shared_store import SharedStore, failures
from gateway.storage.database import Unavailable
from gateway.storage.tokens import KnownSecret, TokenStore

T = TypeVar("T")

FRESH_SECONDS: Final = 0.5
"""How long no change is looked for."""

BELIEVED_SECONDS: Final = 30.0
"""How long a lookup is believed if no change was seen, or the database is gone and none was pushed."""

UNKNOWN_SECONDS: Final = 30.0
"""How long a secret is believed to be nobody's: new ones are random, so none was asked for before it was made."""

MOST_REMEMBERED: Final = 10_000
"""Secrets, and as many that are nobody's: some megabytes. Apart, so that forged ones displace no real ones."""

CHANNEL: Final = "tokens"


class _Remembered(msgspec.Struct, frozen=True):
    looked_at: float
    secret: KnownSecret


class Lookups:
    """Finds what stands behind a secret.

    Args:
        store: Where tokens are kept.
        shared: Tells other processes of changes, and this one of theirs; None: each sees them by itself.
        clock: Seconds that only grow.
        most: How many secrets are remembered, and as many that are nobody's.
        told: Is told where each secret was known from, `memory` or `database`.
    """

    def __init__(
        self,
        store: TokenStore,
        shared: SharedStore | None = None,
        *,
        clock: Callable[[], float] = monotonic,
        most: int = MOST_REMEMBERED,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._told = told
        self._store = store
        self._shared = shared
        self._clock = clock
        self._most = most
        self._known: OrderedDict[str, _Remembered] = OrderedDict()
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._genuine: OrderedDict[str, None] = OrderedDict()
        self._lookups: dict[str, asyncio.Task[KnownSecret | None]] = {}
        self._look: asyncio.Task[None] | None = None
        self._looked_at = float("-inf")
        self._failure: Unavailable | None = None
        self._number: int | None = None
        self._forgotten = 0
        if shared is not None:
            shared.subscribe(
                CHANNEL, heard=lambda message: self._forget(message.decode(errors="replace")), missed=self._forget_all
            )

    async def found(self, secret_hash: str) -> KnownSecret | None:
        """What stands behind the secret with this hash; None: nothing.

        Raises:
            Unavailable: The database failed, and what is remembered is too old.
        """
        unknown_since = self._unknown.get(secret_hash)
        if unknown_since is not None and self._clock() - unknown_since < UNKNOWN_SECONDS:
            self._told("memory")
            return None
        if not self._up_to_date(self._clock()):
            await self._see_changes()
        if (known := self._believed(secret_hash, self._clock())) is not None:
            return known
        self._told("database")
        with child("token lookup"):
            return await self._looked_up(secret_hash)

    def at_hand(self, secret_hash: str) -> KnownSecret | None:
        """The same, if nothing has to be asked; None: `found` tells."""
        now = self._clock()
        return self._believed(secret_hash, now) if self._up_to_date(now) else None

    def remembers(self, secret_hash: str) -> bool:
        """Whether something was found behind the secret not long ago, whatever became of it since."""
        return secret_hash in self._genuine

    async def changed(self, token_id: str) -> None:
        """Forget a token here and, as far as Redis reaches, in every process."""
        self._forget(token_id)
        if self._shared is not None:
            with suppress(*failures()):  # Everybody sees the change in the database, half a second later.
                await self._shared.publish(CHANNEL, token_id.encode())

    def _up_to_date(self, now: float) -> bool:
        """Whether changes were looked for a moment ago."""
        return self._failure is None and self._looked_at > now - FRESH_SECONDS

    def _believed(self, secret_hash: str, now: float) -> KnownSecret | None:
        known = self._known.get(secret_hash)
        if known is None or now - known.looked_at >= BELIEVED_SECONDS:
            return None
        self._told("memory")
        return known.secret

    async def _see_changes(self) -> None:
        oldest = self._clock() - FRESH_SECONDS
        # Once, or twice where another request's look began too long ago.
        while self._looked_at <= oldest:
            if self._look is None:
                self._look = asyncio.create_task(self._look_for_changes())
            await asyncio.shield(self._look)
        if self._failure is not None and not self._pushed:
            raise type(self._failure)(str(self._failure)) from self._failure

    @property
    def _pushed(self) -> bool:
        """Whether changes reach this process without the database."""
        return self._shared is not None and self._shared.state.reachable

    async def _look_for_changes(self) -> None:
        began = self._clock()
        try:
            number = await self._store.changes()
        except Unavailable as error:
            # From its end on, so that requests are refused for a moment without each waiting as long.
            self._failure, self._looked_at = error, self._clock()
        else:
            self._failure, self._looked_at = None, began
            if number != self._number:
                self._number = number
                self._forget_all()
        finally:
            self._look = None

    async def _looked_up(self, secret_hash: str) -> KnownSecret | None:
        """Ask the database, once for all who wait for the same."""
        lookup = self._lookups.get(secret_hash)
        if lookup is None:
            lookup = self._lookups[secret_hash] = asyncio.create_task(self._look_up(secret_hash))
            lookup.add_done_callback(partial(self._ended, secret_hash))
        return await asyncio.shield(lookup)

    async def _look_up(self, secret_hash: str) -> KnownSecret | None:
        looked_at, forgotten = self._clock(), self._forgotten
        secret = await self._store.with_hash(secret_hash)
        if secret is None:
            self._remember(self._unknown, secret_hash, looked_at)
            return None
        self._remember(self._genuine, secret_hash, None)
        if forgotten == self._forgotten:  # Else a change may have overtaken the answer.
            self._remember(self._known, secret_hash, _Remembered(looked_at, secret))
        return secret

    def _ended(self, secret_hash: str, lookup: "asyncio.Task[KnownSecret | None]") -> None:
        if self._lookups.get(secret_hash) is lookup:
            del self._lookups[secret_hash]
        if not lookup.cancelled():
            lookup.exception()  # Looked at, also if all who waited have left.

    def _forget(self, token_id: str) -> None:
        self._begin_anew()
        for secret_hash in [key for key, known in self._known.items() if known.secret.token.id == token_id]:
            del self._known[secret_hash]

    def _forget_all(self) -> None:
        self._begin_anew()
        self._known.clear()

    def _begin_anew(self) -> None:
        """What is being looked up is still answered to those who wait for it, but to nobody else."""
        self._forgotten += 1
        self._lookups.clear()

    def _remember(self, where: OrderedDict[str, T], key: str, value: T) -> None:
        where[key] = value
        where.move_to_end(key)
        if len(where) > self._most:
            where.popitem(last=False)

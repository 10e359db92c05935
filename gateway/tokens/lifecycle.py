"""Tokens from their making to their end, and who stands behind one."""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, cast

import msgspec

from clients.secret import Secret
from gateway.principal import Mode, Principal
from gateway.problems import TokenExpired, TokenInvalid, TokenRevoked
from gateway.storage.tokens import MOST_SECRETS, KnownSecret, Selection, TokenRecord, TokenStore
from gateway.tokens.last_used import LastUsed
from gateway.tokens.lookups import Lookups
from gateway.tokens.secret_form import hash_of, new_secret, well_formed

DEFAULT_TENANT: Final = "default"

TENANT: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

LONGEST_LIFETIME: Final = 10 * 365 * 86400
"""Seconds: a token for longer than ten years is one without expiry."""

OVERLAP_SECONDS: Final = 86400
"""For which a rotated token's old secret goes on to work, if nothing else is said: a day to roll out the new one."""

LONGEST_OVERLAP: Final = 30 * 86400

LONGEST_NAME: Final = 200
LONGEST_SUBJECT: Final = 256
"""Characters; as long as the vendor allows an `external_id` to be."""

HIGHEST_LIMIT: Final = 1_000_000
"""Requests per minute: more is no limit."""

_ID: Final = re.compile(r"tok_[0-9a-f]{24}")


class NotRotated(Exception):
    """A token can't be rotated now; the message says why, for people."""


class OwnLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one token may ask, where that is not as usual."""

    per_minute: int | None = None
    """Requests."""
    money_per_minute: int | None = None
    """Those that move money."""


class Recogniser(Protocol):
    """Knows who stands behind some kind of token."""

    async def principal(self, secret: Secret) -> Principal:
        """Who stands behind `secret`; raises the problem if nobody does."""

    def known(self, secret_hash: str) -> Principal | None:
        """The same of the secret that has this `hash_of`, if nothing has to be asked; None: `principal` tells."""

    def remembers(self, secret_hash: str) -> bool:
        """Whether it was found to be genuine not long ago; whether it still may be used, `principal` tells."""


class Tokens:
    """Makes, recognises, changes and withdraws tokens.

    Every method raises `storage.database.Unavailable` if the database fails.

    Args:
        store: Where they are kept.
        now: The current Unix time.
        lookups: Finds them by their secrets; None: alone, without other processes being told of changes.
        last_used: Notes their use; None: nobody does.
    """

    def __init__(
        self,
        store: TokenStore,
        now: Callable[[], float],
        *,
        lookups: Lookups | None = None,
        last_used: LastUsed | None = None,
    ) -> None:
        self._store = store
        self._now = now
        self._lookups = lookups or Lookups(store)
        self._last_used = last_used

    async def create(  # noqa: PLR0913 - each is a property of the token
        self,
        name: str,
        scopes: Sequence[str],
        *,
        tenant: str = DEFAULT_TENANT,
        mode: Mode = "live",
        subject: str | None = None,
        lifetime_seconds: int | None = None,
        limits: OwnLimits | None = None,
        created_by: str | None = None,
        at: int | None = None,
    ) -> tuple[TokenRecord, Secret]:
        """Make a token; its secret can't be shown a second time.

        Args:
            name: For people, to know it again.
            scopes: What it may do; the caller has checked that they exist.
            tenant: Whose vendor accounts it reaches.
            mode: `test` reaches the sandbox only, `live` the vendors only.
            subject: The one customer it is limited to.
            lifetime_seconds: None: until it is revoked.
            limits: Where they are not the usual ones.
            created_by: `Principal.holder` of who asked for it; None: the command line.
            at: When its lifetime begins, in Unix time; None: now.
        """
        created = int(self._now()) if at is None else at
        record = TokenRecord(
            id=f"tok_{secrets.token_hex(12)}",
            name=name,
            tenant=tenant,
            mode=mode,
            scopes=tuple(sorted(set(scopes))),
            subject=subject,
            created_at=created,
            expires_at=created + lifetime_seconds if lifetime_seconds is not None else None,
            created_by=created_by,
            limit_per_minute=limits.per_minute if limits else None,
            limit_money_per_minute=limits.money_per_minute if limits else None,
        )
        secret = new_secret(mode)
        await self._store.add(record, hash_of(secret))
        return record, secret

    async def principal(self, secret: Secret) -> Principal:
        """Who stands behind `secret`.

        Raises:
            TokenInvalid: It is mistyped, or not one of ours.
            TokenExpired: Its time is over, or a rotation has replaced this secret.
            TokenRevoked: It was withdrawn.
        """
        secret_hash = hash_of(secret)
        # What was found once is well-formed: to look at its letters again takes longer than all the rest.
        if not self._lookups.remembers(secret_hash) and not well_formed(secret):
            raise TokenInvalid("The token is not one of ours; was it copied whole?")
        found = await self._lookups.found(secret_hash)
        if found is None:
            raise TokenInvalid("The token is not one of ours.")
        return self._used(found)

    def known(self, secret_hash: str) -> Principal | None:
        """Who stands behind a secret, if nothing has to be asked; None: `principal` tells."""
        if (found := self._lookups.at_hand(secret_hash)) is None:
            return None
        try:
            return self._used(found)
        except (TokenExpired, TokenRevoked):
            return None

    def _used(self, known: KnownSecret) -> Principal:
        """Who uses a token, unless it may not be used any more."""
        record, now = known.token, self._now()
        if record.revoked_at is not None:
            raise TokenRevoked("The token was revoked.")
        if record.expires_at is not None and now >= record.expires_at:
            raise TokenExpired("The token has expired.")
        if known.ends_at is not None and now >= known.ends_at:
            raise TokenExpired("The token was rotated, and this is its old secret.")
        if self._last_used is not None:
            self._last_used.note(record.id, int(now))
        return known.principal

    def remembers(self, secret_hash: str) -> bool:
        """Whether it was found to be one of ours not long ago; whether it still may be used, `principal` tells."""
        return self._lookups.remembers(secret_hash)

    async def find(self, token_id: str) -> TokenRecord | None:
        """One token, whatever its state."""
        # Text of another form is no id, and may hold what a database does not take.
        return await self._store.find(token_id) if _ID.fullmatch(token_id) else None

    async def list_all(self) -> list[TokenRecord]:
        """Every token, the oldest first; no secret is among it."""
        return await self._store.list_all()

    async def listed(self, of: Selection, *, after: tuple[int, str] | None, most: int) -> list[TokenRecord]:
        """Some tokens, the oldest first; see `TokenStore.listed`."""
        return await self._store.listed(of, after=after, most=most)

    async def change(self, record: TokenRecord, members: Mapping[str, Any]) -> TokenRecord:
        """Give a token other values; effective in every process within a second."""
        changed = await self._store.change(record.id, members)
        await self._lookups.changed(record.id)
        return changed or record

    async def rotate(self, record: TokenRecord, *, overlap_seconds: int = OVERLAP_SECONDS) -> tuple[Secret, int]:
        """Give a token a new secret; it keeps its id and all else.

        Args:
            record: The token, as it was when this was decided.
            overlap_seconds: For how long its old secret goes on to work; 0: it ends at once.

        Returns:
            The new secret, and when the old one ends, in Unix seconds.

        Raises:
            NotRotated: It was rotated in the meantime, has ended, or has too many old secrets.
        """
        at = int(self._now())
        if record.revoked_at is not None or (record.expires_at is not None and at >= record.expires_at):
            raise NotRotated("The token is revoked or has expired; make a new one.")
        secret, old_until = new_secret(cast("Mode", record.mode)), at + overlap_seconds
        if not await self._store.rotate(record, hash_of(secret), at=at, old_until=old_until):
            raise NotRotated(
                "Somebody else rotated or revoked the token just now, "
                f"or {MOST_SECRETS} of its secrets are still valid; nothing was changed."
            )
        await self._lookups.changed(record.id)
        return secret, old_until

    async def revoke(self, token_id: str) -> bool:
        """Withdraw a token; effective in every process within a second.

        Returns:
            Whether there is such a token.
        """
        found = bool(_ID.fullmatch(token_id)) and await self._store.revoke(token_id, at=int(self._now()))
        if found:
            await self._lookups.changed(token_id)
        return found

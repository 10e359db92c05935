"""Tokens: how their secrets look, and who stands behind one.

A secret is `fgw_live_` or `fgw_test_`, 32 random characters (190 bits) and a
checksum of six, so that a scanner recognises one in a log and a mistyped one
is refused without a lookup. Only its SHA-256 is kept.
"""

import re
import secrets
import string
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256
from time import monotonic
from typing import Final, cast
from zlib import crc32

from clients.secret import Secret
from gateway.principal import Mode, Principal
from gateway.problems import TokenExpired, TokenInvalid, TokenRevoked
from gateway.storage.tokens import TokenRecord, TokenStore

DEFAULT_TENANT: Final = "default"

TENANT: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

FRESH_SECONDS: Final = 0.5
"""How long a lookup is believed; a revocation is promised to work everywhere within a second."""

MOST_REMEMBERED: Final = 10_000
"""Lookups kept: some megabytes."""

_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FORM: Final = re.compile(r"fgw_(?:live|test)_(?P<random>[0-9A-Za-z]{32})(?P<checksum>[0-9A-Za-z]{6})")


class Tokens:
    """Makes, recognises and withdraws tokens.

    Every method raises `storage.database.Unavailable` if the database fails.

    Args:
        store: Where they are kept.
        now: The current Unix time.
    """

    def __init__(self, store: TokenStore, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._remembered: OrderedDict[str, tuple[float, TokenRecord]] = OrderedDict()

    async def create(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        tenant: str = DEFAULT_TENANT,
        mode: Mode = "live",
        subject: str | None = None,
        lifetime_seconds: int | None = None,
    ) -> tuple[TokenRecord, Secret]:
        """Make a token; its secret can't be shown a second time.

        Args:
            name: For people, to know it again.
            scopes: What it may do; the caller has checked that they exist.
            tenant: Whose vendor accounts it reaches.
            mode: `test` reaches the sandbox only, `live` the vendors only.
            subject: The one customer it is limited to.
            lifetime_seconds: None: until it is revoked.
        """
        created = int(self._now())
        record = TokenRecord(
            id=f"tok_{secrets.token_hex(12)}",
            name=name,
            tenant=tenant,
            mode=mode,
            scopes=tuple(sorted(set(scopes))),
            subject=subject,
            created_at=created,
            expires_at=created + lifetime_seconds if lifetime_seconds is not None else None,
        )
        secret = _new_secret(mode)
        await self._store.add(record, _hash(secret))
        return record, secret

    async def principal(self, secret: Secret) -> Principal:
        """Who stands behind `secret`.

        Raises:
            TokenInvalid: It is mistyped, or not one of ours.
            TokenExpired: Its time is over.
            TokenRevoked: It was withdrawn.
        """
        if not _well_formed(secret):
            raise TokenInvalid("The token is not one of ours; was it copied whole?")
        record = await self._record(_hash(secret))
        if record.revoked_at is not None:
            raise TokenRevoked("The token was revoked.")
        if record.expires_at is not None and self._now() >= record.expires_at:
            raise TokenExpired("The token has expired.")
        return Principal(
            holder=record.id,
            token_id=record.id,
            tenant=record.tenant,
            mode=cast("Mode", record.mode),
            scopes=frozenset(record.scopes),
            subject=record.subject,
        )

    def remembers(self, secret: Secret) -> bool:
        """Whether it was found to be one of ours not long ago; whether it still may be used, `principal` tells."""
        return _hash(secret) in self._remembered

    async def _record(self, secret_hash: str) -> TokenRecord:
        known = self._remembered.get(secret_hash)
        if known is not None and monotonic() - known[0] < FRESH_SECONDS:
            return known[1]
        looked_at = monotonic()
        record = await self._store.with_hash(secret_hash)
        if record is None:
            raise TokenInvalid("The token is not one of ours.")
        self._remembered[secret_hash] = (looked_at, record)
        self._remembered.move_to_end(secret_hash)
        if len(self._remembered) > MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return record

    async def list_all(self) -> list[TokenRecord]:
        """Every token, the oldest first; no secret is among it."""
        return await self._store.list_all()

    async def revoke(self, token_id: str) -> bool:
        """Withdraw a token; effective in every process within a second.

        Returns:
            Whether there is such a token.
        """
        return await self._store.revoke(token_id, at=int(self._now()))


def _new_secret(mode: Mode) -> Secret:
    prefix = f"fgw_{mode}_"
    random = "".join(secrets.choice(_ALPHABET) for _ in range(32))
    return Secret(f"{prefix}{random}{_checksum(prefix + random)}")


def _well_formed(secret: Secret) -> bool:
    text = secret.reveal()
    form = _FORM.fullmatch(text)
    return form is not None and _checksum(text[: form.start("checksum")]) == form["checksum"]


def _checksum(text: str) -> str:
    """CRC-32 in six base-62 digits, enough for 32 bits."""
    rest = crc32(text.encode())
    digits = ""
    for _ in range(6):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def _hash(secret: Secret) -> str:
    return sha256(secret.reveal().encode()).hexdigest()

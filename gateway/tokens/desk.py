"""What one caller may do with tokens: whose they see, whose they touch, and what they can give away.

Who holds `tokens:write` sees the tokens of the own tenant and mode, and no
others. It gives away what it has and nothing more: no scope that it lacks, never
`admin`, no time beyond its own, and its own limits. A token that can do more
than it, it can see and not touch: a new secret would hand it over.

Who holds `admin` sees the tokens of all tenants (in mode `test`: those of mode
`test`) and may give any scope, though it holds none of them.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from time import time
from typing import Any, Final

from litestar import Request

from clients.secret import Secret
from gateway.auth import caller, insufficient
from gateway.http.rfc9457 import Fault
from gateway.principal import Mode, Principal
from gateway.problems import NotFound, ValidationFailed
from gateway.scopes import SCOPES
from gateway.storage.tokens import Selection, TokenRecord
from gateway.tokens.lifecycle import LONGEST_LIFETIME, OwnLimits, Tokens

DELEGATED_SECONDS: Final = 15 * 60
LONGEST_DELEGATED: Final = 3600
"""For a token in a customer's hands, which nobody can call back from there."""

Issued = tuple[TokenRecord, Secret]


class TokenDesk:
    """Tokens, as one caller may use them.

    Every method raises `storage.database.Unavailable` if the database fails.

    Args:
        by: The caller, who holds `tokens:write` or `admin`.
        tokens: All of them.
        now: The current Unix time.
        customer_scopes: What a token of one customer can use.
    """

    def __init__(self, by: Principal, tokens: Tokens, now: float, *, customer_scopes: AbstractSet[str]) -> None:
        self.customer_scopes = customer_scopes
        self._by = by
        self._tokens = tokens
        self._now = int(now)
        self._operator = "admin" in by.scopes

    async def listed(self, *, subject: str | None, after: tuple[int, str] | None, most: int) -> list[TokenRecord]:
        """The tokens in sight, the oldest first.

        Args:
            subject: Only those of this customer.
            after: `created_at` and `id` of the last one that is known already.
            most: How many.
        """
        tenant = None if self._operator else self._by.tenant
        mode = None if self._operator and self._by.mode == "live" else self._by.mode
        return await self._tokens.listed(Selection(tenant=tenant, mode=mode, subject=subject), after=after, most=most)

    async def find(self, token_id: str) -> TokenRecord:
        """One token.

        Raises:
            NotFound: There is none, or it is out of sight.
        """
        record = await self._tokens.find(token_id)
        if record is None or not self._sees(record):
            raise NotFound("There is no such token.")
        return record

    async def create(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        tenant: str | None,
        mode: Mode | None,
        subject: str | None,
        lifetime_seconds: int | None,
        limits: OwnLimits,
    ) -> Issued:
        """Make a token.

        Args:
            name: For people, to know it again.
            scopes: What it may do.
            tenant: None: the caller's.
            mode: None: the caller's.
            subject: The one customer it is limited to.
            lifetime_seconds: None: as long as may be.
            limits: Where they are not the usual ones; only `admin` sets any.

        Raises:
            InsufficientScope: The caller can't give that.
            ValidationFailed: It would outlive the caller's own token.
        """
        tenant, mode = tenant or self._by.tenant, mode or self._by.mode
        self._may_give(scopes)
        if not self._operator and (tenant, mode) != (self._by.tenant, self._by.mode):
            raise insufficient("The token makes tokens of its own tenant and mode only.", {"admin"})
        if self._by.mode == "test" and mode != "test":
            raise insufficient("A token of mode test makes tokens of mode test only.", {"admin"})
        if limits != OwnLimits():
            self._may_limit()
        return await self._tokens.create(
            name,
            scopes,
            tenant=tenant,
            mode=mode,
            subject=subject,
            lifetime_seconds=self._lifetime(lifetime_seconds),
            limits=limits if self._operator else self._own_limits,
            created_by=self._by.holder,
            at=self._now,  # What is left to the caller was reckoned from then; a second later it would be too long.
        )

    async def delegate(self, name: str, scopes: Sequence[str], *, subject: str, lifetime_seconds: int | None) -> Issued:
        """Make a token for one customer, of the caller's tenant and mode; see `create`.

        Args:
            name: For people, to know it again.
            scopes: What it may do.
            subject: Whose it is.
            lifetime_seconds: None: a quarter of an hour, or as long as may be if that is less.
        """
        if lifetime_seconds is None:
            lifetime_seconds = min(DELEGATED_SECONDS, self._lifetime(None) or DELEGATED_SECONDS)
        return await self.create(
            name,
            scopes,
            tenant=None,
            mode=None,
            subject=subject,
            lifetime_seconds=lifetime_seconds,
            limits=OwnLimits(),
        )

    async def change(self, token_id: str, *, lifetime_seconds: int | None, members: Mapping[str, Any]) -> TokenRecord:
        """Give a token another name or other limits, or less time.

        Args:
            token_id: Which one.
            lifetime_seconds: From now on; None: as before.
            members: Its name and limits, as far as they change, as fields of `TokenRecord`.

        Raises:
            NotFound: There is none, or it is out of sight.
            InsufficientScope: The caller may not touch it, or not set limits.
            ValidationFailed: It would live longer than before.
        """
        record = await self._touchable(token_id)
        if members.keys() - {"name"}:
            self._may_limit()
        changes = dict(members)
        if lifetime_seconds is not None:
            changes["expires_at"] = self._now + lifetime_seconds
            if record.expires_at is not None and changes["expires_at"] > record.expires_at:
                raise _wrong_time("A token's time can be shortened only.")
        return await self._tokens.change(record, changes) if changes else record

    async def rotate(self, token_id: str, *, overlap_seconds: int) -> tuple[TokenRecord, Secret, int]:
        """Give a token a new secret; see `Tokens.rotate`.

        Raises:
            NotFound: There is none, or it is out of sight.
            InsufficientScope: The caller may not touch it.
            NotRotated: Not now.
        """
        record = await self._touchable(token_id)
        secret, old_until = await self._tokens.rotate(record, overlap_seconds=overlap_seconds)
        return record, secret, old_until

    async def revoke(self, token_id: str) -> None:
        """Withdraw a token; a second time changes nothing.

        Raises:
            NotFound: There is none, or it is out of sight.
            InsufficientScope: The caller may not touch it.
        """
        record = await self._touchable(token_id)
        await self._tokens.revoke(record.id)

    def _sees(self, record: TokenRecord) -> bool:
        if self._operator:
            return self._by.mode in {"live", record.mode}
        return (record.tenant, record.mode) == (self._by.tenant, self._by.mode)

    async def _touchable(self, token_id: str) -> TokenRecord:
        record = await self.find(token_id)
        if not self._operator and (beyond := {*record.scopes} - self._by.scopes):
            raise insufficient(
                f"The token can do more than the one that asks: {' and '.join(sorted(beyond))}.", record.scopes
            )
        return record

    def _may_give(self, scopes: Sequence[str]) -> None:
        if not self._operator and (beyond := {*scopes} - self._by.scopes):
            raise insufficient(f"The token can't give what it lacks: {' and '.join(sorted(beyond))}.", scopes)

    def _may_limit(self) -> None:
        if not self._operator:
            raise insufficient("Only the operator sets limits.", {"admin"})

    @property
    def _own_limits(self) -> OwnLimits:
        """What a token of the caller's making inherits, so that a limit is not shed by making another token."""
        return OwnLimits(per_minute=self._by.limit_per_minute, money_per_minute=self._by.limit_money_per_minute)

    def _lifetime(self, asked: int | None) -> int | None:
        """In seconds; a token can't outlive the one that makes it, unless that is the operator's."""
        if self._operator or self._by.expires_at is None:
            return asked
        left = min(self._by.expires_at - self._now, LONGEST_LIFETIME)  # A JWT may say any time.
        if asked is not None and asked > left:
            raise _wrong_time(f"The token that asks ends in {left} seconds, and so must those that it makes.")
        return left if asked is None else asked


def delegable(scopes: Sequence[str], usable: AbstractSet[str]) -> list[Fault]:
    """What is wrong with giving these scopes to a customer.

    Args:
        scopes: Asked for.
        usable: Those that some route asks for which takes a customer's token.
    """
    return [
        Fault(f"/scopes/{index}", f"A customer's token can't use {scope}.")
        for index, scope in enumerate(scopes)
        if scope in SCOPES and scope not in usable
    ]


def token_desk(request: Request[Any, Any, Any]) -> TokenDesk:
    """Tokens, as the caller of a request may use them: for handlers that ask for it."""
    state = request.app.state
    return TokenDesk(caller(request), state.tokens, time(), customer_scopes=state.customer_scopes)


def _wrong_time(detail: str) -> ValidationFailed:
    return ValidationFailed(detail, faults=[Fault("/expires_in", detail)])

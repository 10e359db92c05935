"""Tokens as callers see them, and as they ask for them."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from clients.secret import Secret
from gateway import durations
from gateway.http.rfc9457 import Fault
from gateway.principal import Mode
from gateway.problems import ValidationFailed
from gateway.scopes import SCOPES
from gateway.storage.tokens import TokenRecord
from gateway.tokens.desk import LONGEST_DELEGATED, delegable
from gateway.tokens.lifecycle import (
    HIGHEST_LIMIT,
    LONGEST_LIFETIME,
    LONGEST_NAME,
    LONGEST_OVERLAP,
    LONGEST_SUBJECT,
    TENANT,
    OwnLimits,
)
from routes.shapes.times import from_unix

MOST_SCOPES: Final = 50
"""Of one request: more than there are."""

Scope = Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted(SCOPES)})]
Scopes = Annotated[list[Scope], msgspec.Meta(min_length=1, max_length=MOST_SCOPES)]

Name = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^[^\x00-\x1f\x7f-\x9f]{{1,{LONGEST_NAME}}}\Z", description="For people, to know the token again."
    ),
]

Subject = Annotated[
    str,
    msgspec.Meta(
        # A NUL is the one character that a database does not keep.
        pattern=rf"^[^\x00]{{1,{LONGEST_SUBJECT}}}\Z",
        description="The `external_id` of the one customer that the token is limited to.",
    ),
]

TenantName = Annotated[str, msgspec.Meta(pattern=rf"^{TENANT.pattern}\Z")]

Duration: TypeAlias = (
    Annotated[str, msgspec.Meta(pattern=rf"^{durations.PATTERN}\Z", examples=["15m"])]
    | Annotated[int, msgspec.Meta(ge=0)]
)
"""As in `90d`, `12h`, `15m` or `30s`, or a number of seconds."""

RequestsPerMinute = Annotated[int, msgspec.Meta(ge=1, le=HIGHEST_LIMIT)]


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to be made."""

    name: Name
    scopes: Scopes
    """What it may do."""
    tenant: TenantName | None = None
    """Whose vendor accounts it reaches; left out: the caller's."""
    mode: Mode | None = None
    """`test` reaches the sandbox only, `live` the vendors only; left out: the caller's."""
    subject: Subject | None = None
    expires_in: Duration | None = None
    """From now, as in `90d`, `12h`, `15m` or `30s`, or in seconds; left out: it does not expire before its maker."""
    limit_per_minute: RequestsPerMinute | None = None
    """Requests; left out: as many as usual."""
    limit_money_per_minute: RequestsPerMinute | None = None
    """The same for requests that move money."""

    def lifetime_seconds(self) -> int | None:
        """In seconds; None: it does not expire.

        Raises:
            ValidationFailed: A member has a value that it can't have, with every such member.
        """
        faults = [*_name_faults(self.name), *_scope_faults(self.scopes)]
        return _checked(faults, self.expires_in)

    @property
    def limits(self) -> OwnLimits:
        """Those that are stated."""
        return OwnLimits(per_minute=self.limit_per_minute, money_per_minute=self.limit_money_per_minute)


class DelegatedToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A short-lived token for one customer, to be made."""

    subject: Subject
    scopes: Scopes
    """What it may do; the caller holds all of them."""
    expires_in: Duration | None = None
    """From now, an hour at most: as in `15m` or `30s`, or in seconds; left out: 15 minutes."""
    name: Name = "delegated"

    def lifetime_seconds(self, customer_scopes: AbstractSet[str]) -> int | None:
        """In seconds; None: as usual.

        Args:
            customer_scopes: What a token of one customer can use.

        Raises:
            ValidationFailed: A member has a value that it can't have, with every such member.
        """
        faults = [*_name_faults(self.name), *_scope_faults(self.scopes), *delegable(self.scopes, customer_scopes)]
        return _checked(faults, self.expires_in, LONGEST_DELEGATED)


class TokenChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different; what is left out stays as it is."""

    name: Name | UnsetType = UNSET
    expires_in: Duration | UnsetType = UNSET
    """From now, as in `15m`, or in seconds; never later than before."""
    limit_per_minute: RequestsPerMinute | UnsetType | None = UNSET
    """Requests; null: as many as usual."""
    limit_money_per_minute: RequestsPerMinute | UnsetType | None = UNSET
    """The same for requests that move money."""

    def lifetime_seconds(self) -> int | None:
        """In seconds; None: as before.

        Raises:
            ValidationFailed: A member has a value that it can't have, with every such member.
        """
        faults = [] if isinstance(self.name, UnsetType) else [*_name_faults(self.name)]
        return _checked(faults, None if isinstance(self.expires_in, UnsetType) else self.expires_in)

    @property
    def members(self) -> dict[str, Any]:
        """What else is stated."""
        names = ("name", "limit_per_minute", "limit_money_per_minute")
        return {name: value for name in names if (value := getattr(self, name)) is not UNSET}


class Rotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a token is to be rotated."""

    overlap: Duration = "24h"
    """For how long the old secret goes on to work, 30 days at most; `0s`: it ends at once."""

    def overlap_seconds(self) -> int:
        """In seconds.

        Raises:
            ValidationFailed: It is too long.
        """
        seconds = _seconds(self.overlap)
        if seconds > LONGEST_OVERLAP:
            detail = f"{LONGEST_OVERLAP // 86400} days are the most."
            raise ValidationFailed(detail, faults=[Fault("/overlap", detail)])
        return seconds


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret."""

    id: str
    name: str
    tenant: str
    mode: Mode
    scopes: list[str]
    subject: str | None
    """The one customer that it is limited to."""
    created_at: datetime
    created_by: str | None
    """The id of the token that made it; null: the command line did."""
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    """Some seconds late."""
    limit_per_minute: int | None
    """Requests; null: as many as usual."""
    limit_money_per_minute: int | None

    @classmethod
    def public(cls, record: TokenRecord) -> "Token":
        """A token as it is kept."""
        return cls(**_members(record))


class IssuedToken(Token, frozen=True, kw_only=True):
    """A new token with its secret, which can't be shown again."""

    token: str
    """The secret: send it as `Authorization: Bearer ...`."""

    @classmethod
    def issued(cls, record: TokenRecord, secret: Secret) -> "IssuedToken":
        """A token as it is kept, and its secret."""
        return cls(**_members(record), token=secret.reveal())


class RotatedToken(IssuedToken, frozen=True, kw_only=True):
    """A token with its new secret, which can't be shown again."""

    old_secret_ends_at: datetime | None
    """Until when the one before goes on to work."""

    @classmethod
    def rotated(cls, record: TokenRecord, secret: Secret, old_until: int) -> "RotatedToken":
        """A token as it is kept, its new secret, and when the old one ends in Unix seconds."""
        return cls(**_members(record), token=secret.reveal(), old_secret_ends_at=from_unix(old_until))


def _members(record: TokenRecord) -> dict[str, Any]:
    """Of a token, as callers see them."""
    kept = msgspec.structs.asdict(record)
    times = {name: from_unix(kept[name]) for name in kept if name.endswith("_at")}
    return {name: value for name, value in {**kept, **times, "scopes": list(record.scopes)}.items() if name in _SHOWN}


_SHOWN: Final = frozenset(Token.__struct_fields__)


def _name_faults(name: str) -> list[Fault]:
    return [] if name.isprintable() else [Fault("/name", "Expected printable characters only.")]


def _scope_faults(scopes: Sequence[str]) -> list[Fault]:
    return [
        Fault(f"/scopes/{index}", "There is no such scope.")
        for index, scope in enumerate(scopes)
        if scope not in SCOPES
    ]


def _checked(faults: list[Fault], expires_in: Duration | None, longest: int = LONGEST_LIFETIME) -> int | None:
    seconds = None if expires_in is None else _seconds(expires_in)
    if seconds is not None and not 0 < seconds <= longest:
        most = "an hour" if longest == LONGEST_DELEGATED else "ten years"
        faults = [*faults, Fault("/expires_in", f"Expected more than nothing, and {most} at most.")]
    if faults:
        raise ValidationFailed("The body is not what is needed.", faults=faults)
    return seconds


def _seconds(duration: Duration) -> int:
    return durations.seconds(duration) if isinstance(duration, str) else duration

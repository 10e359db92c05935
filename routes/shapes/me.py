"""The caller, as it sees itself: who it is, what it may do, and how much is left of its limits."""

import math
from collections.abc import Iterable
from datetime import datetime

import msgspec

from gateway.limits.rates import NAMES
from gateway.limits.windows import Standing
from gateway.principal import Mode, Principal
from routes.shapes.times import from_unix


class CallerLimit(msgspec.Struct, frozen=True, kw_only=True):
    """One limit of the caller, and what is left of it."""

    quota: int | None = None
    """Requests a minute; null: there is no limit, and the other two are null."""
    remaining: int | None = None
    """Requests that may be made now."""
    reset_seconds: int | None = None
    """Until more remains than now."""

    @classmethod
    def public(cls, standing: Standing | None) -> "CallerLimit":
        """How a limit stands, rounded as in the `RateLimit` header; None: there is none."""
        if standing is None:
            return cls()
        return cls(quota=standing.quota, remaining=standing.remaining, reset_seconds=math.ceil(standing.wait_seconds))


class CallerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much the caller may ask, by the names that the `RateLimit` header has."""

    default: CallerLimit
    """All requests, this one included."""
    money: CallerLimit
    """Those that move money."""
    probe: CallerLimit
    """Those that make a vendor look at the world."""

    @classmethod
    def public(cls, standings: Iterable[Standing]) -> "CallerLimits":
        """The limits that there are; the others are none."""
        by_name = {standing.name: CallerLimit.public(standing) for standing in standings}
        none = CallerLimit()
        return cls(**{name: by_name.get(name, none) for name in NAMES})


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who the caller is, and what they may do."""

    token_id: str | None
    """Null: not a token of ours."""
    name: str | None
    tenant: str
    mode: Mode
    scopes: list[str]
    subject: str | None
    """The one customer that the caller is limited to."""
    expires_at: datetime | None
    limits: CallerLimits

    @classmethod
    def public(cls, caller: Principal, standings: Iterable[Standing]) -> "Me":
        """The caller of this request, and how its limits stand."""
        return cls(
            token_id=caller.token_id,
            name=caller.name,
            tenant=caller.tenant,
            mode=caller.mode,
            scopes=sorted(caller.scopes),
            subject=caller.subject,
            expires_at=from_unix(caller.expires_at),
            limits=CallerLimits.public(standings),
        )

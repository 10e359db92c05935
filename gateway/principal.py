"""Who makes a request, and what they may do."""

from typing import Literal

import msgspec

Mode = Literal["live", "test"]


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """The caller of one request, as their token tells."""

    holder: str
    """Tells this caller from all others: the token's id, or issuer and `sub` of a JWT. Not for logs: a `sub` may be
    an e-mail address."""

    token_id: str | None
    """Of one of our own tokens; None: a JWT."""

    tenant: str
    mode: Mode
    scopes: frozenset[str]
    subject: str | None
    """The one customer whose data may be reached; None: no such limit."""

    name: str | None = None
    """What people call the token, if it has a name."""

    expires_at: int | None = None
    """When the token ends, in Unix seconds; None: when it is revoked."""

    limit_per_minute: int | None = None
    """Requests, where the token has a limit of its own; None: the usual one."""

    limit_money_per_minute: int | None = None
    """The same for requests that move money."""

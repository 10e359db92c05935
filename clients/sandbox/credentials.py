"""The sandbox's credentials: derived from a tenant's name, recognised without a store."""

import re
from hashlib import sha256
from hmac import compare_digest

import msgspec

# As the vendor documents it: fixed, and no longer ones are issued.
ACCESS_TOKEN_SECONDS = 72 * 3600

# The first access token of each tenant: as if issued when the sandbox started.
FIRST = 0

_ORG_PREFIX = "sandbox-"
# No longer than a hostname label, so that it fits wherever a name is shown.
_TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
# Enough to tell a typo; these keys open made-up data only.
_MARK_LENGTH = 24


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway needs to act as one tenant on both vendors."""

    access_token: str
    refresh_token: str
    org_id: str
    secret_key: str


def credentials(tenant: str) -> Credentials:
    """Derive a tenant's credentials; any process gets the same ones.

    Raises:
        ValueError: The name is not 1 to 64 of `A-Z a-z 0-9 _ -`.
    """
    if not _TENANT.match(tenant):
        raise ValueError("a tenant's name is 1 to 64 letters, digits, '_' or '-'")
    return Credentials(
        access_token=access_token(tenant, FIRST),
        refresh_token=f"sbx-refresh.{tenant}.{_mark('refresh', tenant)}",
        org_id=_ORG_PREFIX + tenant,
        secret_key=f"sbx-secret.{tenant}.{_mark('secret', tenant)}",
    )


def access_token(tenant: str, issued_at: int) -> str:
    """Derive the access token that a tenant was given at `issued_at` (Unix seconds, or `FIRST`)."""
    return f"sbx-access.{tenant}.{issued_at}.{_mark(f'access {issued_at}', tenant)}"


def token_holder(token: str) -> tuple[str, int] | None:
    """Return whose access token it is and when it was issued, or None if it never was."""
    kind, _, rest = token.partition(".")
    tenant, _, rest = rest.partition(".")
    issued_at, _, _ = rest.partition(".")
    # A number of ASCII digits only, of a length that a time can have.
    if kind != "sbx-access" or not _TENANT.match(tenant) or not re.fullmatch(r"[0-9]{1,12}", issued_at):
        return None
    if not same(token, access_token(tenant, int(issued_at))):
        return None
    return tenant, int(issued_at)


def org_tenant(org_id: str) -> str | None:
    """Return the tenant that the organization stands for, or None if there is no such organization."""
    tenant = org_id.removeprefix(_ORG_PREFIX)
    return tenant if tenant != org_id and _TENANT.match(tenant) else None


def same(given: str, expected: str) -> bool:
    """Compare two secrets in constant time, whatever bytes were given."""
    return compare_digest(given.encode(errors="replace"), expected.encode())


def _mark(kind: str, tenant: str) -> str:
    return sha256(f"funnel gateway sandbox/{kind}/{tenant}".encode()).hexdigest()[:_MARK_LENGTH]

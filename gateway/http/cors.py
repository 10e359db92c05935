"""Which browser pages may read our answers (the CORS protocol)."""

from collections.abc import Collection, Iterable
from typing import Final, Protocol

EXPOSED_HEADERS: Final = (
    "X-Request-Id, Server-Timing, Location, Retry-After, ETag, Age, Cache-Status, "
    "RateLimit, RateLimit-Policy, Idempotency-Replayed, Gateway-Operation"
)

REQUEST_HEADERS: Final = (
    "Authorization, Cache-Control, Content-Type, Idempotency-Key, If-None-Match, X-Request-Id, traceparent"
)
"""What a page may send."""


class Pages(Protocol):
    """Which pages tenants admit."""

    def admitted(self, tenant: str | None) -> Collection[str]:
        """The origins that a tenant admits; for None, those that any tenant does."""


class Cors:
    """Which browser pages may read our answers.

    Nothing ever says that a page may send cookies: no answer depends on one,
    and `*` is safe only without.

    Args:
        origins: Such as `https://app.example.com`, admitted for every tenant;
            `*` admits every page.
        pages: What tenants admit besides; None: nothing.
    """

    def __init__(self, origins: Iterable[str], pages: Pages | None = None) -> None:
        self._origins = frozenset(origins)
        self._pages = pages

    def headers(self, origin: str | None, tenant: str | None) -> list[tuple[bytes, bytes]]:
        """What every answer to a page of `origin` carries; nothing if it is not admitted.

        Args:
            origin: As the browser sent it.
            tenant: Whose token came along; None: none that counts, so the answer has nothing of any tenant's.
        """
        if origin is None:
            return []
        of_tenant = self._pages.admitted(tenant) if self._pages is not None else ()
        if not any(one in self._origins or one in of_tenant for one in (origin, "*")):
            return []
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", EXPOSED_HEADERS.encode()),
        ]

    def preflight(self, origin: str | None) -> list[tuple[bytes, bytes]]:
        """What an answer to a preflight carries besides; nothing if the page is not admitted.

        A preflight brings no token, so a page that any tenant admits may ask.
        """
        if not self.headers(origin, None):
            return []
        return [
            (b"access-control-allow-methods", b"GET, HEAD, POST, PATCH, DELETE"),
            (b"access-control-allow-headers", REQUEST_HEADERS.encode()),
            (b"access-control-max-age", b"600"),
        ]

"""Which browser pages may read our answers (the CORS protocol)."""

from collections.abc import Iterable
from typing import Final

EXPOSED_HEADERS: Final = (
    "X-Request-Id, Server-Timing, Location, Retry-After, ETag, Age, Cache-Status, "
    "RateLimit, RateLimit-Policy, Idempotency-Replayed, Gateway-Operation"
)

REQUEST_HEADERS: Final = (
    "Authorization, Cache-Control, Content-Type, Idempotency-Key, If-None-Match, X-Request-Id, traceparent"
)
"""What a page may send."""


class Cors:
    """Which browser pages may read our answers.

    Args:
        origins: Such as `https://app.example.com`; `*` admits every page, which
            is safe because no answer depends on a cookie.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)

    def headers(self, origin: str | None) -> list[tuple[bytes, bytes]]:
        """What every answer to a page of `origin` carries; nothing if it is not admitted."""
        if origin is None or not (self._origins & {origin, "*"}):
            return []
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", EXPOSED_HEADERS.encode()),
        ]

    def preflight(self, origin: str | None) -> list[tuple[bytes, bytes]]:
        """What an answer to a preflight carries besides; nothing if the page is not admitted."""
        if not self.headers(origin):
            return []
        return [
            (b"access-control-allow-methods", b"GET, HEAD, POST, PATCH, DELETE"),
            (
                b"access-control-allow-headers",
                REQUEST_HEADERS.encode(),
            ),
            (b"access-control-max-age", b"600"),
        ]

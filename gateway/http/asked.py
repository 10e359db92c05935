"""What a GET asks, as far as its head tells: the same for all heads that are the same to the byte."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from clients.secret import Secret
from gateway.tokens.secret_form import hash_of

Headers = Mapping[bytes, bytes]
"""The first of each name."""

SCHEME: Final = b"Bearer "

LONG_WAY: Final = frozenset(
    {b"cache-control", b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"access-control-request-method"}
)
"""Headers with which a request is not plain."""


class Asked(msgspec.Struct, frozen=True):
    """What a plain GET asks."""

    target: bytes
    """Path and query, as they came."""
    headers: Headers
    """Less the one that holds the secret."""
    secret_hash: str
    """SHA-256 of the bearer token, in hexadecimal."""


def read(target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Asked | None:
    """What a GET asks; None: its head holds something that takes the long way to understand, or to refuse."""
    given = list(headers)
    first = dict(given)
    authorization = first.pop(b"authorization", b"")
    if not authorization.startswith(SCHEME) or len(first) + 1 < len(given) or not LONG_WAY.isdisjoint(first):
        return None
    return Asked(target, first, hash_of(Secret(authorization[len(SCHEME) :].decode("latin-1"))))

"""What a GET asks, read once for all heads that are the same to the byte.

Who asks for a list again and again sends the same bytes each time. What they
say is known then, and only what they do not say has to be looked at: whether
the token is still good, what is kept, and how much the caller may ask.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from hashlib import sha256
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

NEVER_THE_SAME: Final = frozenset({b"traceparent", b"x-request-id"})
"""Headers with which no head comes a second time."""

MOST_HEADS: Final = 1000
"""That are remembered; the least recently sent go first."""

LONGEST_HEAD: Final = 2048
"""Bytes; longer ones are read each time."""


class Asked(msgspec.Struct, frozen=True):
    """What a plain GET asks, as far as its head tells."""

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


class Heads:
    """Remembers what was asked with which head. No secret is among it: of head and token only SHA-256 is kept."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Asked] = OrderedDict()

    def find(self, head: bytes) -> Asked | None:
        """What a head asks; None: it was not seen lately."""
        if len(head) > LONGEST_HEAD:
            return None
        name = sha256(head).digest()
        if (known := self._known.get(name)) is not None:
            self._known.move_to_end(name)
        return known

    def remember(self, head: bytes, said: Asked) -> None:
        """Know from now on what a head asks: all bytes of one request, and no other."""
        if len(head) > LONGEST_HEAD or not NEVER_THE_SAME.isdisjoint(said.headers):
            return
        self._known[sha256(head).digest()] = said
        if len(self._known) > MOST_HEADS:
            self._known.popitem(last=False)

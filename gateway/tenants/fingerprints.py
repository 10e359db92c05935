"""Fingerprints: what stands for a credential where it is asked whether two are the same.

A plain SHA-256, so that it outlives the rotation of encryption keys; what is
fingerprinted can't be guessed, or is no secret.
"""

from collections.abc import Callable
from hashlib import sha256

from clients.secret import Secret

Fingerprint = Callable[[Secret], str]


def fingerprint(realm: str, *values: Secret) -> str:
    """64 hexadecimal digits that stand for `values`, within a realm of things that may be the same."""
    digest = sha256(realm.encode())
    for value in values:
        # Hashed one by one, so that no two lists run together to the same text.
        digest.update(sha256(value.reveal().encode()).digest())
    return digest.hexdigest()

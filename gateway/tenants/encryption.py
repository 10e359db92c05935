"""Encryption at rest: whoever steals the database has no secret of a vendor's.

What is sealed is bound to its place, so that a row can't be moved to where it
would be opened for somebody else.
"""

import base64
import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from clients.secret import Secret

NONCE_BYTES: Final = 12
"""As AES-GCM wants it; random, which is safe for billions of values under one key."""

_FORM: Final = "v1"
"""Before everything sealed, should another way come one day."""


class Unreadable(Exception):
    """What was sealed can't be opened: its key is not among ours, or it stands in another place."""


class Keyring:
    """The keys of the installation: the first seals, all open.

    Args:
        keys: Any texts that can't be guessed; at least one.
    """

    def __init__(self, keys: Sequence[Secret]) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - megabytes, where there are keys

        derived = [_derived(key) for key in keys]
        self._first = _identifier(derived[0])
        self._keys = {_identifier(key): AESGCM(key) for key in derived}

    @classmethod
    def of(cls, keys: Secret | None) -> "Keyring | None":
        """The keys of the settings, which are separated by commas; None: there are none."""
        return cls([Secret(key) for key in keys.reveal().split(",")]) if keys is not None else None

    def seal(self, plain: str, *, place: str) -> str:
        """Encrypt a text for one place.

        Args:
            plain: The text.
            place: Where it is kept, as in `tenant/slot`; needed again to open it.
        """
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + self._keys[self._first].encrypt(nonce, plain.encode(), _bound(place))
        return f"{_FORM}.{self._first}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, *, place: str) -> str:
        """The text that was sealed for this place.

        Raises:
            Unreadable: With a sentence on why.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as above

        form, _, rest = sealed.partition(".")
        identifier, _, encoded = rest.partition(".")
        if form != _FORM or (key := self._keys.get(identifier)) is None:
            raise Unreadable("it was encrypted with a key that is not among GATEWAY_ENCRYPTION_KEYS")
        try:
            content = base64.urlsafe_b64decode(encoded)
            return key.decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], _bound(place)).decode()
        except (InvalidTag, ValueError) as error:
            raise Unreadable("it was changed, or belongs elsewhere") from error


def _derived(key: Secret) -> bytes:
    """A key of the right length; the texts are long and random, so none of the slow derivations is needed."""
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415 - as above

    return HKDF(SHA256(), length=32, salt=None, info=b"funnel-gateway at rest").derive(key.reveal().encode())


def _identifier(key: bytes) -> str:
    """Tells keys apart, and tells nothing of them."""
    return sha256(b"identifier" + key).hexdigest()[:12]


def _bound(place: str) -> bytes:
    return place.encode()

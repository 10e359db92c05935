"""How the secret of a token looks.

It is `fgw_live_` or `fgw_test_`, 32 random characters (190 bits) and a checksum
of six, so that a scanner recognises one in a log and a mistyped one is refused
without a lookup. Only its SHA-256 is kept.
"""

import re
import secrets
import string
from hashlib import sha256
from typing import Final
from zlib import crc32

from clients.secret import Secret
from gateway.principal import Mode

_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FORM: Final = re.compile(r"fgw_(?:live|test)_(?P<random>[0-9A-Za-z]{32})(?P<checksum>[0-9A-Za-z]{6})")


def new_secret(mode: Mode) -> Secret:
    """One that nobody has had before."""
    prefix = f"fgw_{mode}_"
    random = "".join(secrets.choice(_ALPHABET) for _ in range(32))
    return Secret(f"{prefix}{random}{_checksum(prefix + random)}")


def well_formed(secret: Secret) -> bool:
    """Whether it may be one of ours: its form is right, and so is its checksum."""
    text = secret.reveal()
    form = _FORM.fullmatch(text)
    return form is not None and _checksum(text[: form.start("checksum")]) == form["checksum"]


def hash_of(secret: Secret) -> str:
    """What is kept of it: its SHA-256 in hexadecimal."""
    return sha256(secret.reveal().encode()).hexdigest()


def _checksum(text: str) -> str:
    """CRC-32 in six base-62 digits, enough for 32 bits."""
    rest = crc32(text.encode())
    digits = ""
    for _ in range(6):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits

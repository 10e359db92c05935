"""What the value of a setting may be: each reads one kind, or raises ValueError with the rest of a sentence."""

import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

ORG_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
"""What may stand in the billing vendor's path: nothing that could change the path."""

_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")

_HOSTNAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?"
)

LONGEST_ISSUER: Final = 300
"""Characters; with a `sub` behind it, it is the name of a caller wherever callers are recorded."""

LAST_PORT: Final = 65535

LIMIT_OF_FILE: Final = 64 * 1024
"""Bytes of a `NAME_FILE`: a secret is short, and a mistaken path may lead to anything."""

SHORTEST_KEY: Final = 32
"""Characters of an encryption key, which must be beyond guessing: 128 bits in hexadecimal."""


def content_of(path: str) -> str:
    """The secret that a file holds."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(LIMIT_OF_FILE + 1)
        text = content.decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError("the file can't be read as text.") from error
    if not text or len(content) > LIMIT_OF_FILE:
        raise ValueError("the file is empty or far too long for a secret.")
    return text


def url(text: str) -> str:
    """An http or https URL, without credentials, query and fragment."""
    # The value may hold a password, so no message repeats it.
    if not _VISIBLE.fullmatch(text):
        raise ValueError("must be visible ASCII characters only.")
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http or https URL.")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("must have neither credentials, query nor fragment.")
    _ = parts.port  # Raises ValueError if it is no port.
    return urlunsplit(parts).rstrip("/")


def on_loopback(address: str) -> bool:
    """Whether a URL's host is this machine, so that nobody can listen in."""
    return urlsplit(address).hostname in {"localhost", "127.0.0.1", "::1"}


def issuer(text: str) -> str:
    """An issuer of JWTs, as it names itself: https, except on this machine."""
    _ = url(text)
    if urlsplit(text).scheme != "https" and not on_loopback(text):
        raise ValueError("must be an https URL, except on this machine.")
    if len(text) > LONGEST_ISSUER:
        raise ValueError(f"must not be longer than {LONGEST_ISSUER} characters.")
    return text  # As it was given: a trailing slash is part of an issuer's name.


def database_url(text: str) -> str:
    """A database of SQLite or PostgreSQL."""
    try:
        parts = make_url(text)
    except ArgumentError as error:
        raise ValueError("is no database URL.") from error
    if parts.drivername not in {"sqlite", "postgresql", "postgres"}:
        raise ValueError("must begin with sqlite:/// or postgresql://.")
    if parts.drivername == "sqlite" and (parts.host or parts.database in {None, "", ":memory:"}):
        raise ValueError("must name a file, as in sqlite:///gateway.db or sqlite:////var/lib/gateway.db.")
    return text


def redis_url(text: str) -> str:
    """A Redis or Valkey."""
    if urlsplit(text).scheme not in {"redis", "rediss"}:
        raise ValueError("must begin with redis:// or rediss://.")
    return text


def sandbox(text: str) -> str:
    """`embedded`, `off`, or where a sandbox runs."""
    return text if text in {"embedded", "off"} else url(text)


def credential(text: str) -> str:
    """A token or key that a header can carry."""
    if not _VISIBLE.fullmatch(text):
        raise ValueError("must be visible ASCII characters, on one line.")
    return text


def hostname(text: str) -> str:
    """A hostname, such as a CNAME's target."""
    if not _HOSTNAME.fullmatch(text):
        raise ValueError("must be a hostname.")
    return text


def org_id(text: str) -> str:
    """What may stand in the billing vendor's path."""
    if not ORG_ID.fullmatch(text):
        raise ValueError("may hold letters, digits, '_' and '-' only.")
    return text


def origin(text: str) -> str:
    """One origin of pages, or `*`."""
    stripped = text.strip().rstrip("/")
    if stripped != "*" and (urlsplit(stripped).path or "," in stripped or not urlsplit(url(stripped)).hostname):
        raise ValueError("must be an origin such as https://app.example.com, or '*'.")
    return stripped


def origins(text: str) -> tuple[str, ...]:
    """Origins of pages, separated by commas; or `*`."""
    try:
        return tuple(origin(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError("must be origins such as https://app.example.com, separated by commas, or '*'.") from error


def encryption_keys(text: str) -> str:
    """Keys, separated by commas; the first encrypts."""
    keys = [key.strip() for key in text.split(",")]
    if not all(len(key) >= SHORTEST_KEY and _VISIBLE.fullmatch(key) for key in keys):
        raise ValueError(
            f"must be keys of {SHORTEST_KEY} or more visible ASCII characters, separated by commas; "
            "`openssl rand -base64 32` makes one."
        )
    return ",".join(keys)


def folder(text: str) -> str:
    """An absolute path."""
    if not Path(text).is_absolute() or ".." in Path(text).parts:
        raise ValueError("must be an absolute path.")
    return text


def networks(text: str) -> tuple[str, ...]:
    """Addresses and networks, separated by commas."""
    try:
        return tuple(str(ip_network(part.strip())) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError("must be addresses or networks such as 10.0.0.0/8, separated by commas.") from error


def one_of(literal: Any) -> Callable[[str], Any]:
    """Reads one of the words of a `Literal`."""
    allowed = literal.__args__

    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}.")
        return text

    return parse


def seconds(text: str) -> float:
    """A duration that is not nothing."""
    value = float(text)
    if not 0 < value <= 3600:  # noqa: PLR2004 - an hour: beyond it no caller waits
        raise ValueError("must be more than 0 and at most 3600 seconds.")
    return value


def seconds_or_none(text: str) -> float:
    """A duration."""
    value = float(text)
    if not 0 <= value <= 3600:  # noqa: PLR2004 - as above
        raise ValueError("must be 0 to 3600 seconds.")
    return value


def age(text: str) -> float:
    """An age, up to a day."""
    value = float(text)
    if not 0 <= value <= 86400:  # noqa: PLR2004 - a day: what is older is no cache but an archive
        raise ValueError("must be 0 to 86400 seconds.")
    return value


def count(text: str) -> int:
    """A whole number, 1 or more."""
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text)):  # noqa: PLR2004 - no overflow
        raise ValueError("must be a whole number, 1 or more.")
    return int(text)


def limit(text: str) -> int:
    """A whole number; 0: no limit."""
    return 0 if text == "0" else count(text)


def port(text: str) -> int:
    """A TCP port."""
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) <= LAST_PORT):
        raise ValueError(f"must be a port, 1 to {LAST_PORT}.")
    return int(text[:6])

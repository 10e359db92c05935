"""Which hostnames we accept, and in which form they travel on."""

import re
from typing import Final

import idna

LONGEST: Final = 253
"""Octets of a name in DNS (RFC 1035, section 2.3.4, less the root's)."""

LONGEST_TYPED: Final = 1000
"""Characters that are looked at: mapping a longer text costs time and can't end well."""

RESERVED: Final = ("localhost", "local", "internal")
"""Last labels that never lead to a public server."""

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def hostname(typed: str) -> str:
    """The canonical form of a hostname: A-labels, lower case, no trailing dot.

    Args:
        typed: As a person or a program gave it, IDN in either form.

    Raises:
        ValueError: With a sentence on what is wrong.

    Source: UTS #46, non-transitional; the vendor's own rules are not documented.
    """
    if len(typed) > LONGEST_TYPED:
        raise ValueError(f"A hostname has at most {LONGEST} octets.")
    name = _ascii(typed).lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > LONGEST:
        raise ValueError(f"A hostname has at most {LONGEST} octets.")
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("A hostname has labels of letters, digits and inner hyphens, with dots between them.")
    if len(labels) < 2:  # noqa: PLR2004 - a name and the domain it is in
        raise ValueError("A hostname has at least one dot.")
    if _NUMBER.fullmatch(labels[-1]):
        raise ValueError("The last label of a hostname is no number; IP addresses are not accepted.")
    if labels[-1] in RESERVED:
        raise ValueError(f"Hostnames under .{labels[-1]} are never public.")
    for label in labels:
        _check_a_label(label)
    return name


def _ascii(typed: str) -> str:
    if typed.isascii():
        return typed
    try:
        return idna.encode(typed, uts46=True).decode()
    except (idna.IDNAError, UnicodeError) as error:
        raise ValueError("The hostname can't be written in ASCII (UTS #46).") from error


def _check_a_label(label: str) -> None:
    if not label.startswith("xn--"):
        return
    try:
        idna.decode(label)
    except (idna.IDNAError, UnicodeError) as error:
        raise ValueError(f"The label {label} is not a valid A-label.") from error

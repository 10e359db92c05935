"""Header fields as they go over the wire: an answer that is sent at once has no time to take them apart."""

from collections.abc import Iterable

Field = tuple[bytes, bytes]
"""Name and value, as ASGI has them."""


def lines(fields: Iterable[Field]) -> bytes:
    """One line for each field (RFC 9112, section 5)."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


def fields(text: bytes) -> list[Field]:
    """The fields of which `lines` has made that text."""
    return [(name, value) for name, _, value in (line.partition(b": ") for line in text.split(b"\r\n")[:-1])]

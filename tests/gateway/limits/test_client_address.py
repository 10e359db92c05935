"""Who sent a request, as far as limits are concerned."""

import pytest

from gateway.limits.client_address import ClientAddress

PROXIES = ("10.0.0.0/8", "2001:db8:aaaa::/48")


def address(peer: str | None, *forwarded: str, trusted: tuple[str, ...] = PROXIES) -> str:
    """The address of a request from `peer` with these `X-Forwarded-For` headers."""
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return ClientAddress(trusted).of({"client": (peer, 4711) if peer is not None else None, "headers": headers})


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        # Nobody but a trusted proxy is believed.
        ("198.51.100.7", (), "198.51.100.7"),
        ("198.51.100.7", ("203.0.113.9",), "198.51.100.7"),
        # The rightmost entry that is no trusted proxy; what stands left of it the caller may have written.
        ("10.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ("10.0.0.1", ("1.1.1.1, 203.0.113.9",), "203.0.113.9"),
        ("10.0.0.1", ("203.0.113.9, 10.1.2.3",), "203.0.113.9"),
        ("10.0.0.1", ("1.1.1.1", "203.0.113.9"), "203.0.113.9"),
        ("10.0.0.1", ("10.9.9.9",), "10.9.9.9"),
        # What can't be read ends the search.
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("203.0.113.9, nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("203.0.113.9, \xff\x00, 10.1.2.3",), "10.1.2.3"),
        ("10.0.0.1", (",",), "10.0.0.1"),
        # With a port, as some proxies add it.
        ("10.0.0.1", ("203.0.113.9:51234",), "203.0.113.9"),
        ("10.0.0.1", ("[2001:db8:1:2:3::4]:51234",), "2001:db8:1:2::/64"),
        # IPv6 by /64; IPv4 in IPv6's clothes is IPv4.
        ("2001:db8:1:2:ffff::1", (), "2001:db8:1:2::/64"),
        ("2001:db8:aaaa::1", ("203.0.113.9",), "203.0.113.9"),
        ("::ffff:198.51.100.7", (), "198.51.100.7"),
        ("::ffff:10.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ("fe80::1%eth0", (), "fe80::/64"),
        # A Unix socket has no address.
        (None, ("203.0.113.9",), "unknown"),
        ("", (), "unknown"),
    ],
)
def test_the_address_is_the_nearest_that_can_be_believed(
    peer: str | None, forwarded: tuple[str, ...], expected: str
) -> None:
    """Nobody escapes a limit by writing a header, and nobody pays for another behind the same proxy."""
    assert address(peer, *forwarded) == expected


def test_without_trusted_proxies_the_header_means_nothing() -> None:
    """Every caller can write it."""
    assert address("10.0.0.1", "203.0.113.9", trusted=()) == "10.0.0.1"

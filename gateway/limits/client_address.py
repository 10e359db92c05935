"""Where a request comes from, and how often wrong tokens came from there."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

from gateway.limits.rates import refusal
from gateway.limits.windows import Windows

NOWHERE: Final = "unknown"
"""The address of a peer without one, as on a Unix socket."""

IPV6_HOST_BITS: Final = 64
"""One caller has a whole /64, and may take another address of it for each request."""


class ClientAddress:
    """Finds out who sent a request.

    Args:
        trusted: Addresses and networks of proxies whose `X-Forwarded-For` is believed; nobody else's is.
    """

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._trusted = tuple(ip_network(proxy) for proxy in trusted)

    def of(self, scope: Any) -> str:
        """The caller's IPv4 address or IPv6 /64.

        It is the socket's peer; behind a trusted proxy the entry of
        `X-Forwarded-For` that the outermost trusted proxy has added, which is
        the rightmost one that is not a trusted proxy itself.
        """
        peer = scope.get("client")
        address = _address(peer[0]) if peer else None
        if address is None:
            return NOWHERE
        if self._trusted and self._is_trusted(address):
            for entry in reversed(_forwarded(scope["headers"])):
                nearer = _address(entry)
                if nearer is None:  # Nobody can say who stands behind it.
                    break
                address = nearer
                if not self._is_trusted(address):
                    break
        return _group(address)

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in proxy for proxy in self._trusted)


class Guesses:
    """Stops whoever tries tokens out, before any of them is looked up.

    Only what is no token of ours counts; one that has expired or was revoked
    is no guess. Counted in this process alone: it is here that the lookups are
    spared.

    Args:
        per_minute: Wrong tokens from one address; 0: as many as it likes.
        addresses: Finds out who sent a request.
        windows: Counts.
    """

    def __init__(self, per_minute: int, addresses: ClientAddress, windows: Windows) -> None:
        self._per_minute = per_minute
        self._addresses = addresses
        self._windows = windows

    @property
    def any(self) -> bool:
        """Whether there were any, of late."""
        return bool(self._per_minute and len(self._windows))

    def check(self, scope: Any) -> None:
        """Refuse a request from where too many wrong tokens came.

        Raises:
            RateLimited: With how long to wait.
        """
        standing = self._windows.look(self._addresses.of(scope), "guesses", self._per_minute)
        if not standing.admitted:
            raise refusal("Too many wrong tokens came from this address.", standing.wait_seconds)

    def wrong(self, scope: Any) -> None:
        """Count a wrong token."""
        if self._per_minute:
            self._windows.add(self._addresses.of(scope))


def _forwarded(headers: Sequence[tuple[bytes, bytes]]) -> list[str]:
    """The entries of all `X-Forwarded-For`, in the order in which proxies added them."""
    lines = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
    return [entry.strip() for entry in ",".join(lines).split(",")] if lines else []


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, with or without a port; None if it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A socket that takes both kinds shows IPv4 as ::ffff:192.0.2.1, which would put all of it into one /64.
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _group(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return f"{IPv6Address(int(address) >> IPV6_HOST_BITS << IPV6_HOST_BITS)}/{IPV6_HOST_BITS}"

"""The six calls of the custom-domains API."""

from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from clients.domains import wire
from clients.domains.envelope import decoded
from clients.errors import Garbled, Operation
from clients.transport import Upstream

T = TypeVar("T")

NAME: Final = "funnelflux"

LIST: Final = Operation(NAME, "GET /domains", "read")
CREATE: Final = Operation(NAME, "POST /domains", "write")
CHECK: Final = Operation(NAME, "POST /domains/check", "probe")
GET: Final = Operation(NAME, "GET /domains/{domain}", "read")
DELETE: Final = Operation(NAME, "DELETE /domains/{domain}", "write")
REFRESH: Final = Operation(NAME, "POST /domains/{domain}/refresh", "probe")

OPERATIONS: Final = (LIST, CREATE, CHECK, GET, DELETE, REFRESH)


class DomainsClient:
    """The custom domains of one account.

    Every method raises `clients.errors.UpstreamError` for what it does not
    name itself. Hostnames are lower case, without scheme or port
    ("track.example.com"); the vendor does not document its own rules for them.

    Args:
        upstream: Already aimed at the vendor, with its credentials.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def list_all(self) -> list[wire.DomainSummary]:
        """Every domain of the account, from the vendor's ledger, in no documented order.

        Source: FunnelFlux seed, "List all domains".
        """
        listed = await self._call(LIST, "/domains", wire.DomainList)
        return listed.domains or []

    async def create(self, hostname: str) -> wire.DomainInfo | None:
        """Register a hostname and provision it; the vendor may bill for it.

        Returns:
            The vendor's record; None if the vendor said yes and did not show it.

        Raises:
            Refused: With `DOMAIN_EXISTS` if the account has it already, with
                `DOMAIN_ALREADY_OWNED` if another account has it.

        Source: FunnelFlux seed, "Create a new domain".
        """
        reply = await self._upstream.call(CREATE, "/domains", json=msgspec.json.encode({"domain": hostname}))
        try:
            return decoded(reply, CREATE, wire.OneDomain).domain
        except Garbled:
            # The vendor's yes is what counts: the domain exists, whatever else the answer lacks.
            return None

    async def check(self, hostname: str) -> wire.CheckResult:
        """Have the vendor ask a hostname for its debug page; it need not be one of the account's.

        Source: FunnelFlux seed, "Check domain configuration".
        """
        return await self._call(CHECK, "/domains/check", wire.CheckResult, {"domain": hostname})

    async def get(self, hostname: str) -> wire.DomainInfo:
        """One domain, its TLS state and the records still to publish.

        Raises:
            NotFound: The account has no such domain.

        Source: FunnelFlux seed, "Get domain details".
        """
        return (await self._call(GET, f"/domains/{_segment(hostname)}", wire.OneDomain)).domain

    async def delete(self, hostname: str) -> None:
        """Remove a hostname and its registration.

        Raises:
            NotFound: The account has no such domain. What a second delete
                answers is not documented by the vendor.

        Source: FunnelFlux seed, "Delete a domain".
        """
        await self._upstream.call(DELETE, f"/domains/{_segment(hostname)}")

    async def refresh(self, hostname: str) -> wire.Refreshed:
        """Read the current Cloudflare state and run the check; asks nobody to verify anew.

        Source: FunnelFlux seed, "Refresh domain status".
        """
        return await self._call(REFRESH, f"/domains/{_segment(hostname)}/refresh", wire.Refreshed)

    async def _call(self, operation: Operation, path: str, shape: type[T], body: dict[str, str] | None = None) -> T:
        json = msgspec.json.encode(body) if body is not None else None
        return decoded(await self._upstream.call(operation, path, json=json), operation, shape)


def _segment(hostname: str) -> str:
    # A slash in the name must not reach another of the vendor's paths.
    return quote(hostname, safe="")

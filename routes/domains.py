"""Custom domains: list, create, inspect, remove."""

import asyncio
from enum import StrEnum
from operator import attrgetter
from typing import Annotated, Final

from litestar import Response, Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from clients.domains import wire
from clients.domains.client import CHECK
from clients.errors import Garbled, UpstreamError
from gateway.cached_topics import DOMAIN_LIST, domain_detail
from gateway.direct import Reader, direct
from gateway.fanout import with_optional
from gateway.http.rfc9457 import Fault
from gateway.idempotency import IdempotencyKey, once
from gateway.needs import needs
from gateway.operations.intentions import Intention
from gateway.problems import ValidationFailed
from gateway.upstreams import ReadContext, TenantContext
from routes.shapes.domains import Check, Domain, DomainDetails, NewDomain
from routes.shapes.hostnames import hostname as canonical
from routes.shapes.missing import Missing
from routes.shapes.page import DEFAULT_LIMIT, MOST_ROWS, Cursor, Page, page

MOST_EXPANDED: Final = 50
"""Rows on a page whose every row costs two calls."""

_BY_HOSTNAME: Final = attrgetter("domain")

AT_ONCE: Final = 5
"""Domains looked at together, so that one page does not crowd out other callers."""


class Expansion(StrEnum):
    """What a row can be shown with."""

    READINESS = "readiness"


@get(
    "/",
    opt=needs("domains:read", cached=DOMAIN_LIST, folded=["q"]),
    operation_id="listDomains",
    status_code=200,
)
@direct
async def list_domains(
    tenant: Reader,
    limit: Annotated[
        int | None, QueryParameter(ge=1, le=MOST_ROWS, description="The most rows on a page; 100, or 50 when expanded.")
    ] = None,
    cursor: Cursor = None,
    status: Annotated[str | None, QueryParameter(description="Only domains in this status.")] = None,
    q: Annotated[str | None, QueryParameter(description="Only hostnames that contain this.")] = None,
    expand: Annotated[
        Expansion | None,
        QueryParameter(description="Look at each domain and add the verdict; at most 50 rows a page."),
    ] = None,
) -> Page[Domain]:
    """List the tenant's domains, sorted by hostname; as they were up to a minute ago.

    Status fields can be null here, and a null matches no `status`: the vendor
    fills them only when a domain is looked at. With `expand=readiness` every
    domain of the page is looked at, and `status` applies to what was seen, so
    that a page may hold fewer rows than `limit` though another follows.
    """
    if expand is not None and limit is not None and limit > MOST_EXPANDED:
        fault = Fault("/limit", f"At most {MOST_EXPANDED} with expand=readiness.", "query")
        raise ValidationFailed("The query is not what is needed.", faults=[fault])
    rows = await tenant.cache.fetch(DOMAIN_LIST, tenant.domains.list_all)
    fetched_at = tenant.cache.fetched_at
    if q is not None:
        rows = [row for row in rows if q.lower() in row.domain.lower()]
    if expand is None:
        matching = [row for row in rows if status is None or (row.status or None) == status]
        found = page(matching, key=_BY_HOSTNAME, limit=limit or DEFAULT_LIMIT, cursor=cursor, fetched_at=fetched_at)
        return found.showing([Domain.public(row) for row in found.data])
    listed = page(rows, key=_BY_HOSTNAME, limit=limit or MOST_EXPANDED, cursor=cursor, fetched_at=fetched_at)
    expanded = await _expanded([Domain.public(row) for row in listed.data], tenant)
    return listed.showing([row for row in expanded if status is None or row.status == status])


@post("/", opt=needs("domains:write", target=("hostname",)), operation_id="createDomain", status_code=201)
async def create_domain(
    data: JSONBody[NewDomain], tenant: NamedDependency[TenantContext], idempotency_key: IdempotencyKey = None
) -> Response[DomainDetails]:
    """Register a hostname and return the DNS records that its owner must publish.

    The vendor may bill for it.
    """
    hostname = _from_body(data)

    async def act() -> Response[DomainDetails]:
        missing = []
        async with tenant.cache.dropping(DOMAIN_LIST, domain_detail(hostname)):
            info = await tenant.domains.create(hostname)
        if info is None:
            try:
                info = await tenant.domains.get(hostname)
            except UpstreamError as error:
                info = wire.DomainInfo(domain=hostname)
                missing = [Missing.of("details", error, tenant.at)]
        return Response(
            DomainDetails.merge(info, None, cname_target=tenant.cname_target, missing=missing),
            headers={"Location": f"{tenant.at.public_url}/v1/domains/{hostname}"},
        )

    return await once(tenant.ledger, idempotency_key, Intention(facts={"hostname": hostname}), act, keyed=False)


@post("/check", opt=needs("domains:read", probe=True), operation_id="checkDomain", status_code=200)
async def check_domain(data: JSONBody[NewDomain], tenant: NamedDependency[TenantContext]) -> Check:
    """Ask any hostname whether it leads to the vendor with valid TLS."""
    hostname = _from_body(data)
    return Check.public(hostname, await tenant.domains.check(hostname))


@get("/{hostname:str}", opt=needs("domains:read", cached=domain_detail), operation_id="getDomain", status_code=200)
@direct
async def get_domain(hostname: FromPath[str], tenant: Reader) -> DomainDetails:
    """Show one domain and whether it serves visitors; as it was up to ten seconds ago.

    The check is best-effort: if it fails, `check` is null and named in `missing`.
    """
    return await _details(_from_path(hostname), tenant)


@delete("/{hostname:str}", opt=needs("domains:write"), operation_id="deleteDomain", status_code=204)
async def delete_domain(
    hostname: FromPath[str], tenant: NamedDependency[TenantContext], idempotency_key: IdempotencyKey = None
) -> None:
    """Remove a hostname and its registration."""
    name = _from_path(hostname)

    async def act() -> None:
        async with tenant.cache.dropping(DOMAIN_LIST, domain_detail(name)):
            await tenant.domains.delete(name)

    await once(tenant.ledger, idempotency_key, Intention(facts={"hostname": name}), act, keyed=False)


@post("/{hostname:str}/refresh", opt=needs("domains:read", probe=True), operation_id="refreshDomain", status_code=200)
async def refresh_domain(hostname: FromPath[str], tenant: NamedDependency[TenantContext]) -> DomainDetails:
    """Have the vendor read a domain's current state and check it.

    Nothing is asked to verify anew: Cloudflare does so by itself, from time to time.
    """
    name = _from_path(hostname)
    async with tenant.cache.dropping(DOMAIN_LIST, domain_detail(name)):
        refreshed = await tenant.domains.refresh(name)
    check = refreshed.checked
    missing = []
    if check is None:
        missing = [Missing.of("check", Garbled("The vendor gave no check.", operation=CHECK), tenant.at)]
    return DomainDetails.merge(refreshed.domain, check, cname_target=tenant.cname_target, missing=missing)


async def _details(hostname: str, tenant: ReadContext) -> DomainDetails:
    """One domain and its check, asked for at the same time; kept for a while if both came."""

    async def load() -> tuple[wire.DomainInfo, wire.CheckResult | UpstreamError]:
        return await with_optional(tenant.domains.get(hostname), tenant.domains.check(hostname), operation=CHECK)

    info, check = await tenant.cache.fetch(domain_detail(hostname), load, whole=_is_whole)
    if isinstance(check, UpstreamError):
        missing = [Missing.of("check", check, tenant.at)]
        return DomainDetails.merge(info, None, cname_target=tenant.cname_target, missing=missing)
    return DomainDetails.merge(info, check, cname_target=tenant.cname_target)


async def _expanded(rows: list[Domain], tenant: ReadContext) -> list[Domain]:
    """Every row with its verdict, some at a time; a row whose look failed says so."""
    places = asyncio.Semaphore(AT_ONCE)

    async def expanded(row: Domain) -> Domain:
        async with places:
            try:
                return row.expanded(await _details(_from_path(row.hostname), tenant))
            except (UpstreamError, ValidationFailed) as error:
                return row.unexpanded(Missing.of("readiness", error, tenant.at))

    return await asyncio.gather(*map(expanded, rows))


def _is_whole(looked: tuple[wire.DomainInfo, wire.CheckResult | UpstreamError]) -> bool:
    return not isinstance(looked[1], UpstreamError)


def _from_body(data: NewDomain) -> str:
    try:
        return canonical(data.hostname)
    except ValueError as error:
        raise ValidationFailed(str(error), faults=[Fault("/hostname", str(error))]) from error


def _from_path(hostname: str) -> str:
    try:
        return canonical(hostname)
    except ValueError as error:
        raise ValidationFailed(str(error), faults=[Fault("/hostname", str(error), "path")]) from error


router = Router(
    "/domains",
    route_handlers=[list_domains, create_domain, check_domain, get_domain, delete_domain, refresh_domain],
    tags=["Domains"],
)

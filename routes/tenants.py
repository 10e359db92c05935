"""Tenants: register those who have vendor accounts of their own."""

from typing import Any

from litestar import Request, Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from gateway.http.exchange import Exchange
from gateway.http.rfc9457 import Fault
from gateway.idempotency import IdempotencyKey, ledger_of, once
from gateway.needs import needs
from gateway.operations.intentions import OURS
from gateway.problems import NotFound, TenantExists, VendorAccountTaken
from gateway.storage.claims import AccountTaken
from gateway.storage.tenants import NameTaken, TenantRecord
from gateway.tenants.directory import Directory
from gateway.tenants.registry import Tenants
from routes.shapes.page import DEFAULT_LIMIT, Cursor, Limit, Page, page
from routes.shapes.tenants import NewTenant, Tenant, TenantChange

OPERATOR = needs("admin", live_only=True)


@get("/", opt=OPERATOR, operation_id="listTenants", status_code=200)
async def list_tenants(
    request: Request[Any, Any, Any], limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[Tenant]:
    """List registered tenants, sorted by name.

    The default tenant is not among them: the environment describes it.
    """
    records = await _tenants(request).list_all()
    return page(
        [_shown(request, record) for record in records], key=lambda tenant: tenant.name, limit=limit, cursor=cursor
    )


@post("/", opt=needs("admin", live_only=True, target=("name",)), operation_id="createTenant", status_code=201)
async def create_tenant(
    data: JSONBody[NewTenant], request: Request[Any, Any, Any], idempotency_key: IdempotencyKey = None
) -> Response[Tenant]:
    """Register a tenant.

    It can be called for at once, and within a second on every other replica.
    No two tenants can have the same vendor account.
    """

    async def act() -> Response[Tenant]:
        try:
            record = await _tenants(request).create(data.name, data.wanted())
        except NameTaken as error:
            raise TenantExists(f"There is a tenant {data.name}.") from error
        except AccountTaken as error:
            raise _taken(error) from error
        public_url = Exchange.of(request.scope).occurrence.public_url
        return Response(_shown(request, record), headers={"Location": f"{public_url}/v1/tenants/{record.name}"})

    return await once(ledger_of(request), idempotency_key, OURS, act, keyed=False)


@get("/{name:str}", opt=OPERATOR, operation_id="getTenant", status_code=200)
async def get_tenant(name: FromPath[str], request: Request[Any, Any, Any]) -> Tenant:
    """Show a tenant, and where each of its credentials comes from; a value is never shown."""
    return _shown(request, _found(await _tenants(request).get(name)))


@patch("/{name:str}", opt=OPERATOR, operation_id="updateTenant", status_code=200)
async def update_tenant(
    name: FromPath[str],
    data: JSONBody[TenantChange],
    request: Request[Any, Any, Any],
    idempotency_key: IdempotencyKey = None,
) -> Tenant:
    """Change a tenant; a member that is left out stays as it is, null empties it.

    The change counts at once, and within a second on every other replica.
    """

    async def act() -> Tenant:
        try:
            record = await _tenants(request).change(name, data.wanted())
        except AccountTaken as error:
            raise _taken(error) from error
        return _shown(request, _found(record))

    return await once(ledger_of(request), idempotency_key, OURS, act, keyed=False)


@delete("/{name:str}", opt=OPERATOR, operation_id="deleteTenant", status_code=204)
async def delete_tenant(
    name: FromPath[str], request: Request[Any, Any, Any], idempotency_key: IdempotencyKey = None
) -> None:
    """Forget a tenant and its credentials, and revoke its tokens.

    The records of what it did stay; a new tenant of the same name would find them.
    """

    async def act() -> None:
        if not await _tenants(request).remove(name):
            raise NotFound("There is no such tenant.")

    await once(ledger_of(request), idempotency_key, OURS, act, keyed=False)


def _tenants(request: Request[Any, Any, Any]) -> Tenants:
    tenants: Tenants = request.app.state.tenants
    return tenants


def _found(record: TenantRecord | None) -> TenantRecord:
    if record is None:
        raise NotFound("There is no such tenant.")
    return record


def _taken(error: AccountTaken) -> VendorAccountTaken:
    fault = Fault(f"/credentials/{error.slot}", f"It belongs to the tenant {error.tenant}.")
    return VendorAccountTaken(f"The tenant {error.tenant} has this vendor account already.", faults=[fault])


def _shown(request: Request[Any, Any, Any], record: TenantRecord) -> Tenant:
    directory: Directory = request.app.state.directory
    known = directory.of(record.name)
    return Tenant.public(record, known.unusable if known is not None else {})


router = Router(
    "/tenants",
    route_handlers=[list_tenants, create_tenant, get_tenant, update_tenant, delete_tenant],
    tags=["Tenants"],
)

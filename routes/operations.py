"""Operations: what became of changes that were sent to a vendor."""

from functools import partial
from typing import Annotated, Any

from litestar import Request, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from gateway.idempotency import IdempotencyKey, once
from gateway.needs import needs
from gateway.operations.intentions import OURS
from gateway.operations.ledger import Operations, visible
from gateway.operations.outcomes import Operation, State
from gateway.operations.settling import Settling
from gateway.problems import NotFound
from gateway.subjects import Whose
from gateway.upstreams import TenantContext
from routes.ownership import OPERATION
from routes.shapes.operations import OperationDetails, OperationState, Resolution
from routes.shapes.page import DEFAULT_LIMIT, Cursor, Limit, Page, key_of, page_from


@get("/", opt=needs(customer=Whose.TOKEN), operation_id="listOperations", status_code=200)
async def list_operations(
    request: Request[Any, Any, Any],
    tenant: NamedDependency[TenantContext],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    in_state: Annotated[
        OperationState | None, QueryParameter(name="state", description="Only those in this state.")
    ] = None,
) -> Page[OperationDetails]:
    """List operations, the newest first.

    Those whose scopes the token has; a token that is limited to one customer
    sees what such tokens of that customer began.
    """
    operations: Operations = request.app.state.operations
    found = await operations.newest(
        before=key_of(cursor) if cursor is not None else None,
        limit=limit + 1,
        principal=tenant.principal,
        state=State(in_state.value) if in_state is not None else None,
    )
    shown = partial(OperationDetails.public, now_ms=operations.now_ms)
    return page_from(found, key=lambda operation: operation.id, limit=limit, shown=shown)


@get("/{operation_id:str}", opt=needs(customer=OPERATION), operation_id="getOperation", status_code=200)
async def get_operation(
    operation_id: FromPath[str], request: Request[Any, Any, Any], tenant: NamedDependency[TenantContext]
) -> OperationDetails:
    """Show what became of an operation.

    While it is open the vendor is read to find out, once in 5 seconds at most.
    It takes the scopes that the request needed.
    """
    operations: Operations = request.app.state.operations
    settling: Settling = request.app.state.settling
    operation = await operations.find(operation_id)
    if operation is None or not visible(operation, tenant.principal):
        raise NotFound("There is no such operation.")
    if operation.state.open:
        await settling.look(operation)
        operation = await operations.find(operation_id) or operation
    return OperationDetails.public(operation, now_ms=operations.now_ms)


@post(
    "/{operation_id:str}/resolve",
    opt=needs("admin", target=("state", "note")),
    operation_id="resolveOperation",
    status_code=200,
)
async def resolve_operation(
    operation_id: FromPath[str],
    data: JSONBody[Resolution],
    request: Request[Any, Any, Any],
    tenant: NamedDependency[TenantContext],
    idempotency_key: IdempotencyKey = None,
) -> OperationDetails:
    """Say how an operation ended that reading the vendor does not tell.

    Whoever asks again with its key is told so, and its order, customer or
    subscription is free for others.
    """
    operations: Operations = request.app.state.operations
    settling: Settling = request.app.state.settling
    operation = await operations.find(operation_id)
    if operation is None or not _operates(tenant, operation):
        raise NotFound("There is no such operation.")
    state = State(data.state.value)

    async def act() -> OperationDetails:
        now = await settling.resolve(operation, state, note=data.note, by=tenant.principal.holder)
        return OperationDetails.public(now, now_ms=operations.now_ms)

    return await once(tenant.ledger, idempotency_key, OURS, act, keyed=False)


def _operates(tenant: TenantContext, operation: Operation) -> bool:
    record, principal = operation.record, tenant.principal
    return (record.tenant, record.mode) == (principal.tenant, principal.mode)


router = Router("/operations", route_handlers=[list_operations, get_operation, resolve_operation], tags=["Operations"])

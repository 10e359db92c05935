"""The audit: who did what."""

from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from gateway.audit import first_id
from gateway.needs import needs
from gateway.storage.audit_events import AuditStore
from gateway.upstreams import TenantContext
from routes.shapes.audit import AuditEvent
from routes.shapes.page import DEFAULT_LIMIT, Cursor, Limit, Page, key_of, page_from
from routes.shapes.times import Since, moment


@get("/", opt=needs("admin"), operation_id="listAuditEvents", status_code=200)
async def list_audit_events(
    request: Request[Any, Any, Any],
    tenant: NamedDependency[TenantContext],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    since: Since = None,
    of_tenant: Annotated[
        str | None, QueryParameter(name="tenant", description="Only those of this tenant.", max_length=64)
    ] = None,
    actor: Annotated[str | None, QueryParameter(description="Only what this one did.", max_length=600)] = None,
    action: Annotated[str | None, QueryParameter(description="Only those of this kind.", max_length=64)] = None,
) -> Page[AuditEvent]:
    """List what was changed and by whom, the newest first.

    An operator's token of mode `test` sees what was done in that mode only.
    """
    events: AuditStore = request.app.state.audit_events
    found = await events.newest(
        before=key_of(cursor) if cursor is not None else None,
        since=first_id(moment(since).timestamp() if since is not None else 0.0),
        limit=limit + 1,
        tenant=of_tenant,
        mode="test" if tenant.principal.mode == "test" else None,
        actor=actor,
        action=action,
    )
    return page_from(found, key=lambda record: record.id, limit=limit, shown=AuditEvent.public)


router = Router("/audit-events", route_handlers=[list_audit_events], tags=["Operator"])

"""Me: who the caller is."""

from typing import Any

from litestar import Request, Router, get
from litestar.di import NamedDependency

from gateway.limits.rates import Limits
from gateway.needs import needs
from gateway.principal import Principal
from gateway.subjects import Whose
from routes.shapes.me import Me


@get("/", opt=needs(customer=Whose.NOBODY), operation_id="getMe", status_code=200)
async def get_me(request: Request[Any, Any, Any], caller: NamedDependency[Principal]) -> Me:
    """Show who the token stands for, what it may do, and what is left of its limits."""
    limits: Limits = request.app.state.limits
    return Me.public(caller, await limits.left(caller))


router = Router("/me", route_handlers=[get_me], tags=["Me"])

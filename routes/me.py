"""Me: who the caller is."""

from litestar import Router, get
from litestar.di import NamedDependency

from gateway.auth import needs
from gateway.principal import Principal
from gateway.subjects import Whose
from routes.shapes.tokens import Me


@get("/", opt=needs(customer=Whose.NOBODY), operation_id="getMe", status_code=200)
async def get_me(caller: NamedDependency[Principal]) -> Me:
    """Show who the token stands for, and what it may do."""
    return Me.public(caller)


router = Router("/me", route_handlers=[get_me], tags=["Me"])

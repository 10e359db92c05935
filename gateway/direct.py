"""Handlers that are called without a router, with what they were given before for the same path and query.

What a router finds, and what is made of parameters, depends on path and query
alone, and to find it takes as long as to ask a vendor.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeAlias, TypeVar

from litestar import Response
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from gateway.observing.reporting import current
from gateway.upstreams import ReadContext
from gateway.ways import TENANT, Call

P = ParamSpec("P")
T = TypeVar("T")

Reader: TypeAlias = NamedDependency[SkipValidation[ReadContext]]
"""What such a handler is given as `tenant`; by the router it is given more, which Litestar would take for a mistake."""


def direct(handler: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Let a handler be called directly where the same path and query have led to it, and it has answered.

    It changes nothing, has a `Reader` as `tenant`, and returns what becomes JSON.
    """

    @wraps(handler)
    async def noted(*args: P.args, **kwargs: P.kwargs) -> T:
        answered = await handler(*args, **kwargs)
        exchange = current.get()
        if exchange is not None and exchange.way is not None and not isinstance(answered, Response):
            arguments = {name: value for name, value in kwargs.items() if name != TENANT}
            exchange.way.call = Call(handler, arguments)
        return answered

    return noted

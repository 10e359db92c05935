"""How every operation is called: one JSON object, posted to a path without parameters."""

from typing import TypeVar

import httpx
import msgspec

from clients.billing.envelope import decoded
from clients.billing.requests import Body
from clients.errors import Operation
from clients.transport import Upstream

T = TypeVar("T")


def path_of(operation: Operation) -> str:
    """Where it is, below the organization's base."""
    return operation.name.partition(" ")[2]


async def replied(upstream: Upstream, operation: Operation, body: Body) -> httpx.Response:
    """The reply in which the vendor says yes, and for an operation that has nothing to tell all there is.

    What stands beside that yes is not looked at then: the reference promises
    an empty object, and only the envelope's `status` says that it was done.

    Raises:
        UpstreamError: Whatever else happened; see `clients.errors`.
    """
    return await upstream.call(operation, path_of(operation), json=msgspec.json.encode(body))


async def answered(upstream: Upstream, operation: Operation, body: Body, shape: type[T]) -> T:
    """The data that the vendor answers with its yes.

    Raises:
        Garbled: It says yes, but the data is not of the documented shape. Of
            a write or money call nobody knows then what came of it.
        UpstreamError: Whatever else happened; see `clients.errors`.
    """
    return decoded(await replied(upstream, operation, body), operation, shape)

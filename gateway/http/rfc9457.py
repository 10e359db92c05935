"""The form of a problem: what every answer that is not a success looks like (RFC 9457)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import msgspec


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong with a request."""

    pointer: str
    """JSON Pointer (RFC 6901) into the body, or `/name` of the query parameter, path parameter or header."""
    detail: str
    location: Literal["body", "query", "path", "header"] = msgspec.field(default="body", name="in")


class UpstreamReference(msgspec.Struct, frozen=True):
    """What the vendor said; null members: it was not called, or gave none."""

    name: str
    status: int | None = None
    code: str | None = None
    request_id: str | None = None


class Occurrence(msgspec.Struct, frozen=True):
    """Where a problem happened, for the links and identifiers in its body."""

    public_url: str
    """Before the path of every link; empty makes them relative references."""
    instance: str
    request_id: str
    trace_id: str


class ProblemBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every answer that is not a success (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    trace_id: str
    retryable: bool
    """Whether the same request may be sent again as it is, and has a chance."""
    upstream: UpstreamReference | None = None
    errors: tuple[Fault, ...] = ()
    outcome: str | None = None
    """`unknown`: it may or may not have happened."""
    operation: str | None = None
    """Where to read what became of it, or of what is in the way."""
    order_id: str | None = None
    """The vendor's order that a payment was for."""


class Problem(Exception):
    """A request that is not answered with a success.

    Args:
        detail: One sentence about this occurrence, for the caller's eyes.
        upstream: The vendor that spoke, was called or would have been.
        faults: For validation: all that is wrong.
        headers: To send beside the body, such as `Retry-After`.
        order_id: For payments: the vendor's order.
        operation: Where the operation is read that this is about.
        retryable: Where it differs from what the class says.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    remedy: ClassVar[str]
    retryable: ClassVar[bool] = False
    outcome: ClassVar[str | None] = None

    def __init__(
        self,
        detail: str,
        *,
        upstream: UpstreamReference | None = None,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        order_id: str | None = None,
        operation: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.upstream = upstream
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        self.order_id = order_id
        self.operation = operation
        self._retryable = self.retryable if retryable is None else retryable

    def body(self, at: Occurrence) -> ProblemBody:
        """What the caller reads."""
        return ProblemBody(
            type=f"{at.public_url}/problems/{self.code}",
            title=self.title,
            status=self.status,
            detail=self.detail,
            instance=at.instance,
            code=self.code,
            request_id=at.request_id,
            trace_id=at.trace_id,
            retryable=self._retryable,
            upstream=self.upstream,
            errors=self.faults,
            outcome=self.outcome,
            operation=f"{at.public_url}{self.operation}" if self.operation is not None else None,
            order_id=self.order_id,
        )


def escaped(name: str) -> str:
    """One step of a JSON Pointer (RFC 6901, section 3)."""
    return name[:100].replace("~", "~0").replace("/", "~1")

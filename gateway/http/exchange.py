"""What is known of one request while it is answered, for all that have a part in that."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from gateway.http.rfc9457 import Occurrence, Problem
from gateway.limits.windows import Standing
from gateway.ways import Way

if TYPE_CHECKING:
    from gateway.cache.tenant import TenantCache
    from gateway.principal import Principal


class Exchange:
    """One request and its answer, as far as they are known.

    Args:
        request_id: Ours, always new.
        public_url: Before the path of every link.
        path: As it came, undecoded.
        trace_id: Of the server span, as 32 hexadecimal digits.
    """

    def __init__(self, *, request_id: str, public_url: str, path: str, trace_id: str) -> None:
        self.occurrence = Occurrence(public_url, path, request_id, trace_id)
        self.principal: Principal | None = None
        self.cache: TenantCache | None = None
        self.problem: Problem | None = None
        self.standings: list[Standing] = []
        """The limits that this request counted against."""
        self.status: int | None = None
        self.way: Way | None = None
        """Where the way to its answer is noted, for those who ask the same; None: it is no such request."""
        self.target: dict[str, Any] = {}
        """What the request is about: identifiers by name."""
        self.operation: str | None = None
        """Where the operation is read that the request has begun."""
        self.keeper: Callable[[int, Mapping[str, str], bytes], Awaitable[dict[str, str]]] | None = None
        """Is given the whole answer before the caller gets it, and returns headers to add."""
        self.before_answer: Callable[[int | None], Awaitable[None]] | None = None
        """Is awaited once, with the status, before the answer begins; with None if there is none."""

    @property
    def named_operation(self) -> dict[str, str]:
        """The operation as an attribute of the span, if the request has begun one."""
        return {"gateway.operation_id": self.operation.rpartition("/")[2]} if self.operation is not None else {}

    async def conclude(self, status: int | None) -> None:
        """Do what has to be done before the caller learns how it ended."""
        if (last := self.before_answer) is not None:
            self.before_answer = None
            await last(status)

    @property
    def cached(self) -> str | None:
        """What the cache had to do with the answer; None: nothing."""
        return self.cache.reading.status if self.cache is not None else None

    @staticmethod
    def of(scope: Any) -> "Exchange":
        """The exchange that a request belongs to."""
        exchange: Exchange = scope["gateway.exchange"]
        return exchange

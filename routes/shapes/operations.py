"""Operations, as we show them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from gateway.operations.outcomes import Operation, State


class OperationState(StrEnum):
    """How far an operation came."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What the request was answered, or would be if it came again with its key."""

    status: int
    body: Any


class OperationDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was sent to a vendor, and what came of it."""

    id: str
    kind: str
    """The `operationId` of the request."""
    state: OperationState
    """`pending`: under way. `succeeded`: the vendor did what was asked; `result` tells what that was, such as to
    ask for an action of the customer. `failed`: it did not. `unknown`: it may or may not have happened."""
    created_at: datetime
    sent_at: datetime
    """From when on the vendor may have received it."""
    settled_at: datetime | None
    attempts: int
    """How often the vendor was read to find out."""
    result: Result | None
    """Once it is settled."""
    evidence: dict[str, Any]
    """What was seen when the vendor was read, and what the operator noted."""
    needs_review: bool
    """Open for a day: a person should find out how it ended."""

    @classmethod
    def public(cls, operation: Operation, *, now_ms: int) -> "OperationDetails":
        """The operation in our words."""
        record, answer = operation.record, operation.answer
        # Whoever led it is dead, though nobody has looked yet.
        lost = operation.state is State.PENDING and answer is None and not operation.led(now_ms)
        return cls(
            id=operation.id,
            kind=record.kind,
            state=OperationState.UNKNOWN if lost else OperationState(operation.state.value),
            created_at=operation.sent_at,
            sent_at=operation.sent_at,
            settled_at=operation.settled_at,
            attempts=record.attempts,
            result=Result(status=answer.status, body=answer.shown)
            if answer is not None and not operation.state.open
            else None,
            evidence=operation.evidence,
            needs_review=operation.needs_review(now_ms),
        )


class Resolved(StrEnum):
    """How an operation ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Resolution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an operation ended, as a person has found out."""

    state: Resolved
    note: Annotated[str, msgspec.Meta(min_length=1, max_length=2000, description="How you know.")]

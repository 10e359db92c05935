"""How far an operation came, and what a caller is told of it."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from gateway.http.rfc9457 import Occurrence
from gateway.storage.operation_record import OperationRecord

REVIEW_SECONDS: Final = 86400.0
"""An operation that is open for longer needs a person."""


class State(StrEnum):
    """How far an operation came."""

    PENDING = "pending"
    """Under way: it has not been answered, or the vendor has said that it takes time."""
    SUCCEEDED = "succeeded"
    """The vendor has done what was asked."""
    FAILED = "failed"
    """The vendor has not done it."""
    UNKNOWN = "unknown"
    """It may or may not have happened."""

    @property
    def open(self) -> bool:
        """Whether it can still change."""
        return self in {State.PENDING, State.UNKNOWN}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller is told, byte for byte."""

    status: int
    headers: dict[str, str] = {}
    body: str = ""

    @property
    def shown(self) -> Any:
        """Its body as a value; None: it has none that can be read."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            return None


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation, as it is kept."""

    record: OperationRecord
    facts: dict[str, Any]
    evidence: dict[str, Any]
    answer: Answer | None

    @property
    def id(self) -> str:
        """Its id."""
        return self.record.id

    @property
    def state(self) -> State:
        """How far it came."""
        return State(self.record.state)

    @property
    def sent_at(self) -> datetime:
        """From when on it may have reached the vendor."""
        return _moment(self.record.created_at)

    @property
    def settled_at(self) -> datetime | None:
        """When it was known how it ended; None: it is not known."""
        return _moment(self.record.settled_at) if self.record.settled_at is not None else None

    def at(self, public_url: str) -> Occurrence:
        """Where the request was that began it, for problems that are found out later."""
        return Occurrence(public_url, self.record.instance, self.record.request_id, self.record.trace_id)

    def led(self, now_ms: int) -> bool:
        """Whether the request that began it is still under way."""
        return self.record.lease_until is not None and self.record.lease_until > now_ms

    def needs_review(self, now_ms: int) -> bool:
        """Whether a person should find out how it ended."""
        return self.state.open and now_ms - self.record.created_at > REVIEW_SECONDS * 1000


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

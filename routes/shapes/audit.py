"""The record of who did what."""

from datetime import UTC, datetime

import msgspec

from gateway.audit import moment_of
from gateway.storage.audit_events import AuditRecord


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One action."""

    id: str
    at: datetime
    tenant: str | None
    """Of the one who acted; null: the operator, on the command line."""
    mode: str | None
    actor: str
    """A token's id, issuer and `sub` of a JWT, or `cli:` and the operator's user name."""
    subject: str | None
    """The customer that the actor's token is limited to."""
    action: str
    """An `operationId` of this document, or the command."""
    target: dict[str, str]
    """What it was about: identifiers, by the names that parameters and bodies have."""
    outcome: str
    """The status of the answer, a problem's code, `done`, or `unanswered`."""
    request_id: str | None
    trace_id: str | None

    @classmethod
    def public(cls, record: AuditRecord) -> "AuditEvent":
        """The event in our words."""
        return cls(at=datetime.fromtimestamp(moment_of(record.id), UTC), **msgspec.structs.asdict(record))

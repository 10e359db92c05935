"""The words of every verdict."""

from typing import Any, Final

from gateway.http.rfc9457 import Occurrence
from gateway.operations.outcomes import Answer, Operation, State
from gateway.operations.settling import Verdict, refused, told
from gateway.problems import NotFound, UpstreamRejected

UNREAD: Final = NotFound("It was found out later how this ended; read it for how it is now.")
"""Why an answer that is given later lacks what the vendor would have been asked for at the time."""


def done(shape: object, status: int = 200, /, *, location: str | None = None, **evidence: Any) -> Verdict:
    """The vendor has done it."""
    headers = {"location": location} if location is not None else {}
    return Verdict(state=State.SUCCEEDED, answer=told(shape, status, headers), evidence=evidence)


def open_still(**evidence: Any) -> Verdict:
    """Nothing is proven."""
    return Verdict(state=State.UNKNOWN, evidence=evidence)


def not_done(at: Occurrence) -> Answer:
    """What a caller is told when the operator has found that it did not happen."""
    return refused(UpstreamRejected("It was not carried out, as was found out later."), at)


def text(operation: Operation, name: str) -> str:
    """One of the operation's facts that is always there."""
    return str(operation.facts[name])

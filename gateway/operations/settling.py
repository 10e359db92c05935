"""Finding out, later, what came of operations that nobody knows the end of.

Every process looks at what is due; a row of the database lets one at a time
look at an operation. What proves what, the routes know.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from clients.errors import UpstreamError
from clients.spans import within
from gateway.http.rfc9457 import Fault, Occurrence, Problem
from gateway.metrics import Metrics
from gateway.operations.ledger import Operations
from gateway.operations.outcomes import Answer, Operation, State
from gateway.problems import NotFound, ValidationFailed, problem_of
from gateway.storage.database import Unavailable
from gateway.telemetry import Log

POLL_SECONDS: Final = 1.0
"""Between two questions whether something is due."""

AT_ONCE: Final = 20
"""Operations looked at in one round, one after the other: a vendor that is back is not met by a crowd."""

SWEEP_SECONDS: Final = 3600.0
"""Between two removals of what was settled long ago."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at the vendor tells."""

    state: State
    answer: Answer | None = None
    """What a caller is told from now on, if it is settled."""
    evidence: dict[str, Any] = {}
    """What was seen, for people."""


class Place(Protocol):
    """Where an operation was begun."""

    @property
    def at(self) -> Occurrence:
        """The request."""

    @property
    def cname_target(self) -> str | None:
        """Where its tenant's customers point their CNAME."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """How operations of one kind are settled."""

    settle: Callable[[Any, Operation], Awaitable[Verdict]] | None
    """Reads the vendor, in the tenant's place; None: reading proves nothing."""
    resolved: Callable[[Place, Operation, State], Answer]
    """What a caller is told once the operator has found out how it ended."""


def told(shape: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that is a success."""
    body = msgspec.json.encode(shape).decode()
    return Answer(status=status, headers={"content-type": "application/json", **(headers or {})}, body=body)


def refused(problem: Problem, at: Occurrence) -> Answer:
    """An answer that is a problem."""
    body = msgspec.json.encode(problem.body(at)).decode()
    return Answer(status=problem.status, headers={"content-type": "application/problem+json"}, body=body)


class Settling:
    """Looks at open operations.

    Args:
        operations: Where they are.
        kinds: How those of each kind are settled.
        scenes: The tenant's place of an operation: its vendor clients and what else reading takes.
        metrics: Where numbers go.
        log: Is told what was found out, and what needs a person.
    """

    def __init__(
        self,
        operations: Operations,
        kinds: Mapping[str, Kind],
        *,
        scenes: Callable[[Operation], Any],
        metrics: Metrics,
        log: Log,
    ) -> None:
        self._operations = operations
        self._kinds = kinds
        self._scenes = scenes
        self._metrics = metrics
        self._log = log

    async def run(self) -> None:
        """Look at whatever is due, until cancelled."""
        while True:
            try:
                for operation in await self._operations.due(limit=AT_ONCE):
                    await self.look(operation)
            except Exception as error:  # noqa: BLE001 - the loop outlives whatever is wrong with one operation
                self._log.error("operations not settled", error=type(error).__name__, exc_info=error)
            await asyncio.sleep(POLL_SECONDS)

    async def sweep(self) -> None:
        """Remove what was settled long ago, now and then, until cancelled."""
        while True:
            try:
                await self._operations.sweep()
            except Unavailable as error:
                self._log.warning("settled operations not removed", error=str(error))
            await asyncio.sleep(SWEEP_SECONDS)

    async def look(self, operation: Operation) -> None:
        """Read the vendor, unless somebody else does or did within seconds, and keep what that tells.

        Raises:
            Unavailable: The database failed.
        """
        if not operation.state.open or not await self._operations.take(operation.id):
            return
        kind = self._kinds.get(operation.record.kind)
        about = {
            "gateway.operation_id": operation.id,
            "gateway.tenant": operation.record.tenant,
            "gateway.mode": operation.record.mode,
        }
        with within("settle operation", about) as span:
            verdict = await self._verdict(kind, operation)
            span.set_attribute("gateway.outcome", verdict.state.value)
        again = kind is not None and kind.settle is not None
        kept = await self._operations.looked(
            operation, verdict.state, answer=verdict.answer, evidence=verdict.evidence, again=again
        )
        if kept:
            self._count(operation, verdict.state)
        if kept and (not verdict.state.open or operation.needs_review(self._operations.now_ms)):
            self._log.info(
                "operation settled" if not verdict.state.open else "operation needs review",
                operation=operation.id,
                kind=operation.record.kind,
                state=verdict.state.value,
                tenant=operation.record.tenant,
            )

    def _count(self, operation: Operation, state: State) -> None:
        mode = operation.record.mode
        if state is State.UNKNOWN and operation.state is State.PENDING:
            self._metrics.unknown(None, mode)
        if not state.open:
            self._metrics.settled(state.value, mode)
        elif operation.needs_review(self._operations.now_ms):
            self._metrics.settled("review", mode)

    async def _verdict(self, kind: Kind | None, operation: Operation) -> Verdict:
        still = State.PENDING if operation.state is State.PENDING and operation.answer is not None else State.UNKNOWN
        if kind is None or kind.settle is None:
            return Verdict(state=still, evidence=operation.evidence)
        try:
            found = await kind.settle(self._scenes(operation), operation)
        except UpstreamError as error:
            return Verdict(state=still, evidence=operation.evidence | {"unread": problem_of(error).code})
        if operation.record.contested and not found.state.open:
            # Another one was begun beside it on purpose: what is seen may be that one's.
            return Verdict(state=still, evidence=found.evidence | {"contested": True})
        return found if not found.state.open else Verdict(state=still, evidence=found.evidence)

    async def resolve(self, operation: Operation, state: State, *, note: str, by: str) -> Operation:
        """Let the operator say how it ended; see the function of the same name."""
        place = self._scenes(operation)
        return await resolve(self._operations, self._kinds, operation, state, place=place, note=note, by=by)


async def resolve(
    operations: Operations,
    kinds: Mapping[str, Kind],
    operation: Operation,
    state: State,
    *,
    place: Place,
    note: str,
    by: str,
) -> Operation:
    """Let the operator say how an operation ended.

    Args:
        operations: Where it is kept.
        kinds: What a caller is told of each kind.
        operation: As it is now.
        state: `SUCCEEDED` or `FAILED`.
        place: Where it was begun.
        note: How the operator knows.
        by: Who it is.

    Raises:
        ValidationFailed: It is settled already, or still under way.
        NotFound: It was removed meanwhile.
        Unavailable: The database failed.
    """
    if not operation.state.open:
        raise _unresolvable(f"It is settled already: {operation.state.value}.")
    if operation.led(operations.now_ms):
        raise _unresolvable("Its request is still under way.")
    evidence = operation.evidence | {"resolved": {"state": state.value, "note": note, "by": by}}
    answer = kinds[operation.record.kind].resolved(place, operation, state)
    if not await operations.looked(operation, state, answer=answer, evidence=evidence, again=False):
        raise _unresolvable("It was settled just now.")
    if (now := await operations.find(operation.id)) is None:
        raise NotFound("There is no such operation.")
    return now


def _unresolvable(detail: str) -> ValidationFailed:
    return ValidationFailed(detail, faults=[Fault("/state", detail)])

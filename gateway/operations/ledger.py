"""Operations: what was sent to a vendor, what came of it, and who finds that out later.

An operation is begun before the vendor is called, and ends with the answer. If
there is none, or none that decides, it stays open: then it is settled by
reading the vendor, or by the operator.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from itertools import combinations_with_replacement
from typing import Any, Final, Protocol

import msgspec

from gateway.http.rfc9457 import Occurrence
from gateway.operations.intentions import Intention
from gateway.operations.outcomes import Answer, Operation, State
from gateway.principal import Principal
from gateway.storage.operation_record import OperationRecord
from gateway.storage.operations import OperationStore

LEASE_SECONDS: Final = 60.0
"""How long a request that leads is believed to live, at the least."""

LEASE_MARGIN_SECONDS: Final = 15.0
"""Beyond the longest deadline: a request that lives is never taken for dead."""

LOOKS_AFTER: Final = (5.0, 30.0, 120.0, 600.0)
"""Seconds after the beginning at which an open operation is looked at; from then on once in `LOOKS_EVERY`."""

LOOKS_EVERY: Final = 3600.0

LOOK_SECONDS: Final = 60.0
"""How long one look may take, before another process takes it for dead."""

UNSEEN_SECONDS: Final = 5.0
"""Between two looks, whoever asks."""

DAY_SECONDS: Final = 86400.0

USES_A_DAY: Final = 2
"""How often one instrument may be charged within a day; more is refused by the vendor."""

MOST_REMEMBERED: Final = 20
"""Operations on one resource that are looked at for what was done before."""

PATH: Final = "/v1/operations/"
"""Where operations are read."""


class Sealing(Protocol):
    """Keeps what is stored from those who steal the database."""

    def seal(self, plain: str, *, place: str) -> str:
        """The text as it is stored; it opens in the same place only."""

    def open(self, sealed: str, *, place: str) -> str:
        """The text that was sealed."""


class Operations:
    """The operations of all tenants.

    Every method raises `storage.database.Unavailable` if the database fails.

    Args:
        store: Where they are kept.
        now: The current Unix time.
        deadline_seconds: The longest that a request may take.
        keep_days: How long a settled one is kept.
        sealing: What encrypts answers and facts; None: they are kept as they are.
    """

    def __init__(
        self,
        store: OperationStore,
        *,
        now: Callable[[], float],
        deadline_seconds: float,
        keep_days: int,
        sealing: Sealing | None = None,
    ) -> None:
        self._store = store
        self._now = now
        self._lease = max(LEASE_SECONDS, deadline_seconds + LEASE_MARGIN_SECONDS)
        self._keep_days = keep_days
        self._sealing = sealing

    @property
    def now_ms(self) -> int:
        """The current Unix time in milliseconds."""
        return int(self._now() * 1000)

    async def with_key(self, key_digest: str) -> Operation | None:
        """What a key led to; None: it is new."""
        record = await self._store.with_key(key_digest)
        return self.opened(record) if record is not None else None

    async def find(self, ident: str) -> Operation | None:
        """The operation with this id; None: there is none."""
        record = await self._store.find(ident)
        return self.opened(record) if record is not None and record.listed else None

    async def begin(
        self,
        kind: str,
        intention: Intention,
        principal: Principal,
        at: Occurrence,
        *,
        scopes: Iterable[str],
        digest: str | None,
        fingerprint: str | None,
    ) -> str:
        """Keep that something is about to be sent; it is durable when this returns.

        Args:
            kind: The `operationId` of the route: who settles it goes by this.
            intention: What will be sent.
            principal: Who asks for it.
            at: Where the request is.
            scopes: What one must be allowed to see it.
            digest: Of the key; None: there is none.
            fingerprint: Of the request, where there is a key.

        Returns:
            The id of the operation.

        Raises:
            KeyTaken: The key has led already.
            ResourceTaken: Another operation on the resource is open.
            InstrumentSpent: What pays may not be used so often.
        """
        now = self.now_ms
        resource = digest_of(intention.resource) if intention.resource is not None else None
        ident = f"op_{now:012x}{secrets.token_hex(10)}"
        place = [principal.tenant, principal.mode]
        ends = now + int(self._lease * 1000)
        record = OperationRecord(
            id=ident,
            tenant=principal.tenant,
            mode=principal.mode,
            kind=kind,
            listed=intention.listed,
            scopes=" ".join(sorted(scopes)),
            subject=principal.subject,
            key_digest=digest,
            fingerprint=fingerprint,
            resource=resource,
            guard=resource,
            instrument=digest_of([*place, intention.instrument]) if intention.instrument is not None else None,
            instance=at.instance,
            request_id=at.request_id,
            trace_id=at.trace_id,
            facts=self._sealed(intention.facts, f"{ident}/facts"),
            created_at=now,
            lease_until=ends,
            due_at=ends if intention.listed else None,
        )
        since = now - int(DAY_SECONDS * 1000)
        await self._store.begin(record, despite=intention.despite, most=USES_A_DAY, since=since)
        return ident

    async def answered(self, ident: str, state: State, answer: Answer | None, *, settles: bool) -> bool:
        """Keep how it ended, as far as the caller is told.

        Args:
            ident: Of the operation.
            state: As the answer says.
            answer: To be given to whoever asks again; None: it must not be kept.
            settles: Whether reading the vendor can tell more.

        Returns:
            False: It was settled otherwise meanwhile.
        """
        now = self.now_ms
        return await self._store.answered(
            ident,
            state=state,
            answer=self._sealed(answer, f"{ident}/answer") if answer is not None else None,
            at=now,
            due_at=now + int(LOOKS_AFTER[0] * 1000) if state.open and settles else None,
        )

    async def succeeded(self, principal: Principal, resource: tuple[str, ...]) -> list[Operation]:
        """What has been done to a resource, the newest first, as far as it is kept."""
        records = await self._store.succeeded(
            principal.tenant, principal.mode, digest_of(resource), limit=MOST_REMEMBERED
        )
        return [self.opened(record) for record in records]

    async def release(self, ident: str) -> None:
        """Forget an operation of which nothing was sent."""
        await self._store.release(ident)

    async def abandon(self, ident: str) -> None:
        """Forget one whose request has died, where a new try does no harm."""
        await self._store.abandon(ident, at=self.now_ms)

    async def due(self, *, limit: int) -> list[Operation]:
        """Open operations that should be looked at now."""
        return [self.opened(record) for record in await self._store.due(self.now_ms, limit=limit)]

    async def take(self, ident: str) -> bool:
        """Become the one who looks at an open operation; False: somebody else does, or did within seconds."""
        now = self.now_ms
        return await self._store.take(
            ident, at=now, unseen_since=now - int(UNSEEN_SECONDS * 1000), until=now + int(LOOK_SECONDS * 1000)
        )

    async def looked(
        self, operation: Operation, state: State, *, answer: Answer | None, evidence: Mapping[str, Any], again: bool
    ) -> bool:
        """Keep what a look at the vendor has told.

        Args:
            operation: As it was before.
            state: As it is now known.
            answer: What callers are told from now on; None: as before.
            evidence: What was seen.
            again: Whether to look again, if it is still open.

        Returns:
            Whether it was still open.
        """
        now = self.now_ms
        due_at = _next_look(now, operation.record.created_at) if again and state.open else None
        return await self._store.looked(
            operation.id,
            state=state,
            answer=self._sealed(answer, f"{operation.id}/answer") if answer is not None else None,
            evidence=self._sealed(evidence, f"{operation.id}/evidence"),
            at=now,
            due_at=due_at,
        )

    async def newest(
        self,
        *,
        before: str | None,
        limit: int,
        state: State | None,
        principal: Principal | None = None,
        tenant: str | None = None,
    ) -> list[Operation]:
        """The newest operations, the newest first.

        Args:
            before: Only those older than the one of this id.
            limit: Rows at the most.
            state: Only those in this state.
            principal: Only those that this one may see; None: all, for the operator.
            tenant: Only those of this one.
        """
        records = await self._store.newest(
            before=before,
            limit=limit,
            tenant=principal.tenant if principal is not None else tenant,
            mode=principal.mode if principal is not None else None,
            subject=principal.subject if principal is not None else None,
            scopes=_held(principal) if principal is not None else None,
            states=(state,) if state is not None else None,
        )
        return [self.opened(record) for record in records]

    async def sweep(self) -> int:
        """Remove what was settled long ago; what is open stays for ever.

        Returns:
            How many there were.
        """
        return await self._store.forget(settled_before=self.now_ms - int(self._keep_days * DAY_SECONDS * 1000))

    def opened(self, record: OperationRecord) -> Operation:
        """A row, unsealed."""
        answer = self._unsealed(record.answer, f"{record.id}/answer")
        return Operation(
            record=record,
            facts=msgspec.json.decode(self._unsealed(record.facts, f"{record.id}/facts") or "{}"),
            evidence=msgspec.json.decode(self._unsealed(record.evidence, f"{record.id}/evidence") or "{}"),
            answer=msgspec.json.decode(answer, type=Answer) if answer is not None else None,
        )

    def _sealed(self, value: object, place: str) -> str:
        plain = msgspec.json.encode(value).decode()
        return plain if self._sealing is None else self._sealing.seal(plain, place=place)

    def _unsealed(self, text: str | None, place: str) -> str | None:
        if text is None or text.startswith("{"):  # Kept before there were keys.
            return text
        if self._sealing is None:
            raise LookupError("an operation is encrypted, and there is no key")
        return self._sealing.open(text, place=place)


def visible(operation: Operation, principal: Principal) -> bool:
    """Whether a caller may see an operation: its own scopes, tenant, mode and customer."""
    record = operation.record
    return (
        (record.tenant, record.mode) == (principal.tenant, principal.mode)
        and principal.subject in {None, record.subject}
        and principal.scopes.issuperset(record.scopes.split())
    )


def digest_of(parts: object) -> str:
    """A name of bounded length that tells nothing of what it names; the form keeps the parts apart."""
    return sha256(msgspec.json.encode(parts)).hexdigest()


def _held(principal: Principal) -> tuple[str, ...]:
    """What an operation may ask for, as it is kept, so that this caller sees it: no route asks for more than two."""
    pairs = combinations_with_replacement(sorted(principal.scopes), 2)
    return ("", *(first if first == second else f"{first} {second}" for first, second in pairs))


def _next_look(now_ms: int, created_ms: int) -> int:
    elapsed = now_ms - created_ms
    for seconds in LOOKS_AFTER:
        if (after := int(seconds * 1000)) > elapsed:
            return created_ms + after
    return now_ms + int(LOOKS_EVERY * 1000)

"""What is sent once, however often it is asked for.

A handler hands its one vendor call to `once`. What it is about is durable
before the call is made; the whole answer is kept before the caller gets it, and
given again, byte for byte, to whoever asks with the same key. A new key is no
way round an operation that is still open.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.params import HeaderParameter
from opentelemetry.trace import get_current_span

from clients import errors
from clients.spans import child
from clients.timeouts import patience
from clients.tracing import attempts
from gateway.http.exchange import Exchange
from gateway.http.rfc9457 import Fault
from gateway.metrics import Metrics
from gateway.observing.reporting import route_of
from gateway.operations.intentions import Intention
from gateway.operations.ledger import DAY_SECONDS, PATH, Operations, digest_of
from gateway.operations.outcomes import Answer, Operation, State
from gateway.operations.settling import refused
from gateway.principal import Principal
from gateway.problems import (
    IdempotencyInProgress,
    IdempotencyKeyRequired,
    IdempotencyMismatch,
    OperationInProgress,
    OutcomeUnknown,
    RateLimited,
    SecretAlreadyShown,
    UpstreamAuthFailed,
    ValidationFailed,
)
from gateway.storage.beginnings import InstrumentSpent, KeyTaken, ResourceTaken
from gateway.storage.database import Unavailable
from gateway.telemetry import Log

T = TypeVar("T")

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description=(
            "Names this intention, the same for every attempt at it: 1 to 255 visible ASCII characters. "
            "Asked again with the same key, the gateway gives the first answer again and sends nothing."
        ),
    ),
]

AGAIN_SECONDS: Final = 1
"""For `Retry-After` while the first request with a key is under way."""

IDEMPOTENCY: Final = "gateway.idempotency"
"""The attribute that tells a first request from one that is given the same answer again."""

_FORM: Final = re.compile(r"[\x21-\x7e]{1,255}")

_KEPT_HEADERS: Final = frozenset({"content-type", "location"})
"""Of an answer; all others belong to the one request."""

_SERVER_FAILURES: Final = 500
_ACCEPTED: Final = 202

_exact = msgspec.json.Decoder(float_hook=Decimal)
_sorted = msgspec.json.Encoder(order="sorted")


class Replayed(Exception):
    """The answer was given before.

    Args:
        answer: That one.
        operation: Its operation's id; None: it has none.
    """

    def __init__(self, answer: Answer, operation: str | None) -> None:
        super().__init__("replayed")
        self.answer = answer
        self.operation = operation

    @property
    def headers(self) -> dict[str, str]:
        """Those of the answer, and those that say what it is."""
        named = {"gateway-operation": self.operation} if self.operation is not None else {}
        return {**self.answer.headers, **named, "idempotency-replayed": "true"}


class Ledger:
    """What one request may send, once.

    Args:
        request: The request.
        principal: Who makes it.
        operations: Where it is kept.
        settled: The kinds of operation that reading a vendor can settle.
        metrics: Where numbers go.
        log: Is told what could not be kept.
    """

    def __init__(
        self,
        request: Request[Any, Any, Any],
        principal: Principal,
        operations: Operations,
        *,
        settled: frozenset[str],
        metrics: Metrics,
        log: Log,
    ) -> None:
        self.request = request
        self._principal = principal
        self._exchange = Exchange.of(request.scope)
        self._operations = operations
        self._settled = settled
        self._metrics = metrics
        self._log = log
        self._undecided = State.PENDING
        self._begun: tuple[str, Intention] | None = None

    @property
    def _kind(self) -> str:
        return str(getattr(self.request.route_handler, "operation_id", None))

    @property
    def mark(self) -> dict[str, str]:
        """What goes with an order, so that it can be recognised later; empty before `once`."""
        return {"fgw_operation": self._begun[0]} if self._begun is not None else {}

    @property
    def path(self) -> str:
        """Where the operation can be read; for answers made within `once`."""
        assert self._begun is not None  # noqa: S101 - the handler's order of calls
        return f"{PATH}{self._begun[0]}"

    async def find(self, ident: str) -> Operation | None:
        """The operation with this id, of whatever tenant; None: there is none.

        Raises:
            Unavailable: The database failed.
        """
        return await self._operations.find(ident)

    async def done_before(self, resource: tuple[str, ...]) -> list[Operation]:
        """What has been done to a resource, the newest first, as far as it is kept.

        Raises:
            Unavailable: The database failed.
        """
        return await self._operations.succeeded(self._principal, resource)

    def stays_unknown(self) -> None:
        """Of an answer 202: the vendor has not even said that it is under way."""
        self._undecided = State.UNKNOWN
        self._metrics.unknown(route_of(self.request.scope), self._principal.mode)

    async def once(
        self,
        key: str | None,
        intention: Intention | Callable[[], Awaitable[Intention]],
        act: Callable[[], Awaitable[T]],
    ) -> T:
        """See the function of the same name."""
        digest = self._digest(key)
        fingerprint = await self._fingerprint() if digest is not None else None
        if digest is not None:
            with child("idempotency"):
                known = await self._operations.with_key(digest)
            if known is not None:
                await self._again(known, fingerprint)
        if not isinstance(intention, Intention):
            intention = await intention()
        await self._begin(intention, digest, fingerprint)
        seen = attempts.get()
        before = len(seen) if seen is not None else 0
        try:
            return await act()
        except Exception as error:
            careful = [operation for operation, _ in (seen or [])[before:] if not operation.repeatable]
            if not careful or _never_processed(error):
                await self._release()
            raise

    async def _begin(self, intention: Intention, digest: str | None, fingerprint: str | None) -> None:
        handler = self.request.route_handler
        while True:
            try:
                ident = await self._operations.begin(
                    self._kind,
                    intention,
                    self._principal,
                    self._exchange.occurrence,
                    scopes=handler.opt["needs"].scopes,
                    digest=digest,
                    fingerprint=fingerprint,
                )
                break
            except KeyTaken as taken:
                await self._again(self._operations.opened(taken.record), fingerprint)
            except ResourceTaken as taken:
                other = taken.record.id
                raise OperationInProgress(
                    "What it is about has an operation whose outcome is open.", operation=f"{PATH}{other}"
                ) from taken
            except InstrumentSpent as spent:
                wait = max(1, (spent.oldest - self._operations.now_ms) // 1000 + int(DAY_SECONDS))
                raise RateLimited(
                    "The vendor takes two charges a day for one payment token.", headers={"Retry-After": str(wait)}
                ) from spent
        if digest is not None:
            get_current_span().set_attribute(IDEMPOTENCY, "first")
        self._begun = (ident, intention)
        self._exchange.keeper = self._keep
        if intention.listed:
            self._exchange.operation = f"{PATH}{ident}"

    async def _again(self, known: Operation, fingerprint: str | None) -> None:
        """Answer a key that has led already; returns only where it may lead anew.

        Raises:
            Replayed: With the first answer.
            IdempotencyMismatch: It led to something else.
            IdempotencyInProgress: It is under way.
            SecretAlreadyShown: The first answer can't be given again.
        """
        link = f"{PATH}{known.id}" if known.record.listed else None
        if known.record.fingerprint != fingerprint:
            raise IdempotencyMismatch("The key was used for another request.", operation=link)
        if known.led(self._operations.now_ms):
            raise IdempotencyInProgress(
                "The first request with this key is under way.",
                operation=link,
                headers={"Retry-After": str(AGAIN_SECONDS)} | ({"Gateway-Operation": known.id} if link else {}),
            )
        if known.answer is not None:
            self._tell_replay(link)
            raise Replayed(known.answer, known.id if known.record.listed else None)
        if not known.state.open:
            raise SecretAlreadyShown("The answer to this key showed a secret, which is not kept.")
        if link is None:
            await self._operations.abandon(known.id)
            return
        self._tell_replay(link)
        lost = OutcomeUnknown("It may have been sent, and the gateway stopped before it was answered.", operation=link)
        raise Replayed(refused(lost, known.at(self._exchange.occurrence.public_url)), known.id)

    def _tell_replay(self, link: str | None) -> None:
        get_current_span().set_attribute(IDEMPOTENCY, "replayed")
        self._exchange.operation = link

    async def _keep(self, status: int, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """Keep the whole answer before the caller gets it; never fails.

        Returns:
            Headers to add.
        """
        assert self._begun is not None  # noqa: S101 - set together with the keeper
        ident, intention = self._begun
        state = self._state(status)
        named = {"gateway-operation": ident} if intention.listed else {}
        if state.open and not intention.listed:
            await self._release()
            return named
        kept = {name: value for name, value in headers.items() if name in _KEPT_HEADERS}
        answer = None if intention.shows_secret else Answer(status=status, headers=kept, body=body.decode())
        try:
            if not await self._operations.answered(ident, state, answer, settles=self._kind in self._settled):
                self._log.error("answer came after the operation was settled", operation=ident, status=status)
        except Unavailable as error:
            # The answer is true, and the caller gets it; whoever asks again is told that it is unknown,
            # until reading the vendor settles it.
            self._log.error("answer not stored", operation=ident, state=state.value, status=status, error=str(error))
        return named

    def _state(self, status: int) -> State:
        problem = self._exchange.problem
        if status == _ACCEPTED:
            return self._undecided
        if problem is None:
            return State.SUCCEEDED
        if status < _SERVER_FAILURES or isinstance(problem, UpstreamAuthFailed):
            return State.FAILED
        return State.UNKNOWN

    async def _release(self) -> None:
        """Let the key go: nothing has happened under it."""
        assert self._begun is not None  # noqa: S101 - only what was begun is released
        ident = self._begun[0]
        self._begun = self._exchange.keeper = self._exchange.operation = None
        try:
            await self._operations.release(ident)
        except Unavailable as error:
            self._log.error("unsent operation not removed", operation=ident, error=str(error))

    def _digest(self, key: str | None) -> str | None:
        if key is None:
            return None
        principal = self._principal
        who = ["subject", principal.subject] if principal.subject is not None else ["holder", principal.holder]
        return digest_of([principal.tenant, principal.mode, *who, self.request.method, key])

    async def _fingerprint(self) -> str:
        """The same for the same request: path, query and body, whatever the order of members and their spacing."""
        scope = self.request.scope
        query = sorted(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        body = await self.request.body()
        try:
            canonical = _sorted.encode(_exact.decode(body)).decode()
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            canonical = body.hex()
        return digest_of([self._exchange.occurrence.instance, query, canonical])


class Ledgers(msgspec.Struct, frozen=True, kw_only=True):
    """Gives each request that was admitted its ledger, of what all of them have in common."""

    operations: Operations
    settled: frozenset[str]
    """See `Ledger`."""
    metrics: Metrics
    log: Log

    def of(self, request: Request[Any, Any, Any]) -> Ledger:
        """What this request may send."""
        principal = Exchange.of(request.scope).principal
        assert principal is not None  # noqa: S101 - the gate has admitted this request
        return Ledger(request, principal, self.operations, settled=self.settled, metrics=self.metrics, log=self.log)


def ledger_of(request: Request[Any, Any, Any]) -> Ledger:
    """The ledger of a request that was admitted."""
    ledgers: Ledgers = request.app.state.ledgers
    return ledgers.of(request)


async def once(
    ledger: Ledger,
    key: str | None,
    intention: Intention | Callable[[], Awaitable[Intention]],
    act: Callable[[], Awaitable[T]],
    *,
    keyed: bool = True,
) -> T:
    """Carry out a call that changes something, one time for one intention.

    Args:
        ledger: Of the request.
        key: The caller's; None where there is none.
        intention: What will be done; where something has to be read before, what reads it.
        act: Calls the vendor, and makes the answer of what it said.
        keyed: Whether there must be a key, because it moves money or changes what is charged.

    Raises:
        IdempotencyKeyRequired: There is no key, and one is needed.
        ValidationFailed: It is none, or there are several.
        Replayed: It was answered before.
        IdempotencyInProgress: The first request with this key is under way.
        IdempotencyMismatch: The key was used for something else.
        OperationInProgress: What it is about has an operation whose outcome is open.
        RateLimited: What pays was used as often as it may be within a day.
        Unavailable: The database failed; nothing was sent.
    """
    if keyed:
        patience.set("money")
    return await ledger.once(checked_key(ledger.request, key, required=keyed), intention, act)


def checked_key(request: Request[Any, Any, Any], key: str | None, *, required: bool) -> str | None:
    """The one key of a request.

    Raises:
        IdempotencyKeyRequired: There is none.
        ValidationFailed: There are several, or it has not the form of one.
    """
    given = [value for name, value in request.scope["headers"] if name == b"idempotency-key"]
    if len(given) > 1:
        raise _wrong("Send one Idempotency-Key.")
    if not key:
        if required:
            raise IdempotencyKeyRequired("This route needs an Idempotency-Key.")
        if not given:
            return None
    if not key or not _FORM.fullmatch(key):
        raise _wrong("1 to 255 visible ASCII characters.")
    return key


def _wrong(detail: str) -> ValidationFailed:
    fault = Fault("/Idempotency-Key", detail, "header")
    return ValidationFailed("The Idempotency-Key is not one.", faults=[fault])


def _never_processed(error: Exception) -> bool:
    """Whether the vendor can't have acted: no connection was made, or it only asked us to slow down."""
    return isinstance(error, errors.RateLimited) or (isinstance(error, errors.Unanswered) and not error.sent)

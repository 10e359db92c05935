"""FunnelFox's envelope: `{"status": "success", "data"}` or `{"status": "error", "req_id", "error": [...]}`.

An error may come under any HTTP status, 200 included: the vendor's own SDK
handles that. But for money under a 5xx: whether a server that failed had
charged before is not told by the code that it then sent, and what may have
happened is never called failed. Its reference shows `data` bare, without the envelope, so a read
accepts that form as well; a write does not, since only the envelope says yes.
The one answer that may be no JSON is the export's file.

Source: FunnelFox seed, "Response format" and "Error handling".
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import httpx
import msgspec

from clients.billing.operations import EXPORT_CSV
from clients.errors import (
    BareNotFound,
    CredentialsRefused,
    Garbled,
    NotFound,
    Operation,
    RateLimited,
    Refused,
    Unavailable,
    UpstreamError,
)
from clients.retry_after import seconds

T = TypeVar("T")

KNOWN_CODES = frozenset({"double_purchase", "invalid_price", "invalid_customer", "payment_failed"})
"""Codes whose meaning is documented: they count under any HTTP status, 5xx included unless money may have moved."""


_JUDGED: Final = "judged"
"""Where a reply holds what its envelope says, which is read once."""


class _Outcome(msgspec.Struct, frozen=True):
    status: Any = None
    data: msgspec.Raw = msgspec.Raw()
    req_id: Any = None
    error: Any = None

    @property
    def request_id(self) -> str | None:
        return self.req_id if isinstance(self.req_id, str) else None

    @property
    def faults(self) -> list[dict[str, Any]]:
        items = self.error if isinstance(self.error, list) else [self.error]
        return [item for item in items if isinstance(item, dict)]

    @property
    def code(self) -> str | None:
        """The first documented code of any fault, else the first code, else the first type."""
        codes = [fault["code"] for fault in self.faults if isinstance(fault.get("code"), str)]
        types = [fault["type"] for fault in self.faults if isinstance(fault.get("type"), str)]
        return next((code for code in (*codes, *types) if code in KNOWN_CODES), next(iter((*codes, *types)), None))

    @property
    def words(self) -> str:
        said = [fault["msg"] for fault in self.faults if isinstance(fault.get("msg"), str) and fault["msg"]]
        return " ".join(said) or "The vendor gave no reason."


class _Paid(msgspec.Struct, frozen=True):
    checkout_status: str | None = None
    action_required_token: str | None = None
    payment_result: "_Paid | None" = None
    """Of a migration."""


def judge(reply: httpx.Response, operation: Operation) -> None:
    """Raise what the reply amounts to, unless the vendor says yes.

    A payment that was declined is a yes, too; what is told of it then stands
    at the reply, in `extensions["failure"]`.

    Raises:
        UpstreamError: The most telling class of `clients.errors`.
    """
    outcome = reply.extensions[_JUDGED] = _outcome(reply)
    if reply.is_success and (outcome is not None or is_csv(reply, operation)):
        if outcome is None or outcome.status == "success":
            if outcome is not None and operation.kind == "money":
                reply.extensions["failure"] = _failed_payment(outcome.data)
            return
        if outcome.status is None and outcome.error is None and operation.repeatable:
            return
    raise _failure(reply, outcome, operation)


def _failed_payment(data: msgspec.Raw) -> str | None:
    """What to call a payment that came to nothing; None: it did not, or it is none."""
    try:
        paid = msgspec.json.decode(data, type=_Paid)
    except msgspec.MsgspecError:
        return None  # Whoever reads it will tell.
    paid = paid.payment_result or paid
    if paid.action_required_token or paid.checkout_status not in {"failed", "cancelled"}:
        return None
    return f"payment_{paid.checkout_status}"


def is_csv(reply: httpx.Response, operation: Operation) -> bool:
    """Whether the reply is a CSV file, and an answer to the one operation that may have it."""
    media_type = reply.headers.get("content-type", "").partition(";")[0]
    return operation == EXPORT_CSV and media_type.strip().lower() == "text/csv"


def decoded(
    reply: httpx.Response, operation: Operation, shape: type[T], *, fraction: Callable[[str], Any] = float
) -> T:
    """The data of a reply in which the vendor said yes.

    Args:
        reply: What the vendor sent.
        operation: What was called.
        shape: Of the data.
        fraction: Makes a value of a number with a fraction or an exponent,
            wherever the shape says nothing of its type.

    Raises:
        Garbled: It lacks what the vendor documents, or has it in another type.
    """
    outcome: _Outcome | None = reply.extensions[_JUDGED]
    data = reply.content if outcome is None or outcome.status is None else outcome.data
    try:
        return msgspec.json.Decoder(shape, float_hook=fraction).decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Garbled(
            "The answer is not of the documented shape.", operation=operation, status=reply.status_code
        ) from error


def _outcome(reply: httpx.Response) -> _Outcome | None:
    try:
        reply.content.decode()  # The decoder looks only at the text that it keeps; the rest must be UTF-8 as well.
        return msgspec.json.decode(reply.content, type=_Outcome)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _failure(  # noqa: PLR0911 - a table: one return per row
    reply: httpx.Response, outcome: _Outcome | None, operation: Operation
) -> UpstreamError:
    status = reply.status_code
    failing = status >= httpx.codes.INTERNAL_SERVER_ERROR
    said_no = outcome is not None and outcome.status == "error"
    code = outcome.code if outcome else None
    words = outcome.words if outcome else "The vendor gave no reason."
    request_id = outcome.request_id if outcome else None
    match status:
        case _ if said_no and code in KNOWN_CODES and not (failing and operation.kind == "money"):
            return Refused(words, operation=operation, status=status, code=code, request_id=request_id, documented=True)
        case 401 | 403:
            return CredentialsRefused(
                "The vendor refused our credentials.",
                operation=operation,
                status=status,
                code=code,
                request_id=request_id,
            )
        case 429:
            return RateLimited("The vendor asks to slow down.", operation=operation, retry_after=seconds(reply))
        case _ if failing:
            return Unavailable(
                f"The vendor answered {status}.", operation=operation, status=status, code=code, request_id=request_id
            )
        case 404 if outcome is not None and outcome.status is None and operation.repeatable:
            return BareNotFound(words, operation=operation, status=status)
        case _ if not said_no or reply.is_redirect:
            return Garbled("The answer is not the vendor's JSON.", operation=operation, status=status)
        case 404:
            return NotFound(words, operation=operation, status=status, code=code, request_id=request_id)
        case _:
            return Refused(words, operation=operation, status=status, code=code, request_id=request_id)

"""FunnelFlux's envelope: `{"success": bool, ..., "error_code"?, "error_message"?}`.

The vendor documents HTTP 200 only and says nothing of the status that goes
with `success: false`, so the body is asked first, whatever the status. Its
gateway has a second form, `{"error", "error_description"}`, for refusals that
come before the call is processed.
"""

from typing import TypeVar

import httpx
import msgspec

from clients.errors import (
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

KNOWN_CODES = frozenset({"DOMAIN_EXISTS", "DOMAIN_ALREADY_OWNED", "NOT_FOUND"})
"""Codes whose meaning is documented: they count under any HTTP status, 5xx included."""


class PossiblyExpired(Refused):
    """A refusal before processing, in the form that the vendor also gives to an expired bearer."""


class _Outcome(msgspec.Struct, frozen=True):
    success: bool | None = None
    error_code: str | None = None
    error_message: str | None = None
    error: str | None = None
    error_description: str | None = None
    found: bool | None = None
    ssl_valid: bool | None = None

    @property
    def is_check(self) -> bool:
        """A check's verdict is a result, whatever its `success` says."""
        return self.found is not None and self.ssl_valid is not None

    @property
    def code(self) -> str | None:
        return self.error_code or self.error or None

    @property
    def words(self) -> str:
        return self.error_message or self.error_description or "The vendor gave no reason."


def judge(reply: httpx.Response, operation: Operation) -> None:
    """Raise what the reply amounts to, unless the vendor says yes.

    Raises:
        UpstreamError: The most telling class of `clients.errors`.
    """
    outcome = _outcome(reply)
    if outcome is not None and reply.is_success and _says_yes(outcome):
        return
    raise _failure(reply, outcome, operation)


def decoded(reply: httpx.Response, operation: Operation, shape: type[T]) -> T:
    """The body of a reply in which the vendor said yes.

    Raises:
        Garbled: It lacks what the vendor documents, or has it in another type.
    """
    try:
        return msgspec.json.decode(reply.content, type=shape)
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


def _says_yes(outcome: _Outcome) -> bool:
    if outcome.is_check:
        return True
    # A vendor that leaves false members out would leave `success` out, so its absence alone is no refusal.
    return outcome.success if outcome.success is not None else outcome.code is None


def _failure(  # noqa: PLR0911 - a table: one return per row
    reply: httpx.Response, outcome: _Outcome | None, operation: Operation
) -> UpstreamError:
    status = reply.status_code
    code = outcome.code if outcome else None
    words = outcome.words if outcome else "The vendor gave no reason."
    match status:
        case _ if outcome is not None and outcome.success is not True and outcome.error_code in KNOWN_CODES:
            refused = NotFound if outcome.error_code == "NOT_FOUND" else Refused
            return refused(words, operation=operation, status=status, code=code)
        case 401 | 403:
            return CredentialsRefused(
                "The vendor refused our credentials.", operation=operation, status=status, code=code
            )
        case 400 if outcome is not None and outcome.success is None and outcome.error:
            return PossiblyExpired(words, operation=operation, status=status, code=code)
        case 429:
            return RateLimited("The vendor asks to slow down.", operation=operation, retry_after=seconds(reply))
        case _ if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return Unavailable(f"The vendor answered {status}.", operation=operation, status=status, code=code)
        case _ if outcome is None or reply.is_redirect or (reply.is_client_error and not _complete(outcome)):
            return Garbled("The answer is not the vendor's JSON.", operation=operation, status=status)
        case 404:
            return NotFound(words, operation=operation, status=status, code=code)
        case _:
            return Refused(words, operation=operation, status=status, code=code)


def _complete(outcome: _Outcome) -> bool:
    """Whether this is one of the vendor's two refusals, and not some other JSON."""
    return outcome.success is False or outcome.code is not None

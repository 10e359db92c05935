"""FunnelFlux's envelope: `{"success": bool, ..., "error_code"?, "error_message"?}`.

The vendor documents HTTP 200 only and says nothing of the status that goes
with `success: false`, so the body is asked first, whatever the status. Its
gateway has a second form, `{"error", "error_description"}`, for refusals that
come before the call is processed. A read's 404 is an answer also where its
JSON has neither form: nothing was to happen, and there is nothing to see.
"""

from typing import Any, TypeVar

import httpx
import msgspec

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

KNOWN_CODES = frozenset({"DOMAIN_EXISTS", "DOMAIN_ALREADY_OWNED", "NOT_FOUND"})
"""Codes whose meaning is documented: they count under any HTTP status, 5xx included."""


_NOTHING = msgspec.Raw(b"null")


class PossiblyExpired(Refused):
    """A refusal before processing, in the form that the vendor also gives to an expired bearer."""


class _Outcome(msgspec.Struct, frozen=True):
    """What an answer says of itself; of any type, because a refusal with an odd code is a refusal all the same."""

    success: Any = None
    error_code: Any = None
    error_message: Any = None
    error: Any = None
    error_description: Any = None
    found: Any = None
    ssl_valid: Any = None
    # Whether they are there is all that is asked of these: what they hold is decoded once, by its own shape.
    domain: msgspec.Raw = _NOTHING
    domains: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    tokens: msgspec.Raw = _NOTHING

    @property
    def is_check(self) -> bool:
        """A check's verdict is a result, whatever its `success` says."""
        return isinstance(self.found, bool) and isinstance(self.ssl_valid, bool)

    @property
    def code(self) -> str | None:
        return _text(self.error_code) or _text(self.error)

    @property
    def words(self) -> str:
        return _text(self.error_message) or _text(self.error_description) or "The vendor gave no reason."

    @property
    def says_yes(self) -> bool:
        """Whether this is a success.

        A vendor that leaves false members out would leave a failing `success`
        out, so its absence is no refusal by itself; but then the answer must
        hold what was asked for.
        """
        if self.success is True or self.is_check:
            return True
        asked_for = _is_object(self.domain) or _is_object(self.tokens) or self.domains is not msgspec.UNSET
        return self.success is None and self.code is None and asked_for

    @property
    def says_no(self) -> bool:
        """Whether this is one of the vendor's two refusals, and not some other JSON."""
        return self.success is False or (self.success is None and self.code is not None)

    @property
    def says_nothing(self) -> bool:
        """Whether this has neither form of the vendor's."""
        return self.success is None and not self.says_yes and not self.says_no


def _is_object(value: msgspec.Raw) -> bool:
    """Whether a member is an object with something in it."""
    text = bytes(value)
    return text.startswith(b"{") and text[1:].lstrip() != b"}"


def _text(value: object) -> str | None:
    """A code or a sentence, also if it came as a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def judge(reply: httpx.Response, operation: Operation) -> None:
    """Raise what the reply amounts to, unless the vendor says yes.

    Raises:
        UpstreamError: The most telling class of `clients.errors`.
    """
    outcome = _outcome(reply)
    if outcome is not None and reply.is_success and outcome.says_yes:
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


def _failure(  # noqa: PLR0911 - a table: one return per row
    reply: httpx.Response, outcome: _Outcome | None, operation: Operation
) -> UpstreamError:
    status = reply.status_code
    code = outcome.code if outcome else None
    words = outcome.words if outcome else "The vendor gave no reason."
    match status:
        case _ if outcome is not None and outcome.says_no and code in KNOWN_CODES:
            refused = NotFound if code == "NOT_FOUND" else Refused
            return refused(words, operation=operation, status=status, code=code, documented=True)
        case 401 | 403:
            return CredentialsRefused(
                "The vendor refused our credentials.", operation=operation, status=status, code=code
            )
        case 400 if outcome is not None and _text(outcome.error) is not None:
            return PossiblyExpired(words, operation=operation, status=status, code=code)
        case 429:
            return RateLimited("The vendor asks to slow down.", operation=operation, retry_after=seconds(reply))
        case _ if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return Unavailable(f"The vendor answered {status}.", operation=operation, status=status, code=code)
        case 404 if outcome is not None and outcome.says_nothing and operation.repeatable:
            return BareNotFound(words, operation=operation, status=status)
        case _ if outcome is None or reply.is_redirect or not outcome.says_no:
            return Garbled("The answer is not the vendor's JSON.", operation=operation, status=status)
        case 404:
            return NotFound(words, operation=operation, status=status, code=code)
        case _:
            return Refused(words, operation=operation, status=status, code=code)

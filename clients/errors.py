"""What can go wrong between us and a vendor.

::

    UpstreamError                 any failure of one vendor call
    ├── Unanswered                no whole answer arrived; `sent` says whether a byte may have left
    │   ├── Unreachable           no connection: refused, unresolvable, TLS failed
    │   ├── TimedOut              a phase of the call took longer than it was given
    │   └── Interrupted           the connection broke while sending or receiving
    ├── Unavailable               the vendor answered 5xx
    ├── Garbled                   the answer is not the vendor's: HTML, truncated, wrong type, a redirect
    ├── RateLimited               429
    ├── CredentialsRefused        the vendor does not accept OUR credentials
    ├── CircuitOpen               the vendor fails, and was not called
    ├── Crowded                   too many of our calls are at the vendor, so this one was not made
    ├── NotConfigured             we hold no credentials for this vendor, nothing was called
    └── Refused                   a complete refusal, with the vendor's code and words
        └── NotFound              the vendor has no such thing
            └── BareNotFound      a read's 404 whose JSON is not in the vendor's own form
"""

import msgspec
from typing_extensions import override

from clients import policy
from clients.secret import Secret

Kind = policy.Kind


class Operation(msgspec.Struct, frozen=True):
    """One call a vendor offers, and how careful we must be with it.

    The kind is stated, never inferred from the HTTP method: every read of the
    billing vendor is a POST.
    """

    upstream: str
    """The vendor: "funnelflux" or "funnelfox"."""

    name: str
    """Method and path template below the vendor's base, as in "GET /domains/{domain}"; low in cardinality."""

    kind: Kind
    """`read` and `probe` may be repeated; `write` and `money` only if nothing was sent."""

    orphan_harmless: bool = False
    """Whether a write whose answer was lost may be made anew by the caller: what it left behind does nothing."""

    @property
    def repeatable(self) -> bool:
        """Whether a second call does no harm: true for reads and probes."""
        return policy.POLICIES[self.kind].repeats_sent


class UpstreamError(Exception):
    """A vendor call failed.

    Args:
        detail: One sentence on what happened, safe to show: it holds no credential.
        operation: What was called.
        status: The HTTP status the vendor answered, None if there was no answer.
        code: The vendor's own code in its own spelling, None if it gave none.
        request_id: The vendor's identifier of the request, None if it gave none.
    """

    def __init__(
        self,
        detail: str,
        *,
        operation: Operation,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.operation = operation
        self.status = status
        self.code = code
        self.request_id = request_id

    @property
    def low_cardinality(self) -> str:
        """What kind of failure this is, from a small set: safe for a label of a metric or a span."""
        return type(self).__name__

    def hide(self, *secrets: Secret | None) -> None:
        """Take our own secrets out of what the vendor said, should it have repeated one."""
        for secret in filter(None, secrets):
            self.detail = self.detail.replace(secret.reveal(), str(secret))
            self.code = self.code.replace(secret.reveal(), str(secret)) if self.code else None
            self.request_id = self.request_id.replace(secret.reveal(), str(secret)) if self.request_id else None
        self.args = (self.detail,)


class Unanswered(UpstreamError):
    """No whole answer arrived.

    Args:
        detail: One sentence on what happened.
        operation: What was called.
        sent: Whether a byte of the request may have left. If not, the vendor can't have acted on it.
        status: The HTTP status, if the head of an answer arrived before it broke off.
    """

    def __init__(self, detail: str, *, operation: Operation, sent: bool, status: int | None = None) -> None:
        super().__init__(detail, operation=operation, status=status)
        self.sent = sent


class Unreachable(Unanswered):
    """No connection was made, so nothing was sent."""

    def __init__(self, detail: str, *, operation: Operation) -> None:
        super().__init__(detail, operation=operation, sent=False)


class TimedOut(Unanswered):
    """A phase of the call took longer than it was given."""


class Interrupted(Unanswered):
    """The connection broke while the request was sent or the answer received."""


class Unavailable(UpstreamError):
    """The vendor answered 5xx."""


class Garbled(UpstreamError):
    """An answer arrived that is not the vendor's: HTML, half a body, another type, a redirect."""


class RateLimited(UpstreamError):
    """The vendor asks us to slow down.

    Args:
        detail: One sentence on what happened.
        operation: What was called.
        retry_after: Seconds to wait, from the vendor's `Retry-After`; None if it gave none.
    """

    def __init__(self, detail: str, *, operation: Operation, retry_after: int | None) -> None:
        super().__init__(detail, operation=operation, status=429)
        self.retry_after = retry_after


class CredentialsRefused(UpstreamError):
    """The vendor does not accept our credentials; renewing them did not help."""


class CircuitOpen(UpstreamError):
    """The vendor fails and is left alone for some seconds, so it was not called.

    Args:
        detail: One sentence on what happened.
        operation: What would have been called.
        wait: Seconds until it is tried again.
    """

    def __init__(self, detail: str, *, operation: Operation, wait: float) -> None:
        super().__init__(detail, operation=operation)
        self.wait = wait


class Crowded(UpstreamError):
    """As many calls are under way to the vendor as may be, and none ended in time: this one was not made."""


class NotConfigured(UpstreamError):
    """We hold no credentials for this vendor, so it was not called."""


class Refused(UpstreamError):
    """The vendor understood and said no; `code` and `detail` are its own.

    Args:
        detail: The vendor's words, not yet fit to be shown.
        operation: What was called.
        status: The HTTP status.
        code: The vendor's code, not yet fit to be shown.
        request_id: The vendor's identifier of the request.
        documented: Whether the vendor documents this code.
    """

    def __init__(
        self,
        detail: str,
        *,
        operation: Operation,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        documented: bool = False,
    ) -> None:
        super().__init__(detail, operation=operation, status=status, code=code, request_id=request_id)
        self.documented = documented

    @property
    @override
    def low_cardinality(self) -> str:
        return self.code if self.documented and self.code is not None else super().low_cardinality


class NotFound(Refused):
    """The vendor has no such thing for these credentials."""


class BareNotFound(NotFound):
    """A read's 404 whose JSON is not in the vendor's own form: an answer, and no proof of anything."""

"""Every way in which we say no, and the one place where a vendor's failure becomes one of them.

A `Problem` is raised with one sentence about this occurrence; its class says
the rest. The docstring and `remedy` of a class are public text: they are the
page at `/problems/{code}`.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Final

from clients import errors
from gateway.http.rfc9457 import Problem, UpstreamReference

DEFAULT_WAIT: Final = 5
"""Seconds for `Retry-After` when a vendor asks us to slow down and does not say for how long."""

CROWDED_WAIT: Final = 1
"""Seconds for `Retry-After` when there is no place for a request: places are free again soon, or not for long."""

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")

LONGEST_WORDS: Final = 500
"""Characters of a vendor's own words that we pass on."""


class MalformedRequest(Problem):
    """The request can't be read: its JSON, its text encoding or its path is broken."""

    code, status, title = "malformed_request", 400, "Malformed request"
    remedy = "Send a body that is valid JSON in UTF-8, and a path whose segments are not empty and decode as UTF-8."


class IdempotencyKeyRequired(Problem):
    """The route moves money, and the request carried no `Idempotency-Key`."""

    code, status, title = "idempotency_key_required", 400, "Idempotency-Key required"
    remedy = "Make a key of your own for each intended payment, such as a UUID, and send it with every attempt at it."


class IdempotencyInProgress(Problem):
    """The first request with this `Idempotency-Key` is still under way."""

    code, status, title, retryable = "idempotency_in_progress", 409, "First request under way", True
    remedy = "Wait for as long as `Retry-After` says, then send the same again: you get the first one's answer."


class IdempotencyMismatch(Problem):
    """The `Idempotency-Key` was used for another request: another path, query or body."""

    code, status, title = "idempotency_mismatch", 422, "Key used for something else"
    remedy = "Send the first request again as it was, or make a new key if you mean something new."


class OperationInProgress(Problem):
    """Nobody knows yet how another operation on the same order, purchase or subscription ends."""

    code, status, title = "operation_in_progress", 409, "Another operation is open"
    remedy = (
        "Read `operation` until it is settled; a new key is no way round it. If you mean to do it besides, "
        "whatever the other one has done, send its id as `confirm_duplicate`."
    )


class SecretAlreadyShown(Problem):
    """The answer to this `Idempotency-Key` showed a secret, which is not kept."""

    code, status, title = "secret_already_shown", 409, "Secret already shown"
    remedy = "If the secret is lost, make a new one under a new key, and revoke what the first request made."


class TokenMissing(Problem):
    """The route needs a token, and the request carried none."""

    code, status, title = "token_missing", 401, "Token missing"
    remedy = "Send `Authorization: Bearer fgw_...`, once."


class TokenInvalid(Problem):
    """The token is not one of ours, or was mistyped."""

    code, status, title = "token_invalid", 401, "Token invalid"
    remedy = "Check that the whole token was copied; the last six characters are a checksum. Else ask for a new one."


class TokenExpired(Problem):
    """The token was valid once, and its time is over."""

    code, status, title = "token_expired", 401, "Token expired"
    remedy = "Ask whoever issued it for a new one."


class TokenRevoked(Problem):
    """The token was withdrawn."""

    code, status, title = "token_revoked", 401, "Token revoked"
    remedy = "Ask whoever issued it for a new one."


class InsufficientScope(Problem):
    """The token is valid but does not allow this."""

    code, status, title = "insufficient_scope", 403, "Insufficient scope"
    remedy = "The `WWW-Authenticate` header names the scope that is needed; use a token that has it."


class SubjectMismatch(Problem):
    """The token is limited to one customer, and the request is not about that customer."""

    code, status, title = "subject_mismatch", 403, "Subject mismatch"
    remedy = "Use a token that is not limited to a customer, or ask about the customer that it is limited to."


class NotFound(Problem):
    """There is no such thing, or no such route."""

    code, status, title = "not_found", 404, "Not found"
    remedy = "Check the path and the identifier in it."


class MethodNotAllowed(Problem):
    """The route exists, but not for this method."""

    code, status, title = "method_not_allowed", 405, "Method not allowed"
    remedy = "Use one of the methods in the `Allow` header."


class DomainExists(Problem):
    """This account has already registered the hostname."""

    code, status, title = "domain_exists", 409, "Domain exists"
    remedy = "Nothing needs to be created: read it with `GET /v1/domains/{hostname}`."


class DomainAlreadyOwned(Problem):
    """Another account has registered the hostname."""

    code, status, title = "domain_already_owned", 409, "Domain already owned"
    remedy = "Choose another hostname, or have its present owner remove it."


class DoublePurchase(Problem):
    """The customer already owns what the purchase would give."""

    code, status, title = "double_purchase", 409, "Double purchase"
    remedy = "Nothing was charged. Read what the customer owns before offering it again."


class RotationConflict(Problem):
    """The token can't be rotated now: somebody else just did, it has ended, or too many of its secrets are valid."""

    code, status, title = "rotation_conflict", 409, "Rotation conflict"
    remedy = "Read the token. If it is valid, rotate it again; an `overlap` of `0s` ends all its old secrets."


class PaymentCancelled(Problem):
    """The payment was cancelled, and nothing was charged."""

    code, status, title = "payment_cancelled", 409, "Payment cancelled"
    remedy = "Offer the customer to pay anew."


class TenantExists(Problem):
    """A tenant of this name is registered."""

    code, status, title = "tenant_exists", 409, "Tenant exists"
    remedy = "Change it with `PATCH /v1/tenants/{name}`, or choose another name."


class VendorAccountTaken(Problem):
    """Another tenant, perhaps the default one of the environment, reaches this vendor account."""

    code, status, title = "vendor_account_taken", 409, "Vendor account taken"
    remedy = "Give each tenant an account of its own; `errors` names the credential."


class ContentTooLarge(Problem):
    """The body is larger than the route accepts."""

    code, status, title = "content_too_large", 413, "Content too large"
    remedy = "Send less: 1 MiB is the most, 8 MiB for a CSV file."


class UnsupportedMediaType(Problem):
    """The body is of a media type that the route does not read."""

    code, status, title = "unsupported_media_type", 415, "Unsupported media type"
    remedy = "Send `Content-Type: application/json`, or `text/csv` to the import."


class ValidationFailed(Problem):
    """The request can be read, but says something that can't be done."""

    code, status, title = "validation_failed", 422, "Validation failed"
    remedy = "`errors` lists everything that is wrong, each with a pointer to its place. Mend all and send again."


class UpstreamRejected(Problem):
    """The vendor understood the request and refused it; `detail` holds its words."""

    code, status, title = "upstream_rejected", 422, "Rejected by the vendor"
    remedy = "Read `detail` and `upstream.code`; sending the same again gives the same answer."


class InvalidPrice(Problem):
    """The vendor does not accept this price point for this call."""

    code, status, title = "invalid_price", 422, "Invalid price"
    remedy = "Use a price point from `GET /v1/price-points`."


class InvalidCustomer(Problem):
    """The vendor does not accept this customer for this call."""

    code, status, title = "invalid_customer", 422, "Invalid customer"
    remedy = "Check the `external_id`."


class PaymentFailed(Problem):
    """The payment was refused, and nothing was charged."""

    code, status, title = "payment_failed", 402, "Payment failed"
    remedy = "Show `detail` to the customer and offer another means of payment."


class RateLimited(Problem):
    """Too many requests within a minute; this one was not carried out."""

    code, status, title, retryable = "rate_limited", 429, "Too many requests", True
    remedy = "Wait for as long as `Retry-After` says, then send the same again; `RateLimit` says how much is left."


class InternalError(Problem):
    """Something is wrong on our side."""

    code, status, title = "internal_error", 500, "Internal error"
    remedy = "Try once more; if it stays, send us the `request_id`."


class UpstreamUnreachable(Problem):
    """No connection to the vendor held long enough to be answered, and nothing is lost by asking again."""

    code, status, title, retryable = "upstream_unreachable", 502, "Vendor unreachable", True
    remedy = "Try again in some seconds."


class UpstreamFailed(Problem):
    """The vendor answered that it has a failure of its own."""

    code, status, title, retryable = "upstream_error", 502, "Vendor failure", True
    remedy = "Try again in some seconds."


class UpstreamInvalidResponse(Problem):
    """The vendor's answer is not what it documents: another type, another form, cut short."""

    code, status, title, retryable = "upstream_invalid_response", 502, "Invalid answer from the vendor", True
    remedy = "Try again; if it stays, send us the `request_id`."


class UpstreamAuthFailed(Problem):
    """The vendor does not accept the gateway's own credentials. Your token is not the cause."""

    code, status, title = "upstream_auth_failed", 502, "Vendor refused our credentials"
    remedy = "The gateway's operator must renew the vendor's credentials."


class UpstreamTimeout(Problem):
    """The vendor did not answer in time, and nothing is lost by asking again."""

    code, status, title, retryable = "upstream_timeout", 504, "Vendor timeout", True
    remedy = "Try again in some seconds."


class UpstreamRateLimited(Problem):
    """The vendor asks the gateway to slow down; the request was not carried out."""

    code, status, title, retryable = "upstream_rate_limited", 503, "Slowed down by the vendor", True
    remedy = "Wait for as long as `Retry-After` says, then send the same again."


class UpstreamUnavailable(Problem):
    """The vendor has failed so often that the gateway leaves it alone for some seconds; it was not called."""

    code, status, title, retryable = "upstream_unavailable", 503, "Vendor unavailable", True
    remedy = "Wait for as long as `Retry-After` says, then send the same again."


class UpstreamNotConfigured(Problem):
    """The gateway holds no credentials for the vendor that this call needs."""

    code, status, title = "upstream_not_configured", 503, "Vendor not configured"
    remedy = (
        "The gateway's operator must set the vendor's credentials: `gateway check-config` names the default tenant's, "
        "`gateway tenant show` another's."
    )


class Overloaded(Problem):
    """The gateway has as much to do as it can take, itself or at one vendor; the request was not begun."""

    code, status, title, retryable = "overloaded", 503, "Overloaded", True
    remedy = "Wait for as long as `Retry-After` says, then send the same again."


class Stopping(Problem):
    """This process has been told to stop: requests should be sent to another. Only readiness says so."""

    code, status, title, retryable = "stopping", 503, "Stopping", True
    remedy = "Take the process out of the balance; what it has begun, it finishes."


class StorageUnavailable(Problem):
    """The gateway can't reach its own database."""

    code, status, title, retryable = "storage_unavailable", 503, "Storage unavailable", True
    remedy = "Try again in some seconds."


class IdentityProviderUnavailable(Problem):
    """The issuer of the token does not answer, and without its keys the token can't be checked."""

    code, status, title, retryable = "identity_provider_unavailable", 503, "Identity provider unavailable", True
    remedy = "Keep the token, wait for as long as `Retry-After` says, then send the same again."


class OutcomeUnknown(Problem):
    """The request was sent to the vendor, and no whole answer came back: it may or may not have happened."""

    code, status, title = "outcome_unknown", 504, "Outcome unknown"
    remedy = (
        "Do not send it again blindly: the gateway never repeats it. Read `operation` to see what became of it; "
        "the same `Idempotency-Key` gives its answer once that is known."
    )
    outcome = "unknown"


def catalogue() -> Iterator[type[Problem]]:
    """Every problem we may answer with, in the order of their codes."""
    yield from sorted(Problem.__subclasses__(), key=lambda problem: problem.code)


_PURCHASE: Final = ("double_purchase", "invalid_price", "invalid_customer", "payment_failed")

BY_SCOPE: Final[Mapping[str, tuple[str, ...]]] = {
    "domains:write": ("domain_exists", "domain_already_owned"),
    **dict.fromkeys(
        (
            "catalog:read",
            "catalog:write",
            "checkout:write",
            "customers:read",
            "payments:charge",
            "payments:read",
            "payments:refund",
            "subscriptions:read",
            "subscriptions:write",
        ),
        _PURCHASE,
    ),
}
"""The vendors' own documented codes, by what one must be allowed in order to meet them."""

BY_CREATION: Final = frozenset({"domain_exists", "domain_already_owned"})
"""Those that only the making of something new can meet."""

_BY_CODE: Final[Mapping[str, type[Problem]]] = {
    "DOMAIN_EXISTS": DomainExists,
    "DOMAIN_ALREADY_OWNED": DomainAlreadyOwned,
    "double_purchase": DoublePurchase,
    "invalid_price": InvalidPrice,
    "invalid_customer": InvalidCustomer,
    "payment_failed": PaymentFailed,
}
"""The vendors' documented codes; any other refusal is `upstream_rejected`."""


def problem_of(error: errors.UpstreamError) -> Problem:  # noqa: C901, PLR0911 - a table: one return per row
    """What we promise for what happened at a vendor: the one mapping between the two trees.

    Whether the outcome is unknown hangs on two things: a repeat would do harm,
    and the vendor may have acted.
    """
    said = UpstreamReference(
        error.operation.upstream, error.status, _identifier(error.code), _identifier(error.request_id)
    )
    careful = not error.operation.repeatable
    match error:
        case errors.NotFound():
            return NotFound(_words(error), upstream=said)
        case errors.Refused():
            return _BY_CODE.get(error.code or "", UpstreamRejected)(_words(error), upstream=said)
        case errors.NotConfigured():
            return UpstreamNotConfigured(error.detail, upstream=said)
        case errors.CredentialsRefused():
            return UpstreamAuthFailed(error.detail, upstream=said)
        case errors.RateLimited():
            wait = error.retry_after if error.retry_after is not None else DEFAULT_WAIT
            return UpstreamRateLimited(error.detail, upstream=said, headers={"Retry-After": str(max(1, wait))})
        case errors.CircuitOpen():
            return UpstreamUnavailable(
                error.detail, upstream=said, headers={"Retry-After": str(math.ceil(error.wait) or 1)}
            )
        case errors.Crowded():
            return Overloaded(error.detail, upstream=said, headers={"Retry-After": str(CROWDED_WAIT)})
        case errors.Unanswered(sent=True) | errors.Unavailable() | errors.Garbled() if careful:
            return OutcomeUnknown(
                "It was sent, and no whole answer came back.",
                upstream=said,
                retryable=error.operation.orphan_harmless,
            )
        case errors.TimedOut():
            return UpstreamTimeout(error.detail, upstream=said)
        case errors.Garbled():
            return UpstreamInvalidResponse(error.detail, upstream=said)
        case errors.Unavailable():
            return UpstreamFailed(error.detail, upstream=said)
        case _:
            return UpstreamUnreachable(error.detail, upstream=said)


def _identifier(text: str | None) -> str | None:
    """A vendor's code or id, if it has the form of one."""
    return text if text is not None and _IDENTIFIER.fullmatch(text) else None


def _words(error: errors.Refused) -> str:
    return one_line(error.detail) or "The vendor gave no reason."


def one_line(words: str) -> str:
    """A vendor's own words, as one bounded line."""
    return " ".join("".join(c if c.isprintable() else " " for c in words[:LONGEST_WORDS]).split())

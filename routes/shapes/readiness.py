"""Whether a hostname serves its visitors, and what is left to do.

`RULES` is the whole verdict: the first rule that matches counts. What the API
document says of `state` is made from it.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Final

import msgspec


class State(StrEnum):
    """How far a hostname is."""

    LIVE = "live"
    MISROUTED = "misrouted"
    ISSUING_CERTIFICATE = "issuing_certificate"
    AWAITING_DNS = "awaiting_dns"
    VERIFYING = "verifying"
    BLOCKED = "blocked"
    MOVED = "moved"
    UNKNOWN = "unknown"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the verdict rests on."""

    status: str | None
    """Cloudflare's status of the hostname; an open set."""
    ssl_status: str | None
    """Cloudflare's status of the certificate; an open set."""
    verification_errors: bool
    reached: bool | None
    """Whether the check found the hostname with valid TLS; None: there is no check."""


class Rule(msgspec.Struct, frozen=True):
    """One row of the table."""

    when: str
    matches: Callable[[Facts], bool]
    state: State


def _active(facts: Facts) -> bool:
    return facts.status == "active"


def _both_active(facts: Facts) -> bool:
    return _active(facts) and facts.ssl_status == "active"


def _pending(facts: Facts) -> bool:
    return (facts.status or "").startswith("pending")


def _blocked(facts: Facts) -> bool:
    status, ssl_status = facts.status or "", facts.ssl_status or ""
    return (
        status.endswith("blocked")
        or status == "test_failed"
        or ssl_status.endswith("timed_out")
        or ssl_status == "expired"
    )


RULES: Final = (
    Rule(
        "status is moved, deleted or pending_deletion",
        lambda facts: facts.status in {"moved", "deleted", "pending_deletion"},
        State.MOVED,
    ),
    Rule(
        "status ends in blocked or is test_failed, or the certificate has timed out or expired", _blocked, State.BLOCKED
    ),
    Rule(
        "status and certificate are active, the check reached it",
        lambda f: _both_active(f) and f.reached is True,
        State.LIVE,
    ),
    Rule(
        "status and certificate are active, the check did not reach it",
        lambda f: _both_active(f) and f.reached is False,
        State.MISROUTED,
    ),
    Rule("status and certificate are active, there is no check", _both_active, State.UNKNOWN),
    Rule("status is active", _active, State.ISSUING_CERTIFICATE),
    Rule(
        "status begins with pending, with verification errors",
        lambda f: _pending(f) and f.verification_errors,
        State.AWAITING_DNS,
    ),
    Rule("status begins with pending", _pending, State.VERIFYING),
    Rule("anything else", lambda _: True, State.UNKNOWN),
)

_TABLE: Final = "The first that matches: " + "; ".join(f"{rule.when}: `{rule.state}`" for rule in RULES) + "."


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a hostname."""

    state: Annotated[State, msgspec.Meta(description=_TABLE)]
    summary: str
    """One sentence for people."""
    next_steps: list[str]
    """What its owner can do, in order; empty when nothing is left to do."""


_SUMMARY: Final = {
    State.LIVE: "The hostname serves visitors.",
    State.MISROUTED: "Hostname and certificate are active, but visitors are not led here.",
    State.ISSUING_CERTIFICATE: "The hostname is verified; its certificate is being issued.",
    State.AWAITING_DNS: "The DNS records are not there yet, or not as they must be.",
    State.VERIFYING: "The DNS records are being verified.",
    State.BLOCKED: "The hostname is stopped and does not go on by itself.",
    State.MOVED: "The hostname is no longer served from here.",
    State.UNKNOWN: "There is not enough to tell.",
}

_PUBLISH: Final = "Publish the records in dns_records at the hostname's DNS provider, exactly as they are."
_WAIT: Final = "Wait some minutes, then refresh."
_STEPS: Final[dict[State, tuple[str, ...]]] = {
    State.LIVE: (),
    State.MISROUTED: ("{point}", "Then refresh."),
    State.ISSUING_CERTIFICATE: ("Keep the certificate record in dns_records published.", _WAIT),
    State.AWAITING_DNS: (_PUBLISH, "{point}", _WAIT),
    State.VERIFYING: (_PUBLISH, "{point}", _WAIT),
    State.BLOCKED: ("Remove the domain and create it again.", "If it is blocked again, ask the vendor's support why."),
    State.MOVED: ("If it should be served from here, remove the domain and create it again.",),
    State.UNKNOWN: ("Refresh to look again.",),
}


def readiness(facts: Facts, *, hostname: str, cname_target: str | None) -> Readiness:
    """The verdict.

    Args:
        facts: What is known.
        hostname: For the steps.
        cname_target: Where its CNAME must point; None: the operator has not said.
    """
    state = next(rule.state for rule in RULES if rule.matches(facts))
    point = (
        f"Point the CNAME of {hostname} to {cname_target}."
        if cname_target is not None
        else f"Point the CNAME of {hostname} to the target that FunnelFlux Pro shows for it (its API does not)."
    )
    return Readiness(
        state=state, summary=_SUMMARY[state], next_steps=[step.format(point=point) for step in _STEPS[state]]
    )

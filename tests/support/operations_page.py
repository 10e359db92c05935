"""Writes `docs/operations.md` from the tables in the code; `make docs` puts it there."""

import sys
from collections.abc import Iterator

from clients.breaker import FAILED_SHARE, WINDOW_SECONDS
from clients.budget import SHARE
from clients.bulkhead import PLACES
from clients.domains.credentials import VALIDATE
from clients.errors import Operation
from clients.operations import OPERATIONS
from clients.policy import POLICIES, Kind
from gateway.settings import Settings

_INTRODUCTION = """\
# Vendor operations, and how careful we are with each

Written from the code by `make docs`: `clients/policy.py` has what follows from a kind of operation,
`clients/domains/client.py` and `clients/billing/operations.py` say of which kind each operation is. The kind is
stated and never told by the HTTP method: every read of the billing vendor is a POST.
"""


def page() -> str:
    """The whole page."""
    return "\n".join((_INTRODUCTION, *_kinds(), "", *_failures(), "", *_notes(), "", *_operations(), ""))


def _kinds() -> Iterator[str]:
    yield "## The kinds\n"
    yield "| kind | repeated at most | also if it may have been carried out | one attempt | the request | may fill |"
    yield "|---|---|---|---|---|---|"
    for kind, policy in POLICIES.items():
        whole = Settings().money_deadline_seconds if policy.longer_deadline else Settings().deadline_seconds
        once = Settings().read_attempt_seconds if policy.short_attempts else whole
        yield (
            f"| {kind} | {policy.retries} | {'yes' if policy.repeats_sent else 'no'} | {once:g} s | {whole:g} s "
            f"| {policy.may_fill:.0%} |"
        )


def _failures() -> Iterator[str]:
    yield "## What is repeated, on which failure\n"
    yield "| kind | never connected | broken off, late, 5xx, no valid answer | 429 with `Retry-After` | 429 without |"
    yield "|---|---|---|---|---|"
    for kind, policy in POLICIES.items():
        sent = _times(kind) if policy.repeats_sent else "never"
        waited = f"{_times(kind)}, if the wait ends before the deadline" if policy.repeats_sent else "never"
        yield f"| {kind} | {_times(kind)} | {sent} | {waited} | never |"


def _times(kind: Kind) -> str:
    return {1: "once", 2: "twice"}[POLICIES[kind].retries]


def _notes() -> Iterator[str]:
    yield f"- Of all calls to a vendor, {SHARE:.0%} may be repetitions; pauses between them grow and differ."
    yield "- A refusal by the vendor is an answer, and never repeated. Refused credentials are renewed once, and the"
    yield "  call is made once more: also a write, for the refusal came before it was carried out."
    yield f"- A breaker for each vendor and kind opens once {FAILED_SHARE:.0%} of at least {Settings().breaker_calls}"
    yield f"  calls within {WINDOW_SECONDS:g} s failed, and tries again after {Settings().breaker_open_seconds:g} s."
    yield "  Until then nothing is repeated, either, and what tries is sent once."
    yield f"- {PLACES} attempts may be at a vendor at once. A kind gets a place until the share that it may fill is"
    yield "  taken, by whatever kind: the last places are for writes, and the very last for money."
    yield "- Nothing is sent twice on a connection of doubt: writes and money get a fresh one each."


def _operations() -> Iterator[str]:
    yield "## The operations\n"
    yield "| vendor | operation | kind |"
    yield "|---|---|---|"
    for operation in OPERATIONS:
        yield f"| {operation.upstream} | `{operation.name}` | {_kind(operation)} |"


def _kind(operation: Operation) -> str:
    if operation is VALIDATE:
        return f"{operation.kind} (renews the credentials)"
    if operation.orphan_harmless:
        return f"{operation.kind} (a lost one is harmless)"
    if operation.name == "POST /subscription/migration":
        return f"{operation.kind} (a dry run: probe)"
    return operation.kind


if __name__ == "__main__":
    sys.stdout.write(page())

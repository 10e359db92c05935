"""The verdict on a hostname, over every status that is known."""

import itertools

import pytest

from routes.shapes.readiness import Facts, State, readiness

HOSTNAME_STATUSES = {
    "active": None,  # decided by the certificate and the check, below
    "pending": State.VERIFYING,
    "active_redeploying": State.UNKNOWN,
    "moved": State.MOVED,
    "pending_deletion": State.MOVED,
    "deleted": State.MOVED,
    "pending_blocked": State.BLOCKED,
    "pending_migration": State.VERIFYING,
    "pending_provisioned": State.VERIFYING,
    "test_pending": State.UNKNOWN,
    "test_active": State.UNKNOWN,
    "test_active_apex": State.UNKNOWN,
    "test_blocked": State.BLOCKED,
    "test_failed": State.BLOCKED,
    "provisioned": State.UNKNOWN,
    "blocked": State.BLOCKED,
    "a status of next Friday": State.UNKNOWN,
    None: State.UNKNOWN,
}

CERTIFICATE_STATUSES = {
    "active": None,  # decided by the check
    "initializing": State.ISSUING_CERTIFICATE,
    "pending_validation": State.ISSUING_CERTIFICATE,
    "deleted": State.ISSUING_CERTIFICATE,
    "pending_issuance": State.ISSUING_CERTIFICATE,
    "pending_deployment": State.ISSUING_CERTIFICATE,
    "pending_deletion": State.ISSUING_CERTIFICATE,
    "pending_expiration": State.ISSUING_CERTIFICATE,
    "expired": State.BLOCKED,
    "initializing_timed_out": State.BLOCKED,
    "validation_timed_out": State.BLOCKED,
    "issuance_timed_out": State.BLOCKED,
    "deployment_timed_out": State.BLOCKED,
    "deletion_timed_out": State.BLOCKED,
    "pending_cleanup": State.ISSUING_CERTIFICATE,
    "staging_deployment": State.ISSUING_CERTIFICATE,
    "staging_active": State.ISSUING_CERTIFICATE,
    "deactivating": State.ISSUING_CERTIFICATE,
    "inactive": State.ISSUING_CERTIFICATE,
    "backup_issued": State.ISSUING_CERTIFICATE,
    "holding_deployment": State.ISSUING_CERTIFICATE,
    "a status of next Friday": State.ISSUING_CERTIFICATE,
    None: State.ISSUING_CERTIFICATE,
}


def verdict(status: str | None, ssl_status: str | None, *, errors: bool = False, reached: bool | None = True) -> State:
    """The state that these facts lead to."""
    facts = Facts(status=status, ssl_status=ssl_status, verification_errors=errors, reached=reached)
    return readiness(facts, hostname="a.example", cname_target=None).state


@pytest.mark.parametrize(("status", "state"), [(status, state) for status, state in HOSTNAME_STATUSES.items() if state])
def test_a_hostname_status_decides(status: str | None, state: State) -> None:
    """Whatever the check has seen, a hostname that is not active is not live."""
    for ssl_status, reached in itertools.product(("active", "pending_validation"), (True, False, None)):
        assert verdict(status, ssl_status, reached=reached) is state


@pytest.mark.parametrize(
    ("ssl_status", "state"), [(status, state) for status, state in CERTIFICATE_STATUSES.items() if state]
)
def test_a_certificate_status_decides_for_an_active_hostname(ssl_status: str | None, state: State) -> None:
    """An active hostname waits for its certificate, or is stopped by it."""
    for reached in (True, False, None):
        assert verdict("active", ssl_status, reached=reached) is state


@pytest.mark.parametrize(("reached", "state"), [(True, State.LIVE), (False, State.MISROUTED), (None, State.UNKNOWN)])
def test_the_check_decides_when_all_is_active(reached: bool | None, state: State) -> None:  # noqa: FBT001 - a table
    """Only a hostname that was seen to work is called live."""
    assert verdict("active", "active", reached=reached) is state


@pytest.mark.parametrize("status", ["pending", "pending_migration", "pending_provisioned"])
def test_verification_errors_ask_for_dns(status: str) -> None:
    """As long as Cloudflare misses a record, the owner has something to do."""
    assert verdict(status, "initializing", errors=True) is State.AWAITING_DNS


def test_a_broken_certificate_outweighs_pending() -> None:
    """The first rule that matches counts: a timed-out certificate needs a person."""
    assert verdict("pending", "validation_timed_out", errors=True) is State.BLOCKED


def test_a_moved_hostname_outweighs_everything() -> None:
    """A hostname that is gone is not repaired by its certificate."""
    assert verdict("moved", "expired") is State.MOVED


def test_the_target_is_named_when_it_is_known() -> None:
    """With FUNNELFLUX_CNAME_TARGET the steps can be followed without asking anybody."""
    facts = Facts(status="active", ssl_status="active", verification_errors=False, reached=False)

    steps = readiness(facts, hostname="a.example", cname_target="cname.example.net").next_steps

    assert steps == ["Point the CNAME of a.example to cname.example.net.", "Then refresh."]

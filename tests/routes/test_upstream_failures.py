"""What callers see when a vendor does not answer as it should."""

import json

import httpx
import pytest

from tests.support.gateway import Tenant

# What a vendor may say besides what tests/faults holds against every class: what a read and a write are answered.
FAILURES: list[tuple[str, dict[str, object], tuple[int, str], tuple[int, str]]] = [
    ("status", {"status": 503, "body": "<html>down</html>"}, (502, "upstream_error"), (504, "outcome_unknown")),
    (
        "status",
        {"status": 400, "body": '{"success":false,"error_code":"ODD","error_message":"Not today."}'},
        (422, "upstream_rejected"),
        (422, "upstream_rejected"),
    ),
    (
        "status",
        {"status": 404, "body": '{"success":false,"error_message":"No."}'},
        (404, "not_found"),
        (404, "not_found"),
    ),
    ("status", {"status": 200, "body": "[]"}, (502, "upstream_invalid_response"), (504, "outcome_unknown")),
    ("status", {"status": 200, "body": '"yes"'}, (502, "upstream_invalid_response"), (504, "outcome_unknown")),
    (
        "status",
        {"status": 200, "body": '{"success":"true"}'},
        (502, "upstream_invalid_response"),
        (504, "outcome_unknown"),
    ),
    ("status", {"status": 200, "body": "[" * 100_000}, (502, "upstream_invalid_response"), (504, "outcome_unknown")),
    (
        "status",
        {"status": 200, "body": '{"status":"maintenance"}'},
        (502, "upstream_invalid_response"),
        (504, "outcome_unknown"),
    ),
    (
        "status",
        {"status": 200, "body": '{"success":false,"error_code":42,"error_message":{}}'},
        (422, "upstream_rejected"),
        (422, "upstream_rejected"),
    ),
    ("success_false", {"code": "SOMETHING"}, (422, "upstream_rejected"), (422, "upstream_rejected")),
    ("success_false", {"code": "NOT_FOUND", "status": 500}, (404, "not_found"), (404, "not_found")),
]


@pytest.mark.parametrize(("kind", "details", "read", "write"), FAILURES)
def test_a_vendor_failure_is_one_clear_problem(
    api: httpx.Client,
    tenant: Tenant,
    kind: str,
    details: dict[str, object],
    read: tuple[int, str],
    write: tuple[int, str],
) -> None:
    """
    A read that fails has failed; a write that may have been carried out is
    never called failed, and is sent once.
    """
    tenant.account.domains.add("a.failure-test.com")
    tenant.fails("GET /domains", kind, **details)
    tenant.fails("DELETE /domains/{domain}", kind, **details)

    listed = api.get("/v1/domains")
    removed = api.delete("/v1/domains/a.failure-test.com")

    assert (listed.status_code, listed.json()["code"]) == read
    assert (removed.status_code, removed.json()["code"]) == write
    assert listed.headers["content-type"] == removed.headers["content-type"] == "application/problem+json"
    assert removed.json()["upstream"]["name"] == "funnelflux"
    assert removed.json().get("outcome") == ("unknown" if write[1] == "outcome_unknown" else None)
    assert tenant.calls("DELETE /domains/{domain}") == 1


def test_the_vendors_wait_is_passed_on(api: httpx.Client, tenant: Tenant) -> None:
    """A caller is told to wait as long as the vendor told us, or some seconds."""
    tenant.fails("GET /domains", "rate_limited", retry_after="60", times=1)
    tenant.fails("GET /domains", "rate_limited")

    assert api.get("/v1/domains").headers["retry-after"] == "60"
    assert int(api.get("/v1/domains").headers["retry-after"]) > 0


def test_the_vendors_words_are_one_bounded_line(api: httpx.Client, tenant: Tenant) -> None:
    """What a vendor says is shown, but it can't break out of its place."""
    tenant.fails("GET /domains", "success_false", code="ODD", message="No\r\nSet-Cookie: a=b\x00 " + "x" * 9000)

    detail = api.get("/v1/domains").json()["detail"]

    assert detail.startswith("No Set-Cookie: a=b xxx")
    assert len(detail) <= 500
    assert detail.isprintable()


@pytest.mark.parametrize(
    ("code", "status"),
    [("double_purchase", 409), ("invalid_price", 422), ("invalid_customer", 422), ("payment_failed", 402)],
)
@pytest.mark.parametrize("http_status", [200, 400, 500])
def test_a_billing_code_keeps_its_meaning_under_any_status(
    api: httpx.Client, tenant: Tenant, code: str, status: int, http_status: int
) -> None:
    """The vendor's four documented codes count whatever HTTP status they come with."""
    tenant.fails("POST /price_points", "status_error", code=code, status=http_status)

    reply = api.get("/v1/price-points")

    assert (reply.status_code, reply.json()["code"]) == (status, code)
    upstream = reply.json()["upstream"]
    assert (upstream["name"], upstream["status"], upstream["code"]) == ("funnelfox", http_status, code)
    assert upstream["request_id"]


def test_our_secrets_do_not_come_back_in_the_vendors_words(api: httpx.Client, tenant: Tenant) -> None:
    """A vendor that repeats what it was sent does not make us tell it to the caller."""
    secrets = tenant.account.credentials
    said = f"no {secrets.access_token} / {secrets.refresh_token}"
    tenant.fails("GET /domains", "success_false", code=f"BAD {secrets.access_token}", message=said)
    tenant.fails("POST /search_users", "status_error", message=f"key {secrets.secret_key} is odd")

    domains = api.get("/v1/domains")
    customers = api.post("/v1/customers/search", json={"email": "a@example.com"})

    assert (domains.json()["detail"], domains.json()["upstream"]["code"]) == ("no *** / ***", None)
    assert customers.json()["detail"] == "key *** is odd"
    tenant.fails(
        "POST /subscription/search",
        "status",
        status=200,
        body=json.dumps({"status": "error", "req_id": secrets.secret_key, "error": [{"msg": "No.", "type": "x"}]}),
    )
    assert secrets.secret_key not in api.get("/v1/subscriptions").text


@pytest.mark.parametrize("wait", ["Fri, 01 Jan 99999999999999999999 00:00:00 GMT", "9" * 5000, "x" * 100])
def test_a_hostile_wait_is_no_crash(api: httpx.Client, tenant: Tenant, wait: str) -> None:
    """What can't be read is as good as nothing."""
    tenant.fails("DELETE /domains/{domain}", "rate_limited", retry_after=wait)

    reply = api.delete("/v1/domains/a.wait-test.com")

    assert (reply.status_code, reply.json()["code"]) == (503, "upstream_rate_limited")
    assert 0 < int(reply.headers["retry-after"]) <= 3600


def test_one_vendors_failure_leaves_the_other_alone(api: httpx.Client, tenant: Tenant) -> None:
    """Domains work while billing is down."""
    tenant.fails("funnelfox", "drop_before")

    assert api.get("/v1/price-points").status_code == 502
    assert api.get("/v1/domains").status_code == 200

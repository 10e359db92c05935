"""What callers see when they manage custom domains."""

from datetime import datetime

import httpx
import pytest

from tests.support.gateway import Tenant

PENDING_STEPS = [
    "Publish the records in dns_records at the hostname's DNS provider, exactly as they are.",
    "Point the CNAME of {hostname} to the target that FunnelFlux Pro shows for it (its API does not).",
    "Wait some minutes, then refresh.",
]


def rfc3339(text: str) -> bool:
    """Whether this is a UTC time as we promise it."""
    return text.endswith("Z") and datetime.fromisoformat(text).utcoffset() is not None


def test_a_list_shows_rows_sorted_and_blank_statuses_as_null(api: httpx.Client, tenant: Tenant) -> None:
    """
    The vendor leaves statuses blank in its list; we say null, and sort by
    hostname, whatever the vendor's order.
    """
    tenant.account.domains.add("zz.list-test.com", status="active", recorded=True)
    tenant.account.domains.add("aa.list-test.com", status="active")

    reply = api.get("/v1/domains", params={"q": "List-Test"})

    assert reply.status_code == 200
    rows = reply.json()["data"]
    zz = tenant.account.domains.get("zz.list-test.com")
    assert zz is not None
    assert [row["hostname"] for row in rows] == ["aa.list-test.com", "zz.list-test.com"]
    assert rows[0]["status"] is None
    assert rows[1] == {
        "hostname": "zz.list-test.com",
        "id": str(zz.id),
        "cloudflare_id": rows[1]["cloudflare_id"],
        "status": "active",
        "ssl_status": "active",
        "verification_errors": [],
        "created_at": rows[1]["created_at"],
    }
    assert rfc3339(rows[1]["created_at"])
    assert reply.json()["meta"]["count"] == 2
    assert rfc3339(reply.json()["meta"]["fetched_at"])


def test_a_blank_status_matches_no_filter(api: httpx.Client, tenant: Tenant) -> None:
    """
    Only rows whose status is known can match; with expand=readiness each is
    looked at, and then all can.
    """
    tenant.account.domains.add("seen.filter-test.com", status="active", recorded=True)
    tenant.account.domains.add("unseen.filter-test.com", status="active")

    plain = api.get("/v1/domains", params={"q": "filter-test", "status": "active"})
    expanded = api.get("/v1/domains", params={"q": "filter-test", "status": "active", "expand": "readiness"})

    assert [row["hostname"] for row in plain.json()["data"]] == ["seen.filter-test.com"]
    assert [(row["hostname"], row["readiness"]["state"]) for row in expanded.json()["data"]] == [
        ("seen.filter-test.com", "live"),
        ("unseen.filter-test.com", "live"),
    ]


def test_pages_neither_repeat_nor_skip(api: httpx.Client, tenant: Tenant) -> None:
    """
    Following next_cursor gives every row once, also when a row disappears
    between two pages.
    """
    hostnames = [f"d{n:02}.page-test.com" for n in range(7)]
    for hostname in hostnames:
        tenant.account.domains.add(hostname)
    seen: list[str] = []
    cursor: str | None = None

    while True:
        params = {"q": "page-test", "limit": "3"} | ({"cursor": cursor} if cursor else {})
        body = api.get("/v1/domains", params=params).json()
        seen += [row["hostname"] for row in body["data"]]
        if len(seen) == 3:
            tenant.account.domains.delete(hostnames[0])
        if (cursor := body["meta"]["next_cursor"]) is None:
            break

    assert seen == hostnames


def test_a_row_that_cannot_be_expanded_says_so(api: httpx.Client, tenant: Tenant) -> None:
    """One domain's failure does not spoil the page."""
    tenant.account.domains.add("a.expand-test.com")
    tenant.fails("GET /domains/{domain}", "status", status=500)

    reply = api.get("/v1/domains", params={"q": "expand-test", "expand": "readiness"})

    assert reply.status_code == 200
    (row,) = reply.json()["data"]
    assert row["readiness"] is None
    assert [(missing["part"], missing["problem"]["code"]) for missing in row["missing"]] == [
        ("readiness", "upstream_error")
    ]


@pytest.mark.parametrize(
    ("query", "pointers"),
    [
        ("limit=0", ["/limit"]),
        ("limit=501", ["/limit"]),
        ("limit=many&expand=all", ["/expand", "/limit"]),
        ("cursor=%00", ["/cursor"]),
        ("cursor=%C3%A9", ["/cursor"]),
        ("cursor=%FF", ["/cursor"]),
        ("expand=null&limit=null", ["/expand", "/limit"]),
        ("cursor=A", ["/cursor"]),
        ("limit=51&expand=readiness", ["/limit"]),
        ("stauts=active&order=asc", ["/order", "/stauts"]),
        ("limit=1&limit=2", ["/limit"]),
    ],
)
def test_every_fault_of_a_query_is_named(api: httpx.Client, query: str, pointers: list[str]) -> None:
    """A query that is wrong in several places is told all of them at once."""
    reply = api.get(f"/v1/domains?{query}")

    assert reply.status_code == 422
    assert reply.json()["code"] == "validation_failed"
    assert sorted(fault["pointer"] for fault in reply.json()["errors"]) == pointers
    assert {fault["in"] for fault in reply.json()["errors"]} == {"query"}


def test_creating_answers_the_records_to_publish(api: httpx.Client, tenant: Tenant) -> None:
    """A new domain comes with everything its owner needs for the next step."""
    reply = api.post("/v1/domains", json={"hostname": "Shop.Create-Test.com."})

    assert reply.status_code == 201
    assert reply.headers["location"] == "/v1/domains/shop.create-test.com"
    body = reply.json()
    row = tenant.account.domains.get("shop.create-test.com")
    assert row is not None
    assert body == {
        "hostname": "shop.create-test.com",
        "id": str(row.id),
        "owner": body["owner"],
        "cloudflare_id": body["cloudflare_id"],
        "status": "pending",
        "ssl_status": "initializing",
        "created_at": body["created_at"],
        "parsed": {"subdomain": "shop", "root_domain": "create-test.com"},
        "dns_records": [
            {
                "purpose": "ownership",
                "type": "TXT",
                "name": "_cf-custom-hostname.shop.create-test.com",
                "value": body["dns_records"][0]["value"],
            },
            {
                "purpose": "certificate",
                "type": "TXT",
                "name": "_acme-challenge.shop.create-test.com",
                "value": body["dns_records"][1]["value"],
            },
        ],
        "verification_errors": [],
        "check": None,
        "readiness": {
            "state": "verifying",
            "summary": "The DNS records are being verified.",
            "next_steps": [step.format(hostname="shop.create-test.com") for step in PENDING_STEPS],
        },
        "missing": [],
    }
    assert rfc3339(body["created_at"])


@pytest.mark.parametrize(
    ("hostname", "code"), [("mine.conflict.com", "domain_exists"), ("owned.example.net", "domain_already_owned")]
)
def test_a_taken_hostname_is_a_conflict(api: httpx.Client, tenant: Tenant, hostname: str, code: str) -> None:
    """The vendor says so under HTTP 200; the caller gets 409 with the vendor's code beside ours."""
    tenant.account.domains.add("mine.conflict.com")

    reply = api.post("/v1/domains", json={"hostname": hostname})

    assert reply.status_code == 409
    body = reply.json()
    assert body["code"] == code
    assert body["upstream"] == {"name": "funnelflux", "status": 200, "code": code.upper(), "request_id": None}


def test_a_create_without_the_record_is_read_back(api: httpx.Client, tenant: Tenant) -> None:
    """A vendor that says yes and nothing else has created it; the record is fetched."""
    tenant.fails("POST /domains", "status", status=200, body='{"success": true}', effect=True)

    reply = api.post("/v1/domains", json={"hostname": "bare.create-test.com"})

    assert reply.status_code == 201
    assert reply.json()["id"] is not None
    assert reply.json()["missing"] == []


def test_a_create_that_cannot_be_read_back_is_still_created(api: httpx.Client, tenant: Tenant) -> None:
    """The write is done, whatever becomes of the read; what is missing is named."""
    tenant.fails("POST /domains", "status", status=200, body='{"success": true}', effect=True)
    tenant.fails("GET /domains/{domain}", "html", status=200)

    reply = api.post("/v1/domains", json={"hostname": "bare2.create-test.com"})

    assert reply.status_code == 201
    assert reply.headers["location"] == "/v1/domains/bare2.create-test.com"
    body = reply.json()
    assert body["hostname"] == "bare2.create-test.com"
    assert [(missing["part"], missing["problem"]["code"]) for missing in body["missing"]] == [
        ("details", "upstream_invalid_response")
    ]


def test_details_are_merged_with_a_live_check(api: httpx.Client, tenant: Tenant) -> None:
    """One answer holds the record, the check and the verdict on both."""
    tenant.account.domains.add("track.details-test.com")

    reply = api.get("/v1/domains/track.details-test.com")

    assert reply.status_code == 200
    body = reply.json()
    assert body["readiness"] == {"state": "live", "summary": "The hostname serves visitors.", "next_steps": []}
    assert body["check"] == {
        "hostname": "track.details-test.com",
        "found": True,
        "ssl_valid": True,
        "http_status": 200,
        "ssl_error": None,
        "response_time_ms": body["check"]["response_time_ms"],
        "error_message": None,
        "checked_at": body["check"]["checked_at"],
        "cloudflare_status": "active",
        "cloudflare_ssl_status": "active",
    }
    assert rfc3339(body["check"]["checked_at"])
    assert body["missing"] == []


def test_details_survive_a_failing_check(api: httpx.Client, tenant: Tenant) -> None:
    """
    The check is best-effort: without it the domain still shows, and the
    missing part is named.
    """
    tenant.account.domains.add("track.partial-test.com")
    tenant.fails("POST /domains/check", "status", status=503)

    reply = api.get("/v1/domains/track.partial-test.com")

    assert reply.status_code == 200
    body = reply.json()
    assert body["check"] is None
    assert body["readiness"]["state"] == "unknown"
    assert reply.headers["cache-control"] == "no-store"  # Who asks again may get the whole.
    problem = body["missing"][0]["problem"]
    assert body["missing"] == [
        {
            "part": "check",
            "problem": {
                "type": "/problems/upstream_error",
                "title": "Vendor failure",
                "status": 502,
                "detail": "The vendor answered 503.",
                "instance": "/v1/domains/track.partial-test.com",
                "code": "upstream_error",
                "request_id": reply.headers["x-request-id"],
                "trace_id": problem["trace_id"],
                "retryable": True,
                "upstream": {"name": "funnelflux", "status": 503, "code": "error", "request_id": None},
            },
        }
    ]


def test_failing_details_are_the_answer(api: httpx.Client, tenant: Tenant) -> None:
    """A check without the record it belongs to is no answer."""
    tenant.account.domains.add("track.gone-test.com")
    tenant.fails("GET /domains/{domain}", "status", status=500)

    reply = api.get("/v1/domains/track.gone-test.com")

    assert (reply.status_code, reply.json()["code"]) == (502, "upstream_error")


def test_a_check_that_says_no_is_a_result(api: httpx.Client, tenant: Tenant) -> None:
    """The vendor may say success:false with a verdict in the body: that is what was asked for."""
    tenant.account.domains.add("track.verdict-test.com")
    verdict = '{"success": false, "found": false, "ssl_valid": false, "error_message": "no route"}'
    tenant.fails("POST /domains/check", "status", status=200, body=verdict)

    reply = api.post("/v1/domains/check", json={"hostname": "track.verdict-test.com"})

    assert reply.status_code == 200
    assert (reply.json()["found"], reply.json()["error_message"]) == (False, "no route")


def test_a_broken_check_does_not_spoil_a_refresh(api: httpx.Client, tenant: Tenant) -> None:
    """The domain was read; what is missing is named."""
    body = '{"success": true, "domain": {"domain": "a.refresh-test.com"}, "check": {"error_message": "boom"}}'
    tenant.fails("POST /domains/{domain}/refresh", "status", status=200, body=body)

    reply = api.post("/v1/domains/a.refresh-test.com/refresh")

    assert (reply.status_code, reply.json()["check"]) == (200, None)
    assert [missing["part"] for missing in reply.json()["missing"]] == ["check"]


def test_any_hostname_can_be_checked(api: httpx.Client) -> None:
    """A check needs no registration."""
    reply = api.post("/v1/domains/check", json={"hostname": "elsewhere.example.org"})

    assert reply.status_code == 200
    assert reply.json()["found"] is False


def test_refreshing_shows_the_same_shape(api: httpx.Client, tenant: Tenant) -> None:
    """Refresh and details differ in what the vendor does, not in what the caller reads."""
    tenant.account.domains.add("track.refresh-test.com")

    refreshed = api.post("/v1/domains/track.refresh-test.com/refresh")
    details = api.get("/v1/domains/track.refresh-test.com")

    assert refreshed.status_code == 200
    assert refreshed.json().keys() == details.json().keys()
    assert refreshed.json()["readiness"] == details.json()["readiness"]
    assert tenant.calls("POST /domains/{domain}/refresh") == 1


def test_a_removed_domain_is_gone(api: httpx.Client, tenant: Tenant) -> None:
    """Removing answers nothing; removing again finds nothing."""
    tenant.account.domains.add("track.remove-test.com")

    removed = api.delete("/v1/domains/track.remove-test.com")

    assert (removed.status_code, removed.content) == (204, b"")
    assert api.get("/v1/domains/track.remove-test.com").json()["code"] == "not_found"
    assert api.delete("/v1/domains/track.remove-test.com").status_code == 404


def test_one_tenant_does_not_see_another(api: httpx.Client, tenant: Tenant) -> None:
    """The sandbox is partitioned by tenant, and so is what the gateway shows."""
    with Tenant(f"{tenant.name}-other", tenant._gateway, tenant._sandbox).client() as other:  # noqa: SLF001 - the same gateway
        api.post("/v1/domains", json={"hostname": "private.tenant-test.com"})

        reply = other.get("/v1/domains/private.tenant-test.com")

    assert reply.status_code == 404


def test_both_calls_of_a_detail_run_at_once(api: httpx.Client, tenant: Tenant) -> None:
    """The second call arrives while the first is still unanswered."""
    tenant.account.domains.add("track.parallel-test.com")
    api.get("/v1/domains/track.parallel-test.com")
    tenant.fails("GET /domains/{domain}", "latency", seconds=0.2)
    tenant.fails("POST /domains/check", "latency", seconds=0.2)

    api.get("/v1/domains/track.parallel-test.com")

    arrivals = [seen.at for seen in tenant._sandbox.requests if seen.account == tenant.name][-2:]  # noqa: SLF001 - what arrived when
    assert (arrivals[1] - arrivals[0]).total_seconds() < 0.2

"""The sandbox's own levers, and who may not pull them."""

from pathlib import Path
from typing import Any, get_args

import pytest

from clients.sandbox.arrivals import Request
from clients.sandbox.billing.payment_methods import RESUME_TOKENS, TOKENS
from clients.sandbox.control import Control
from clients.sandbox.emulator import Sandbox
from clients.sandbox.faults import MAX_FAULTS, Kind
from tests.clients.sandbox.shop import Shop

DOCS = Path(__file__).parents[3] / "docs" / "sandbox.md"


def lever(shop: Shop, method: str, path: str, json: object = None) -> Any:
    """Pull one and return its JSON."""
    reply = shop.http.request(method, f"{shop.server.url}/_sandbox/{path}", json=json)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_the_overview_lists_what_there_is(shop: Shop) -> None:
    """Levers, operations and kinds of fault."""
    overview = lever(shop, "GET", "")

    assert "POST /_sandbox/faults" in overview["levers"]
    assert len(overview["operations"]) == 6 + 1 + 25
    assert "dripping" in overview["fault_kinds"]


def test_every_fault_and_every_magic_token_is_documented() -> None:
    """docs/sandbox.md has a word for each."""
    page = DOCS.read_text(encoding="utf-8")

    missing = [word for word in (*get_args(Kind), *TOKENS, *RESUME_TOKENS) if f"`{word}`" not in page]

    assert missing == []


def test_faults_are_added_listed_and_cleared(shop: Shop) -> None:
    """With how many calls each will still hit."""
    added = lever(shop, "POST", "faults", {"kind": "status", "operation": "GET /domains", "times": 2})
    shop.flux("GET", "/domains")
    listed = lever(shop, "GET", "faults")
    cleared = lever(shop, "DELETE", "faults")

    assert added["faults"][0]["left"] == 2
    assert (listed["faults"][0]["left"], listed["faults"][0]["fault"]["kind"]) == (1, "status")
    assert cleared == {"faults": []}


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"kind": "unknown"},
        {"kind": "status", "operation": "GET /nowhere"},
        {"kind": "status", "times": 0},
        {"kind": "status", "probability": 2},
        {"kind": "status", "status": 42},
        {"kind": "status", "statsu": 500},
        [],
        "text",
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(shop: Shop, fault: object) -> None:
    """A typo in a fault would make a test pass for the wrong reason."""
    reply = shop.http.post(f"{shop.server.url}/_sandbox/faults", json=fault)

    assert reply.status_code == 400
    assert lever(shop, "GET", "faults") == {"faults": []}


@pytest.mark.parametrize("field", ["location", "retry_after"])
def test_a_fault_can_put_no_header_of_its_own_in(shop: Shop, field: str) -> None:
    """A line break in a value would be the end of the header."""
    reply = shop.http.post(
        f"{shop.server.url}/_sandbox/faults", json={"kind": "redirect", field: "x\r\nset-cookie: a=b"}
    )

    assert reply.status_code == 400


def test_faults_are_bounded(shop: Shop) -> None:
    """A loop that forgets to clear is stopped."""
    for _ in range(MAX_FAULTS):
        lever(shop, "POST", "faults", {"kind": "status", "operation": "POST /discount"})

    reply = shop.http.post(f"{shop.server.url}/_sandbox/faults", json={"kind": "status"})

    assert reply.status_code == 400


def test_the_clock_moves_forward(shop: Shop) -> None:
    """And what falls due meanwhile has happened."""
    before = lever(shop, "GET", "clock")

    after = lever(shop, "POST", "clock", {"advance": 3600})

    assert (before["skipped_seconds"], after["skipped_seconds"]) == (0, 3600)
    assert after["now"] > before["now"]


@pytest.mark.parametrize("seconds", [-1, 1e12, "60", None])
def test_the_clock_moves_nowhere_else(shop: Shop, seconds: object) -> None:
    """Not back, and not out of the calendar."""
    reply = shop.http.post(f"{shop.server.url}/_sandbox/clock", json={"advance": seconds})

    assert reply.status_code == 400


def test_the_ledger_shows_each_charge(shop: Shop) -> None:
    """Amounts and orders, for whoever counts."""
    order_id = shop.buy("lifetime")["order_id"]

    entries = lever(shop, "GET", "ledger?account=shop")["entries"]

    last = entries[-1]
    assert last.pop("at").endswith("Z")
    assert last == {
        "kind": "charge",
        "account": "shop",
        "external_id": "buyer",
        "order_id": order_id,
        "amount": "149.00",
        "currency": "USD",
    }


def test_requests_are_recorded_without_secrets(shop: Shop) -> None:
    """Enough to count calls; no value of a header, no body."""
    shop.flux("POST", "/domains/check", {"domain": "a.example.com"})
    shop.fox("/features", key="")

    received = lever(shop, "GET", "requests")["requests"]
    only_checks = lever(shop, "GET", "requests?operation=POST%20/domains/check")["requests"]

    assert [(row["vendor"], row["operation"], row["with_credentials"]) for row in received] == [
        ("funnelflux", "POST /domains/check", True),
        ("funnelfox", "POST /features", False),
    ]
    assert [row["account"] for row in received] == ["shop", "shop"]
    assert only_checks == received[:1]
    assert shop.credentials.access_token not in str(received)
    assert received[0]["body_bytes"] == len(b'{"domain":"a.example.com"}')


def test_what_matches_no_operation_is_recorded_too(shop: Shop) -> None:
    """Under an empty name."""
    shop.flux("GET", "/nowhere")

    assert [(row.operation, row.path) for row in shop.sandbox.requests] == [("", "/v1/billing/nowhere")]


def test_credentials_are_given_out(shop: Shop) -> None:
    """For any tenant; they open made-up data only."""
    given = lever(shop, "GET", "credentials?tenant=shop")

    assert given["access_token"] == shop.credentials.access_token
    assert given["org_id"] == "sandbox-shop"


def test_choices_can_be_changed(shop: Shop) -> None:
    """While it runs."""
    lever(shop, "POST", "choices", {"domain_refusal_status": 404})

    reply = shop.flux("GET", "/domains/nobody.example.com")

    assert reply.status_code == 404
    assert lever(shop, "GET", "choices")["domain_refusal_status"] == 404


def test_a_reset_forgets_everything(shop: Shop) -> None:
    """Accounts, faults, requests and skipped time; the credentials stay good."""
    shop.buy("lifetime")
    shop.advance(days=30)
    lever(shop, "POST", "faults", {"kind": "status"})

    lever(shop, "POST", "reset")

    assert shop.flux("GET", "/domains").status_code == 200
    assert shop.charges() == []
    assert shop.sandbox.clock.skipped_seconds == 0
    assert [row.operation for row in shop.sandbox.requests] == ["GET /domains"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"host": "evil.example"},
        {"host": "evil.example:80"},
        {"host": "127.0.0.1.evil.example"},
        {"host": ""},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_web_page_cannot_pull_levers(shop: Shop, method: str, headers: dict[str, str]) -> None:
    """Neither from its own origin nor through a name that it made point here."""
    reply = shop.http.request(method, f"{shop.server.url}/_sandbox/faults", headers=headers)

    assert reply.status_code == 403
    assert reply.headers["x-sandbox"] == "1"


@pytest.mark.parametrize("host", ["localhost", "localhost:80", "127.0.0.1", "[::1]:8080", "[::1]", "LOCALHOST:1"])
def test_this_machines_own_names_are_welcome(shop: Shop, host: str) -> None:
    """With a port and without."""
    reply = shop.http.get(f"{shop.server.url}/_sandbox/", headers={"host": host})

    assert reply.status_code == 200


@pytest.mark.parametrize(
    ("peer", "status"), [("127.0.0.1", 200), ("::1", 200), ("192.0.2.7", 403), ("2001:db8::1", 403), ("", 403)]
)
def test_only_this_machine_pulls_levers(peer: str, status: int) -> None:
    """Even where the vendors' side is exposed."""
    request = Request(
        method="GET",
        path="/_sandbox/",
        segments=("_sandbox", ""),
        query=b"",
        headers={"host": "localhost"},
        peer=peer,
        body=b"",
    )

    assert Control(Sandbox()).answer(request).status == status


def test_an_unknown_lever_says_where_to_look(shop: Shop) -> None:
    """And a wrong method names the right ones."""
    unknown = shop.http.get(f"{shop.server.url}/_sandbox/levers")
    wrong = shop.http.put(f"{shop.server.url}/_sandbox/faults")

    assert (unknown.status_code, wrong.status_code) == (404, 405)
    assert wrong.headers["allow"] == "DELETE, GET, POST"

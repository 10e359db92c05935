"""What the custom-domains vendor does with hostnames."""

import httpx
import pytest

from clients.sandbox.choices import Choices
from clients.sandbox.server import SandboxServer
from tests.clients.sandbox.shop import Shop
from tests.support.plain import PLAIN

HOSTNAME = "track.example.com"


def test_a_new_domain_comes_alive_by_itself(shop: Shop) -> None:
    """
    Cloudflare checks DNS on its own: with time, and nothing else, a hostname
    gets from initializing to active.
    """
    shop.flux("POST", "/domains", {"domain": HOSTNAME})

    seen = []
    for _ in range(4):
        domain = shop.flux("GET", f"/domains/{HOSTNAME}").json()["domain"]
        seen.append((domain["status"], domain["ssl"]["status"], domain["verification_errors"]))
        shop.advance(seconds=30)

    assert seen == [
        ("pending", "initializing", []),
        ("pending", "pending_validation", ["custom hostname does not CNAME to this zone."]),
        ("active", "pending_issuance", []),
        ("active", "active", []),
    ]


def test_creating_returns_the_records_to_publish(shop: Shop) -> None:
    """The owner needs two TXT records: one for the hostname, one for the certificate."""
    reply = shop.flux("POST", "/domains", {"domain": HOSTNAME})

    domain = reply.json()["domain"]
    assert reply.json()["success"] is True
    assert domain["domain"] == HOSTNAME
    assert domain["parsed"] == {"subdomain": "track", "root_domain": "example.com"}
    assert domain["ownership_verification"]["type"] == "txt"
    assert domain["ownership_verification"]["name"] == f"_cf-custom-hostname.{HOSTNAME}"
    assert len(domain["ownership_verification"]["value"]) == 36
    assert domain["ssl"]["txt_name"] == f"_acme-challenge.{HOSTNAME}"
    assert domain["ssl"]["txt_value"] != domain["ownership_verification"]["value"]


def test_the_list_knows_a_status_only_after_a_refresh(shop: Shop) -> None:
    """The list reads the vendor's register, and only a refresh writes statuses there."""
    shop.account.domains.add(HOSTNAME)

    before = _listed(shop)
    shop.flux("GET", f"/domains/{HOSTNAME}")
    after_details = _listed(shop)
    shop.flux("POST", f"/domains/{HOSTNAME}/refresh")
    after_refresh = _listed(shop)

    assert (before["status"], before["ssl_status"]) == ("", "")
    assert (after_details["status"], after_details["ssl_status"]) == ("", "")
    assert (after_refresh["status"], after_refresh["ssl_status"]) == ("active", "active")


def test_refresh_answers_details_and_check_together(shop: Shop) -> None:
    """One call, both parts, and the check says what a visitor would meet."""
    shop.account.domains.add(HOSTNAME, status="active", found=False)

    reply = shop.flux("POST", f"/domains/{HOSTNAME}/refresh").json()

    assert reply["success"] is True
    assert reply["domain"]["status"] == "active"
    assert (reply["check"]["found"], reply["check"]["ssl_valid"]) == (False, True)
    assert reply["check"]["cloudflare_status"] == "active"


@pytest.mark.parametrize(
    ("hostname", "code"),
    [
        ("live.brightside.example", "DOMAIN_EXISTS"),
        ("LIVE.brightside.example", "DOMAIN_EXISTS"),
        ("owned.example.net", "DOMAIN_ALREADY_OWNED"),
        ("no-dots", "INVALID_DOMAIN"),
        ("a b.example.com", "INVALID_DOMAIN"),
        ("", "INVALID_DOMAIN"),
    ],
)
def test_a_hostname_that_cannot_be_added_is_refused_in_band(shop: Shop, hostname: str, code: str) -> None:
    """FunnelFlux says no inside a 200."""
    reply = shop.flux("POST", "/domains", {"domain": hostname})

    assert reply.status_code == 200
    assert reply.json()["success"] is False
    assert reply.json()["error_code"] == code


def test_a_hostname_of_another_account_is_taken_until_it_is_deleted(shop: Shop) -> None:
    """Hostnames are unique over all customers of the vendor."""
    other = Shop(shop.server, shop.http, "other")
    other.flux("POST", "/domains", {"domain": HOSTNAME})

    taken = shop.flux("POST", "/domains", {"domain": HOSTNAME}).json()
    other.flux("DELETE", f"/domains/{HOSTNAME}")
    free = shop.flux("POST", "/domains", {"domain": HOSTNAME}).json()

    assert taken["error_code"] == "DOMAIN_ALREADY_OWNED"
    assert free["success"] is True


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("POST", "/refresh")])
def test_an_unknown_domain_is_not_found_in_band(shop: Shop, method: str, path: str) -> None:
    """Whatever is wanted of it."""
    reply = shop.flux(method, f"/domains/nobody.example.com{path}")

    assert reply.status_code == 200
    assert reply.json()["success"] is False
    assert reply.json()["error_code"] == "NOT_FOUND"


def test_a_domain_is_deleted_once(shop: Shop) -> None:
    """The second delete finds nothing."""
    shop.account.domains.add(HOSTNAME)

    first = shop.flux("DELETE", f"/domains/{HOSTNAME}").json()
    second = shop.flux("DELETE", f"/domains/{HOSTNAME}").json()

    assert first["success"] is True
    assert second["error_code"] == "NOT_FOUND"


def test_a_check_takes_any_hostname(shop: Shop) -> None:
    """It need not be the caller's; what is not there is simply not found."""
    reply = shop.flux("POST", "/domains/check", {"domain": "elsewhere.example.org"})

    assert reply.status_code == 200
    assert reply.json()["success"] is True
    assert (reply.json()["found"], reply.json()["ssl_valid"]) == (False, False)


def test_a_hostname_may_be_called_check(shop: Shop) -> None:
    """`/domains/check` is an action for POST only; to GET it is a hostname like any other."""
    reply = shop.flux("GET", "/domains/check")

    assert reply.json()["error_code"] == "NOT_FOUND"


def test_an_escaped_slash_stays_in_the_hostname(shop: Shop) -> None:
    """`a%2Frefresh` is one odd hostname, not an action on `a`."""
    shop.account.domains.add("a/refresh")

    reply = shop.flux("GET", "/domains/a%2Frefresh")

    assert reply.json()["domain"]["domain"] == "a/refresh"


def test_in_band_refusals_can_come_under_a_4xx() -> None:
    """The vendor does not document the status, so both kinds can be had."""
    choices = Choices(domain_refusal_status=404)

    with SandboxServer(choices=choices) as server, httpx.Client(trust_env=False, verify=PLAIN) as http:
        reply = Shop(server, http).flux("GET", "/domains/nobody.example.com")

    assert reply.status_code == 404
    assert reply.json()["error_code"] == "NOT_FOUND"


def test_a_full_account_takes_no_more_domains(shop: Shop) -> None:
    """A loop that creates without end is stopped, in the vendor's way."""
    for number in range(500):
        shop.account.domains.add(f"n{number}.example.com")

    reply = shop.flux("POST", "/domains", {"domain": HOSTNAME})

    assert reply.json()["error_code"] == "DOMAIN_LIMIT_REACHED"


def _listed(shop: Shop) -> dict[str, object]:
    rows: list[dict[str, object]] = shop.flux("GET", "/domains").json()["domains"]
    return next(row for row in rows if row["domain"] == HOSTNAME)

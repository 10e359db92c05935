"""Which hostnames the gateway takes, and in which form they travel on."""

import httpx
import pytest

from routes.shapes.hostnames import hostname
from tests.support.gateway import Tenant


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("track.example.com", "track.example.com"),
        ("Track.EXAMPLE.com.", "track.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("r3---sn.example.com", "r3---sn.example.com"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        ("1.2.3.4.example", "1.2.3.4.example"),
    ],
)
def test_a_hostname_has_one_form(typed: str, canonical: str) -> None:
    """However it is typed, the vendor gets lower-case A-labels without a trailing dot."""
    assert hostname(typed) == canonical


HOSTILE = [
    "",
    ".",
    "com",
    "a..b",
    ".a.com",
    "a.com..",
    "a.com/b",
    "a.com\\b",
    "a.com%2fb",
    "a.com:443",
    "http://a.com",
    "user@a.com",
    "a.com?x",
    "a.com#x",
    "a b.com",
    "a.com\x00",
    "a.com\n",
    "*.a.com",
    "_dmarc.a.com",
    "-a.com",
    "a-.com",
    "127.0.0.1",
    "1.2.3",
    "0x7f.0x1",
    "[::1]",
    "::1",
    "127。0。0。1",
    "localhost",
    "a.localhost",
    "printer.local",
    "vault.internal",
    "a" * 64 + ".com",
    "a." * 127 + "com",
    "x" * 5000,
    "ü" * 5000,
    "xn--a.com",
    "\u202ea.com",
    "a\u2044b.com",
    "🦊.example",
]


@pytest.mark.parametrize("typed", HOSTILE)
def test_a_hostile_hostname_is_refused_before_the_vendor_hears_of_it(
    api: httpx.Client, tenant: Tenant, typed: str
) -> None:
    """Slashes, ports, addresses, private suffixes and control characters never leave the gateway."""
    reply = api.post("/v1/domains", json={"hostname": typed})

    assert reply.status_code == 422
    body = reply.json()
    assert (body["code"], [fault["pointer"] for fault in body["errors"]]) == ("validation_failed", ["/hostname"])
    assert tenant.calls("POST /domains") == 0


@pytest.mark.parametrize(
    "segment",
    ["a%2Fb.com", "a.com%00", "%2e%2e", "..%2fcheck", "127.0.0.1", "localhost", "a.com%3A443", "%D1%84.local"],
)
def test_a_hostile_hostname_in_the_path_reaches_no_other_route(api: httpx.Client, tenant: Tenant, segment: str) -> None:
    """An escaped slash stays inside its segment, so it is a bad hostname and not another path."""
    reply = api.get(f"/v1/domains/{segment}")

    assert reply.status_code == 422
    assert reply.json()["errors"][0]["pointer"] == "/hostname"
    assert tenant.calls("GET /domains/{domain}") == 0


def test_an_idn_in_the_path_is_the_same_domain(api: httpx.Client, tenant: Tenant) -> None:
    """Both forms of a name lead to one domain."""
    tenant.account.domains.add("xn--bcher-kva.idn-test.com")

    reply = api.get("/v1/domains/b%C3%BCcher.idn-test.com")

    assert reply.status_code == 200
    assert reply.json()["hostname"] == "xn--bcher-kva.idn-test.com"

"""Whatever arrives, the vendors answer like vendors: never a crash, always marked."""

from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clients.sandbox.billing.endpoints import ENDPOINTS
from clients.sandbox.billing.orders import MAX_ORDERS
from clients.sandbox.billing.sessions import NewSession
from clients.sandbox.refusals import BillingRefused
from tests.clients.sandbox.shop import Shop

BODIES = {
    "nothing": b"",
    "not json": b"domain=x",
    "null": b"null",
    "list": b"[]",
    "text": b'"x"',
    "number": b"1",
    "nan": b'{"domain": NaN}',
    "lone surrogate": b'{"domain": "\\ud800"}',
    "bad utf-8": b'{"domain": "\xff"}',
    "bad utf-8 in an unknown field": b'{"unknown": "\xff"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "deep": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "huge number": b'{"limit": 1' + b"0" * 6000 + b"}",
    "infinite": b'{"amount": 1e999}',
    "cut": b'{"domain": "a',
    "nul": b'{"domain": "a\\u0000.example.com"}',
    "two values": b"{}{}",
}
PATHS = sorted(ENDPOINTS)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("path", ["/domains", "/domains/check"])
def test_funnelflux_refuses_what_is_no_body(shop: Shop, path: str, body: bytes) -> None:
    """With its generic error, or in-band where it could be read."""
    headers = {"authorization": f"Bearer {shop.credentials.access_token}"}

    reply = shop.http.post(f"{shop.server.url}/v1/billing{path}", content=body, headers=headers)

    assert reply.status_code in {200, 400}
    assert "error" in reply.json() or "success" in reply.json()
    assert reply.headers["x-sandbox"] == "1"


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_funnelfox_refuses_what_is_no_body(shop: Shop, body: bytes) -> None:
    """Every operation answers in its envelope, below 500."""
    for path in PATHS:
        reply = shop.http.post(shop.fox_url(path), content=body, headers={"ff-secret-key": shop.credentials.secret_key})

        assert reply.status_code < 500, (path, reply.text)
        assert reply.headers["x-sandbox"] == "1"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(sorted({field for endpoint in ENDPOINTS.values() for field in endpoint.ask.__struct_fields__}))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), body=st.dictionaries(FIELDS, JSON, max_size=6))
def test_no_json_crashes_an_operation(shop: Shop, path: str, body: dict[str, object]) -> None:
    """Known names with values of any type."""
    reply = shop.fox(path, body)

    assert reply.status_code < 500
    assert reply.headers["x-sandbox"] == "1"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        ("//", 404),
        ("/v1", 404),
        ("/v1/billing/", 404),
        ("/v1/billing/domains/", 404),
        ("/v1/billing/domains//refresh", 404),
        ("/v1/billing/domains/a/b", 404),
        ("/v1/billing/domains/%FF", 400),
        ("/sandbox-shop/v1/", 404),
        ("/sandbox-shop/v2/features", 404),
        ("/sandbox-shop/v1/checkout%2Fone_click", 404),
        ("/sandbox-shop/billing/sandbox-shop/v1/checkout/one_click", 404),
        ("/favicon.ico", 404),
    ],
)
def test_paths_that_nobody_has_are_not_found(shop: Shop, path: str, status: int) -> None:
    """Also the one that an old release of the vendor's SDK calls by mistake."""
    reply = shop.http.post(f"{shop.server.url}{path}", json={})

    assert reply.status_code == status
    assert reply.headers["x-sandbox"] == "1"


def test_a_wrong_method_names_the_right_ones(shop: Shop) -> None:
    """In the form of either vendor."""
    flux = shop.flux("PUT", "/domains")
    fox = shop.http.get(shop.fox_url("/features"))

    assert (flux.status_code, flux.headers["allow"]) == (405, "GET, POST")
    assert (fox.status_code, fox.headers["allow"]) == (405, "OPTIONS, POST")


@pytest.mark.parametrize("hostname", ["a" * 5000, "ä.example.com", "\0", "%2e%2e", "a\r\nb"])
def test_an_odd_hostname_in_a_path_is_just_not_found(shop: Shop, hostname: str) -> None:
    """It is decoded once, and compared."""
    reply = shop.flux("GET", f"/domains/{quote(hostname, safe='')}")

    assert reply.json()["error_code"] == "NOT_FOUND"


def test_a_body_beyond_all_bounds_is_not_read(shop: Shop) -> None:
    """Either vendor says so in its own way, and the connection ends."""
    body = b" " * (10 * 1024 * 1024)
    replies = []

    for url, headers in (
        (f"{shop.server.url}/v1/billing/domains", {"authorization": f"Bearer {shop.credentials.access_token}"}),
        (shop.fox_url("/pp/import_csv"), {"ff-secret-key": shop.credentials.secret_key}),
        (shop.fox_url("/price_points"), {}),
    ):
        replies.append(shop.http.post(url, content=body, headers=headers))

    assert [reply.status_code for reply in replies] == [413, 413, 413]


def test_json_is_smaller_than_files(shop: Shop) -> None:
    """Two megabytes are a file, and no checkout."""
    body = b" " * (2 * 1024 * 1024)

    reply = shop.http.post(shop.fox_url("/price_points"), content=body)

    assert reply.status_code == 413


@pytest.mark.parametrize(
    "metadata", [{"a": "x" * 20_000}, {"a": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}]
)
def test_metadata_is_bounded(shop: Shop, metadata: object) -> None:
    """A session needs no key, so it may not fill the memory."""
    asked = {"external_id": "user-ada", "pp_ident": "lifetime", "client_metadata": metadata}

    assert shop.refusal("/checkout/one_click", asked) == (422, None)


def test_orders_are_bounded(shop: Shop) -> None:
    """Beyond some thousands an account refuses, in the vendor's envelope."""
    asked = NewSession(
        region="default",
        integration_type="primer",
        pp_ident="lifetime",
        external_id="buyer",
        email_address="buyer@example.com",
    )
    account = shop.account
    with suppress(BillingRefused):
        for _ in range(MAX_ORDERS):
            account.checkout.open_session(asked, shop.sandbox.clock.now())

    refusal = shop.refusal("/checkout/one_click", {"external_id": "user-ada", "pp_ident": "lifetime"})

    assert refusal == (400, None)

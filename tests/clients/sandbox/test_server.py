"""The server itself: starting, stopping, ports, and many at once."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from clients.sandbox.accounts import MAX_ACCOUNTS
from clients.sandbox.clock import Clock
from clients.sandbox.server import PortTaken, SandboxServer
from tests.clients.sandbox.shop import Shop
from tests.support.plain import PLAIN


def test_a_taken_port_is_a_clear_error() -> None:
    """It names the port, and leaves nothing running."""
    with SandboxServer() as first:
        port = int(first.url.rpartition(":")[2])

        with pytest.raises(PortTaken, match=str(port)):
            SandboxServer(port=port).start()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])  # noqa: S104 - it is refused
def test_a_host_that_others_can_reach_must_be_meant(host: str) -> None:
    """The sandbox lets in whoever knows a tenant's name."""
    with pytest.raises(ValueError, match="expose"):
        SandboxServer(host=host)


def test_an_outage_keeps_state_and_port() -> None:
    """Stopped and started again, it is the same vendor at the same address."""
    server = SandboxServer()
    server.start()
    url = server.url
    server.sandbox.account("shop").domains.add("kept.example.com")

    server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    server.start()

    try:
        with httpx.Client(trust_env=False, verify=PLAIN) as http:
            assert server.url == url
            assert Shop(server, http).flux("GET", "/domains/kept.example.com").json()["success"] is True
    finally:
        server.stop()


def test_stopping_twice_is_harmless() -> None:
    """Also when it never ran."""
    before = threading.active_count()
    server = SandboxServer()

    server.stop()
    server.start()
    server.stop()
    server.stop()

    assert threading.active_count() == before


def test_stopping_cuts_calls_in_flight() -> None:
    """A hung call does not keep the server, and its caller learns of it."""
    with (
        SandboxServer() as server,
        httpx.Client(trust_env=False, timeout=5, verify=PLAIN) as http,
        ThreadPoolExecutor(1) as pool,
    ):
        shop = Shop(server, http)
        http.post(f"{server.url}/_sandbox/faults", json={"kind": "never_answer"})
        hung = pool.submit(shop.fox, "/features")
        while not server.sandbox.count("POST /features"):
            pass

        server.stop()

        with pytest.raises(httpx.TransportError):
            hung.result()


def test_many_callers_at_once_lose_nothing(shop: Shop) -> None:
    """A hundred purchases from ten threads, while a test reads along, are a hundred charges."""
    errors: list[Exception] = []

    def buy(number: int) -> None:
        try:
            with httpx.Client(trust_env=False, timeout=10, verify=PLAIN) as http:
                Shop(shop.server, http).buy("coach-session", f"buyer-{number}")
                assert shop.account.ledger.entries
        except Exception as error:  # noqa: BLE001 - shown below
            errors.append(error)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(buy, range(100)))

    charged = [entry for entry in shop.account.ledger.entries if entry.external_id.startswith("buyer-")]
    assert errors == []
    assert len(charged) == len({entry.order_id for entry in charged}) == 100
    assert shop.sandbox.count("POST /checkout/create_payment") == 100


def test_the_account_unused_for_longest_is_forgotten(shop: Shop) -> None:
    """Memory stays bounded; a hostname that it held is free again."""
    shop.flux("POST", "/domains", {"domain": "track.example.com"})

    for number in range(MAX_ACCOUNTS):
        shop.sandbox.account(f"tenant-{number}")

    other = Shop(shop.server, shop.http, "tenant-1")
    assert other.flux("POST", "/domains", {"domain": "track.example.com"}).json()["success"] is True


def test_time_can_stand_still() -> None:
    """With a source of its own the clock moves only when told to."""
    clock = Clock(source=lambda: 1_800_000_000.0)

    with SandboxServer(clock=clock) as server, httpx.Client(trust_env=False, verify=PLAIN) as http:
        expires = Shop(server, http).validate().json()["tokens"]["expires_at"]

    assert expires == 1_800_000_000 + 72 * 3600


def test_the_story_is_the_same_every_time() -> None:
    """Ids and all, so that a guide can name them."""
    clock = Clock(source=lambda: 1_800_000_000.0)
    told = []

    for _ in range(2):
        with SandboxServer(clock=clock) as server, httpx.Client(trust_env=False, verify=PLAIN) as http:
            shop = Shop(server, http)
            told.append((shop.data("/subscription/search"), shop.flux("GET", "/domains").json()))

    assert told[0] == told[1]


def test_what_happens_after_the_story_is_new_every_time(shop: Shop) -> None:
    """An order id that came back after a reset would be taken for an old order."""
    first = shop.session("lifetime")
    shop.sandbox.reset()

    assert shop.session("lifetime") != first


def test_the_story_shows_each_telling_state(shop: Shop) -> None:
    """Domains and subscriptions in the states that a demo wants to show."""
    rows = shop.flux("GET", "/domains").json()["domains"]
    states = {}
    for row in rows:
        domain = shop.flux("GET", f"/domains/{row['domain']}").json()["domain"]
        states[row["domain"].partition(".")[0]] = (domain["status"], domain["ssl"]["status"])
    subscriptions = shop.data("/subscription/search")["subscriptions"]

    assert states == {
        "live": ("active", "active"),
        "misrouted": ("active", "active"),
        "issuing": ("active", "pending_issuance"),
        "awaiting-dns": ("pending", "pending_validation"),
        "verifying": ("pending", "initializing"),
        "blocked": ("blocked", "active"),
        "moved": ("moved", "active"),
        "timed-out": ("pending", "validation_timed_out"),
    }
    assert {row["external_id"]: row["status"] for row in subscriptions} == {
        "user-ines": ["EXPIRED"],
        "user-ada": ["RECURRING"],
        "user-linus": ["RECURRING", "AUTORENEW_OFF"],
        "user-mika": ["RECURRING", "PAUSED"],
        "user-ken": ["RECURRING"],
        "user-bob": ["GRACE"],
        "user-noor": ["INTRO"],
    }


def test_what_is_no_http_is_answered_and_marked(shop: Shop) -> None:
    """Every answer of the server says that it is the sandbox."""
    port = int(shop.server.url.rpartition(":")[2])

    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"\x16\x03\x01 TLS?\r\n\r\n")
        answer = connection.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"x-sandbox: 1\r\n" in answer


def test_a_pipelined_request_is_answered_in_turn(shop: Shop) -> None:
    """As HTTP/1.1 wants it."""
    port = int(shop.server.url.rpartition(":")[2])
    request = b"POST /sandbox-shop/v1/features HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"

    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request * 2 + b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = b""
        while received := connection.recv(65_536):
            answer += received

    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.count(b"HTTP/1.1 404 Not Found") == 1

"""Faults on demand, as a client meets them."""

import logging
import socket
import struct
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from clients.sandbox.faults import Fault, Kind
from tests.clients.sandbox.shop import Shop
from tests.support.timing import until

CHECK = "POST /domains/check"
PAY = "POST /checkout/create_payment"

HELD = 0.098
"""Seconds that pass at least where a tenth is asked for: an event loop's clock is some milliseconds coarse."""


def raw(shop: Shop, path: str = "/v1/billing/domains", method: str = "GET") -> bytes:
    """Send one request by hand and return every byte that comes back until the connection ends."""
    target = urlsplit(shop.server.url)
    with socket.create_connection((target.hostname, target.port), timeout=5) as connection:
        head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {shop.credentials.access_token}\r\n\r\n"
        connection.sendall(head.encode())
        answer = b""
        while received := connection.recv(65_536):
            answer += received
        return answer


def add(shop: Shop, kind: Kind, operation: str = "*", **details: object) -> None:
    """Put a fault in force for one call."""
    fault = {"kind": kind, "operation": operation, "times": 1} | details
    reply = shop.http.post(f"{shop.server.url}/_sandbox/faults", json=fault)
    assert reply.status_code == 200, reply.text


def noise(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What was logged, but not by the client that asked, nor by a gateway that other tests share."""
    heard = [record for record in caplog.records if record.threadName in {"MainThread", "sandbox"}]
    return [record for record in heard if not record.name.startswith(("httpx", "httpcore"))]


def test_a_status_comes_in_each_vendors_own_form(shop: Shop) -> None:
    """503 unless said otherwise."""
    shop.sandbox.faults.add(Fault(kind="status", operation="funnelflux"))
    shop.sandbox.faults.add(Fault(kind="status", operation="funnelfox", status=418, code="teapot", message="short"))

    flux = shop.flux("GET", "/domains")
    fox = shop.fox("/features")

    assert (flux.status_code, set(flux.json())) == (503, {"error", "error_description"})
    assert fox.status_code == 418
    assert fox.json()["error"] == [{"msg": "short", "type": "api_exception", "code": "teapot"}]


def test_a_fault_hits_as_often_as_it_says_and_no_other_operation(shop: Shop) -> None:
    """Then everything works again."""
    shop.sandbox.faults.add(Fault(kind="status", operation=CHECK, times=2))

    checks = [shop.flux("POST", "/domains/check", {"domain": "a.example.com"}).status_code for _ in range(3)]

    assert checks == [503, 503, 200]
    assert shop.flux("GET", "/domains").status_code == 200


def test_a_fault_may_be_for_one_account_only(shop: Shop) -> None:
    """Tests that run side by side leave each other alone."""
    other = Shop(shop.server, shop.http, "other")
    shop.sandbox.faults.add(Fault(kind="status", account="other"))

    statuses = (shop.fox("/features").status_code, other.fox("/features").status_code)

    assert statuses == (200, 503)


def test_a_fault_may_hit_by_chance(shop: Shop) -> None:
    """About as often as its probability says."""
    shop.sandbox.faults.add(Fault(kind="status", probability=0.5))

    failed = sum(shop.fox("/features").status_code == 503 for _ in range(60))

    assert 15 < failed < 45


def test_clearing_faults_makes_everything_work_again(shop: Shop) -> None:
    """Also those that would have gone on for ever."""
    shop.sandbox.faults.add(Fault(kind="status"))

    shop.sandbox.faults.clear()

    assert shop.fox("/features").status_code == 200


def test_a_typo_in_an_operation_is_found_at_once(shop: Shop) -> None:
    """Rather than in a test that passes for the wrong reason."""
    with pytest.raises(ValueError, match="POST /domains/chekc"):
        shop.sandbox.faults.add(Fault(kind="status", operation="POST /domains/chekc"))


@pytest.mark.parametrize("wrong", [{"times": 0}, {"status": 42}, {"probability": 2.0}, {"location": "a\r\nb: c"}])
def test_a_fault_from_python_is_held_to_the_same_limits(shop: Shop, wrong: dict[str, Any]) -> None:
    """As one that comes as JSON."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        shop.sandbox.faults.add(Fault(kind="redirect", **wrong))


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(shop: Shop, status: int) -> None:
    """Otherwise the next answer on the connection would begin with it."""
    add(shop, "status", status=status)

    replies = [shop.fox("/features") for _ in range(2)]

    assert [reply.status_code for reply in replies] == [status, 200]
    assert replies[0].content == b""


def test_latency_delays_an_answer_that_is_right(shop: Shop) -> None:
    """And may come together with another fault."""
    add(shop, "latency", seconds=0.1)
    add(shop, "html", times=1)

    began = time.monotonic()
    slow = shop.fox("/features")
    took = time.monotonic() - began

    assert took >= HELD
    assert (slow.status_code, slow.headers["content-type"]) == (502, "text/html; charset=utf-8")


def test_work_is_done_for_a_caller_who_gave_up_waiting(shop: Shop) -> None:
    """A vendor does not notice; this is how an unknown outcome comes about."""
    order_id = shop.session("lifetime")
    add(shop, "latency", PAY, seconds=1)

    with pytest.raises(httpx.ReadTimeout):
        shop.http.post(
            shop.fox_url("/checkout/create_payment"),
            json={"order_id": order_id, "payment_method_token": "pmt_ok"},
            timeout=0.05,
        )

    until(lambda: shop.charges() == ["149.00"])


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("html", 502, b"<html>"),
        ("redirect", 302, b""),
        ("empty", 200, b""),
        ("garbage", 200, b"\x00\x01\x02"),
        ("charset", 200, b'{"success":true'),
        ("wrong_type", 200, b'{"success":"yes"'),
        ("success_false", 200, b'{"success":false,"error_code":"INTERNAL_ERROR"'),
        ("status_error", 200, b'{"status":"error"'),
        ("rate_limited", 429, b'{"error":"rate_limited"'),
    ],
)
def test_an_answer_can_be_wrong_in_content(shop: Shop, kind: Kind, status: int, body: bytes) -> None:
    """Correct HTTP, marked as the sandbox's, and nothing that a vendor promised."""
    add(shop, kind, "GET /domains")

    reply = shop.flux("GET", "/domains")

    assert reply.status_code == status
    assert reply.content.startswith(body)
    assert reply.headers["x-sandbox"] == "1"


@pytest.mark.parametrize("retry_after", [None, "7"])
def test_a_rate_limit_may_say_when_to_come_back(shop: Shop, retry_after: str | None) -> None:
    """The vendor documents no such header, so both are needed."""
    add(shop, "rate_limited", retry_after=retry_after)

    assert shop.fox("/features").headers.get("retry-after") == retry_after


def test_a_body_can_be_given(shop: Shop) -> None:
    """For the odd answer that no kind foresees."""
    add(shop, "status", status=500, body="null")

    assert shop.fox("/features").content == b"null"


def test_a_truncated_answer_ends_in_the_middle(shop: Shop) -> None:
    """Its head promises more than comes."""
    add(shop, "truncated")

    head, _, body = raw(shop).partition(b"\r\n\r\n")

    claimed = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert 0 < len(body) == claimed // 2
    assert b"x-sandbox: 1" in head


@pytest.mark.parametrize("surplus", [10, -10])
def test_a_length_can_be_wrong_in_both_directions(shop: Shop, surplus: int) -> None:
    """Too long, and a reader waits; too short, and something is left over."""
    add(shop, "wrong_length", surplus=surplus, seconds=0)

    head, _, body = raw(shop).partition(b"\r\n\r\n")

    claimed = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert claimed == len(body) + surplus


def test_lengths_can_contradict_each_other(shop: Shop) -> None:
    """A classic way to smuggle; a client has to refuse it."""
    add(shop, "duplicate_headers")

    head = raw(shop).partition(b"\r\n\r\n")[0].lower()

    assert head.count(b"content-length: ") == 2


def test_an_answer_need_not_be_http(shop: Shop) -> None:
    """A wrong port, a broken proxy."""
    add(shop, "not_http")

    assert not raw(shop).startswith(b"HTTP/")


def test_a_body_can_drip(shop: Shop) -> None:
    """Each read gets a byte, so that a timeout per read never ends it."""
    add(shop, "dripping", "GET /domains", seconds=0.001)

    with shop.http.stream(
        "GET",
        f"{shop.server.url}/v1/billing/domains",
        headers={"authorization": f"Bearer {shop.credentials.access_token}"},
    ) as reply:
        sizes = [len(chunk) for _, chunk in zip(range(5), reply.iter_raw(), strict=False)]

    assert reply.status_code == 200
    assert max(sizes) < 100


def test_a_head_can_be_slow(shop: Shop) -> None:
    """The status line itself takes its time, and the answer is right in the end."""
    add(shop, "slow_head", seconds=0.0005)

    reply = shop.flux("GET", "/domains")

    assert reply.json()["success"] is True


def test_a_body_can_be_huge(shop: Shop) -> None:
    """Streamed, so that only the reader's memory is at stake."""
    add(shop, "huge", megabytes=3)

    reply = shop.fox("/features")

    assert len(reply.content) == 3 * 1024 * 1024


def test_a_connection_can_be_held_without_an_answer(shop: Shop) -> None:
    """For a bounded time, then it ends without a byte."""
    add(shop, "never_answer", seconds=0.1)

    began = time.monotonic()
    answer = raw(shop)

    assert answer == b""
    assert HELD <= time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("kind", "charges"),
    [
        ("drop_before", []),
        ("reset_before", []),
        ("never_answer", []),
        ("status", []),
        ("drop_after", ["149.00"]),
        ("reset_after", ["149.00"]),
        ("truncated", ["149.00"]),
        ("garbage", ["149.00"]),
    ],
)
def test_an_answer_can_be_lost_before_and_after_the_effect(shop: Shop, kind: Kind, charges: list[str]) -> None:
    """To the caller it looks the same; the ledger knows."""
    order_id = shop.session("lifetime")
    add(shop, kind, PAY, seconds=0.05)

    with suppress(httpx.TransportError):
        shop.fox("/checkout/create_payment", {"order_id": order_id, "payment_method_token": "pmt_ok"})

    assert shop.charges() == charges
    assert shop.sandbox.count(PAY) == 1


def test_the_effect_can_be_chosen(shop: Shop) -> None:
    """A 500 after the money moved is the worst of answers."""
    order_id = shop.session("lifetime")
    add(shop, "status", PAY, status=500, effect=True)

    reply = shop.fox("/checkout/create_payment", {"order_id": order_id, "payment_method_token": "pmt_ok"})

    assert reply.status_code == 500
    assert shop.charges() == ["149.00"]


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_a_dropped_connection_ends_without_a_byte(shop: Shop, kind: Kind) -> None:
    """An orderly end (FIN), and no answer."""
    add(shop, kind)

    assert raw(shop) == b""


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
def test_a_reset_connection_breaks(shop: Shop, kind: Kind) -> None:
    """RST, as from a machine that lost its memory."""
    add(shop, kind)

    with pytest.raises(ConnectionResetError):
        raw(shop)


def test_an_idle_connection_can_be_closed_without_notice(shop: Shop) -> None:
    """The answer says nothing of it; who uses the connection again finds it dead."""
    add(shop, "close_keepalive")

    answer = raw(shop)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close" not in answer.lower()
    assert answer.endswith(b"}")


def test_a_request_can_be_lost_on_a_connection_that_is_being_closed(shop: Shop) -> None:
    """What arrives while the server is about to close is neither answered nor done."""
    add(shop, "close_keepalive", "GET /domains", seconds=0.1)
    head = (
        f"GET /v1/billing/domains HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {shop.credentials.access_token}\r\n\r\n"
    )
    target = urlsplit(shop.server.url)

    with socket.create_connection((target.hostname, target.port), timeout=5) as connection:
        connection.sendall(head.encode())
        first = connection.recv(65_536)
        connection.sendall(head.encode())
        second = connection.recv(65_536)

    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert second == b""
    assert shop.sandbox.count("GET /domains") == 1


def test_browsers_can_read_faults_of_public_operations(shop: Shop) -> None:
    """Otherwise the vendor's SDK would see another error than its users."""
    add(shop, "status")

    assert shop.fox("/features").headers["access-control-allow-origin"] == "*"


def test_no_fault_makes_noise(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Broken connections are this server's trade; its log stays empty."""
    kinds: list[Kind] = ["drop_before", "drop_after", "reset_before", "truncated", "not_http", "duplicate_headers"]
    caplog.set_level(logging.DEBUG)

    for kind in kinds:
        add(shop, kind)
        with suppress(httpx.TransportError):
            shop.flux("GET", "/domains")

    assert noise(caplog) == []


def test_a_peer_that_breaks_off_makes_no_noise(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Neither before its request is whole, nor in the middle of a long answer."""
    add(shop, "huge", megabytes=50)
    caplog.set_level(logging.DEBUG)
    target = urlsplit(shop.server.url)
    half = b"POST /v1/billing/domains HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"
    whole = (
        f"GET /v1/billing/domains HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {shop.credentials.access_token}\r\n\r\n"
    )

    for sent in (half, whole.encode(), b"garbage\r\n\r\n"):
        connection = socket.create_connection((target.hostname, target.port), timeout=5)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(sent)
        time.sleep(0.02)
        connection.close()

    assert shop.fox("/features").status_code == 200
    assert noise(caplog) == []

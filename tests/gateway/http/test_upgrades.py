"""Requests that offer another protocol, seen from the socket."""

import json
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from time import sleep
from uuid import uuid4

from clients.sandbox.emulator import Sandbox
from tests.support.gateway import Tenant
from tests.support.sockets import Watched, caller, get, shown


def test_the_body_of_a_request_that_offers_an_upgrade_is_no_request(watched: Watched, sandbox: Sandbox) -> None:
    """However it comes."""
    secret = shown(Tenant(f"t{uuid4().hex[:12]}", watched, sandbox))
    body = get(secret)
    with caller(watched) as one:
        one.send(
            b"POST /v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        )
        sleep(0.2)
        one.send(body, b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        said = one.read.read()

    assert b'"data"' not in said


def test_a_request_that_offers_an_upgrade_keeps_its_body(watched: Watched) -> None:
    """As Java's HTTP client sends it by default: whoever says that the old secret ends now means it."""
    record, _ = watched.token()
    _, admin = watched.token()
    body = json.dumps({"overlap": "0s"}).encode()
    with caller(watched) as one:
        one.send(
            b"POST /v1/tokens/%b/rotate HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n"
            b"Content-Type: application/json\r\n"
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n%b"
            % (record.id.encode(), admin.encode(), len(body), body)
        )
        status, headers, said = one.answer()

    rotated = json.loads(said)
    assert status == 200
    ends = datetime.fromisoformat(rotated["old_secret_ends_at"])
    assert ends < parsedate_to_datetime(headers["date"]) + timedelta(hours=1)  # It would be a day without the body.


def test_what_follows_an_upgrade_is_answered(watched: Watched) -> None:
    """Though it came in the same packet."""
    health = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
    with caller(watched) as one:
        one.connection.settimeout(2)
        one.send(health, b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", health, b"\r\n")
        assert [one.answer()[0] for _ in range(2)] == [200, 200]

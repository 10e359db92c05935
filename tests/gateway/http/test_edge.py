"""What every answer has, routed or not."""

import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.gateway import RunningGateway, Tenant


@pytest.fixture
def anyone(gateway: RunningGateway) -> Iterator[httpx.Client]:
    """A client without a token."""
    with gateway.client() as client:
        yield client


def raw(gateway: RunningGateway, head: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are, and read one whole answer."""
    address = urlsplit(gateway.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    top, _, content = answer.partition(b"\r\n\r\n")
    status, *lines = top.decode("latin-1").split("\r\n")
    return int(status.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}, content


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1", 404, "not_found"),
        ("GET", "/v1/nowhere", 404, "not_found"),
        ("GET", "/schema", 404, "not_found"),
        ("PUT", "/v1/domains", 405, "method_not_allowed"),
        ("PROPFIND", "/v1/domains", 405, "method_not_allowed"),
        ("GET", "/v1/domains", 401, "token_missing"),
        ("GET", "/v1//domains", 400, "malformed_request"),
        ("GET", "/v1/domains/", 400, "malformed_request"),
        ("GET", "/v1/domains/%ff", 400, "malformed_request"),
        ("GET", "/v1/domains%2F", 404, "not_found"),
    ],
)
def test_every_refusal_is_a_problem(anyone: httpx.Client, method: str, path: str, status: int, code: str) -> None:
    """One form for all that is no success, with identifiers that lead to our logs and traces."""
    reply = anyone.request(method, path)

    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert body == {
        "type": f"/problems/{code}",
        "title": body["title"],
        "status": status,
        "detail": body["detail"],
        "instance": path,
        "code": code,
        "request_id": reply.headers["x-request-id"],
        "trace_id": body["trace_id"],
        "retryable": False,
    }
    assert re.fullmatch(r"[0-9a-f]{32}", body["trace_id"])


@pytest.mark.parametrize("path", ["/health/live", "/nowhere", "/v1/domains", "/v1//"])
def test_every_answer_has_the_common_headers(anyone: httpx.Client, path: str) -> None:
    """Success or not, routed or not."""
    reply = anyone.get(path, headers={"X-Request-Id": "mine"})

    assert re.fullmatch(r"req_[A-Za-z0-9_-]{22}", reply.headers["x-request-id"])
    assert re.match(r"total;dur=\d", reply.headers["server-timing"])
    assert reply.headers["vary"] == "Authorization, Origin"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_a_wrong_method_is_told_the_right_ones(anyone: httpx.Client) -> None:
    """405 keeps Allow, and where there is a GET there is a HEAD."""
    assert anyone.put("/v1/domains").headers["allow"] == "GET, HEAD, OPTIONS, POST"


def test_head_is_get_without_a_body(api: httpx.Client, gateway: RunningGateway) -> None:
    """The same status and headers, and no byte after them; problems included."""
    got, headed = api.get("/v1/features"), api.head("/v1/features")
    status, headers, content = raw(gateway, "HEAD /v1/features HTTP/1.1\nHost: x\nConnection: close")

    assert (headed.status_code, headed.content) == (200, b"")
    assert headed.headers["content-length"] == got.headers["content-length"]
    assert (status, content) == (401, b"")
    assert int(headers["content-length"]) > 0


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_is_refused(api: httpx.Client, tenant: Tenant, chunked: bool) -> None:  # noqa: FBT001 - a table
    """Announced or not, a mebibyte is the most, and the vendor hears nothing of it."""
    body = b'{"hostname": "' + b"a" * (1024 * 1024) + b'"}'

    reply = api.post(
        "/v1/domains", content=iter([body]) if chunked else body, headers={"content-type": "application/json"}
    )

    assert (reply.status_code, reply.json()["code"]) == (413, "content_too_large")
    assert tenant.calls("POST /domains") == 0


def test_an_oversized_announcement_is_refused_on_any_route(anyone: httpx.Client) -> None:
    """Also where no body is read."""
    reply = anyone.request("GET", "/health/live", content=b"x" * (1024 * 1024 + 1))

    assert reply.status_code == 413


@pytest.mark.parametrize(
    ("body", "media_type", "status", "code"),
    [
        (b"", "application/json", 422, "validation_failed"),
        (b"", None, 422, "validation_failed"),
        (b"  ", "application/json", 422, "validation_failed"),
        (b"{", "application/json", 400, "malformed_request"),
        (b'{"hostname": "a.com"} x', "application/json", 400, "malformed_request"),
        (b'{"hostname": "\xff"}', "application/json", 400, "malformed_request"),
        (b'{"hostname": NaN}', "application/json", 400, "malformed_request"),
        (b"[" * 100_000, "application/json", 400, "malformed_request"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "application/json", 400, "malformed_request"),
        (b'{"hostname": "a.com"}', "text/plain", 415, "unsupported_media_type"),
        (b"hostname=a.com", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b'{"hostname": "a.com"}', None, 415, "unsupported_media_type"),
        (b"[]", "application/json", 422, "validation_failed"),
        (b"null", "application/json", 422, "validation_failed"),
        (b'{"hostname": null}', "application/json; charset=utf-8", 422, "validation_failed"),
        (b'{"hostname": ["a.com"]}', "application/json", 422, "validation_failed"),
        (b"{}", "application/json", 422, "validation_failed"),
    ],
)
def test_a_bad_body_is_a_clear_problem(
    api: httpx.Client, tenant: Tenant, body: bytes, media_type: str | None, status: int, code: str
) -> None:
    """What can't be read is 400, what can be read and is wrong is 422, and nothing is 500."""
    headers = {"content-type": media_type} if media_type else {}

    reply = api.post("/v1/domains", content=body, headers=headers)

    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert tenant.calls("POST /domains") == 0


def test_all_faults_of_a_body_come_at_once(api: httpx.Client) -> None:
    """Each with a pointer to its place; a missing member is named by where it would be."""
    reply = api.post("/v1/domains", json={"host/name": 1, "a~b": 2})

    assert reply.json()["errors"] == [
        {"pointer": "/a~0b", "detail": "There is no such member."},
        {"pointer": "/host~1name", "detail": "There is no such member."},
        {"pointer": "/hostname", "detail": "This member is missing."},
    ]


def test_all_faults_of_a_query_come_at_once(api: httpx.Client) -> None:
    """Also those that only the route itself can see."""
    many = {"since": "yesterday", "cursor": "%", "limit": "0", "order_id": "7"}

    shown = [
        sorted(fault["pointer"] for fault in api.get("/v1/transactions", params=params).json()["errors"])
        for params in (many, many | {"strange": "x"}, {"since": "yesterday", "cursor": "%"})
    ]

    assert shown == [
        ["/cursor", "/limit", "/order_id", "/since"],
        ["/cursor", "/limit", "/order_id", "/since", "/strange"],
        ["/cursor", "/since"],
    ]


def test_the_faults_of_query_and_body_come_together(api: httpx.Client) -> None:
    """Also those that different parts of us find."""
    query = api.get("/v1/domains?bogus=1&limit=0&expand=x&q=a&q=b")
    both = api.post("/v1/customers/search?limit=many&cursor=x", json={"mail": "a"})
    empty = api.post("/v1/customers/search?limit=0")

    assert [fault["pointer"] for fault in query.json()["errors"]] == ["/bogus", "/q", "/limit", "/expand"]
    assert [(fault["pointer"], fault.get("in")) for fault in both.json()["errors"]] == [
        ("/mail", None),
        ("/email", None),
        ("/limit", "query"),
        ("/cursor", "query"),
    ]
    assert sorted(fault["pointer"] for fault in empty.json()["errors"]) == ["/email", "/limit"]


def test_options_tells_every_method(anyone: httpx.Client) -> None:
    """Without a token, since it is no secret."""
    replies = [anyone.options(path) for path in ("/v1/domains", "/v1/domains/a.com", "/v1/domains/check")]

    assert [reply.headers["allow"] for reply in replies] == [
        "GET, HEAD, OPTIONS, POST",
        "DELETE, GET, HEAD, OPTIONS",
        "OPTIONS, POST",
    ]
    assert anyone.put("/v1/domains/check").headers["allow"] == "OPTIONS, POST"


def test_a_member_that_is_given_twice_is_refused(api: httpx.Client, tenant: Tenant) -> None:
    """Nobody can say which one counts; wherever it stands, however it is spelt, and beside all other faults."""
    body = (
        b'{"external_id": "a", "amount": "1.00", "\\u0061mount": "100.00",'
        b' "deep": [{"x/y": 1, "z": {"k": 1e9, "k": 2, "k": 3}, "x/y": 2}]}'
    )

    reply = api.post("/v1/refunds", content=body, headers={"content-type": "application/json", "Idempotency-Key": "k"})

    assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed")
    assert [(fault["pointer"], fault["detail"]) for fault in reply.json()["errors"]] == [
        ("/amount", "Give this member once."),
        ("/deep/0/x~1y", "Give this member once."),
        ("/deep/0/z/k", "Give this member once."),
        ("/deep", "There is no such member."),
        ("/order_id", "This member is missing."),
    ]
    assert tenant.calls("POST /payment/refund") == 0


def test_a_customers_own_member_is_given_once_too(tenant: Tenant) -> None:
    """What is filled in for a customer does not hide that there were two."""
    body = b'{"price_point": "monthly-premium", "price_point": "lifetime"}'
    with tenant.client(subject="user-ada") as customer:
        reply = customer.post("/v1/checkout/sessions", content=body, headers={"content-type": "application/json"})

    assert reply.status_code == 422
    assert {"pointer": "/price_point", "detail": "Give this member once."} in reply.json()["errors"]


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/domains", "application/json"), ("/v1/price-points/import", "text/csv")]
)
def test_a_compressed_body_is_refused(api: httpx.Client, path: str, kind: str) -> None:
    """It is not taken for what it would be without its coding."""

    def coded(*codings: str) -> httpx.Response:
        headers = [("content-type", kind), *(("content-encoding", coding) for coding in codings)]
        return api.post(path, content=b"{}", headers=headers)

    refused = [coded(*codings) for codings in (("gzip",), ("identity, BR",), ("identity", "deflate"))]
    read = coded("identity")

    assert [(reply.status_code, reply.json()["code"]) for reply in refused] == [(415, "unsupported_media_type")] * 3
    assert {reply.headers["accept-encoding"] for reply in refused} == {"identity"}
    assert read.status_code == 422


def test_a_caller_who_leaves_within_the_body_is_no_crash(
    gateway: RunningGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    """A phone that loses its network is nobody's error."""
    _, secret = gateway.token()
    address = urlsplit(gateway.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        head = f"POST /v1/domains HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nAuthorization: Bearer {secret}\r\n"
        connection.sendall(f"{head}Content-Type: application/json\r\n\r\n{{".encode())
    with gateway.client() as client:
        client.get("/health/live")

    logged = capfd.readouterr().err
    assert "crashed" not in logged
    assert secret not in logged


def test_an_escaped_slash_never_changes_the_route(api: httpx.Client, gateway: RunningGateway) -> None:
    """The path is routed undecoded; escapes of unreserved characters are no difference."""
    _, secret = gateway.token()
    request = f"GET /v1/price%2Dpoint%73 HTTP/1.1\nHost: x\nConnection: close\nAuthorization: Bearer {secret}"

    status, _, _ = raw(gateway, request)

    assert status == 200
    assert api.get("/v1%2Ffeatures").status_code == 404
    assert api.get("/v1/price-points/a%2Fb").json()["detail"] == "There is no such price point."


def test_admitted_pages_may_read_every_answer(anyone: httpx.Client) -> None:
    """CORS headers stand on errors too, and only for the configured origin."""
    mine = {"Origin": "https://app.example.com"}

    refused = anyone.get("/v1/domains", headers=mine)
    preflight = anyone.options("/v1/domains", headers={**mine, "Access-Control-Request-Method": "POST"})
    foreign = anyone.get("/v1/domains", headers={"Origin": "https://evil.example"})

    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "X-Request-Id" in refused.headers["access-control-expose-headers"]
    assert preflight.status_code == 204
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-origin" not in foreign.headers
    assert "access-control-allow-credentials" not in refused.headers


def test_a_hostile_request_id_is_not_ours(anyone: httpx.Client) -> None:
    """The caller's identifier is never taken for ours."""
    reply = anyone.get("/health/live", headers={"X-Request-Id": "x" * 5000})

    assert len(reply.headers["x-request-id"]) == 26


def test_the_host_header_is_in_no_link(gateway: RunningGateway) -> None:
    """Without a public URL every link is relative."""
    status, _, content = raw(gateway, "GET /v1/domains HTTP/1.1\nHost: evil.example\nConnection: close")

    assert status == 401
    assert b"evil.example" not in content
    assert b'"type":"/problems/token_missing"' in content

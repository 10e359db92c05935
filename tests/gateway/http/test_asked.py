"""What is read from the head of a request."""

import pytest

from gateway.http.asked import read

HEADERS = [(b"host", b"x"), (b"authorization", b"Bearer fgw_test_secret"), (b"accept", b"*/*")]


def test_what_is_asked_holds_no_secret() -> None:
    """But its hash: it is kept for as long as the connection."""
    asked = read(b"/v1/features?limit=1", HEADERS)

    assert asked is not None
    assert asked.headers == {b"host": b"x", b"accept": b"*/*"}
    assert "secret" not in repr(asked).replace("secret_hash", "")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="no token"),
        pytest.param([(b"authorization", b"Basic abc")], id="no bearer token"),
        pytest.param([*HEADERS, (b"authorization", b"Bearer other")], id="two tokens"),
        pytest.param([*HEADERS, (b"accept", b"text/html")], id="a name twice"),
        pytest.param([*HEADERS, (b"cache-control", b"no-cache")], id="wishes for the cache"),
        pytest.param([*HEADERS, (b"content-length", b"2")], id="a body"),
        pytest.param([*HEADERS, (b"transfer-encoding", b"chunked")], id="a body in chunks"),
        pytest.param([*HEADERS, (b"expect", b"100-continue")], id="a question first"),
        pytest.param([*HEADERS, (b"upgrade", b"h2c")], id="another protocol"),
        pytest.param([*HEADERS, (b"access-control-request-method", b"GET")], id="a preflight"),
    ],
)
def test_what_is_not_plain_is_not_read(headers: list[tuple[bytes, bytes]]) -> None:
    """It takes the long way."""
    assert read(b"/v1/features", headers) is None

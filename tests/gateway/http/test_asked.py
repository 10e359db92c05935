"""What is remembered of the heads of requests."""

import gc
from typing import Any

import pytest

from gateway.http.asked import LONGEST_HEAD, MOST_HEADS, Asked, Heads, read

TOKEN = b"fgw_test_secret"
HEADERS = [(b"host", b"x"), (b"authorization", b"Bearer " + TOKEN), (b"accept", b"*/*")]


def asked() -> Asked:
    """What a plain GET asks."""
    found = read(b"/v1/features?limit=1", HEADERS)
    assert found is not None
    return found


def test_what_is_asked_holds_no_secret() -> None:
    """But a hash of it: what is remembered for long would show up in every core dump."""
    heads = Heads()
    heads.remember(b"GET / HTTP/1.1\r\nAuthorization: Bearer " + TOKEN + b"\r\n\r\n", asked())

    assert TOKEN not in repr(_all_below(heads)).encode()
    assert "accept" in repr(_all_below(heads))


def _all_below(thing: Any) -> list[Any]:
    """All that it refers to, classes and modules left out."""
    found: list[Any] = []
    waiting = [thing]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, type) and not any(one is other for other in found):
            found.append(one)
            waiting += gc.get_referents(one)
    return found


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


def test_a_flood_of_heads_leaves_those_in_use() -> None:
    """The one that was sent least lately goes first."""
    heads = Heads()
    for number in range(2 * MOST_HEADS):
        heads.remember(b"%d" % number, asked())
        assert heads.find(b"0") is not None

    assert heads.find(b"1") is None
    assert heads.find(b"%d" % (2 * MOST_HEADS - 1)) is not None
    assert sum(heads.find(b"%d" % number) is not None for number in range(2 * MOST_HEADS)) == MOST_HEADS


@pytest.mark.parametrize(
    ("head", "more"),
    [
        pytest.param(b"a" * (LONGEST_HEAD + 1), [], id="a long one"),
        pytest.param(b"a", [(b"traceparent", b"00-1-1-00")], id="one of a trace"),
        pytest.param(b"a", [(b"x-request-id", b"1")], id="one with a name of its own"),
    ],
)
def test_what_never_comes_again_is_not_remembered(head: bytes, more: list[tuple[bytes, bytes]]) -> None:
    """It would take the place of one that does."""
    heads = Heads()
    found = read(b"/v1/features", [*HEADERS, *more])
    assert found is not None

    heads.remember(head, found)

    assert heads.find(head) is None

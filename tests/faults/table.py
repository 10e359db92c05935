"""The whole of it: every way in which a vendor fails, and what each class of operation is promised.

A star says how many requests the vendor sees, one where there is none. Reads
are repeated twice, probes once, and what may have happened never.
"""

from typing import Final

from tests.faults.promises import AUTH, BAD, CALM, CUT, ERROR, FINE, GONE, LATE, LOST, NO, TWICE, Row, row

FLUX: Final = "funnelflux"
FOX: Final = "funnelfox"

PROMPT: Final[tuple[Row, ...]] = (
    # The fault and its details, and what is promised to: a read, a probe, a write, a money call.
    row("latency", {"seconds": 0.1}, FINE, FINE, FINE, FINE),
    row("close_keepalive", {}, FINE, FINE, FINE, FINE),
    # The vendor says that it fails.
    row("status", {"status": 500, "code": "ODD"}, ERROR * 3, ERROR * 2, LOST, LOST, said=500, code="ODD"),
    row("status", {"status": 503, "code": "ODD"}, ERROR * 3, ERROR * 2, LOST, LOST, said=503, code="ODD"),
    row("status", {"status": 503, "body": "<html>"}, ERROR * 3, ERROR * 2, LOST, LOST, said=503),
    row("html", {}, ERROR * 3, ERROR * 2, LOST, LOST, said=502),
    # A code whose meaning is documented counts all the same, but where money may have moved before.
    row(
        "status_error",
        {"code": "double_purchase", "status": 500},
        TWICE,
        TWICE,
        TWICE,
        LOST,
        said=500,
        code="double_purchase",
        vendor=FOX,
    ),
    # The vendor says no, and that is an answer.
    row("status", {"status": 400, "code": "ODD"}, NO, NO, NO, NO, said=400, code="ODD"),
    row("status", {"status": 404, "code": "ODD"}, GONE, GONE, GONE, GONE, said=404, code="ODD"),
    row("status", {"status": 401, "code": "ODD"}, AUTH, AUTH, AUTH, AUTH, said=401, code="ODD"),
    row("status", {"status": 403, "code": "ODD"}, AUTH, AUTH, AUTH, AUTH, said=403, code="ODD"),
    row("success_false", {"code": "ODD"}, NO, NO, NO, NO, said=200, code="ODD", vendor=FLUX),
    row("success_false", {"code": "NOT_FOUND"}, GONE, GONE, GONE, GONE, said=200, code="NOT_FOUND", vendor=FLUX),
    row("status_error", {"code": "ODD"}, NO, NO, NO, NO, said=200, code="ODD", vendor=FOX),
    row("status", {"status": 404, "body": '{"detail":"Not Found"}'}, GONE, GONE, LOST, LOST, said=404),
    row("status", {"status": 404, "body": "{}"}, GONE, GONE, LOST, LOST, said=404),
    # ...but only in its own words. (A billing read may come without an envelope, so its attempt is a
    # success; only then is it found that there is no list in it.)
    row("success_false", {"code": "ODD"}, BAD, BAD, LOST, LOST, said=200, vendor=FOX),
    row("status_error", {"code": "ODD"}, BAD * 3, BAD * 2, LOST, LOST, said=200, vendor=FLUX),
    # The vendor asks for calm.
    row("rate_limited", {}, CALM, CALM, CALM, CALM, said=429, wait="5"),
    row("rate_limited", {"retry_after": "0"}, CALM * 3, CALM * 2, CALM, CALM, said=429, wait="1"),
    row("rate_limited", {"retry_after": "60"}, CALM, CALM, CALM, CALM, said=429, wait="60"),
    # A whole answer that is not the vendor's.
    row("html", {"status": 200}, BAD * 3, BAD * 2, LOST, LOST, said=200),
    row("html", {"status": 404}, BAD * 3, BAD * 2, LOST, LOST, said=404),
    row("redirect", {}, BAD * 3, BAD * 2, LOST, LOST, said=302),
    row("redirect", {"status": 307}, BAD * 3, BAD * 2, LOST, LOST, said=307),
    row("empty", {}, BAD * 3, BAD * 2, LOST, LOST, said=200),
    row("garbage", {}, BAD * 3, BAD * 2, LOST, LOST, said=200),
    row("charset", {}, BAD * 3, BAD * 2, LOST, LOST, said=200),
    row("wrong_type", {}, BAD * 3, BAD * 2, LOST, LOST, said=200),
    row("huge", {"megabytes": 100}, BAD * 3, BAD * 2, LOST, LOST, said=200),
    # Half an answer, or none that HTTP knows.
    row("truncated", {}, BAD * 3, BAD * 2, LOST, LOST, said=200),
    row("wrong_length", {"surplus": 10, "seconds": 0.1}, BAD * 3, BAD * 2, LOST, LOST, said=200),
    row("wrong_length", {"surplus": -10, "seconds": 0.1}, BAD * 3, BAD * 2, LOST, LOST, said=200),
    row("duplicate_headers", {}, BAD * 3, BAD * 2, LOST, LOST),
    row("not_http", {}, BAD * 3, BAD * 2, LOST, LOST),
    # No answer, and the end of the connection.
    row("drop_before", {}, CUT * 3, CUT * 2, LOST, LOST),
    row("drop_after", {}, CUT * 3, CUT * 2, LOST, LOST),
    row("reset_before", {}, CUT * 3, CUT * 2, LOST, LOST),
    row("reset_after", {}, CUT * 3, CUT * 2, LOST, LOST),
)
"""Faults that show at once."""

HANGING: Final[tuple[Row, ...]] = (
    row("latency", {"seconds": 60}, LATE * 3, LATE * 2, LOST, LOST),
    row("never_answer", {"seconds": 60}, LATE * 3, LATE * 2, LOST, LOST),
    row("slow_head", {"seconds": 0.1}, LATE * 3, LATE * 2, LOST, LOST),
    row("dripping", {"seconds": 0.2}, LATE * 3, LATE * 2, LOST, LOST, said=200),
)
"""Faults that only a deadline ends."""

CONNECTIONS: Final[tuple[Row, ...]] = (
    row("nobody listens", {}, CUT * 0, CUT * 0, CUT * 0, CUT * 0),
    row("no connection is made", {}, LATE * 0, LATE * 0, LATE * 0, LATE * 0),
    # From here on a byte may have left.
    row("nobody accepts", {}, LATE * 3, LATE * 2, LOST, LOST),
)
"""Faults of the vendor's port, where it speaks plain HTTP."""

HANDSHAKES: Final[tuple[Row, ...]] = (
    row("expired", {}, CUT * 0, CUT * 0, CUT * 0, CUT * 0),
    row("not yet valid", {}, CUT * 0, CUT * 0, CUT * 0, CUT * 0),
    row("somebody else's", {}, CUT * 0, CUT * 0, CUT * 0, CUT * 0),
    row("untrusted", {}, CUT * 0, CUT * 0, CUT * 0, CUT * 0),
    row("no TLS", {}, CUT * 0, CUT * 0, CUT * 0, CUT * 0),
    row("no handshake", {}, LATE * 0, LATE * 0, LATE * 0, LATE * 0),
)
"""Faults of a vendor's certificate: what can't be trusted is told nothing."""

"""Faults of the answer: correct HTTP, wrong content."""

from collections.abc import Callable
from typing import Final

import msgspec

from clients.sandbox.faults import Fault
from clients.sandbox.replies import HTML, Reply
from clients.sandbox.vendor import Vendor

_ERROR_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
# Statuses after which HTTP knows no body.
_BODILESS = frozenset({204, 304})
# No text in any encoding, and no compressed format.
_GARBAGE = bytes(range(256))
# 0xFF is in no UTF-8 text.
_BAD_UTF8 = b'{"success":true,"status":"success","data":{"text":"\xff\xfe"}}'
# Every name that either vendor's envelope has, of a type that it never has.
_WRONG_TYPES = {
    "success": "yes",
    "found": "perhaps",
    "ssl_valid": 1,
    "domain": [],
    "domains": {"0": None},
    "check": "done",
    "tokens": 72,
    "status": 200,
    "data": ["success"],
    "error": {"msg": None},
}


def spoilt(fault: Fault, vendor: Vendor) -> Reply | None:
    """Return what comes in place of the right answer; None where the fault is one of the connection."""
    make = _SPOILAGE.get(fault.kind)
    if make is None:
        return None
    reply = make(fault, vendor)
    if fault.body is not None:
        reply = msgspec.structs.replace(reply, body=fault.body.encode())
    if fault.retry_after is not None:
        reply = msgspec.structs.replace(reply, extra=(*reply.extra, (b"retry-after", fault.retry_after.encode())))
    return msgspec.structs.replace(reply, body=b"") if reply.status in _BODILESS else reply


def _status(fault: Fault, vendor: Vendor) -> Reply:
    return vendor.failure(fault.status or 503, fault.code, fault.message)


def _rate_limited(fault: Fault, vendor: Vendor) -> Reply:
    return vendor.failure(fault.status or 429, fault.code or "rate_limited", fault.message)


def _html(fault: Fault, _: Vendor) -> Reply:
    return Reply(status=fault.status or 502, body=_ERROR_PAGE, content_type=HTML)


def _redirect(fault: Fault, _: Vendor) -> Reply:
    return Reply(status=fault.status or 302, extra=((b"location", fault.location.encode()),))


def _success_false(fault: Fault, _: Vendor) -> Reply:
    refused = {"success": False, "error_code": fault.code or "INTERNAL_ERROR", "error_message": fault.message}
    return Reply.json(refused, status=fault.status or 200)


def _status_error(fault: Fault, _: Vendor) -> Reply:
    item = {"msg": fault.message, "type": "api_exception", "code": fault.code or "payment_failed"}
    return Reply.json({"status": "error", "req_id": "injected", "error": [item]}, status=fault.status or 200)


def _empty(fault: Fault, _: Vendor) -> Reply:
    return Reply(status=fault.status or 200)


def _garbage(fault: Fault, _: Vendor) -> Reply:
    return Reply(status=fault.status or 200, body=_GARBAGE)


def _charset(fault: Fault, _: Vendor) -> Reply:
    return Reply(status=fault.status or 200, body=_BAD_UTF8)


def _wrong_type(fault: Fault, _: Vendor) -> Reply:
    return Reply.json(_WRONG_TYPES, status=fault.status or 200)


_SPOILAGE: Final[dict[str, Callable[[Fault, Vendor], Reply]]] = {
    "status": _status,
    "rate_limited": _rate_limited,
    "html": _html,
    "redirect": _redirect,
    "success_false": _success_false,
    "status_error": _status_error,
    "empty": _empty,
    "garbage": _garbage,
    "charset": _charset,
    "wrong_type": _wrong_type,
}

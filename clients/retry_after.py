"""The `Retry-After` header of a vendor's answer."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

LONGEST: Final = 3600
"""Seconds: a vendor that asks for more is answered as if it had asked for an hour."""


def seconds(reply: httpx.Response) -> int | None:
    """Whole seconds to wait, 0 to `LONGEST`; None if absent or malformed.

    Source: RFC 9110, section 10.2.3: a number of seconds or an HTTP date.
    """
    value = reply.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(int(value[:9]), LONGEST)
    try:
        then = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return min(max(0, round((then - datetime.now(UTC)).total_seconds())), LONGEST)

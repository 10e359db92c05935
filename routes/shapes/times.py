"""Vendor times as RFC 3339 in UTC."""

from datetime import UTC, datetime
from typing import Annotated, Final

from litestar.params import QueryParameter

from gateway.http.query import Readable
from gateway.http.rfc9457 import Fault
from gateway.problems import ValidationFailed

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(3000, 1, 1, tzinfo=UTC)
"""What can be planned: no subscription is older, or lives longer."""


def utc(text: object) -> datetime | None:
    """A vendor's time; zone-less ones are UTC, and what can't be parsed is None.

    Both vendors send ISO 8601, one of them with and without a zone.
    """
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is UTC:  # As it nearly always is, and then nothing is left to do.
            return time
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def from_unix(seconds: int | None) -> datetime | None:
    """A vendor's Unix time in seconds; None if it is absent or beyond any calendar."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def plannable(moment: datetime, pointer: str) -> datetime:
    """A caller's time at which something is to happen, in UTC.

    Args:
        moment: With a zone.
        pointer: Where it stands in the body.

    Raises:
        ValidationFailed: No calendar of the vendor's can hold it.
    """
    try:
        planned = moment.astimezone(UTC)
    except OverflowError:
        planned = None
    if planned is None or not EARLIEST <= planned < LATEST:
        detail = f"Expected a time between {EARLIEST.year} and {LATEST.year}."
        raise ValidationFailed(detail, faults=[Fault(pointer, detail)])
    return planned


def moment(text: str) -> datetime:
    """The `since` of a query, in UTC.

    Raises:
        ValidationFailed: It is no RFC 3339 time with a zone.
    """
    try:
        parsed = datetime.fromisoformat(text)
        if parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    fault = Fault("/since", "Expected an RFC 3339 time with a zone.", "query")
    raise ValidationFailed("The query is not what is needed.", faults=[fault])


Since = Annotated[
    str | None,
    QueryParameter(description="Only those from then on; RFC 3339, with a zone.", schema_extra={"format": "date-time"}),
    Readable(moment),
]

"""Vendor times as RFC 3339 in UTC."""

from datetime import UTC, datetime


def utc(text: str | None) -> datetime | None:
    """A vendor's time; zone-less ones are UTC, and what can't be parsed is None.

    Both vendors send ISO 8601, one of them with and without a zone.
    """
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
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

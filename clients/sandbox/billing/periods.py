"""Calendar arithmetic for trials and billing periods."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from typing import Literal

Unit = Literal["minutes", "days", "weeks", "months", "years"]

# Where a period would leave the calendar, it ends here.
FAR = datetime(9000, 1, 1, tzinfo=UTC)

_MONTHS_A_YEAR = 12
_STEPS = {"minutes": timedelta(minutes=1), "days": timedelta(days=1), "weeks": timedelta(weeks=1)}


def after(start: datetime, count: int, unit: Unit) -> datetime:
    """Return the end of a period of `count` units from `start`, at most `FAR`.

    The 31st plus a month is the last day of the next month.
    """
    if unit in _STEPS:
        step = _STEPS[unit]
        return FAR if count > (FAR - start) // step else start + count * step
    months = count * (_MONTHS_A_YEAR if unit == "years" else 1)
    years, month = divmod(start.month - 1 + months, _MONTHS_A_YEAR)
    if start.year + years >= FAR.year:
        return FAR
    year, month = start.year + years, month + 1
    return start.replace(year=year, month=month, day=min(start.day, monthrange(year, month)[1]))


def as_utc(moment: datetime) -> datetime:
    """Read a time that a caller sent; one without a zone is UTC. Bounded by the calendar's ends."""
    if moment.tzinfo is None:
        return min(moment.replace(tzinfo=UTC), FAR)
    try:
        return min(moment.astimezone(UTC), FAR)
    except OverflowError:
        return FAR if moment.year >= FAR.year else datetime.min.replace(tzinfo=UTC)

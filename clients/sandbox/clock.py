"""What time it is in the sandbox."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

# Long enough to see years of renewals, short enough that no date leaves the calendar.
_FARTHEST_SECONDS = timedelta(days=3650).total_seconds()


class Clock:
    """A running clock that can be moved forward.

    Args:
        source: Gives Unix seconds. The default is real time; a test that needs
            an exact moment passes one that stands still.
    """

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._skipped_seconds = 0.0
        self._watchers: list[Callable[[], None]] = []

    @property
    def skipped_seconds(self) -> float:
        """How far ahead of its source the clock is."""
        return self._skipped_seconds

    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        return datetime.fromtimestamp(self._source() + self._skipped_seconds, UTC)

    def advance(self, seconds: float) -> None:
        """Let time pass at once: whatever falls due, happens before this returns.

        Raises:
            ValueError: Time does not run backwards, and stops ten years ahead.
        """
        if not 0 <= seconds <= _FARTHEST_SECONDS - self._skipped_seconds:
            raise ValueError("the clock moves forward only, and ten years at most")
        self._skipped_seconds += seconds
        for due in self._watchers:
            due()

    def rewind(self) -> None:
        """Show the source's own time again."""
        self._skipped_seconds = 0.0

    def watch(self, due: Callable[[], None]) -> None:
        """Have `due` called whenever the clock was moved."""
        self._watchers.append(due)

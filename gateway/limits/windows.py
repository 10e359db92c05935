"""Counting in this process: how often something happened within the last minute.

A sliding window in two counters: what happened in the minute before counts by
the share of it that is still within the last 60 seconds. `limits` does the same
in Redis; its counterpart in memory looks at every key on every request, which
at 10,000 keys takes a millisecond.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from math import floor
from time import monotonic
from typing import Final

import msgspec

WINDOW_SECONDS: Final = 60

SOON_SECONDS: Final = 0.001
"""The least that somebody who must wait is told."""

MOST_COUNTED: Final = 20_000
"""Keys that are counted at once: some megabytes. Beyond, the one that was idle for longest starts anew."""


class Standing(msgspec.Struct, frozen=True):
    """How one limit stands, seen from one caller."""

    name: str
    """Of the limit, as in the headers."""
    quota: int
    """A minute."""
    remaining: int
    wait_seconds: float
    """Until more remains than now."""
    admitted: bool = True
    """Whether this request is within the limit."""


class _Window(msgspec.Struct):
    began: float
    count: int = 0
    before: int = 0
    """The count of the window that ended when this one began."""


class Windows:
    """Counts by key, exactly: nothing is awaited between looking and counting.

    Args:
        now: Seconds that never go back.
        most: Keys that are counted at once.
    """

    def __init__(self, now: Callable[[], float] = monotonic, *, most: int = MOST_COUNTED) -> None:
        self._now = now
        self._most = most
        self._windows: OrderedDict[Hashable, _Window] = OrderedDict()

    def __len__(self) -> int:
        """Keys that are counted."""
        return len(self._windows)

    def hit(self, key: Hashable, name: str, quota: int) -> Standing:
        """Count one more, unless the quota is used up."""
        now = self._now()
        window = self._window(key, now)
        used = _used(window, now)
        if admitted := used < quota:
            window.count += 1
            used += 1
        return _standing(window, now, name, quota, used=used, admitted=admitted)

    def add(self, key: Hashable) -> None:
        """Count one more, whatever the quota."""
        self._window(key, self._now()).count += 1

    def look(self, key: Hashable, name: str, quota: int) -> Standing:
        """How it stands; nothing is counted."""
        now = self._now()
        known = self._windows.get(key)
        window = _Window(began=now) if known is None else _moved_on(known, now)
        used = _used(window, now)
        return _standing(window, now, name, quota, used=used, admitted=used < quota)

    def _window(self, key: Hashable, now: float) -> _Window:
        window = self._windows.get(key)
        if window is None:
            self._drop_idle(now)
            window = self._windows[key] = _Window(began=now)
            return window
        self._windows.move_to_end(key)
        return window if now - window.began < WINDOW_SECONDS else _moved_on(window, now)

    def _drop_idle(self, now: float) -> None:
        """Make room for one more: the idle ones are in front."""
        while self._windows:
            oldest = next(iter(self._windows.values()))
            if len(self._windows) < self._most and now - oldest.began < 2 * WINDOW_SECONDS:
                return
            self._windows.popitem(last=False)


def _moved_on(window: _Window, now: float) -> _Window:
    """The same window, or its successor if it is over."""
    if now - window.began >= WINDOW_SECONDS:
        passed = (now - window.began) // WINDOW_SECONDS
        window.before = window.count if passed == 1 else 0
        window.count = 0
        # Bounded, for a float's last digit would make it begin later than now.
        window.began = min(now, window.began + passed * WINDOW_SECONDS)
    return window


def _used(window: _Window, now: float) -> int:
    """What counts: this window's, and what is left of the minute before."""
    if not window.before:
        return window.count
    return window.count + floor(window.before * (window.began + WINDOW_SECONDS - now) / WINDOW_SECONDS)


def _standing(window: _Window, now: float, name: str, quota: int, *, used: int, admitted: bool) -> Standing:
    used = min(used, quota)
    return Standing(name, quota, quota - used, _wait(window, now, used), admitted)


def _wait(window: _Window, now: float, used: int) -> float:
    """Seconds until fewer than `used` are counted."""
    if used == 0:
        return 0.0
    left = WINDOW_SECONDS - (now - window.began)
    if window.count < used:  # The window before still counts, and fades.
        # Never nothing: at the very moment when one fades it still counts.
        return max(SOON_SECONDS, left - WINDOW_SECONDS * (used - window.count) / window.before)
    return left + WINDOW_SECONDS * (1 - used / window.count)

"""Counting within the last minute."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.windows import WINDOW_SECONDS, Windows


class Clock:
    """Shows what it is told."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.seconds


def test_a_quota_is_used_up_and_comes_back() -> None:
    """Three of three, none until the minute is over, and then not all at once."""
    clock = Clock()
    windows = Windows(clock)

    first = [windows.hit("a", "default", 3) for _ in range(4)]
    clock.seconds += 60.1
    second = [windows.hit("a", "default", 3).admitted for _ in range(2)]
    clock.seconds += 120
    third = [windows.hit("a", "default", 3).admitted for _ in range(4)]

    assert [(one.remaining, one.admitted) for one in first] == [(2, True), (1, True), (0, True), (0, False)]
    assert {one.wait_seconds for one in first} == {60.0}
    assert second == [True, False]
    assert third == [True, True, True, False]


@given(quota=st.integers(1, 20), steps=st.lists(st.tuples(st.floats(0, 90), st.integers(1, 25)), max_size=20))
def test_who_waits_as_told_gets_in(quota: int, steps: list[tuple[float, int]]) -> None:
    """
    Whatever came before: what remains is admitted and no more, looking counts
    nothing, and after the wait that was told there is more.
    """
    clock = Clock()
    windows = Windows(clock)
    for seconds, hits in steps:
        clock.seconds += seconds
        for _ in range(hits):
            windows.hit("a", "default", quota)

    before = windows.look("a", "default", quota)
    burst = [windows.hit("a", "default", quota).admitted for _ in range(quota + 1)]
    after = windows.look("a", "default", quota)
    clock.seconds += after.wait_seconds + 0.001
    later = windows.hit("a", "default", quota)

    assert burst == [True] * before.remaining + [False] * (quota + 1 - before.remaining)
    assert (after.remaining, after.admitted) == (0, False)
    assert 0 < after.wait_seconds <= WINDOW_SECONDS
    assert later.admitted


def test_one_caller_does_not_count_for_another() -> None:
    """Each key has its own quota."""
    windows = Windows(Clock())
    windows.hit("a", "default", 1)

    assert not windows.hit("a", "default", 1).admitted
    assert windows.hit("b", "default", 1).admitted


def test_a_million_keys_take_no_more_room_than_allowed() -> None:
    """The one that was idle for longest makes room; a busy one stays counted."""
    clock = Clock()
    windows = Windows(clock, most=100)
    for number in range(1_000_000):
        if number % 50 == 0:
            windows.hit("busy", "default", 1)
        windows.add(number)

    assert len(windows) <= 100
    assert not windows.look("busy", "default", 1).admitted


def test_idle_keys_are_forgotten() -> None:
    """Two minutes after the last request nothing is left to be counted."""
    clock = Clock()
    windows = Windows(clock)
    for number in range(1000):
        windows.add(number)

    clock.seconds += 121
    windows.add("new")

    assert len(windows) == 1

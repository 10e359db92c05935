"""How much may be sent again: a share of all calls, whatever the reason."""

from typing import Final

SHARE: Final = 0.15
"""Of all calls, so many may be sent again. At 10 % faults 11 of 100 calls need it, so that a tenth would run dry and
leave one read in a hundred without its retry; and a vendor that is down is called 1.15 times as often, not thrice."""

BURST: Final = 10.0
"""Repeats that may come at once, before anything was earned."""


class Budget:
    """One vendor's repeats."""

    def __init__(self) -> None:
        self._left = BURST

    @property
    def empty(self) -> bool:
        """Whether there is nothing to spend now."""
        return self._left < 1

    def earn(self) -> None:
        """A call was made."""
        self._left = min(BURST, self._left + SHARE)

    def spend(self) -> None:
        """Something is sent again. What had to be sent although the budget was empty is owed."""
        self._left -= 1

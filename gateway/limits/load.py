"""How many requests one process takes on at once, and which it turns away."""

from typing import Final

from gateway.problems import CROWDED_WAIT, Overloaded

MONEY_SHARE: Final = 0.2
"""Of the places: so many are kept for requests that move money."""


class Load:
    """The places for requests.

    Turning a request away at once is kinder than letting all of them wait
    beyond their deadline.

    Args:
        most: Requests in flight.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._most_without_money = max(1, int(most * (1 - MONEY_SHARE)))
        self._in_flight = 0

    @property
    def full(self) -> bool:
        """Whether a request that moves no money would be turned away."""
        return self._in_flight >= self._most_without_money

    def enter(self, *, money: bool) -> None:
        """Take a place.

        Args:
            money: Whether the request moves money, so that the places kept for such are its own, too.

        Raises:
            Overloaded: There is none.
        """
        if self._in_flight >= (self._most if money else self._most_without_money):
            raise Overloaded(
                "The gateway has as much to do as it can take.", headers={"Retry-After": str(CROWDED_WAIT)}
            )
        self._in_flight += 1

    def leave(self) -> None:
        """Give the place back."""
        self._in_flight -= 1

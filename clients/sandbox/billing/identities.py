"""New ids for orders, subscriptions, one-offs and transactions."""

from secrets import token_hex
from uuid import NAMESPACE_URL, UUID, uuid5


class Identities:
    """A source of UUIDs, repeatable until it is told to be unique.

    Args:
        seed: The same seed yields the same ids in the same order.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._given = 0

    def new(self) -> UUID:
        """Return the next id."""
        self._given += 1
        return uuid5(NAMESPACE_URL, f"sandbox:{self._seed}/{self._given}")

    def become_unique(self) -> None:
        """From here on, no two runs give the same ids: what happens after the story is nobody's sample."""
        self._seed = token_hex(16)

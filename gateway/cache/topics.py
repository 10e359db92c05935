"""What is kept, for how long, and under which key."""

from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import msgspec
from typing_extensions import override

from clients.errors import Operation
from gateway.principal import Mode

Kind = Literal["list", "detail"]
"""What topics have their times in common."""


MOST_PREFIXES: Final = 1000
"""Of keys, that are remembered."""

ALONE_SECONDS: Final = 1.0
"""How soon a write shows everywhere; without word from the other processes, so long is anything fresh at most."""


class Lifetime(msgspec.Struct, frozen=True, array_like=True):
    """For how long something is good; in seconds, counted from when the vendor was asked."""

    fresh: float
    """Answers without asking the vendor; 0: nothing is kept."""
    stale: float = 0.0
    """After that, answers at once while the vendor is asked."""
    stale_if_error: float = 0.0
    """Also after `fresh`: answers where the vendor can't."""

    @property
    def revalidated_until(self) -> float:
        """The age up to which it answers while the vendor is asked."""
        return self.fresh + self.stale

    @property
    def end(self) -> float:
        """The age from which it is worth nothing."""
        return self.fresh + max(self.stale, self.stale_if_error)

    def alone(self) -> "Lifetime":
        """The same while no other process can say what it dropped."""
        return Lifetime(min(self.fresh, ALONE_SECONDS), 0.0, self.stale_if_error)


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a vendor can be asked, of a tenant in a mode."""

    name: str
    """Tells it from others. What comes before a colon is the family: one row of the table."""
    kind: Kind
    shape: Any
    """The type of what is kept."""
    operation: Operation
    """What is called to have it; only reads and probes may be kept."""

    @property
    def family(self) -> str:
        """All topics that differ in what they are about only."""
        return self.name.partition(":")[0]


class Key(NamedTuple):
    """Whose topic it is. As text, the length of the tenant's name makes sure that no two keys read the same."""

    tenant: str
    mode: Mode
    topic: str

    @override
    def __str__(self) -> str:
        return self.prefix(self.tenant, self.mode) + self.topic

    @staticmethod
    @lru_cache(MOST_PREFIXES)
    def prefix(tenant: str, mode: Mode) -> str:
        """What all keys of a tenant in a mode begin with, and no others."""
        return f"{len(tenant)}:{tenant}:{mode}:"

    @classmethod
    def parsed(cls, text: str) -> "Key":
        """The key that reads `text`.

        Raises:
            ValueError: There is none.
        """
        size, _, rest = text.partition(":")
        tenant, rest = rest[: int(size)], rest[int(size) :]
        _, mode, topic = rest.split(":", 2)
        if mode not in {"live", "test"}:
            raise ValueError("neither live nor test")
        return cls(tenant, "live" if mode == "live" else "test", topic)


class Choice(msgspec.Struct, frozen=True):
    """Which keys to drop."""

    tenant: str | None = None
    """None: those of all tenants."""
    modes: tuple[Mode, ...] = ("live", "test")
    topic: str | None = None
    """A topic's name, or a family; None: all."""

    def takes(self, text: str) -> bool:
        """Whether the key of that text is among them."""
        try:
            key = Key.parsed(text)
        except ValueError:
            return True  # Not one of this release's: better gone.
        return (
            self.tenant in {None, key.tenant}
            and key.mode in self.modes
            and self.topic in {None, key.topic, key.topic.partition(":")[0]}
        )

"""What requests are about to do, in the words that all routes share."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec


class Intention(msgspec.Struct, frozen=True, kw_only=True):
    """What a request is about to do, in the words of its route."""

    resource: tuple[str, ...] | None = None
    """What no other open operation may be about; None: others do no harm."""
    facts: Mapping[str, Any] = {}
    """What is needed to settle it: identifiers, and what was read before."""
    instrument: str | None = None
    """What pays, where it pays `USES_A_DAY` times only; kept as a hash."""
    despite: str | None = None
    """The id of an open operation that the caller knows of, and that must not be in the way."""
    listed: bool = True
    """Whether it is an operation; otherwise a lost one is harmless, and may be made anew."""
    shows_secret: bool = False
    """Whether its answer must not be kept."""


OURS: Final = Intention(listed=False)
"""A change of our own records, which no vendor hears of: if it is not kept, it has not happened."""

SECRET: Final = Intention(listed=False, shows_secret=True)
"""The same, with an answer that shows a secret."""

"""The names of requests."""

import secrets
from typing import Final

AT_ONCE: Final = 100
"""Names that are made together: to ask the system for randomness takes longer than all the rest of it."""

LENGTH: Final = 22
"""Characters of base64url: 132 random bits, so that no two requests anywhere have the same name."""


class RequestIds:
    """Names requests, each with one that nobody can guess."""

    def __init__(self) -> None:
        self._made: list[str] = []

    def new(self) -> str:
        """The name of one more request, as in `req_9Fq2...`."""
        if not self._made:
            random = secrets.token_urlsafe(AT_ONCE * LENGTH * 6 // 8)
            self._made = [f"req_{random[at : at + LENGTH]}" for at in range(0, AT_ONCE * LENGTH, LENGTH)]
        return self._made.pop()

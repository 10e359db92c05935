"""Durations as people write them: `90d`, `12h`, `15m`, `30s`."""

import re
from typing import Final

PATTERN: Final = r"(0|[1-9][0-9]{0,8})[dhms]"

_FORM: Final = re.compile(PATTERN)
_UNIT_SECONDS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def seconds(text: str) -> int:
    """A duration in seconds.

    Raises:
        ValueError: It is none.
    """
    if _FORM.fullmatch(text) is None:
        raise ValueError("write it like 90d, 12h, 15m or 30s")
    return int(text[:-1]) * _UNIT_SECONDS[text[-1]]

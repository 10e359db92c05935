"""What a caller must send with a call that moves money.

The key does not deduplicate yet: a money call is sent once for each request,
and never repeated by us.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

from litestar.params import HeaderParameter

from clients.timeouts import patience
from gateway.problems import (
    IdempotencyKeyRequired,
    ValidationFailed,
)
from gateway.rfc9457 import Fault

T = TypeVar("T")

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description=(
            "Names this intention, the same for every attempt at it: 1 to 255 visible ASCII characters. "
            "It does not deduplicate yet: after `outcome_unknown`, read before you send again."
        ),
    ),
]

_FORM: Final = re.compile(r"[\x21-\x7e]{1,255}")


async def once(key: str | None, act: Callable[[], Awaitable[T]]) -> T:
    """Carry out a call that moves money, under the caller's key.

    Raises:
        IdempotencyKeyRequired: There is no key.
        ValidationFailed: It is none.
    """
    if not key:
        raise IdempotencyKeyRequired("This route needs an Idempotency-Key.")
    if not _FORM.fullmatch(key):
        fault = Fault("/Idempotency-Key", "1 to 255 visible ASCII characters.", "header")
        raise ValidationFailed("The Idempotency-Key is not one.", faults=[fault])
    patience.set("money")
    return await act()

"""Litestar's own events, of which there are none."""

from types import TracebackType
from typing import Any, NoReturn

from litestar.events import BaseEventEmitterBackend
from typing_extensions import override


class NoEvents(BaseEventEmitterBackend):
    """Does nothing.

    The usual one keeps two tasks and a queue for as long as the gateway runs,
    and loads a megabyte for them.
    """

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing was opened."""

    @override
    def emit(self, event_id: str, *args: Any, **kwargs: Any) -> NoReturn:
        """Nobody listens.

        Raises:
            LookupError: Always.
        """
        raise LookupError(event_id)

"""A value that must not be printed."""

from typing import Final, final

from typing_extensions import override


@final
class Secret:
    """A credential that shows as `***` wherever it is printed, logged or compared in a traceback.

    Args:
        value: The credential itself, as the vendor or the operator gave it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value: Final = value

    def reveal(self) -> str:
        """The credential in clear: call this only where it is put into a request or hashed."""
        return self._value

    @override
    def __repr__(self) -> str:
        return "***"

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    @override
    def __hash__(self) -> int:
        return hash(self._value)

"""Which variables the gateway reads of its environment."""

from collections.abc import Iterator, Mapping

from typing_extensions import override

from gateway.settings import from_environment


def variables() -> frozenset[str]:
    """Every variable that is asked for, `NAME_FILE` of each secret too."""
    environment = _Listening()
    from_environment(environment)
    return frozenset(environment.asked)


class _Listening(Mapping[str, str]):
    """An environment without variables, that remembers which were asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    @override
    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        raise KeyError(name)

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(())

    @override
    def __len__(self) -> int:
        return 0

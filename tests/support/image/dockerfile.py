"""The Dockerfile, read: its stages and their instructions."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parents[3] / "Dockerfile"


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction, its lines joined."""

    name: str
    """As in `RUN`."""
    value: str

    @property
    def words(self) -> list[str]:
        """A value in the exec form, as in `["gateway"]`."""
        return [str(word) for word in json.loads(self.value)]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What follows one `FROM`."""

    name: str
    """Empty for the stage that becomes the image."""
    instructions: Sequence[Instruction]

    def last(self, name: str) -> Instruction:
        """The one that counts, of those that replace each other."""
        return next(found for found in reversed(self.instructions) if found.name == name)


def stages() -> list[Stage]:
    """The stages in order."""
    read: list[tuple[str, list[Instruction]]] = []
    for instruction in _instructions(FILE.read_text()):
        if instruction.name == "FROM":
            named = re.search(r" AS (\w+)$", instruction.value)
            read.append((named[1] if named else "", []))
        elif read:
            read[-1][1].append(instruction)
    return [Stage(name=name, instructions=tuple(instructions)) for name, instructions in read]


def _instructions(text: str) -> Iterator[Instruction]:
    lines = (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, value = line.partition(" ")
        yield Instruction(name=name, value=value.strip())

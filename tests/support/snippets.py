"""The snippets of our pages, and what their authors say of each.

A snippet is a fenced block. Comments of HTML right above it, which readers do
not see, say how to try it:

- `<!-- not run: REASON -->`: it can't be tried here.
- `<!-- file: NAME -->`: it is what the reader puts into that file, or adds to it.
- `<!-- serves -->`: its last command goes on until the next one that serves.
- `<!-- exits: 2 -->`: its last command ends so.
- `<!-- answers: 409 -->`: its last request is answered so; without, none is refused.
- `<!-- first: COMMAND -->`: done before, and not shown.

`<!-- needs: TOOL -->` at the top says what a page can't be tried without.

Run as a module, it lists what is not run, and why.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).parents[2]

RUNNABLE: Final = ("console", "json", "python")
"""Languages of blocks that are tried as they are."""

REMARKS: Final = ("not run", "file", "serves", "exits", "answers", "first")

_REMARK: Final = re.compile(r"<!-- ([a-z ]+?)(?:: (.*?))? -->")
_FENCE: Final = re.compile(r"(?P<indent> *)```(?P<language>\S*)$")


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """One fenced block."""

    page: str
    """From the root of the repository."""
    line: int
    language: str
    text: str
    remarks: dict[str, str]

    @property
    def place(self) -> str:
        """Where an editor finds it."""
        return f"{self.page}:{self.line}"

    def fault(self) -> str | None:
        """What is wrong with how it is marked, if something is."""
        if unknown := self.remarks.keys() - set(REMARKS):
            return f"{self.place}: nobody knows the remark {min(unknown)!r}"
        if "not run" in self.remarks:
            return None if self.remarks["not run"] else f"{self.place}: it is not run, and no reason is given"
        if self.language in RUNNABLE or "file" in self.remarks:
            return None
        return f"{self.place}: {self.language or 'a block without a language'} can't be run; say why it is not"


def pages() -> list[Path]:
    """The README, all guides, and the chart's."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "helm" / "README.md"]


def needs(page: Path) -> list[str]:
    """The tools that a page can't be tried without."""
    return re.findall(r"^<!-- needs: (\S+) -->$", page.read_text(), re.MULTILINE)


def snippets(page: Path) -> Iterator[Snippet]:
    """The blocks of a page, in their order.

    Raises:
        ValueError: A block has no end.
    """
    lines = iter(enumerate(page.read_text().splitlines(), start=1))
    remarks: dict[str, str] = {}
    for number, line in lines:
        if opened := _FENCE.fullmatch(line):
            inside = []
            for _, text in lines:
                if text.strip() == "```":
                    break
                inside.append(text.removeprefix(opened["indent"]))
            else:
                raise ValueError(f"{page}:{number}: the block has no end")
            yield Snippet(
                page=str(page.relative_to(ROOT)),
                line=number,
                language=opened["language"],
                text="\n".join(inside) + "\n",
                remarks=remarks,
            )
            remarks = {}
        elif remark := _REMARK.fullmatch(line.strip()):
            remarks = {**remarks, remark[1]: remark[2] or ""}
        else:
            remarks = {}


def report() -> Iterator[str]:
    """How many blocks of each page are run, and why the others are not."""
    for page in pages():
        found = list(snippets(page))
        left_out = [one for one in found if "not run" in one.remarks]
        if found:
            yield f"{page.relative_to(ROOT)}: {len(found) - len(left_out)} run, {len(left_out)} not"
        for one in left_out:
            yield f"  line {one.line}: {one.remarks['not run']}"


if __name__ == "__main__":
    sys.stdout.write("\n".join((*report(), "")))

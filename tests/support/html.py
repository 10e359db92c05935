"""A page as strict readers see it: what is wrong with it, and where it leads."""

from html.parser import HTMLParser
from typing import Final

from typing_extensions import override

ALONE: Final = frozenset({"meta", "link", "input", "wbr"})


class Page(HTMLParser):
    """One page, read.

    Args:
        html: All of it.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.ids: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.faults += [f"<{name}> is never closed" for name in self._open]

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        if len(given) != len(attrs):
            self.faults.append(f"<{tag}> has an attribute twice")
        if "id" in given:
            self.ids.append(given["id"])
        if "style" in given or tag == "style" or any(name.startswith("on") for name in given):
            self.faults.append(f"<{tag}> has style or script of its own")
        if tag not in ALONE:
            self._open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes something else")

    @override
    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open and self._open[-1] == "script" and data.strip():
            self.faults.append("a script stands in the page")

    def values(self, name: str) -> list[str]:
        """The values of an attribute, wherever it stands."""
        return [given[name] for _, given in self.elements if name in given]

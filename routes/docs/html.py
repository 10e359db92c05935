"""HTML from text that is escaped unless it says that it is HTML already."""

import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

_ALONE: Final = frozenset({"meta", "link", "input", "wbr"})
"""Elements that have no content."""

_CODE: Final = re.compile(r"`([^`]+)`")


class Html(str):
    """Text that stands as it is."""

    __slots__ = ()


Child = str | Html | None
"""Content; None: there is none."""


def tag(name: str, /, *children: Child, **attributes: str | bool) -> Html:
    """One element.

    Args:
        name: Such as `p`.
        children: In their order; what is not `Html` is escaped.
        attributes: A trailing underscore is dropped, others become hyphens.
            True is an attribute without a value, False none.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items() if value is not False)
    if name in _ALONE:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{joined(children)}</{name}>")


def joined(children: Iterable[Child]) -> Html:
    """One after the other."""
    return Html("".join(child if isinstance(child, Html) else escape(child) for child in children if child is not None))


def listing(label: str, text: str) -> Html:
    """Code, which the keyboard can scroll."""
    return tag("pre", tag("code", text), tabindex="0", role="region", aria_label=label)


def inline(text: str) -> Html:
    """One line of prose, in which backticks mean code."""
    pieces = _CODE.split(text)
    return joined(tag("code", piece) if at % 2 else piece for at, piece in enumerate(pieces))


def prose(text: str) -> Html:
    """Paragraphs and lists, as docstrings hold them."""
    return joined(block for paragraph in text.split("\n\n") if paragraph.strip() for block in _blocks(paragraph))


def _blocks(paragraph: str) -> Iterator[Html]:
    """A paragraph, its list, or both."""
    said: list[str] = []
    items: list[str] = []
    for line in paragraph.strip().splitlines():
        if line.startswith("- "):
            items.append(line[2:])
        elif items:
            items[-1] += f" {line.strip()}"
        else:
            said.append(line.strip())
    if said:
        yield tag("p", inline(" ".join(said)))
    if items:
        yield tag("ul", *(tag("li", inline(item)) for item in items))


def _attribute(key: str, value: str | bool) -> str:  # noqa: FBT001 - HTML has attributes without a value
    name = key.removesuffix("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'

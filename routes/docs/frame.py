"""What all pages have around them."""

from collections.abc import Sequence
from typing import Final

from gateway import VERSION
from routes.docs.files import Bundle
from routes.docs.html import Child, Html, joined, tag

NAME: Final = "Funnel Gateway"

_PLACES: Final = (("docs", "API"), ("problems", "Problems"), ("openapi.json", "OpenAPI document"))


class Frame:
    """Puts content into a page.

    Args:
        bundle: The files that a page refers to.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def page(self, title: str, *content: Child, here: str, scripts: Sequence[str] = ()) -> str:
        """A whole page.

        Links are relative, since the gateway may stand below a path that it does not know.

        Args:
            title: What the page is about.
            content: Of `main`, and what stands beside it.
            here: The page's own path, without the first slash.
            scripts: Those files of ours that run on it.
        """
        up = "../" * here.count("/")
        head = tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("title", title if title == NAME else f"{title} - {NAME}"),
            tag("link", rel="icon", href=f"{up}docs/{self._bundle.name('icon.svg')}", type="image/svg+xml"),
            tag("link", rel="stylesheet", href=f"{up}docs/{self._bundle.name('docs.css')}"),
            *(tag("script", src=f"{up}docs/{self._bundle.name(script)}", defer=True) for script in scripts),
        )
        body = tag("body", tag("a", "Skip to the content", href="#content", class_="skip"), _header(up, here), *content)
        return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _header(up: str, here: str) -> Html:
    links = (
        tag("li", tag("a", label, href=f"{up}{path}", aria_current="page" if here == path else False))
        for path, label in _PLACES
    )
    return tag(
        "header",
        tag("p", NAME, " ", tag("span", VERSION, class_="muted"), class_="name"),
        tag("nav", tag("ul", *links), aria_label="Pages"),
        class_="top",
    )


def main(*content: Child) -> Html:
    """What a page is about, where the link past the navigation leads."""
    return tag("main", joined(content), id="content", tabindex="-1")

"""What our pages say is so: every command and every snippet is tried, every table is written from the code."""

import re
from pathlib import Path

import pytest
from click import Context

from gateway.cli import main
from tests.support import listening, tables
from tests.support.desk import Desk, NotAsShown, lacking
from tests.support.snippets import ROOT, Snippet, needs, pages, snippets

PAGES = pages()
TRIED = [page for page in PAGES if any("not run" not in one.remarks for one in snippets(page))]


def name_of(page: Path) -> str:
    """As a reader calls it."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", TRIED, ids=name_of)
def test_every_snippet_does_what_it_shows(page: Path, tmp_path: Path) -> None:
    """In the order of the page, in an empty folder, against a real gateway on its sandbox."""
    if tool := lacking(needs(page)):
        pytest.skip(f"{name_of(page)} needs {tool}: `make docs-check` has it where it is installed")

    with Desk(tmp_path) as desk:
        for snippet in snippets(page):
            if "not run" not in snippet.remarks:
                desk.tries(snippet)


def test_a_page_that_is_wrong_is_told(tmp_path: Path) -> None:
    """In what it shows, in how a command ends, in how a request is answered; with the line to mend."""
    if tool := lacking([]):
        pytest.skip(f"it needs {tool}")
    first = snippet("console", '$ echo \'{"a": [1, {"b": "x-1"}], "c": null}\'\n{"a": ...\n')
    right = [first, snippet("json", '{"a": [1, {"b": "x-..."}]}'), snippet("json", '{"a": [1, "..."], "c": null}')]
    wrong = [
        snippet("json", '{"a": [1]}'),
        snippet("json", '{"a": [1, {"b": "y-..."}]}'),
        snippet("json", '{"d": "..."}'),
        snippet("json", '{"c": false}'),
        snippet("console", "$ echo one\ntwo\n"),
        snippet("console", "$ false\n"),
        snippet("console", "$ true\n", exits="1"),
        snippet("console", '$ curl "$GATEWAY/v1/me"\n'),
        snippet("console", '$ curl "$GATEWAY/health/live"\n', answers="503"),
        snippet("console", "$ sleep 0\n", serves=""),
        snippet("python", "1 / 0\n"),
    ]

    with Desk(tmp_path) as desk:
        for one in right:
            desk.tries(one)
        told = []
        for one in wrong:
            desk.tries(first)
            with pytest.raises(NotAsShown) as failed:
                desk.tries(one)
            told.append(str(failed.value))

    assert [sentence.split()[0] for sentence in told] == ["docs/page.md:7:"] * len(wrong)


@pytest.mark.parametrize(
    ("language", "remarks"),
    [("yaml", {}), ("", {}), ("console", {"not run": ""}), ("console", {"not-run": "it is slow"})],
)
def test_a_block_that_nobody_tries_is_told(language: str, remarks: dict[str, str]) -> None:
    """In a language that can't be run, without a reason, or with a remark that was mistyped."""
    assert (snippet(language, "x\n", **remarks).fault() or "").startswith("docs/page.md:7: ")


def snippet(language: str, text: str, **remarks: str) -> Snippet:
    """One of a page that does not exist."""
    return Snippet(page="docs/page.md", line=7, language=language, text=text, remarks=remarks)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_is_not_tried_has_a_reason(page: Path) -> None:
    """A block that can't be run says why, in a comment above it."""
    assert [fault for snippet in snippets(page) if (fault := snippet.fault())] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading in it."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'(?:src|srcset)="([^"]+)"', text)]

    assert [link for link in links if not link.startswith("https://") and not leads(page, link)] == []


def leads(page: Path, link: str) -> bool:
    """Whether a link of a page has its target."""
    path, _, heading = link.partition("#")
    target = (page.parent / path) if path else page
    return target.exists() and (not heading or heading in headings(target))


def headings(page: Path) -> set[str]:
    """The anchors of a page."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in found}


def test_the_tables_of_the_readme_are_current() -> None:
    """`make docs` writes them anew: one of all operations, one of all settings."""
    text = (ROOT / "README.md").read_text()

    assert tables.current(text) == text


def test_the_table_of_settings_has_each_that_is_read() -> None:
    """No more and no less than what the gateway asks the environment for; a secret's file is told once for all."""
    asked = listening.variables()

    assert set(tables.variables()) == {name for name in asked if not name.endswith("_FILE")}


def test_the_table_of_commands_has_each_that_there_is() -> None:
    """No more and no less."""
    named = re.findall(r"^\| `gateway ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert sorted(named) == main.list_commands(Context(main))


def test_every_test_that_a_page_names_is_there() -> None:
    """A threat is stopped by what its test shows: the test exists under that name."""
    named = {
        (path, name)
        for page in PAGES
        for path, name in re.findall(r"\b(tests/[\w/]+\.py)(?:::(test_\w+))?", page.read_text())
    }

    assert [f"{path}::{name}" for path, name in sorted(named) if not has_test(ROOT / path, name)] == []


def has_test(file: Path, name: str) -> bool:
    """Whether a file is there, and has a test of that name."""
    return file.exists() and (not name or re.search(rf"def {name}\b", file.read_text()) is not None)

"""The pages for people, as far as they can be judged without a browser."""

import gzip
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from gateway.http.rfc9457 import Problem
from gateway.problems import catalogue
from routes.docs.html import inline, prose, tag
from routes.docs.schemas import bounds, kind
from routes.docs.trying import COMMAND
from tests.support.commands import gateway as gateway_command
from tests.support.gateway import RunningGateway
from tests.support.html import Page

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

PATHS = ["/", "/docs", "/problems", *(f"/problems/{problem.code}" for problem in catalogue())]

STYLES = Path("routes/docs/static/docs.css").read_text()


@pytest.fixture
def anyone(gateway: RunningGateway) -> Iterator[httpx.Client]:
    """A client without a token that takes pages."""
    with gateway.client() as client:
        client.headers.update(BROWSER)
        yield client


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_sound_html(anyone: httpx.Client, path: str) -> None:
    """
    Elements close in order, identifiers are unique, every field has its label,
    nothing runs or is styled from within, and there is one main heading.
    """
    page = Page(anyone.get(path).text)

    named = {given["for"] for name, given in page.elements if name == "label"}
    fields = {given.get("id") for name, given in page.elements if name in {"input", "select", "textarea"}}
    headings = [name for name, _ in page.elements if re.fullmatch("h[1-6]", name)]
    assert page.faults == []
    assert len(page.ids) == len(set(page.ids))
    assert fields == named
    assert headings.count("h1") == 1
    assert ("html", {"lang": "en"}) in page.elements
    assert {"#content"} == {given["href"] for _, given in page.elements if given.get("class") == "skip"}


@pytest.mark.parametrize("path", PATHS)
def test_every_reference_stays_here_and_leads_somewhere(anyone: httpx.Client, path: str) -> None:
    """Scripts, styles, images and links are this gateway's own, exist, and have the place that is named."""
    address = str(anyone.base_url.join(path))
    page = Page(anyone.get(path).text)

    targets = {urljoin(address, reference) for reference in page.values("href") + page.values("src")}
    places = {target.partition("#")[0] for target in targets}
    answers = {place: anyone.get(place) for place in places}
    assert {urlsplit(place).netloc for place in places} == {urlsplit(address).netloc}
    assert {reply.status_code for reply in answers.values()} == {200}
    for target in targets:
        place, _, fragment = target.partition("#")
        if fragment:
            assert f'id="{fragment}"' in answers[place].text


def test_the_policy_of_a_page_allows_what_it_needs(anyone: httpx.Client) -> None:
    """Nothing runs on pages that only show; where calls are made, only our script, and only to this gateway."""
    alone = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    policies = {path: anyone.get(path).headers["content-security-policy"] for path in PATHS}

    assert policies.pop("/docs") == (
        f"default-src 'self'; object-src 'none'; {alone}; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    assert set(policies.values()) == {f"default-src 'none'; style-src 'self'; img-src 'self'; {alone}"}


@pytest.mark.parametrize("path", ["/docs", "/problems", "/problems/not_found"])
def test_a_page_that_did_not_change_is_not_sent_again(anyone: httpx.Client, path: str) -> None:
    """Browsers keep it and ask whether it is still the same."""
    first = anyone.get(path)

    again = anyone.get(path, headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]


def test_parts_are_kept_for_ever(anyone: httpx.Client) -> None:
    """Their names change with their content, so that no release shows the style of another."""
    page = Page(anyone.get("/docs").text)
    parts = [given.get("href") or given["src"] for name, given in page.elements if name in {"link", "script"}]

    replies = [anyone.get(f"/{part}") for part in parts]

    assert {reply.headers["cache-control"] for reply in replies} == {"public, max-age=31536000, immutable"}
    assert [reply.headers["content-type"] for reply in replies] == [
        "image/svg+xml",
        "text/css; charset=utf-8",
        "text/javascript; charset=utf-8",
        "text/javascript; charset=utf-8",
    ]
    assert anyone.get("/docs/docs.css").status_code == 404


@pytest.mark.parametrize(
    ("accepted", "packed"), [("gzip, br", True), ("gzip;q=0.5", True), ("gzip;q=0", False), ("br", False), ("", False)]
)
def test_pages_are_packed_for_those_who_take_it(anyone: httpx.Client, accepted: str, *, packed: bool) -> None:
    """The same page, a fraction of its size."""
    plain = anyone.get("/docs", headers={"Accept-Encoding": "identity"}).content

    with anyone.stream("GET", "/docs", headers={"Accept-Encoding": accepted}) as reply:
        sent = b"".join(reply.iter_raw())

    assert reply.headers.get("content-encoding") == ("gzip" if packed else None)
    assert (gzip.decompress(sent) if packed else sent) == plain
    assert "Accept-Encoding" in reply.headers["vary"]
    assert len(gzip.compress(plain)) < 100_000


def test_the_page_of_the_api_has_every_operation(anyone: httpx.Client) -> None:
    """With what it takes, what it answers, a form to try it, and a place of its own."""
    document = anyone.get("/openapi.json").json()
    page = Page(anyone.get("/docs").text)

    operations = [
        (method.upper(), path, operation["operationId"])
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    forms = {(given["data-method"], given["data-path"]) for name, given in page.elements if given.get("class") == "try"}
    assert {ident for _, _, ident in operations} <= set(page.ids)
    assert forms == {(method, path) for method, path, _ in operations}
    assert {f"shape-{name}" for name in document["components"]["schemas"]} <= set(page.ids)


def test_the_page_says_how_to_get_a_test_token(anyone: httpx.Client, database_path: Path) -> None:
    """Nobody has to look elsewhere for it, nor use a live one; the command is one that works."""
    text = Page(anyone.get("/docs").text).text
    _, *arguments = shlex.split(COMMAND.replace("\\\n", " "))

    done = gateway_command(*arguments, environment={"GATEWAY_DATABASE_URL": f"sqlite:///{database_path}"})

    assert COMMAND in text
    assert "Live tokens are not taken here" in text
    assert "fgw_test_" in done.stdout


@pytest.mark.parametrize("problem", [*catalogue()], ids=lambda problem: problem.code)
def test_the_page_of_a_problem_teaches(anyone: httpx.Client, problem: type[Problem]) -> None:
    """What happened, whether to send it again, what to do, what it looks like, and where it comes from."""
    text = " ".join(Page(anyone.get(f"/problems/{problem.code}").text).text.split())

    for heading in ("What happened", "May I send it again?", "What to do", "What it looks like", "Where it comes from"):
        assert heading in text
    assert f'"code": "{problem.code}"' in text
    assert f'"status": {problem.status}' in text
    assert problem.remedy.replace("`", "") in text
    assert "All problems" in text


def test_problems_lead_to_the_operations_they_come_from(anyone: httpx.Client) -> None:
    """And only to those."""
    page = Page(anyone.get("/problems/domain_already_owned").text)

    assert [place for place in page.values("href") if place.startswith("../docs#")] == ["../docs#createDomain"]


def test_neighbouring_problems_make_one_chain(anyone: httpx.Client) -> None:
    """From the first to the last, nothing left out."""
    known = [problem.code for problem in catalogue()]
    walked = [known[0]]

    while following := [
        given["href"]
        for _, given in Page(anyone.get(f"/problems/{walked[-1]}").text).elements
        if given.get("rel") == "next"
    ]:
        walked += following

    assert walked == known


def test_the_root_is_a_page_for_people_only(anyone: httpx.Client) -> None:
    """Programs are told that there is nothing, as at any path without a route."""
    page = anyone.get("/")
    problem = anyone.get("/", headers={"Accept": "*/*"})

    assert 'href="docs"' in page.text
    assert (problem.status_code, problem.json()["code"]) == (404, "not_found")


def test_text_is_escaped_unless_it_is_html() -> None:
    """Whatever a description or a value holds, it stays text."""
    made = tag("p", "<b>&", tag("i", '"'), title='"<', hidden=True, open=False, aria_label="x")

    assert made == '<p title="&quot;&lt;" hidden aria-label="x">&lt;b&gt;&amp;<i>&quot;</i></p>'
    assert inline("a `<b>` c") == "a <code>&lt;b&gt;</code> c"
    assert prose("one\ntwo\n- x\n  y\n- z\n\nlast") == "<p>one two</p><ul><li>x y</li><li>z</li></ul><p>last</p>"


def colours(scheme: str) -> dict[str, str]:
    """The variables of a theme."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLES, flags=re.DOTALL)
    found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light))
    return found | (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", dark)) if scheme == "dark" else {})


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio (WCAG 2.2)."""
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_the_contrast_of_wcag_aa(scheme: str) -> None:
    """4.5 for text on every ground that it stands on, 3 for the edges of fields and for the focus."""
    theme = colours(scheme)

    text = {
        (front, ground): contrast(theme[front], theme[ground])
        for front in ("text", "muted", "accent", "good", "bad", "change")
        for ground in ("page", "raised")
    } | {("on-accent", "accent"): contrast(theme["on-accent"], theme["accent"])}
    edges = {
        (front, ground): contrast(theme[front], theme[ground])
        for front in ("edge", "accent")
        for ground in ("page", "raised")
    }
    assert {pair: ratio for pair, ratio in text.items() if ratio < 4.5} == {}
    assert {pair: ratio for pair, ratio in edges.items() if ratio < 3} == {}


def test_colours_stand_in_the_variables_only() -> None:
    """So that the contrast of all of them is computed."""
    elsewhere = re.sub(r":root \{.*?\}", "", STYLES, flags=re.DOTALL)

    assert not re.search(r"#[0-9a-f]{3,8}\b[^{]*;|rgb|hsl", elsewhere)


@pytest.mark.parametrize(
    ("schema", "told", "kept_to"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 9}, "string", "not empty; at most 9 characters"),
        ({"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 2}]}, "integer or null", "at least 2"),
        ({"type": "array", "items": {"enum": ["a", 1]}}, "list of <code>&quot;a&quot;</code> or <code>1</code>", None),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "object of string", None),
        ({"type": "object", "additionalProperties": True}, "object", None),
        ({"$ref": "#/components/schemas/Unit"}, '<a href="#shape-Unit">Unit</a>', None),
        ({"type": ["string", "null"], "format": "date-time"}, "string or null", None),
        ({"type": "string", "pattern": "^<$", "default": "x"}, "string", "matches <code>^&lt;$</code>; default "),
        ({}, "any JSON", None),
    ],
)
def test_schemas_are_put_into_words(schema: dict[str, Any], told: str, kept_to: str | None) -> None:
    """Types, choices and bounds, as far as our own document uses them."""
    assert kind(schema) == told
    assert (bounds(schema) or "").startswith(kept_to or "")
    assert (bounds(schema) is None) == (kept_to is None)

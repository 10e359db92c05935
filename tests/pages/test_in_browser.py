"""The pages as a browser shows them and as a keyboard reaches them."""

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest

from gateway.problems import catalogue
from tests.support.gateway import RunningGateway, Tenant

pytest.importorskip("playwright", reason="needs a browser: `make check-pages`")

from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

Scheme = Literal["light", "dark"]

DESK = (1280, 900)
PHONE = (360, 740)

PATHS = ["/", "/docs", "/problems", *(f"/problems/{problem.code}" for problem in catalogue())]

RATIOS = """
() => {
  const numbers = (colour) => colour.match(/[0-9.]+/g).map(Number);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const colour = numbers(getComputedStyle(element).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    const pair = [luminance(numbers(getComputedStyle(element).color)), luminance(ground(element))].sort();
    if ((pair[1] + 0.05) / (pair[0] + 0.05) < 4.5) poor.push(element.outerHTML.slice(0, 100));
  }
  return poor;
}
"""
"""Elements whose text has less contrast than 4.5 with what is behind it."""


class Visitor:
    """A reader with a browser of their own, and a record of what went wrong in it.

    Args:
        browser: The browser.
        url: The only server that it reaches.
    """

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._host = urlsplit(url).netloc
        self._url = url
        self.complaints: list[str] = []
        self.strangers: list[str] = []

    def sees(self, path: str, *, size: tuple[int, int] = DESK, scheme: Scheme = "light", **how: Any) -> Page:
        """Open a page in a window of its own."""
        context = self._browser.new_context(
            base_url=self._url, viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, **how
        )
        page = context.new_page()
        page.route("**/*", self._let_through)
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(path)
        return page

    def _let_through(self, route: Route) -> None:
        if urlsplit(route.request.url).netloc == self._host:
            route.continue_()
        else:
            self.strangers.append(route.request.url)
            route.abort()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The Chromium of this machine."""
    with sync_playwright() as playwright:
        # Without its own sandbox, which a container has no rights for; it reaches no server but ours.
        launched = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def visitor(browser: Browser, gateway: RunningGateway) -> Iterator[Visitor]:
    """A reader; at the end nothing may have been complained of, and nobody else asked for anything."""
    reader = Visitor(browser, gateway.url)
    yield reader
    for context in browser.contexts:
        context.close()
    assert reader.complaints == []
    assert reader.strangers == []


@pytest.fixture
def secret(gateway: RunningGateway, tenant: Tenant) -> str:
    """A test token of a tenant that nobody else knows."""
    # In a thread of its own, since the browser's driver keeps an event loop in this one.
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(lambda: gateway.token(tenant=tenant.name)[1]).result()


def tabbed_to(page: Page, reached: Callable[[], bool]) -> None:
    """Press Tab until it is reached."""
    for _ in range(400):
        if reached():
            return
        page.keyboard.press("Tab")
    raise AssertionError("The keyboard does not get there.")


def focused(page: Page, selector: str) -> bool:
    """Whether the keyboard is at this element."""
    found: bool = page.evaluate("selector => document.activeElement.matches(selector)", selector)
    return found


def holding(page: Page, secret: str) -> Page:
    """The page, with a token in use."""
    page.get_by_role("textbox", name="Test token").fill(secret)
    page.get_by_role("button", name="Use this token").click()
    expect(page.locator("#access-state")).to_have_text("The token is in use.")
    return page


@pytest.mark.parametrize("path", PATHS)
def test_a_page_asks_nobody_else_and_complains_of_nothing(visitor: Visitor, path: str) -> None:
    """No request leaves the gateway, and the browser's console stays empty: the fixture looks at both."""
    page = visitor.sees(path)

    expect(page.get_by_role("heading", level=1)).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/docs", "/problems", "/problems/outcome_unknown"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_fits_and_can_be_read(visitor: Visitor, path: str, size: tuple[int, int], scheme: Scheme) -> None:
    """
    Nothing has to be moved sideways, not even with everything opened, all text
    has the contrast of WCAG AA, and the page is as light or dark as it was asked for.
    """
    page = visitor.sees(path, size=size, scheme=scheme)

    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")

    width, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in re.findall(r"\d+", ground))
    assert width <= window
    assert page.evaluate(RATIOS) == []
    assert (brightness > 600) if scheme == "light" else (brightness < 150)
    assert len(page.screenshot()) > 5_000  # One colour alone would be smaller.


def test_a_call_is_made_by_keyboard_alone(visitor: Visitor, secret: str) -> None:
    """From the top of the page: past the navigation, token in, operation opened, sent, answered."""
    page = visitor.sees("/docs")

    page.keyboard.press("Tab")
    assert focused(page, ".skip")
    page.keyboard.press("Enter")
    tabbed_to(page, lambda: focused(page, "#token"))
    page.keyboard.type(secret)
    page.keyboard.press("Enter")
    tabbed_to(page, lambda: focused(page, "#listDomains > summary"))
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.keyboard.press("Enter")
    tabbed_to(page, lambda: focused(page, "#listDomains button[type=submit]"))
    page.keyboard.press("Enter")

    expect(page.locator("#listDomains .said")).to_contain_text("200 OK")
    expect(page.locator("#listDomains .answer")).to_contain_text("live.brightside.example")
    assert outline == "solid"


def test_a_write_reaches_the_sandbox(visitor: Visitor, secret: str, tenant: Tenant) -> None:
    """With the body of the example; the call for a shell shows it too, and not the token."""
    page = holding(visitor.sees("/docs#createDomain"), secret)
    operation = page.locator("#createDomain")

    operation.get_by_role("button", name="Send").click()

    expect(operation.locator(".said")).to_contain_text("201 Created")
    assert tenant.calls("POST /domains") == 1
    assert "track.example.com" in operation.locator(".answer").inner_text()
    assert "$TOKEN" in (operation.locator(".answer").text_content() or "")
    assert secret not in page.content()


def test_a_key_stays_until_another_is_asked_for(visitor: Visitor) -> None:
    """A second click is the same intention; only the reader begins a new one."""
    page = visitor.sees("/docs#createRefund")
    field = page.locator("[id='createRefund.header.Idempotency-Key']")
    before = field.input_value()

    page.locator("#createRefund").get_by_role("button", name="New key").click()

    assert re.fullmatch("[0-9a-f]{32}", before)
    assert re.fullmatch("[0-9a-f]{32}", field.input_value())
    assert field.input_value() != before


def test_parameters_travel_where_they_belong(visitor: Visitor, secret: str) -> None:
    """An identifier with a slash stays one segment, and a list becomes several values."""
    page = holding(visitor.sees("/docs"), secret)

    with page.expect_request("**/v1/customers/**") as customer:
        page.evaluate("document.getElementById('listPayments').open = true")
        page.locator("[id='listPayments.path.external_id']").fill("a/b c")
        page.locator("#listPayments button[type=submit]").click()
    with page.expect_request("**/v1/subscriptions?**") as subscriptions:
        page.evaluate("document.getElementById('listSubscriptions').open = true")
        page.locator("[id='listSubscriptions.query.status']").fill("RECURRING, PAUSED")
        page.locator("#listSubscriptions button[type=submit]").click()

    assert "/v1/customers/a%2Fb%20c/payments" in customer.value.url
    assert subscriptions.value.url.endswith("?status=RECURRING&status=PAUSED")
    expect(page.locator("#listSubscriptions .said")).to_contain_text("200")


def test_a_problem_leads_to_its_page(visitor: Visitor, secret: str) -> None:
    """Whoever sees a code for the first time is one step from what it means."""
    page = holding(visitor.sees("/docs#getPricePoint"), secret)
    page.locator("[id='getPricePoint.path.ident']").fill("none-of-this-name")

    page.locator("#getPricePoint button[type=submit]").click()
    page.locator("#getPricePoint .answer").get_by_role("link", name="not_found").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
    # The browser's own note about the status.
    assert [text for text in visitor.complaints if "404" in text] == visitor.complaints
    visitor.complaints.clear()


def test_without_a_token_nothing_is_sent(visitor: Visitor) -> None:
    """And the page says what is missing."""
    page = visitor.sees("/docs#listDomains")

    page.locator("#listDomains button[type=submit]").click()

    expect(page.locator("#listDomains .said")).to_contain_text("Give a test token first")


@pytest.mark.parametrize("given", ["fgw_live_0123456789abcdefghijklmnopqrstuvwxyz", "sk_something", ""])
def test_only_test_tokens_are_taken(visitor: Visitor, given: str) -> None:
    """A call from a page of documentation must not move money."""
    page = visitor.sees("/docs")

    page.get_by_role("textbox", name="Test token").fill(given)
    page.get_by_role("button", name="Use this token").click()

    expect(page.locator("#access-state")).to_contain_text("of mode test" if given else "no token of mode test")
    assert page.evaluate("sessionStorage.length") == 0


def test_a_token_stays_in_its_tab_and_can_be_forgotten(visitor: Visitor, secret: str) -> None:
    """It outlives a reload, reaches no other tab and no lasting storage, and goes when told to."""
    page = holding(visitor.sees("/docs"), secret)

    page.reload()
    kept = page.locator("#access-state").inner_text()
    beside = page.context.new_page()
    beside.goto("/docs")
    elsewhere = beside.locator("#access-state").inner_text()
    page.get_by_role("button", name="Forget it").click()

    assert (kept, elsewhere) == ("A token is in use.", "No token yet.")
    assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [0, 0, ""]


def test_the_search_finds_by_every_word(visitor: Visitor) -> None:
    """In paths, summaries, names and scopes; `/` leads there, and a link out of what was found still works."""
    page = visitor.sees("/docs")

    page.keyboard.press("/")
    page.keyboard.type("refund payments:REFUND")

    expect(page.locator(".operation:visible")).to_have_count(1)
    expect(page.locator("#found")).to_contain_text("1 of")
    expect(page.locator(".contents li:visible")).to_have_count(1)
    page.evaluate("location.hash = 'listDomains'")
    expect(page.locator("#listDomains[open]")).to_be_visible()


def test_a_link_opens_what_it_names(visitor: Visitor) -> None:
    """From the page of a problem to the operation that it comes from."""
    page = visitor.sees("/problems/domain_exists")

    page.get_by_role("link", name="/v1/domains").click()

    expect(page.locator("#createDomain[open]")).to_be_in_viewport()


def test_everything_can_be_read_without_javascript(visitor: Visitor) -> None:
    """Only search and calls need it; what can't work is not shown."""
    page = visitor.sees("/docs", java_script_enabled=False)

    page.locator("#listDomains > summary").click()

    expect(page.locator("#listDomains .told")).to_be_visible()
    expect(page.locator("form:visible")).to_have_count(0)
    expect(page.get_by_text("Calls from this page need JavaScript")).to_be_visible()

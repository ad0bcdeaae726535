"""What our scripts add, in Chromium, inside the emulated portal's frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, FrameLocator, Page, expect, sync_playwright
from sqlalchemy import update

from models import UserSession, now
from tests.admin.conftest import Control
from tests.doors import Stage
from tests.waiting import HANG

expect.set_options(timeout=HANG * 1000)
CHROMIUM = Path("/usr/bin/chromium")
PATHS = ["/start", "/connectors/", "/connectors/1", "/connectors/1/edit", "/connectors/1/delete", "/sources/"]
PATHS += ["/sources/1", "/sources/1/edit", "/datasets/", "/datasets/1", "/datasets/new", "/datasets/1/edit", "/nowhere"]
PATHS += [
    "/connections/",
    "/connections/new",
    "/connections/new?driver=postgresql",
    "/connections/wizards",
    "/activity/",
]

WIDER_THAN_ITS_CARD = """[...document.querySelectorAll(".card .table")].filter((table) => !table.closest(".scroll")
    && table.getBoundingClientRect().right > table.closest(".card").getBoundingClientRect().right + 1)
    .map((table) => table.caption?.textContent)"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests; each opens a profile of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Desk:
    """The portal's page with the app in its frame; what the browser complains about fails the test."""

    def __init__(self, page: Page, portal: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(f"{portal}/marketplace/app/")
        expect(self.app.locator("h1")).to_be_visible()
        # A heading is there before the scripts are, and then links are followed without them.
        self.wait_inside("document.readyState === 'complete'")

    @property
    def app(self) -> FrameLocator:
        """The app's frame."""
        return self.page.frame_locator(".stage iframe")

    def inside(self, script: str) -> Any:
        """The value of an expression inside the app's frame."""
        return self.app.locator("html").evaluate(f"() => {script}")

    def wait_inside(self, script: str) -> None:
        """Wait until an expression inside the app's frame is true.

        Playwright's own waiting evaluates texts inside the page, which the app's content security policy forbids.
        """
        until = time.monotonic() + HANG
        while not self.inside(script):
            assert time.monotonic() < until, f"not true in the frame: {script}"
            self.page.wait_for_timeout(50)

    def link(self, name: str) -> None:
        """Follow a link of the app, until the page is gone that had it: a next click would still be that page's."""
        self.inside("document.querySelectorAll('h1').forEach((heading) => heading.setAttribute('data-left', ''))")
        self.app.get_by_role("link", name=name, exact=True).first.click()
        expect(self.app.locator("h1:not([data-left])").first).to_be_visible()

    def press(self, name: str) -> None:
        """Press a button of the app."""
        self.app.get_by_role("button", name=name, exact=True).last.click()

    def wait_for_height(self, fits: Callable[[float], bool]) -> None:
        """Wait until the frame's height fits; the portal sets it when BX24.js asks."""
        until = time.monotonic() + HANG
        while True:
            box = self.page.locator(".stage iframe").bounding_box()
            height = box["height"] if box else 0.0
            if fits(height):
                return
            assert time.monotonic() < until, f"the frame is {height} pixels tall"
            self.page.wait_for_timeout(100)

    def _listen(self, message: Any) -> None:
        # A refused form is an answer, not a defect.
        if message.type == "error" and "status of 4" not in message.text:
            self.complaints.append(message.text)


@pytest.fixture
def desk(installed: Stage, chromium: Browser, control: Control) -> Iterator[Desk]:
    """The app in the portal's frame, with the demonstration's objects."""
    control("demo")
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(HANG * 1000)
    shown = Desk(context.new_page(), installed.portal.url)
    yield shown
    context.close()
    assert shown.complaints == []


def test_links_change_the_page_in_place_and_the_back_button_works(desk: Desk) -> None:
    desk.inside("(window.untouched = true)")
    desk.link("Connectors")
    expect(desk.app.locator("h1")).to_have_text("Connectors")
    desk.link("Coffee shop")
    expect(desk.app.locator("h1")).to_have_text("Coffee shop")
    # The address and the title follow the content.
    desk.wait_inside("location.pathname === '/connectors/1' && document.title.startsWith('Coffee shop')")
    assert desk.inside("window.untouched") is True
    desk.inside("history.back()")
    expect(desk.app.locator("h1")).to_have_text("Connectors")
    assert desk.inside("window.untouched") is True


def test_the_token_is_in_a_header_only_and_nothing_is_stored_in_the_browser(desk: Desk) -> None:
    token = desk.inside('document.querySelector("meta[name=app-session]").content')
    sent: list[Any] = []
    desk.page.on("request", lambda request: sent.append(request))
    desk.link("Sources")
    expect(desk.app.locator("h1")).to_have_text("Sources")
    asked = [request for request in sent if urlsplit(request.url).path == "/sources/"]
    assert [request.headers.get("x-app-session") for request in asked] == [token]
    assert all(token not in request.url and token not in (request.post_data or "") for request in sent)
    assert desk.inside("localStorage.length + sessionStorage.length + document.cookie.length") == 0


def test_an_opening_that_met_an_outage_is_tried_again_in_the_same_frame(
    desk: Desk, control: Control, installed: Stage
) -> None:
    control("fail", target="oauth", times=50, shape="text", status=502)
    desk.page.reload()
    expect(desk.app.locator("h1")).to_have_text("This has to wait a moment")
    expect(desk.app.locator("main")).to_contain_text("Bitrix24's authorization server does not answer")
    desk.complaints.clear()  # the browser notes the status 503
    installed.control("mend")
    desk.press("Try again")
    expect(desk.app.locator("h1")).to_have_text("From your data to a chart")
    desk.link("Connectors")
    expect(desk.app.locator("h1")).to_have_text("Connectors")


def test_rows_come_and_go_without_a_request(desk: Desk) -> None:
    desk.link("Connectors")
    desk.link("Add a connector")
    expect(desk.app.locator("h1")).to_have_text("New connector")
    sent: list[Any] = []
    desk.page.on("request", lambda request: sent.append(request))
    desk.press("Add a parameter")
    expect(desk.app.locator('[name="settings-1-code"]')).to_be_focused()
    desk.app.locator('[name="settings-1-code"]').fill("password")
    desk.app.get_by_role("button", name="Remove this parameter").first.click()
    assert desk.inside('[...document.querySelectorAll("[data-index] .input")].map(input => input.name)[0]') == (
        "settings-1-code"
    )
    desk.press("Add a parameter")
    expect(desk.app.locator('[name="settings-2-code"]')).to_be_focused()
    assert [request.url for request in sent if "/static/" not in request.url] == []


def test_the_focus_goes_to_the_first_wrong_field(desk: Desk) -> None:
    desk.link("Connectors")
    desk.link("Add a connector")
    desk.app.locator("[name=title]").fill("Kept")
    desk.press("Create")
    expect(desk.app.locator("[name=logo]")).to_be_focused()
    expect(desk.app.locator("[name=title]")).to_have_value("Kept")
    assert desk.inside("location.pathname") == "/connectors/new"


def test_enter_in_a_field_saves_and_never_removes_a_row(desk: Desk) -> None:
    desk.link("Connectors")
    desk.link("Coffee shop")
    desk.link("Edit")
    desk.app.locator("[name=title]").fill("By Enter")
    desk.app.locator("[name=title]").press("Enter")
    expect(desk.app.locator("h1")).to_have_text("By Enter")
    expect(desk.app.locator("code", has_text="login")).to_have_count(1)


def test_choosing_a_connector_brings_its_settings_and_a_filter_acts_at_once(desk: Desk, installed: Stage) -> None:
    desk.link("Sources")
    desk.link("Add a source")
    desk.app.locator("[name=title]").fill("Typed before")
    desk.app.locator("#connectorId").select_option("")
    expect(desk.app.locator("text=They appear when a connector is chosen.")).to_be_visible()
    desk.app.locator("#connectorId").select_option(label="Coffee shop")
    expect(desk.app.locator('[name="settings-login"]')).to_be_visible()
    expect(desk.app.locator("[name=title]")).to_have_value("Typed before")
    expect(desk.app.locator("#choose")).not_to_be_in_viewport(ratio=0.5)


def test_a_typed_secret_can_be_looked_at(desk: Desk) -> None:
    desk.link("Sources")
    desk.link("Coffee shop, live")
    desk.link("Edit")
    field = desk.app.locator('[name="settings-password"]')
    field.fill("typed")
    desk.app.get_by_role("button", name="Show what is typed").click()
    expect(field).to_have_attribute("type", "text")


def test_an_ended_session_is_renewed_through_the_portal_and_nothing_typed_is_lost(desk: Desk, installed: Stage) -> None:
    """facts/security 2.4."""
    desk.link("Connectors")
    desk.link("Coffee shop")
    desk.link("Edit")
    desk.app.locator("[name=title]").fill("After the break")
    before = desk.inside('document.querySelector("meta[name=app-session]").content')
    with installed.services.sessions.begin() as session:
        session.execute(update(UserSession).values(expires_at=now() - timedelta(minutes=1)))
    desk.press("Save")
    expect(desk.app.locator("h1")).to_have_text("After the break")
    after = desk.inside('document.querySelector("meta[name=app-session]").content')
    assert after != before
    assert desk.inside(
        '[...document.querySelectorAll("input[name=_s]")].every(i => i.value === '
        'document.querySelector("meta[name=app-session]").content)'
    )


@pytest.mark.parametrize("lost", [1, 99])
def test_a_renewal_that_gets_lost_ends_no_page_and_loses_nothing_typed(desk: Desk, installed: Stage, lost: int) -> None:
    desk.link("Connectors")
    desk.link("Coffee shop")
    desk.link("Edit")
    desk.app.locator("[name=title]").fill("Through the tunnel")
    with installed.services.sessions.begin() as session:
        session.execute(update(UserSession).values(expires_at=now() - timedelta(minutes=1)))
    left = iter(range(lost))
    desk.page.route(
        "**/session/renew", lambda route: route.abort() if next(left, None) is not None else route.fallback()
    )
    desk.press("Save")
    if lost > 1:
        expect(desk.app.locator("#unreachable")).to_be_visible()
        expect(desk.app.locator("[name=title]")).to_have_value("Through the tunnel")
        desk.page.unroute("**/session/renew")
        desk.press("Save")
    expect(desk.app.locator("h1")).to_have_text("Through the tunnel")
    known = ("ERR_FAILED", "Failed to fetch", "could not be renewed", "401")
    desk.complaints = [text for text in desk.complaints if not any(part in text for part in known)]


def test_a_session_that_cannot_be_renewed_ends_with_what_was_typed(desk: Desk, installed: Stage) -> None:
    desk.link("Connectors")
    desk.link("Coffee shop")
    desk.link("Edit")
    desk.app.locator("[name=title]").fill("Not lost")
    installed.end_sessions()
    desk.press("Save")
    expect(desk.app.locator("h1")).to_have_text("The session has ended")
    expect(desk.app.locator("dd", has_text="Not lost")).to_be_visible()


def test_an_application_that_does_not_answer_leaves_the_page_and_says_so(desk: Desk) -> None:
    desk.link("Connectors")
    desk.link("Add a connector")
    desk.app.locator("[name=title]").fill("Still here")
    desk.page.route("**/connectors/new", lambda route: route.abort())
    desk.press("Create")
    expect(desk.app.locator("#unreachable")).to_be_visible()
    expect(desk.app.locator("[name=title]")).to_have_value("Still here")
    desk.page.unroute("**/connectors/new")
    desk.press("Create")
    expect(desk.app.locator("[name=logo]")).to_be_focused()
    expect(desk.app.locator("#unreachable")).to_be_hidden()
    desk.complaints = [text for text in desk.complaints if "ERR_FAILED" not in text and "Failed to fetch" not in text]


def test_the_frame_is_as_tall_as_its_page_and_shrinks_again(desk: Desk) -> None:
    desk.link("Connectors")
    desk.link("Add a connector")
    expect(desk.app.locator("h1")).to_have_text("New connector")
    tall = 1200
    desk.wait_for_height(lambda height: height > tall)
    desk.wait_inside("document.documentElement.scrollHeight - window.innerHeight <= 1")
    desk.link("Connectors")
    expect(desk.app.locator("h1")).to_have_text("Connectors")
    desk.wait_for_height(lambda height: height < tall)


@pytest.mark.parametrize("width", [1280, 800, 375])
@pytest.mark.parametrize("language", ["en", "ru"])
def test_no_page_has_a_horizontal_scrollbar(
    installed: Stage, chromium: Browser, control: Control, width: int, language: str
) -> None:
    """facts/platform 9 U3."""
    control("demo")
    control("language", language=language)
    answer = installed.enter("analyst").get_data(as_text=True)
    token = answer.partition('name="app-session" content="')[2].partition('"')[0]
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, extra_http_headers={"X-App-Session": token}
    )
    page = context.new_page()
    for path in PATHS:
        page.goto(installed.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(WIDER_THAN_ITS_CARD) == [], path
    context.close()


LONG = "W" * 200
LABELS_NOBODY_HEARS = """[...document.querySelectorAll("main label[for]")]
    .filter((label) => label.offsetParent === null && document.getElementById(label.htmlFor).offsetParent !== null)
    .map((label) => label.htmlFor)"""


@pytest.mark.parametrize("width", [1280, 375])
def test_long_names_without_a_space_widen_no_page(
    installed: Stage, chromium: Browser, control: Control, endpoints: dict[str, str], width: int
) -> None:
    """facts/platform 9 U3: 200 characters fit into paths, lists and the question before something is deleted."""
    auth = {"auth": control("token", user="analyst")["access_token"]}
    settings = [{"code": code, "name": LONG, "type": "STRING"} for code in ("login", "password")]
    column = {"name": "C" * 32, "type": "string", "externalCode": "C" * 32}
    objects: list[tuple[str, dict[str, Any]]] = [
        ("connector", {"title": LONG, "description": LONG, "logo": "data:,", "settings": settings, **endpoints}),
        ("source", {"title": LONG, "connectorId": 1, "settings": {"login": "demo", "password": "demo"}}),
        ("dataset", {"name": "w" * 200, "sourceId": 1, "externalName": LONG, "externalCode": LONG, "fields": [column]}),
    ]
    for kind, fields in objects:
        order = {**auth, "fields": fields}
        answer = requests.post(f"{installed.portal.url}/rest/biconnector.{kind}.add", json=order, timeout=30).json()
        assert "id" in answer["result"], answer
    token = installed.enter("analyst").get_data(as_text=True).partition('name="app-session" content="')[2].split('"')[0]
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, extra_http_headers={"X-App-Session": token}
    )
    page = context.new_page()
    for kind, _ in objects:
        for path in (f"/{kind}s/", f"/{kind}s/1", f"/{kind}s/1/edit", f"/{kind}s/1/delete", f"/{kind}s/new"):
            page.goto(installed.url + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert page.evaluate(WIDER_THAN_ITS_CARD) == [], path
    page.goto(f"{installed.url}/sources/1")
    title = page.locator("h1").bounding_box()
    assert title is not None
    assert title["width"] > 250, "on a phone a badge leaves the title its room"
    context.close()


def test_a_choice_that_brings_a_page_keeps_the_focus_for_the_next_arrow_key(desk: Desk) -> None:
    """facts/field 5.56: keyboard only. The first step in a list asked for a page, and the focus went to its top."""
    desk.link("Connectors")
    choice = desk.app.get_by_label("Who answers")
    choice.focus()
    choice.press("ArrowDown")
    expect(desk.app.get_by_text("Nothing found")).to_be_visible()
    expect(choice).to_be_focused()
    choice.press("ArrowDown")
    expect(desk.app.get_by_role("link", name="Coffee shop", exact=True)).to_be_visible()
    expect(choice).to_be_focused()
    expect(choice).to_have_value("no")
    desk.link("Sources")
    expect(desk.app.locator("h1")).to_have_text("Sources")
    expect(desk.app.locator("#main")).to_be_focused()


def test_numbers_of_a_narrow_table_are_not_broken(chromium: Browser) -> None:
    """Beside a long title '5000' was told as '500' above '0'."""
    files = sorted((Path(__file__).parents[2] / "static" / "style").glob("*.css"))
    style = "".join(file.read_text(encoding="utf-8") for file in files)
    cells = f'<td>{LONG}</td><td class="number">5000</td><td class="number">5</td>'
    page = chromium.new_page(viewport={"width": 800, "height": 600})
    page.set_content(f'<style>{style}</style><table class="table"><tbody><tr>{cells}</tr></tbody></table>')
    lines = page.locator("td.number").first.evaluate(
        "cell => { const range = document.createRange(); range.selectNodeContents(cell);"
        " return range.getClientRects().length; }"
    )
    page.close()
    assert lines == 1


def test_fields_in_rows_keep_their_labels_for_readers(desk: Desk) -> None:
    """facts/field 5.56: the heads of the columns label for the eye only; what is not rendered is not read out."""
    for section, button in (("Connectors", "Add a connector"), ("Datasets", "Add a dataset")):
        desk.link(section)
        desk.link(button)
        expect(desk.app.locator("[name$='-0-type']")).to_be_visible()
        assert desk.inside(LABELS_NOBODY_HEARS) == []


def test_without_script_the_whole_road_is_walked_with_buttons(
    installed: Stage, chromium: Browser, control: Control
) -> None:
    control("demo")
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{installed.portal.url}/marketplace/app/")
    page.get_by_role("button", name="Open the application").click()
    app = page.frame_locator(".stage iframe")
    app.get_by_role("link", name="Connectors", exact=True).first.click()
    app.get_by_role("link", name="Coffee shop", exact=True).click()
    app.get_by_role("link", name="Edit", exact=True).click()
    app.get_by_role("button", name="Add a parameter").click()
    expect(app.locator('[name="settings-2-code"]')).to_be_visible()
    app.locator("[name=title]").fill("No script needed")
    app.locator("[name=title]").press("Enter")
    expect(app.locator("h1")).to_have_text("No script needed")
    expect(app.get_by_text("The connector was changed.")).to_be_visible()
    context.close()

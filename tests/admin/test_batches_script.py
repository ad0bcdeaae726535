"""What scripts and widths make of the pages that publish several tables, in Chromium."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.admin.test_scripts import CHROMIUM, WIDER_THAN_ITS_CARD, Desk
from tests.pages import PageClient
from tests.services.hosted import HostedStage

TABLES = "/connections/1/tables"
HANGS = 60_000
"""Milliseconds after which nothing is waited for any more."""
LONG = "a_report_with_a_name_" + "that_goes_on_" * 8


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=HANGS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=Path(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def shop(hosted: HostedStage, with_shop: PageClient) -> HostedStage:
    """A connection with long names among its tables, one of them published."""
    with contextlib.closing(sqlite3.connect(hosted.folder / "shop.sqlite")) as database:
        database.execute(f"CREATE TABLE {LONG} (id INTEGER)")
        database.execute("CREATE TABLE wide (" + ", ".join(f"c{number} INTEGER" for number in range(1601)) + ")")
    with_shop.post("/connections/1/publish", {"name": "orders"})
    return hosted


def test_boxes_are_ticked_without_a_request_and_lead_to_one_review(shop: HostedStage, chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(HANGS)
    desk = Desk(context.new_page(), shop.stage.portal.url)
    for link, heading in (("Connections", "Connections"), ("Shop", "Shop"), ("Tables", "Tables")):
        desk.link(link)
        expect(desk.app.locator("h1")).to_have_text(heading)
    sent: list[Any] = []
    desk.page.on("request", lambda request: sent.append(request.url))
    boxes = desk.app.locator("input[name=table]")
    desk.press("Select all on this page")
    for number in range(3):
        expect(boxes.nth(number)).to_be_checked()
    desk.press("Select all on this page")
    for number in range(3):
        expect(boxes.nth(number)).not_to_be_checked()
    boxes.nth(0).check()
    desk.press("Select all on this page")
    expect(boxes.nth(2)).to_be_checked()
    assert [url for url in sent if "/static/" not in url] == []
    desk.press("Publish selected")
    expect(desk.app.locator("h1")).to_have_text("Publish 2 tables")
    desk.app.locator("input.mono").first.fill("Wrong")
    desk.press("Publish")
    expect(desk.app.locator("[aria-invalid]")).to_be_focused()
    desk.app.locator("input.mono").first.fill("report")
    desk.press("Publish")
    expect(desk.app.locator("h1")).to_have_text("2 of 2 tables are published")
    context.close()
    assert desk.complaints == []


@pytest.mark.parametrize("width", [1280, 800, 375])
@pytest.mark.parametrize("language", ["en", "ru"])
def test_no_page_of_a_publication_is_wider_than_its_frame(
    shop: HostedStage, chromium: Browser, width: int, language: str
) -> None:
    """facts/platform 9 U3."""
    shop.stage.control("language", language=language)
    answer = shop.stage.enter("analyst").get_data(as_text=True)
    token = answer.partition('name="app-session" content="')[2].partition('"')[0]
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, extra_http_headers={"X-App-Session": token}
    )
    context.set_default_timeout(HANGS)
    page = context.new_page()
    chosen = "&".join(f"table={name}" for name in ("orders", LONG, "wide", "gone"))
    for path in (TABLES, f"/connections/1/publish-tables?{chosen}"):
        page.goto(shop.stage.url + path)
        fits(page, width, path)
    page.locator("input.mono").fill("Wrong!")
    page.locator(".footer button.filled").click()
    expect(page.locator("[aria-invalid]")).to_be_visible()
    fits(page, width, "refused")
    page.locator("input.mono").fill("crm_deal")
    page.locator(".footer button.filled").click()
    expect(page.locator("h1")).to_contain_text("0")
    fits(page, width, "outcome")
    context.close()


def fits(page: Page, width: int, what: str) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width, what
    assert page.evaluate(WIDER_THAN_ITS_CARD) == [], what

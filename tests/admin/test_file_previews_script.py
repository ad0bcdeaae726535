"""What the script makes of a file's form, in Chromium: each change is shown at once, and nothing typed is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.admin.test_file_previews import CSV
from tests.admin.test_scripts import CHROMIUM, Desk
from tests.services.hosted import HostedStage, hosted_stage
from tests.waiting import HANG


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[HostedStage]:
    with hosted_stage(tmp_path, uploads=tmp_path / "uploads", upload_megabytes=1) as stage:
        yield stage


@pytest.fixture
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=HANG * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def test_each_change_is_shown_in_place_and_a_file_is_sent_once(hosted: HostedStage, chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 1600})
    context.set_default_timeout(HANG * 1000)
    desk = Desk(context.new_page(), hosted.stage.portal.url)
    for link, heading in (("Connections", "Connections"), ("Add a connection", "What do you want to connect?")):
        desk.link(link)
        expect(desk.app.locator("h1")).to_have_text(heading)
    desk.app.get_by_role("link", name="CSV, Excel, Parquet, JSON").click()
    expect(desk.app.locator("#upload")).to_be_visible()
    desk.app.locator("#upload").set_input_files({"name": "stock.csv", "mimeType": "text/csv", "buffer": CSV})
    expect(desk.app.locator("#preview tbody tr")).to_have_count(3)
    expect(desk.app.locator("#preview-status")).to_have_text("This holds for all rows of the table: 3.")
    expect(desk.app.locator(".attention")).to_contain_text("Row 3: “н/д”")

    choice = desk.app.get_by_label("Type of Остаток")
    choice.focus()
    choice.select_option("Остаток: double")
    expect(desk.app.locator(".attention")).to_contain_text("would be refused")
    expect(desk.app.locator("#settings-types")).to_have_value("Остаток: double")
    expect(choice).to_be_focused()

    desk.app.get_by_text("Advanced settings").click()
    desk.app.locator("#settings-nulls").fill("н/д")
    desk.app.locator("#settings-sheet").focus()
    expect(desk.app.locator(".attention")).to_have_count(0)
    expect(desk.app.locator("#settings-sheet")).to_be_focused()

    desk.app.locator("#settings-encoding").fill("klingon")
    desk.app.locator("#settings-sheet").focus()
    expect(desk.app.locator("#settings-encoding-problem")).to_contain_text("There is no such encoding.")
    expect(desk.app.locator("#settings-encoding")).to_have_attribute("aria-invalid", "true")
    desk.app.locator("#settings-encoding").fill("")
    desk.app.locator("#settings-sheet").focus()
    expect(desk.app.locator("#settings-encoding-problem")).to_have_count(0)
    expect(desk.app.locator("#preview tbody tr")).to_have_count(3)

    # A form that comes back keeps what it says, and shows the file again.
    desk.press("Save and connect")
    expect(desk.app.locator("#title-problem")).to_be_visible()
    expect(desk.app.locator("#preview tbody tr")).to_have_count(3)
    expect(desk.app.locator("#title-problem")).to_be_visible()
    desk.app.locator("#title").fill("Stock")
    # Each file that is sent is kept.
    assert [path.name for path in (hosted.folder / "uploads").glob("*/*/*")] == ["stock.csv"]
    desk.press("Save and connect")
    expect(desk.app.locator("h1")).to_have_text("Stock")
    assert desk.complaints == []
    context.close()

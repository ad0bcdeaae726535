"""Every page keeps the contract of all pages (`tests.pages.check`), in both languages and generations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from babel.dates import format_date
from flask_babel import force_locale

from tests.admin.conftest import Control, Enter
from tests.doors import Stage
from tests.pages import PageClient
from web.template_filters import data_image, data_size

ROOT = Path(__file__).resolve().parents[2]
EMPTY = ["/start", "/connectors/", "/connectors/new", "/sources/", "/sources/new", "/datasets/", "/datasets/new"]
FILLED = [
    *EMPTY,
    "/connectors/1",
    "/connectors/1/edit",
    "/connectors/1/delete",
    "/sources/1",
    "/sources/1/edit",
    "/sources/1/delete",
    "/sources/new?connectorId=1",
    "/sources/?connectorId=1",
    "/datasets/1",
    "/datasets/1/edit",
    "/datasets/1/delete",
    "/datasets/new?sourceId=1",
    "/datasets/?sourceId=1",
    "/connectors/?search=nothing",
    "/connectors/?page=7",
    "/_patterns",
]


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("generation", ["newer", "older"])
def test_every_page_is_whole_on_an_empty_and_on_a_filled_portal(
    enter: Enter, control: Control, language: str, generation: str
) -> None:
    control("generation", generation=generation)
    control("language", language=language)
    client, first = enter()
    assert first.language == language
    for path in EMPTY:
        assert client.get(path).status == 200
    control("demo")
    for path in FILLED:
        page = client.get(path)
        assert (page.status, page.language) == (200, language)


@pytest.mark.parametrize("portal_language", ["de", "ua", "kz", "br", "la"])
def test_languages_that_we_do_not_speak_get_english(enter: Enter, control: Control, portal_language: str) -> None:
    control("language", language=portal_language)
    assert enter()[1].language == "en"


def test_no_page_of_a_list_or_object_needs_an_address_with_a_token(client: PageClient, demo: Mapping[str, Any]) -> None:
    page = client.follow(client.get("/start"), "Connectors")
    page = client.follow(page, "Coffee shop")
    page = client.follow(page, "Coffee shop, live")
    page = client.follow(page, "sales_orders")
    assert page.heading == "sales_orders"
    assert client.follow(page, "Coffee shop, live").heading == "Coffee shop, live"


def test_values_of_the_portal_are_text_and_never_markup(client: PageClient, connector: dict[str, str]) -> None:
    nasty = "</textarea><img src=x onerror=alert(1)>\"'&amp; {{ 7*7 }} %(title)s"
    made = client.post("/connectors/new", {**connector, "title": nasty, "description": nasty})
    assert made.heading == nasty
    for path in ("/connectors/", "/connectors/1/edit", "/connectors/1/delete", "/sources/new"):
        assert nasty in client.get(path).document.root.to_text() or path == "/connectors/1/edit"
    assert client.get("/connectors/1/edit").value("title") == nasty
    assert client.get("/connectors/1/edit").value("description") == nasty


def test_the_pattern_page_exists_in_debug_and_tests_only(client: PageClient) -> None:
    assert client.get("/_patterns").status == 200
    client.app.testing = False
    assert client.get("/_patterns").status == 404


def test_dates_are_written_in_the_page_s_language(enter: Enter, control: Control, demo: Mapping[str, Any]) -> None:
    english = enter()[0].get("/connectors/1")
    control("language", language="ru")
    russian = enter()[0].get("/connectors/1")
    # Made a moment ago, perhaps before midnight.
    today = datetime.now(UTC).date()
    days = (today, today - timedelta(days=1))
    assert any(format_date(day, "long", "ru") in russian.text for day in days), russian.text
    assert any(format_date(day, "long", "en") in english.text for day in days), english.text


def test_logos_are_shown_only_as_data_images(client: PageClient, connector: dict[str, str]) -> None:
    client.post("/connectors/new", {**connector, "logo": "https://tracker.example/logo.png"})
    client.post("/connectors/new", {**connector, "logo": "data:text/html,<script>alert(1)</script>"})
    client.post("/connectors/new", connector)
    images = [image["src"] for image in client.get("/connectors/").all("img")]
    assert images == [connector["logo"]]


@pytest.mark.parametrize(
    ("logo", "shown"),
    [
        (
            'data:image/svg+xml;utf8,<svg xmlns="http://www.w3.org/2000/svg"><path fill="#fff"/></svg>',
            "data:image/svg+xml;utf8,%3Csvg%20xmlns=%22http://www.w3.org/2000/svg%22%3E%3Cpath%20fill=%22%23fff%22/%3E"
            "%3C/svg%3E",
        ),
        ("data:image/svg+xml,%3Csvg/%3E", "data:image/svg+xml,%3Csvg/%3E"),
        ("DATA:image/png;base64,iVBORw0KGgo=", "DATA:image/png;base64,iVBORw0KGgo="),
        ("data:image/x-icon,AAAB", ""),
        ("data:text/html,<svg/>", ""),
        ("https://example.com/logo.png", ""),
        (" data:image/png,", ""),
    ],
)
def test_a_data_image_is_shown_however_its_characters_are_written(logo: str, shown: str) -> None:
    """Portals take `data:image/svg+xml;utf8,<svg ...>` as well, and browsers show it."""
    assert data_image(logo) == shown


@pytest.mark.parametrize(
    ("count", "language", "written"),
    [(1, "en", "0.1 kB"), (12_345, "en", "12.4 kB"), (999_999, "ru", "1 000 кБ"), (2_500_000, "ru", "2,5 МБ")],
)
def test_sizes_are_written_in_the_page_s_language(installed: Stage, count: int, language: str, written: str) -> None:
    with installed.app.test_request_context(), force_locale(language):
        assert data_size(count).replace("\N{NO-BREAK SPACE}", " ") == written


def test_styles_scripts_and_icons_are_kept_by_browsers_until_they_change(client: PageClient) -> None:
    page = client.get("/start")
    files = {element.get("href") or element.get("src") for element in page.all("link[rel=stylesheet], head script")}
    local = {file for file in files | {page.all("use")[0]["href"].partition("#")[0]} if file.startswith("/static/")}
    assert len(local) == 10
    browser = client.app.test_client(use_cookies=False)
    for file in local:
        with browser.get(file) as answer, browser.get(file.partition("?")[0]) as plain:
            assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
            assert "immutable" not in plain.headers["Cache-Control"]


def test_every_drawing_that_templates_use_is_in_the_sprite_and_no_other() -> None:
    sprite = set(re.findall(r'<symbol id="([a-z-]+)"', (ROOT / "static" / "icons.svg").read_text(encoding="utf-8")))
    code = [path for package in ("admin", "web") for path in (ROOT / package).glob("*.py")]
    places = [*(ROOT / "templates").rglob("*.html"), *code]
    words = set(re.findall(r"""["']([a-z-]+)["']""", "".join(place.read_text(encoding="utf-8") for place in places)))
    assert sprite <= words
    asked = re.findall(
        r"""(?:icon\(|symbol=)["']([a-z-]+)["']""", "".join(p.read_text(encoding="utf-8") for p in places)
    )
    assert set(asked) <= sprite

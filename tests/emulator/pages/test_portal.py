"""The portal around the application: start page, market, frame, language, users (facts/platform 1.2, 2, 6, 8)."""

from __future__ import annotations

import json
import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from emulator import installations
from emulator.context import Emulator
from emulator.pages.app_options import current_options


def frame_of(page: str) -> dict[str, object]:
    found = re.search(r"data-frame='([^']*)'", page)
    assert found, "the page has no frame"
    frame = json.loads(unescape(found[1]))
    assert isinstance(frame, dict)
    return frame


def install(emulator: Emulator) -> None:
    installations.register(emulator.portal, emulator.portal.app, emulator.portal.user("admin"))
    with emulator.portal.lock:
        emulator.portal.app.finished = True


def test_the_start_page_is_the_market_until_the_application_is_installed(
    browser: FlaskClient, emulator: Emulator
) -> None:
    assert browser.get("/").location == "/market/"
    install(emulator)
    assert browser.get("/").location == "/marketplace/app/"


def test_installing_registers_and_opens_the_installer_but_does_not_finish(
    browser: FlaskClient, emulator: Emulator
) -> None:
    """facts/platform 1.2: INSTALLED is true only after installFinish."""
    answer = browser.post("/market/install/")
    assert answer.status_code == 303
    assert answer.location == "/marketplace/app/"
    assert (emulator.portal.app.registered, emulator.portal.app.finished) == (True, False)
    page = browser.get("/marketplace/app/").text
    assert 'action="http://app.example:8000/install/?DOMAIN=localhost%3A8001&amp;PROTOCOL=0&amp;LANG=en' in page
    assert frame_of(page)["init"]["INSTALL"] is True  # type: ignore[index] # parsed JSON


@pytest.mark.parametrize("login", ["analyst", "viewer"])
def test_only_administrators_install_and_remove(browser: FlaskClient, emulator: Emulator, login: str) -> None:
    emulator.portal.switch_browser_user(login)
    assert browser.post("/market/install/").status_code == 403
    assert [app.registered for app in emulator.portal.state.applications.values()] == [False]
    install(emulator)
    assert browser.post("/market/uninstall/", data={"clean": "1"}).status_code == 403
    assert browser.post("/marketplace/app/finish/").status_code == 403
    assert emulator.portal.app.registered
    assert "Uninstall" not in browser.get("/market/").text


def test_the_application_is_opened_by_a_form_posted_into_a_named_frame(
    browser: FlaskClient, emulator: Emulator
) -> None:
    """facts/platform 2 and 6: four parameters in the query, tokens in the body, `domain|protocol|appSid` as name."""
    install(emulator)
    page = browser.get("/marketplace/app/").text
    action = urlsplit(unescape(re.findall(r'<form class="stage-start" method="post" action="([^"]+)"', page)[0]))
    assert f"{action.scheme}://{action.netloc}{action.path}" == "http://app.example:8000/"
    query = parse_qs(action.query)
    assert set(query) == {"DOMAIN", "PROTOCOL", "LANG", "APP_SID"}
    name = f"localhost:8001|0|{query['APP_SID'][0]}"
    assert f'target="{name}"' in page
    assert f'<iframe name="{name}"' in page
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))
    assert {"AUTH_ID", "REFRESH_ID", "AUTH_EXPIRES", "member_id", "PLACEMENT", "PLACEMENT_OPTIONS"} <= set(fields)
    assert fields["AUTH_EXPIRES"] == "3600"
    assert fields["member_id"] == emulator.portal.member_id


def test_every_opening_has_a_session_id_and_tokens_of_its_own(browser: FlaskClient, emulator: Emulator) -> None:
    install(emulator)
    first, second = (frame_of(browser.get("/marketplace/app/").text) for _ in range(2))
    assert first["sid"] != second["sid"]
    assert first["init"]["AUTH_ID"] != second["init"]["AUTH_ID"]  # type: ignore[index] # parsed JSON


def test_an_ordinary_user_gets_a_notice_until_the_installation_is_finished(
    browser: FlaskClient, emulator: Emulator
) -> None:
    browser.post("/market/install/")
    emulator.portal.switch_browser_user("analyst")
    page = browser.get("/marketplace/app/").text
    assert "not fully installed" in page
    assert "AUTH_ID" not in page
    emulator.portal.app.finished = True
    assert "AUTH_ID" in browser.get("/marketplace/app/").text


def test_a_user_whom_the_administrator_did_not_let_in_gets_a_notice(browser: FlaskClient, emulator: Emulator) -> None:
    install(emulator)
    emulator.portal.app.only_for_users = [1]
    emulator.portal.switch_browser_user("analyst")
    page = browser.get("/marketplace/app/").text
    assert "You have no access to this application" in page
    assert "AUTH_ID" not in page


def test_a_renewal_gives_the_current_user_a_fresh_pair(browser: FlaskClient, emulator: Emulator) -> None:
    install(emulator)
    emulator.portal.switch_browser_user("analyst")
    pair = browser.post("/marketplace/app/refresh/").get_json()
    assert set(pair) == {"AUTH_ID", "REFRESH_ID", "AUTH_EXPIRES"}
    grant = next(grant for grant in emulator.portal.state.grants if grant.access_token == pair["AUTH_ID"])
    assert grant.user_id == 2


def test_there_is_nothing_to_renew_without_an_installation(browser: FlaskClient) -> None:
    assert browser.post("/marketplace/app/refresh/").status_code == 409


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://app.example:8000"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize(
    "path", ["/marketplace/app/refresh/", "/marketplace/app/finish/", "/market/install/", "/portal/user/"]
)
def test_another_site_cannot_push_the_portals_buttons(
    browser: FlaskClient, emulator: Emulator, path: str, headers: dict[str, str]
) -> None:
    install(emulator)
    assert browser.post(path, headers=headers, data={"user": "3"}).status_code == 403
    assert emulator.portal.browser_user.id == 1


def test_the_portals_own_pages_may_post(browser: FlaskClient, emulator: Emulator) -> None:
    install(emulator)
    headers = {"Origin": "http://localhost:8001", "Sec-Fetch-Site": "same-origin", "Host": "localhost:8001"}
    assert browser.post("/marketplace/app/refresh/", headers=headers).status_code == 200


@pytest.mark.parametrize(("data", "kept"), [({}, True), ({"clean": "1"}, False)])
def test_options_survive_a_removal_unless_data_are_deleted(
    browser: FlaskClient, emulator: Emulator, data: dict[str, str], kept: bool
) -> None:
    """facts/platform 8: option data stay unless "Delete application settings and data" was ticked."""
    install(emulator)
    option = {"kind": "app", "name": "theme", "value": "dark"}
    assert browser.post("/marketplace/app/option/", json=option).get_json() == {"theme": "dark"}
    browser.post("/market/uninstall/", data=data)
    assert not emulator.portal.app.registered
    with browser.application.app_context():
        assert bool(current_options().app_options) is kept


def test_options_of_the_application_are_for_administrators_those_of_users_for_everybody(
    browser: FlaskClient, emulator: Emulator
) -> None:
    install(emulator)
    emulator.portal.switch_browser_user("analyst")
    assert browser.post("/marketplace/app/option/", json={"kind": "app", "name": "a", "value": 1}).status_code == 403
    mine = browser.post("/marketplace/app/option/", json={"kind": "user", "name": "a", "value": [1, {"b": None}]})
    assert mine.get_json() == {"a": [1, {"b": None}]}
    emulator.portal.switch_browser_user("admin")
    assert frame_of(browser.get("/marketplace/app/").text)["init"]["USER_OPTIONS"] == {}  # type: ignore[index] # parsed JSON


def test_the_first_run_is_per_user(browser: FlaskClient, emulator: Emulator) -> None:
    install(emulator)
    browser.post("/marketplace/app/first-run/", json={"install": True})
    assert frame_of(browser.get("/marketplace/app/").text)["init"]["FIRST_RUN"] is False  # type: ignore[index] # parsed JSON
    emulator.portal.switch_browser_user("analyst")
    assert frame_of(browser.get("/marketplace/app/").text)["init"]["FIRST_RUN"] is True  # type: ignore[index] # parsed JSON


def test_parameters_of_open_application_arrive_as_placement_options(browser: FlaskClient, emulator: Emulator) -> None:
    """facts/platform 6: as strings in PLACEMENT_OPTIONS."""
    install(emulator)
    page = browser.get("/marketplace/app/", query_string={"IFRAME": "Y", "options": '{"id": 7, "q": "a\\"b"}'}).text
    assert frame_of(page)["init"]["PLACEMENT_OPTIONS"] == {"id": "7", "q": 'a"b'}  # type: ignore[index] # parsed JSON
    assert 'class="slider-page"' in page
    assert '<nav class="menu"' not in page
    assert browser.get("/marketplace/app/?options=[1]").status_code == 400


def test_the_script_may_be_loaded_by_any_site(browser: FlaskClient) -> None:
    with browser.get("/api/v1/") as answer:
        assert answer.mimetype == "text/javascript"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert "BX24" in answer.get_data(as_text=True)


def test_scripts_of_other_sites_may_call_rest_with_json_but_not_the_portals_pages(browser: FlaskClient) -> None:
    """BX24.js posts forms, the newer b24jssdk posts JSON after asking with OPTIONS."""
    answer = browser.options("/rest/profile", headers={"Origin": "http://app.example:8000"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"
    assert "Access-Control-Allow-Origin" not in browser.get("/market/").headers


def test_the_language_switches_pages_and_the_posted_lang(browser: FlaskClient, emulator: Emulator) -> None:
    install(emulator)
    answer = browser.post("/portal/language/", data={"language": "ru", "next": "/market/"})
    assert (answer.status_code, answer.location) == (303, "/market/")
    page = browser.get("/market/").text
    assert '<html lang="ru">' in page
    assert "Установлено" in page
    assert "LANG=ru" in browser.get("/marketplace/app/").text
    browser.post("/portal/language/", data={"language": "vn"})
    assert "Installed" in browser.get("/market/").text
    assert browser.post("/portal/language/", data={"language": "xx"}).status_code == 400


@pytest.mark.parametrize(
    "address", ["http://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_switching_never_leads_away_from_the_portal(browser: FlaskClient, address: str) -> None:
    assert browser.post("/portal/user/", data={"user": "2", "next": address}).location == "/"


def test_an_unknown_user_is_reported(browser: FlaskClient, emulator: Emulator) -> None:
    answer = browser.post("/portal/user/", data={"user": "99"})
    assert answer.status_code == 404
    assert emulator.portal.browser_user.login == "admin"


def test_no_page_has_inline_scripts_or_styles_or_sets_cookies(browser: FlaskClient, emulator: Emulator) -> None:
    install(emulator)
    for path in (
        "/market/",
        "/marketplace/app/",
        "/company/",
        "/bi/",
        "/bi/source/new",
        "/bi/table/new",
        "/bi/table/1",
    ):
        answer = browser.get(path)
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=", answer.text), path
        assert "Set-Cookie" not in answer.headers
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-src 'self' http://app.example:8000;" in policy
        assert "frame-ancestors 'self'" in policy
        assert "unsafe" not in policy


def test_a_russian_portal_names_the_application_in_russian(browser: FlaskClient, emulator: Emulator) -> None:
    app = emulator.portal.app
    app.registered = app.finished = True
    emulator.portal.state.language = "ru"
    for path in ("/marketplace/app/", "/market/"):
        page = browser.get(path).text
        assert "BI-коннекторы" in page
        assert "BI connectors" not in page
    app.title = "Another"
    assert "Another" in browser.get("/market/").text

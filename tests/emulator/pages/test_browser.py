"""BX24.js and the portal's side of it in a real browser, with third-party cookies blocked (facts/platform 6).

A stub application on another site (`127.0.0.1`, the portal being `localhost`) takes the place of ours.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser, Frame, Page, expect, sync_playwright

from emulator import tokens
from emulator.config import EmulatorConfig
from emulator.server import RunningServer, start
from tests.ports import kept_port
from tests.waiting import HANG

expect.set_options(timeout=HANG * 1000)
CHROMIUM = Path("/usr/bin/chromium")
LINES_OF_TEXT = """cell => { const range = document.createRange(); range.selectNodeContents(cell);
    return new Set([...range.getClientRects()].map((box) => box.top)).size; }"""
PAGE = """<!doctype html><html lang="en"><title>Stub</title>
<script src="{portal}/api/v1/"></script>
<body><h1>{path}</h1><div id="tall" style="height: {height}px"></div></body></html>"""


@dataclass
class StubApplication:
    """An application whose every page loads BX24.js; `posts` are path, query and body of what browsers posted."""

    url: str = ""
    portal: str = ""
    posts: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def stub() -> Iterator[StubApplication]:
    application = StubApplication()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            parts = urlsplit(self.path)
            application.posts.append((parts.path, dict(parse_qsl(parts.query)), dict(parse_qsl(body))))
            self.do_GET()

        def do_GET(self) -> None:
            page = PAGE.format(portal=application.portal, path=urlsplit(self.path).path, height=1900)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", f"frame-ancestors {application.portal}")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    application.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield application
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def portal(stub: StubApplication) -> Iterator[RunningServer]:
    with kept_port() as port:
        stub.portal = f"http://localhost:{port}"
        with start(EmulatorConfig(public_url=stub.portal, port=port, app_url=stub.url)) as server:
            yield server


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--test-third-party-cookie-phaseout"]
        )


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(HANG * 1000)
    problems: list[str] = []
    page.on("pageerror", lambda problem: problems.append(str(problem)))
    yield page
    context.close()
    assert problems == []


def in_frame(page: Page, path: str, nth: int = -1) -> Frame:
    """The application's frame that shows `path`, ready for calls of BX24."""
    expect(page.frame_locator(".stage iframe").locator("h1")).to_have_text(path)
    frame = [frame for frame in page.frames if urlsplit(frame.url).path == path and "APP_SID" in frame.url][nth]
    frame.evaluate("() => new Promise(resolve => BX24.init(resolve))")
    return frame


def call(frame: Frame, function: str, *arguments: Any) -> Any:
    """The answer of a BX24 function that takes a callback last."""
    return frame.evaluate(
        "([name, args]) => new Promise(resolve => BX24[name](...args, resolve))", [function, list(arguments)]
    )


def install(page: Page, portal: RunningServer) -> Frame:
    page.goto(f"{portal.url}/market/")
    page.get_by_role("button", name="Install").click()
    return in_frame(page, "/install/")


def open_finished(page: Page, portal: RunningServer) -> Frame:
    app = portal.emulator.portal.app
    app.registered = app.finished = True
    page.goto(portal.url)
    return in_frame(page, "/")


def test_the_installer_gets_its_post_and_install_finish_opens_the_application(
    page: Page, portal: RunningServer, stub: StubApplication
) -> None:
    """facts/platform 1.2, 2."""
    frame = install(page, portal)
    path, query, body = stub.posts[0]
    assert path == "/install/"
    assert query["DOMAIN"] == urlsplit(portal.url).netloc
    assert body["member_id"] == portal.emulator.portal.member_id
    assert frame.evaluate("window.name") == f"{query['DOMAIN']}|0|{query['APP_SID']}"
    states = [portal.emulator.portal.app.finished]
    frame.evaluate("BX24.installFinish()")
    in_frame(page, "/")
    states.append(portal.emulator.portal.app.finished)
    assert states == [False, True]
    opened = [path for path, _, fields in stub.posts if "AUTH_ID" in fields]
    assert opened == ["/install/", "/"]


def test_install_finish_does_nothing_outside_the_installer(
    page: Page, portal: RunningServer, stub: StubApplication
) -> None:
    """facts/platform 1.2 step 4."""
    frame = open_finished(page, portal)
    frame.evaluate("BX24.installFinish()")
    assert call(frame, "refreshAuth")  # an answered message proves that the page is still the same
    assert len(stub.posts) == 1


def test_get_auth_names_a_moment_in_milliseconds_and_refresh_auth_brings_another_pair(
    page: Page, portal: RunningServer, stub: StubApplication
) -> None:
    frame = open_finished(page, portal)
    before = frame.evaluate("BX24.getAuth()")
    assert before["access_token"] == stub.posts[0][2]["AUTH_ID"]
    assert before["domain"] == urlsplit(portal.url).netloc
    now = frame.evaluate("Date.now()")
    assert now + 3_500_000 < before["expires_in"] <= now + 3_600_000
    after = call(frame, "refreshAuth")
    assert after["access_token"] != before["access_token"]
    assert frame.evaluate("BX24.getAuth().access_token") == after["access_token"]
    tokens = {grant.access_token for grant in portal.emulator.portal.state.grants}
    assert after["access_token"] in tokens


def test_get_auth_is_false_before_the_handshake_and_after_expiry(page: Page, portal: RunningServer) -> None:
    frame = open_finished(page, portal)
    assert frame.evaluate("() => { Date.now = () => 9e15; return BX24.getAuth(); }") is False


def test_fit_window_makes_the_frame_as_high_as_its_content(page: Page, portal: RunningServer) -> None:
    frame = open_finished(page, portal)
    size = call(frame, "fitWindow")
    content = frame.evaluate("BX24.getScrollSize().scrollHeight")
    assert content > 1900
    assert size["height"] == content
    assert page.locator(".stage iframe").bounding_box()["height"] == content  # type: ignore[index] # it is visible
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    call(frame, "resizeWindow", "100%", 2500)
    assert page.locator(".stage iframe").bounding_box()["height"] == 2500  # type: ignore[index] # it is visible


def test_the_application_reads_who_and_where_it_is(page: Page, portal: RunningServer) -> None:
    portal.emulator.portal.state.language = "br"
    frame = open_finished(page, portal)
    told = frame.evaluate("[BX24.getLang(), BX24.getDomain(), BX24.isAdmin(), BX24.placement.info()]")
    assert told[:3] == ["br", urlsplit(portal.url).netloc, True]
    assert told[3]["placement"] == "DEFAULT"


def test_title_and_options_reach_the_portal(page: Page, portal: RunningServer) -> None:
    frame = open_finished(page, portal)
    call(frame, "setTitle", "Orders: <all>")
    expect(page.locator("#page-title")).to_have_text("Orders: <all>")
    frame.evaluate("() => new Promise(done => BX24.userOption.set('view', {wide: true}, done))")
    page.reload()
    assert in_frame(page, "/").evaluate("BX24.userOption.get('view')") == {"wide": True}


def test_methods_are_called_with_the_openers_rights_and_renew_an_expired_token_once(
    page: Page, portal: RunningServer
) -> None:
    """facts/platform 6: `callMethod` renews by itself."""
    portal.emulator.portal.switch_browser_user("analyst")
    frame = open_finished(page, portal)
    tokens.expire(portal.emulator.portal)
    told = frame.evaluate(
        "() => new Promise(done => BX24.callMethod('profile', {}, answer =>"
        " done([answer.status, answer.data(), answer.error() === undefined])))"
    )
    assert told[0] == 200
    assert told[1]["ID"] in (2, "2")
    assert told[2] is True


def test_an_error_in_the_root_is_an_error_and_one_inside_result_looks_like_data(
    page: Page, portal: RunningServer
) -> None:
    """facts/biconnector 1.3."""
    frame = open_finished(page, portal)
    script = """() => new Promise(done => BX24.callMethod("biconnector.connector.get", {id: 99}, answer =>
        done([answer.error() ? answer.error().getError().error : null, answer.data() || null])))"""
    portal.emulator.portal.state.error_shape = "root"
    assert frame.evaluate(script)[0] == "CONNECTOR_NOT_FOUND"
    portal.emulator.portal.state.error_shape = "result"
    error, data = frame.evaluate(script)
    assert error is None
    assert data["error"]["error"] == "CONNECTOR_NOT_FOUND"


def test_a_batch_answers_under_the_names_of_its_calls(page: Page, portal: RunningServer) -> None:
    frame = open_finished(page, portal)
    told = frame.evaluate(
        """() => new Promise(done => BX24.callBatch(
            {me: ["profile"], wrong: ["no.such.method", {}],
             list: {method: "biconnector.connector.list", params: {filter: {"%title": "a&b"}, page: 1}}},
            answers => done(Object.entries(answers).map(([name, answer]) =>
                [name, answer.error() ? answer.error().getError().error : answer.data()]))))"""
    )
    results = dict(told)
    assert results["list"] == []
    assert results["me"]["ADMIN"] is True
    assert results["wrong"] == "ERROR_METHOD_NOT_FOUND"


def test_open_application_opens_a_slider_with_its_parameters_and_tells_when_it_closed(
    page: Page, portal: RunningServer, stub: StubApplication
) -> None:
    frame = open_finished(page, portal)
    frame.evaluate(
        "() => { BX24.openApplication({id: 7}, () => { document.title = 'closed'; }, {title: 'Order 7', width: 600}); }"
    )
    inner = page.frame_locator("dialog iframe").frame_locator(".stage iframe")
    expect(inner.locator("h1")).to_have_text("/")
    assert stub.posts[-1][2]["PLACEMENT_OPTIONS"] == '{"id": "7"}'
    slider_box = page.get_by_role("dialog", name="Order 7").bounding_box()
    assert slider_box
    assert slider_box["width"] == 600
    slider = page.frames[-1]
    slider.evaluate("() => new Promise(resolve => BX24.init(resolve))")
    slider.evaluate("BX24.closeApplication()")
    expect(page.locator("dialog")).to_have_count(0)
    frame.wait_for_function("document.title === 'closed'")


def test_open_path_shows_pages_of_the_portal_only(page: Page, portal: RunningServer) -> None:
    frame = open_finished(page, portal)
    for path in ("http://example.com/", "//example.com/", "bi/"):
        assert call(frame, "openPath", path) == {"result": "error", "errorCode": "PATH_NOT_AVAILABLE"}
    frame.evaluate("() => { window.closed_ = null; BX24.openPath('/bi/', answer => { window.closed_ = answer; }); }")
    expect(page.frame_locator("dialog iframe").locator("h1")).to_have_text("BI Builder")
    page.get_by_role("button", name="Close").click()
    frame.wait_for_function("window.closed_ !== null")
    assert frame.evaluate("window.closed_") == {"result": "close"}


def test_a_page_from_elsewhere_is_not_framed(page: Page, portal: RunningServer, stub: StubApplication) -> None:
    open_finished(page, portal)
    elsewhere = stub.url.replace("127.0.0.1", "localhost")
    page.evaluate("address => { document.querySelector('.stage iframe').src = address; }", f"{elsewhere}/")
    expect(page.frame_locator(".stage iframe").locator("body")).to_contain_text("blocked")


def test_a_page_from_elsewhere_in_the_frame_learns_nothing(
    chromium: Browser, portal: RunningServer, stub: StubApplication
) -> None:
    """The frame's window is the right one, but not its origin: another name of the same machine is elsewhere."""
    context = chromium.new_context(bypass_csp=True)
    page = context.new_page()
    frame = open_finished(page, portal)
    sid = frame.evaluate("window.name").split("|")[2]
    elsewhere = stub.url.replace("127.0.0.1", "localhost")
    page.route(f"{elsewhere}/", lambda route: route.fulfill(body="<h1>elsewhere</h1>", content_type="text/html"))
    page.evaluate(
        """address => {
            // Runs after the portal's own listener, so whatever that answers has left before "end".
            window.addEventListener("message", event => event.source.postMessage("end", "*"));
            document.querySelector(".stage iframe").src = address;
        }""",
        f"{elsewhere}/",
    )
    inside = page.frame_locator(".stage iframe").locator("h1")
    expect(inside).to_have_text("elsewhere")
    heard = inside.evaluate(
        """(_, sid) => new Promise(resolve => {
            const heard = [];
            window.addEventListener("message", event => {
                heard.push(event.data);
                if (event.data === "end") { resolve(heard); }
            });
            parent.postMessage(`getInitData:stolen:${sid}`, "*");
        })""",
        sid,
    )
    assert heard == ["end"]
    context.close()


def test_a_command_the_emulator_does_not_know_is_said_aloud_and_answered(page: Page, portal: RunningServer) -> None:
    frame = open_finished(page, portal)
    answer = frame.evaluate("() => new Promise(done => BX24.placement.call('imCallTo', {userId: 1}, done))")
    assert answer["result"] == "error"
    expect(page.get_by_role("status")).to_contain_text("imCallTo")


def test_without_scripts_the_application_opens_by_a_button(
    chromium: Browser, portal: RunningServer, stub: StubApplication
) -> None:
    portal.emulator.portal.app.registered = portal.emulator.portal.app.finished = True
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(portal.url)
    page.get_by_role("button", name="Open the application").click()
    expect(page.frame_locator(".stage iframe").locator("h1")).to_have_text("/")
    assert stub.posts[0][2]["PLACEMENT"] == "DEFAULT"
    context.close()


def test_the_menus_work_by_keyboard(page: Page, portal: RunningServer) -> None:
    page.goto(f"{portal.url}/market/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    picker = page.locator("summary").filter(has_text="Anna Keller")
    picker.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Mark Weber")).to_be_visible()
    page.keyboard.press("Escape")
    expect(picker).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("summary").filter(has_text="Mark Weber")).to_be_visible()
    expect(page).to_have_url(f"{portal.url}/market/")


@pytest.mark.parametrize(("width", "language"), [(1280, "en"), (1280, "ru"), (800, "ru"), (400, "ru")])
def test_no_page_scrolls_sideways_or_breaks_its_own_policy(
    page: Page, portal: RunningServer, width: int, language: str
) -> None:
    """facts/platform 9 U3: no scrollbars at widths of 1280 px; and nothing that the browser complains about."""
    page.set_viewport_size({"width": width, "height": 800})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.request.post(f"{portal.url}/_emulator/demo", data={})
    portal.emulator.portal.state.language = language
    for path in (
        "/market/",
        "/company/",
        "/bi/",
        "/bi/?view=sources",
        "/bi/?view=connectors",
        "/bi/table/1",
        "/bi/table/1?view=report",
        "/bi/table/1?view=report&dimension=PRODUCT&aggregation=count",
        "/bi/source/new?connector=1",
        "/bi/table/new?source=1",
        "/bi/table/new?source=1&table=customers",
    ):
        page.goto(f"{portal.url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        for region in page.locator(".scroll:has(.grid-list)").all():
            assert region.evaluate("region => region.scrollWidth <= region.clientWidth"), path
    assert complaints == []


def test_long_names_stay_inside_their_boxes_and_a_narrow_screen_breaks_no_word(
    page: Page, portal: RunningServer
) -> None:
    """facts/platform 9 U3, with names of 200 characters; what is too wide is scrolled in its own box."""
    page.request.post(f"{portal.url}/_emulator/demo", data={})
    state = portal.emulator.portal.state
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{portal.url}/bi/table/1")
        cells = page.locator("section[aria-labelledby=columns-title] td:nth-child(2)").all()
        assert cells
        assert {cell.evaluate(LINES_OF_TEXT) for cell in cells} == {1}
        page.goto(f"{portal.url}/bi/table/1?view=report")
        labels = page.locator(".chart-label").all()
        assert min(label.bounding_box()["height"] for label in labels) > 9  # type: ignore[index] # it is visible
        page.goto(f"{portal.url}/bi/table/new?source=1")
        assert page.locator(".search svg").bounding_box()["width"] == 16  # type: ignore[index] # it is visible
    state.connectors[1].title = state.sources[1].title = "W" * 200
    state.datasets[1].external_name = state.datasets[1].name = "w" * 200
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 800})
        for path in ("/bi/", "/bi/?view=sources", "/bi/?view=connectors", "/bi/table/1", "/bi/table/1?view=report"):
            page.goto(f"{portal.url}{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_form_that_comes_back_begins_at_the_first_mistake(page: Page, portal: RunningServer) -> None:
    """facts/field 5.56: focus to the first error; the reason of a failed check stands clear of what follows."""
    page.request.post(f"{portal.url}/_emulator/demo", data={})
    page.goto(f"{portal.url}/bi/source/new?connector=1")
    page.get_by_label("Title").fill("Shop")
    page.get_by_role("button", name="Check and save").click()
    expect(page.get_by_label("Login")).to_be_focused()
    page.get_by_label("Login").fill("demo")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Check and save").click()
    reason, heading = page.locator(".backstage").bounding_box(), page.locator(".fields .with-logo").bounding_box()
    assert reason is not None
    assert heading is not None
    assert heading["y"] - reason["y"] - reason["height"] >= 8
    page.goto(f"{portal.url}/bi/table/1?view=report&date_from=2025-12-31&date_to=2025-01-01&limit=x")
    expect(page.locator("[name=date_from]")).to_be_focused()


def test_a_person_draws_a_chart_of_a_filtered_table(page: Page, portal: RunningServer) -> None:
    """The demonstration's 800 orders, asked for through the portal's own form."""
    page.request.post(f"{portal.url}/_emulator/demo", data={})
    page.goto(f"{portal.url}/bi/")
    page.get_by_role("link", name="Sales orders").click()
    page.get_by_role("link", name="Report").click()
    expect(page.get_by_role("heading", name="Sum of AMOUNT by ORDER_DATE")).to_be_visible()
    page.wait_for_load_state()
    page.get_by_label("From").fill("2025-01-01")
    page.get_by_label("To, including").fill("2025-12-31")
    condition = page.locator(".condition").first
    condition.get_by_label("Column").select_option("STATUS")
    expect(condition.get_by_label("End of the range")).to_be_hidden()
    condition.get_by_label("Comparison").select_option("at_least")
    condition.get_by_label("Value", exact=True).fill("paid")
    condition.get_by_label("Comparison").select_option("equals")
    expect(condition.get_by_label("Values, one per line")).to_have_value("paid")
    condition.get_by_label("Values, one per line").fill("paid\nshipped")
    page.get_by_label("By", exact=True).select_option("REGION")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("heading", name="Sum of AMOUNT by REGION")).to_be_in_viewport()
    page.wait_for_load_state()
    assert page.locator(".chart-bar").count() == 4
    shown = int(page.locator("[data-row-count]").get_attribute("data-row-count") or 0)
    assert 0 < shown < 800
    page.get_by_text("Numbers of the chart").click()
    counts = page.locator("#chart-data tbody td:last-child").all_inner_texts()
    assert sum(int(count) for count in counts) == shown

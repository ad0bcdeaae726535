"""What the analyst sees when something is wrong that no form field is to blame for."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from errors import Forged, PortalBusy, PortalUnreachable
from models import Portal, UserToken, VaultBroken, now
from tests.admin.conftest import Control, Enter
from tests.doors import Stage
from tests.pages import Page, PageClient, opened
from web import error_pages

CANARY = "canary-51c8"
SOURCE = {"title": "Shop, live", "connectorId": "1", "settings-login": "demo", "settings-password": "demo"}


def down(control: Control, target: str = "rest") -> None:
    """Let the portal answer as a gateway whose server is gone, longer than any retry."""
    control("fail", target=target, times=50, shape="text", status=502)


def up(control: Control, installed: Stage) -> None:
    """Let the portal answer again."""
    installed.control("mend")


def test_a_portal_that_is_down_gets_a_page_that_says_so_with_a_retry(
    client: PageClient, control: Control, installed: Stage
) -> None:
    down(control)
    page = client.get("/connectors/?search=x")
    assert (page.status, page.heading) == (503, "The portal does not answer")
    up(control, installed)
    page = client.submit(page, "Try again")
    assert (page.status, page.heading, page.path) == (200, "Connectors", "/connectors/?search=x")


def test_the_retry_sends_what_was_typed_and_secrets_travel_sealed(
    client: PageClient, control: Control, installed: Stage, connector: dict[str, str]
) -> None:
    client.post("/connectors/new", connector)
    client.secrets = [CANARY]
    down(control)
    page = client.post("/sources/new", {**SOURCE, "settings-password": CANARY, "description": "as typed"})
    assert (page.status, page.heading) == (503, "The portal does not answer")
    assert "What you typed is kept and will be sent again." in page.text
    up(control, installed)
    page = client.submit(page, "Try again")
    assert page.status == 422
    assert [page.value(name) for name in ("title", "description")] == ["Shop, live", "as typed"]

    down(control)
    page = client.post("/sources/new", SOURCE)
    up(control, installed)
    assert client.submit(page, "Try again").heading == "Shop, live"


def test_the_retry_sends_the_chosen_logo_as_well(
    client: PageClient, control: Control, installed: Stage, connector: dict[str, str]
) -> None:
    client.post("/connectors/new", connector)
    down(control)
    content = b"\x89PNG\r\n\x1a\nANOTHER"
    page = client.post("/connectors/1/edit", {**connector, "logoFile": (io.BytesIO(content), "logo.png")})
    assert "What you typed is kept and will be sent again." in page.text
    up(control, installed)
    page = client.submit(page, "Try again")
    assert (page.status, page.alerts) == (200, ["The connector was changed."])
    logo = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    assert installed.portal.whole().connectors[1].logo == logo


def test_a_file_that_cannot_travel_with_the_retry_is_asked_for_again_and_nothing_is_sent_without_it(
    client: PageClient, control: Control, installed: Stage, connector: dict[str, str]
) -> None:
    client.post("/connectors/new", connector)
    no_image, table = (io.BytesIO(b"no image"), "logo.png"), (io.BytesIO(b"a,b\n1,2\n"), "table.csv")
    for path, fields, name in (
        ("/connectors/1/edit", {**connector, "title": "As typed", "logoFile": no_image}, "logoFile"),
        ("/connections/new", {"driver": "file", "title": "As typed", "upload": table}, "upload"),
    ):
        down(control)
        page = client.post(path, fields)
        assert page.status == 503, page.words
        assert "will be sent again" not in page.text
        assert "What you typed is kept, but not the file that you chose." in page.text
        page = client.submit(page, "Back to the form")
        assert page.status == 503
        up(control, installed)
        page = client.submit(page, "Back to the form")
        assert (page.status, page.path, page.value("title")) == (200, path, "As typed")
        assert page.sentences() == {name: "The file could not be kept. Choose it again."}
    assert installed.portal.whole().connectors[1].title == "Online shop"
    assert installed.services.repository.titles(1) == {}


def test_an_outage_changes_nothing(
    client: PageClient, control: Control, installed: Stage, connector: dict[str, str]
) -> None:
    down(control)
    page = client.post("/connectors/new", connector)
    assert page.status == 503
    up(control, installed)
    assert "No connectors yet" in client.get("/connectors/").text


def test_a_change_whose_answer_is_lost_is_not_repeated_blindly(
    client: PageClient, control: Control, connector: dict[str, str]
) -> None:
    control("fail", target="biconnector.connector.add", shape="drop")
    page = client.post("/connectors/new", connector)
    assert page.status == 503
    assert "It is unknown whether this was done" in page.alerts[0]
    assert "Look at the list before you try again." in page.alerts[0]
    assert "Not saved" not in page.text
    assert page.value("title") == "Online shop"


def test_a_deletion_whose_answer_is_lost_is_not_called_undone(
    client: PageClient, control: Control, connector: dict[str, str]
) -> None:
    """facts/platform 5: a change that timed out may have been made, so no heading denies it."""
    client.post("/connectors/new", connector)
    control("fail", target="biconnector.connector.delete", shape="drop")
    page = client.submit(client.get("/connectors/1/delete"), "Delete")
    assert page.status == 503
    assert "It is unknown whether this was done" in page.alerts[0]
    assert "Not deleted" not in page.text


def test_a_busy_portal_gets_a_page_with_a_retry(client: PageClient, control: Control) -> None:
    control("fail", target="biconnector.connector.get", times=20, shape="root", status=429, code="OPERATION_TIME_LIMIT")
    page = client.get("/connectors/1")
    assert (page.status, page.heading) == (503, "The portal is busy")
    assert page.all("main form button")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, "Try again in ten minutes."),
        (5.0, "Try again in a few seconds."),
        (59.0, "Try again in a minute."),
        (60.5, "Try again in 2 minutes."),
        (540.0, "Try again in 9 minutes."),
    ],
)
def test_a_busy_portal_tells_how_long_to_wait(installed: Stage, seconds: float | None, told: str) -> None:
    """facts/platform 5.4: `operating_reset_at`."""
    with installed.app.test_request_context("/connectors/"):
        answer = installed.app.make_response(error_pages.try_later(PortalBusy("OPERATION_TIME_LIMIT", seconds)))
    assert told in answer.get_data(as_text=True)


def test_while_the_authorization_server_is_down_forms_and_pages_say_so_and_the_portal_is_not_blamed(
    client: PageClient, control: Control, installed: Stage, connector: dict[str, str], demo: Any
) -> None:
    """facts/security 3 step 5: after the first failure the server gets a rest, so later tries do not ask it."""
    control("expire-tokens")
    control("fail", target="oauth", times=50, shape="text", status=502)
    resting = "Bitrix24's authorization server does not answer, so nothing was sent to the portal."
    page = client.post("/connectors/new", connector)
    assert page.status == 503
    assert f"{resting} Try again in a minute." in page.alerts[0]
    assert page.value("title") == "Online shop"
    with installed.services.sessions.begin() as session:
        session.query(UserToken).update({"retry_after": now() + timedelta(seconds=90)})
    page = client.post("/connectors/new", connector)
    assert page.status == 503
    assert f"{resting} Try again in 2 minutes." in page.alerts[0]
    assert page.value("title") == "Online shop"
    page = client.get("/connectors/1")
    assert (page.status, page.heading) == (503, "This has to wait a moment")
    assert resting in page.words


def test_a_portal_that_was_closed_for_a_while_works_for_all_once_one_of_its_users_is_back(
    enter: Enter, control: Control
) -> None:
    """facts/platform 5.3: PORTAL_DELETED is also a box whose public part is closed for a while."""
    analyst, admin = enter("analyst")[0], enter("admin")[0]
    control("fail", target="batch", shape="root", status=500, code="PORTAL_DELETED")
    for client in (admin, analyst):
        page = client.get("/connectors/")
        assert (page.status, page.heading) == (403, "The application is not installed")
    enter("admin")
    assert analyst.get("/connectors/").status == 200


@pytest.mark.parametrize("login", ["viewer", "half"])
def test_whoever_lacks_a_permission_reads_which_ones_it_takes(enter: Enter, login: str) -> None:
    """facts/biconnector 1.8: two permissions, and the portal does not tell which one is missing."""
    client, page = enter(login, status=403)
    assert page.heading == "From your data to a chart"
    assert "Your permission “Access to BI Builder”" in page.text
    assert "Your permission “Access to Analytics Hub”" in page.text
    assert "The application is installed and has its access" in page.text
    assert "First steps" not in page.words
    assert "You may use BI Builder" not in page.words
    page = client.get("/connectors/")
    assert (page.status, page.heading) == (403, "You may not work with BI data yet")
    # What it takes stands before the button that asks again.
    assert page.words.index("Your permission") < page.words.index("Try again")


def test_rights_that_were_given_are_noticed_at_the_next_look(enter: Enter, control: Control) -> None:
    client, page = enter("viewer", status=403)
    control("rights", user="viewer", bi_builder=True, analytics_hub=True)
    page = client.follow(page, "Check again")
    assert page.status == 200
    assert "1 of 5 done" in page.text


def test_a_plan_without_applications_is_told_as_such(client: PageClient, control: Control) -> None:
    control("plan", rest=False)
    assert "The portal's plan lacks applications" in client.get("/connectors/").words


def test_a_missing_scope_is_told_as_such(client: PageClient, control: Control) -> None:
    control("fail", target="biconnector.connector.list", shape="root", status=403, code="insufficient_scope")
    page = client.get("/connectors/")
    assert page.status == 403
    assert "Ask an administrator to install it again." in page.text


@pytest.mark.parametrize("path", ["/connectors/99", "/sources/99", "/datasets/99", "/nowhere", "/connectors/x"])
def test_what_does_not_exist_is_404_and_leads_back(client: PageClient, path: str) -> None:
    page = client.get(path)
    assert (page.status, page.heading) == (404, "Nothing is here")
    assert client.follow(page, "To the start").status == 200


@pytest.mark.parametrize("section", ["connections", "connectors", "sources", "datasets"])
def test_an_object_that_is_gone_leads_to_its_list_under_its_own_tab(client: PageClient, section: str) -> None:
    page = client.get(f"/{section}/999")
    assert page.status == 404
    assert page.one(".tab[aria-current=page]").text.lower() == section
    assert client.follow(page, "Look at the list").path == f"/{section}/"


def test_the_app_opened_outside_a_portal_is_a_page_with_a_card(stage: Stage) -> None:
    with stage.app.test_client().get("/") as answer:
        assert 'class="card' in answer.get_data(as_text=True)


def test_an_unpaid_application_and_a_removed_one_say_so(client: PageClient, control: Control) -> None:
    control("fail", target="biconnector.connector.list", shape="root", status=401, code="PAYMENT_REQUIRED")
    assert client.get("/connectors/").heading == "The application is not paid for"


def test_a_portal_that_says_that_the_app_is_removed_is_asked_again_and_believed_with_its_server(
    installed: Stage, client: PageClient, control: Control
) -> None:
    control("uninstall", lost=True)
    control("fail", target="biconnector.connector.list", shape="root", status=401, code="ERROR_OAUTH", times=2)
    page = client.get("/connectors/")
    assert (page.status, page.heading) == (503, "This has to wait a moment")
    assert "before anything ends; charts go on" in page.words
    with installed.services.sessions.begin() as session:
        session.query(Portal).update({"doubted_at": now() - timedelta(seconds=6)})
    assert client.get("/connectors/").heading == "The application is not installed"


def test_an_ended_session_shows_what_was_typed_as_text_but_no_secrets(
    installed: Stage, client: PageClient, connector: dict[str, str]
) -> None:
    client.post("/connectors/new", connector)
    installed.end_sessions()
    fields = {**SOURCE, "description": "a long <b>description</b>", "settings-password": CANARY}
    answer = installed.app.test_client(use_cookies=False).post("/sources/new", data={**fields, "_s": client.token})
    assert answer.status_code == 401
    assert CANARY not in answer.text
    assert client.token not in answer.text
    assert "a long &lt;b&gt;description&lt;/b&gt;" in answer.text
    assert "The session has ended" in answer.text


def test_following_a_link_after_the_session_has_ended_shows_no_field_names(
    installed: Stage, client: PageClient
) -> None:
    installed.end_sessions()
    answer = installed.app.test_client(use_cookies=False).post("/start", data={"_s": client.token, "_view": "1"})
    assert answer.status_code == 401
    assert "What you typed" not in answer.text


def test_tokens_of_an_opening_never_stand_in_a_page(installed: Stage, control: Control) -> None:
    down(control, "biconnector.connector.list")
    opening = installed.opening("analyst")
    answer = installed.post("/", opening)
    assert answer.status_code == 503
    assert opening.fields["AUTH_ID"] not in answer.text
    assert opening.fields["REFRESH_ID"] not in answer.text
    page = opened(installed.app, answer, installed.portal.url)[1]
    assert page.one("main form")["action"] == "/start"


def test_a_body_beyond_the_limit_is_refused_in_words(client: PageClient, connector: dict[str, str]) -> None:
    answer = client.app.test_client(use_cookies=False).post(
        "/connectors/new", data={**connector, "logo": "x" * 300_000, "_s": client.token}
    )
    assert answer.status_code == 413
    assert "The form is too large to be sent." in answer.text


@pytest.mark.parametrize("reason", ["timeout", "tls", "refused", "connection", "status", "not-json", "redirect"])
def test_every_reason_of_an_outage_is_a_sentence(installed: Stage, reason: str) -> None:
    with installed.app.test_request_context("/connectors/"):
        answer = installed.app.make_response(error_pages.try_later(PortalUnreachable(reason)))
    assert answer.status_code == 503
    assert "The portal does not answer" in answer.get_data(as_text=True)


@pytest.mark.parametrize("broken", [VaultBroken("a secret does not open"), RuntimeError(f"refresh_token={CANARY}")])
def test_a_fault_of_our_own_is_noted_under_the_reference_that_its_page_shows(
    client: PageClient,
    installed: Stage,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    broken: Exception,
) -> None:
    """facts/security 1 row 18: the traceback is kept, without secrets."""

    def fail(*_: object) -> None:
        raise broken

    monkeypatch.setattr("services.bi.connectors.read_page", fail)
    installed.app.testing = False
    page = client.get("/connectors/")
    assert (page.status, page.heading) == (500, "Something broke")
    reference = page.one("main code").text
    noted = capfd.readouterr().err
    assert re.fullmatch("[0-9a-f]{12}", reference)
    assert f"{reference}: admin.connectors failed: {type(broken).__name__}" in noted
    assert "Traceback" in noted.split(reference)[1]
    assert CANARY not in noted + page.text


def test_nothing_is_told_about_why_a_post_is_held_for_forged(installed: Stage) -> None:
    with installed.app.test_request_context("/"):
        answer = installed.app.make_response(error_pages.give_up(Forged(CANARY)))
    assert answer.status_code == 403
    assert CANARY not in answer.get_data(as_text=True)


def test_the_start_page_ticks_itself(
    client: PageClient, demo: Mapping[str, Any], enter: Enter, control: Control
) -> None:
    def done(page: Page) -> list[bool]:
        return ["done" in step.get("class").split() for step in page.all(".step")]

    page = client.get("/start")
    assert done(page) == [True] * 5
    assert "open" not in page.one(".steps-fold")
    control("reset")


def test_the_start_page_offers_the_next_step_only(client: PageClient, connector: dict[str, str]) -> None:
    page = client.get("/start")
    assert [named.text for named in page.all(".button.filled")] == ["Connect a database or file"]
    assert page.links()["Add a connector"] == "/connectors/new"
    client.post("/connectors/new", connector)
    page = client.get("/start")
    assert [named.text for named in page.all(".button.filled")] == ["Add a source"]
    assert page.all("[aria-current=step] h3")[0].text == "First source"
    client.post("/sources/new", SOURCE)
    assert [named.text for named in client.get("/start").all(".button.filled")] == ["Add a dataset"]

"""The installer's page: one administrator, events bound, `installFinish` after that (facts/platform 1)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models import UserToken
from services.portals.event_bindings import EVENTS
from tests.doors import OWN, Stage, staged

FINISHES = "data-install-finish"


def bound(stage: Stage) -> list[tuple[str, str]]:
    return sorted((handler.event, handler.handler) for handler in stage.portal.whole().event_handlers)


def all_bound(stage: Stage) -> list[tuple[str, str]]:
    return sorted((event, f"{stage.url}/install/") for event in EVENTS)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_vendors_check_of_the_address_gets_200(stage: Stage, method: str) -> None:
    """facts/platform 9 T1."""
    assert stage.app.test_client().open("/install/", method=method).status_code == 200


def test_an_administrators_installer_page_binds_all_events_and_then_finishes(stage: Stage) -> None:
    stage.register()
    answer = stage.install()
    assert answer.status_code == 200
    assert FINISHES in answer.text
    assert bound(stage) == all_bound(stage)


def test_the_installation_completes_with_the_portals_own_events(installed: Stage) -> None:
    journal = installed.control("deliver", event="ONAPPINSTALL")
    assert "HTTP" not in str(journal)
    portal = installed.record()
    assert (portal.state, portal.version, portal.status) == ("active", 1, "F")
    assert installed.services.installations.knows_token(portal, installed.portal.application().application_token)


def test_the_portals_system_user_serves_the_background_once_it_is_ready(installed: Stage) -> None:
    """facts/platform 3.3: prefer the system user's tokens, which survive the installer's dismissal."""
    assert installed.record().background_user_id == 512
    with installed.services.sessions() as session:
        assert {grant.user_id for grant in session.query(UserToken)} == {1, 512}


def test_installing_twice_changes_nothing(installed: Stage) -> None:
    before = installed.rows()["portals"]
    answer = installed.install()
    assert answer.status_code == 200
    assert FINISHES in answer.text
    assert bound(installed) == all_bound(installed)
    assert installed.rows()["portals"] == before


def test_reinstalling_takes_the_new_application_token(installed: Stage) -> None:
    old = installed.portal.application().application_token
    installed.control("uninstall", clean=False)
    assert installed.record().state == "uninstalled"
    installed.register()
    assert installed.install().status_code == 200
    installed.finish()
    new = installed.portal.application().application_token
    portal = installed.record()
    assert portal.state == "active"
    assert old != new
    assert installed.services.installations.knows_token(portal, new)
    assert not installed.services.installations.knows_token(portal, old)
    assert installed.enter("analyst").status_code == 200


def test_a_user_who_is_no_administrator_reads_a_sentence_and_nothing_is_stored(stage: Stage) -> None:
    stage.register()
    answer = stage.install("analyst")
    assert answer.status_code == 403
    assert "administrator" in answer.text
    assert FINISHES not in answer.text
    assert stage.rows()["portals"] == stage.rows()["grants"] == []
    assert bound(stage) == []


def test_the_sentence_can_be_read_in_the_frame_of_the_portal_that_was_just_verified(stage: Stage) -> None:
    stage.register()
    policy = stage.install("analyst").headers["Content-Security-Policy"]
    assert policy.endswith(f"frame-ancestors {stage.portal.url}")


@pytest.mark.parametrize("method", ["event.get", "event.bind", "batch"])
def test_a_failed_binding_does_not_finish_and_can_be_tried_again_with_the_session_token(
    stage: Stage, method: str
) -> None:
    stage.register()
    stage.control("fail", target=method, times=9, status=403, code="ACCESS_DENIED")
    failed = stage.install()
    assert failed.status_code == 403
    assert FINISHES not in failed.text
    token = re.search(r'name="_s" value="([^"]+)"', failed.text)
    assert token is not None
    stage.control("mend")
    again = stage.app.test_client().post("/install/", data={"_s": token[1]}, headers=OWN)
    assert again.status_code == 200
    assert FINISHES in again.text
    assert bound(stage) == all_bound(stage)


def test_a_portal_without_the_module_is_told_to_update_and_is_not_finished(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """facts/platform 9 T12: boxes may be older than the BI connectors."""
    monkeypatch.setattr("services.portals.installations.NEEDED_METHOD", "biconnector.unheard.of")
    stage.register()
    answer = stage.install()
    assert answer.status_code == 409
    assert "Update" in answer.text
    assert FINISHES not in answer.text
    assert bound(stage) == []


def test_trying_again_is_our_own_pages_right_only(installed: Stage) -> None:
    token, _ = installed.services.user_sessions.open(installed.record().id, 1, is_admin=True, language="en")
    post = installed.app.test_client().post
    for site in ("cross-site", "same-site", "none"):
        assert post("/install/", data={"_s": token}, headers={"Sec-Fetch-Site": site}).status_code == 403
    assert post("/install/", data={"_s": token}, headers={"Origin": "null"}).status_code == 403
    assert post("/install/", data={"_s": "unknown"}, headers=OWN).status_code == 401


def test_trying_again_needs_an_administrators_session(installed: Stage) -> None:
    token, _ = installed.services.user_sessions.open(installed.record().id, 2, is_admin=False, language="en")
    answer = installed.app.test_client().post("/install/", data={"_s": token}, headers=OWN)
    assert answer.status_code == 403


def test_a_portal_that_does_not_answer_is_told_with_503_and_stores_nothing(stage: Stage) -> None:
    stage.register()
    stage.control("fail", target="rest", times=9, shape="text")
    answer = stage.install()
    assert answer.status_code == 503
    assert FINISHES not in answer.text
    assert stage.rows()["portals"] == []


def test_the_installer_outside_a_frame_is_refused_unless_the_operator_allows_it(stage: Stage, tmp_path: Path) -> None:
    """facts/security 1 row 5."""
    stage.register()
    top = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
    assert stage.post("/install/", stage.opening(), headers=top).status_code == 403
    with staged(f"sqlite:///{tmp_path / 'web_view.db'}", allow_open_outside_frame=True) as web_view:
        web_view.register()
        assert web_view.post("/install/", web_view.opening(), headers=top).status_code == 200


def test_the_installer_speaks_the_administrators_language(stage: Stage) -> None:
    stage.register()
    stage.control("language", language="ru")
    assert '<html lang="ru">' in stage.install("analyst").text


def test_an_event_bound_by_somebody_else_meanwhile_counts_as_bound(installed: Stage) -> None:
    with installed.portal.changed() as held:
        held.event_handlers = [handler for handler in held.event_handlers if handler.event != "ONAPPUPDATE"]
    assert installed.enter().status_code == 200
    assert bound(installed) == all_bound(installed)

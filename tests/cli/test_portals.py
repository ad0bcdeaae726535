"""`flask portals`: what operators see and add."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from models import Portal, UserSession, now
from tests.doors import Stage


def test_the_list_tells_everything_but_secrets(installed: Stage) -> None:
    told = installed.app.test_cli_runner().invoke(args=["portals", "list", "--json"])
    assert told.exit_code == 0
    (row,) = json.loads(told.stdout)
    assert (row["member_id"], row["state"], row["version"]) == (installed.member_id, "active", 1)
    assert installed.portal.application().application_token not in told.output
    assert "v1." not in told.output
    assert installed.member_id in installed.app.test_cli_runner().invoke(args=["portals", "list"]).output


def test_an_empty_list_is_valid_json(stage: Stage) -> None:
    assert json.loads(stage.app.test_cli_runner().invoke(args=["portals", "list", "--json"]).stdout) == []


def test_a_portal_without_rest_is_added_once(stage: Stage) -> None:
    add = ["portals", "add-local", "--member-id", "head-office"]
    assert stage.app.test_cli_runner().invoke(args=add).exit_code == 0
    again = stage.app.test_cli_runner().invoke(args=add)
    assert again.exit_code == 1
    assert "already" in again.output
    with stage.services.sessions() as session:
        portal = session.query(Portal).one()
        assert (portal.member_id, portal.state, portal.client_endpoint) == ("head-office", "local", "")
        assert portal.language == ""


def test_the_language_of_a_portal_without_rest_can_be_told(stage: Stage) -> None:
    add = ["portals", "add-local", "--member-id", "head-office", "--language"]
    assert stage.app.test_cli_runner().invoke(args=[*add, "klingon"]).exit_code == 2
    assert stage.app.test_cli_runner().invoke(args=[*add, "br"]).exit_code == 0
    with stage.services.sessions() as session:
        assert session.query(Portal).one().language == "br"


@pytest.mark.parametrize("name", ["", " ", "a b", "x" * 65, "a;b", "я"])
def test_a_name_that_no_portal_could_have_is_refused(stage: Stage, name: str) -> None:
    told = stage.app.test_cli_runner().invoke(args=["portals", "add-local", "--member-id", name])
    assert told.exit_code == 1
    assert "member_id" in told.output


def test_daily_care_counts_what_it_did(installed: Stage) -> None:
    with installed.services.sessions.begin() as session:
        session.query(UserSession).update({"expires_at": now() - timedelta(days=2)})
    told = installed.app.test_cli_runner().invoke(args=["portals", "tend"])
    assert (told.exit_code, told.stdout) == (
        0,
        "0 grants renewed, 0 failed; 0 dead grants, 1 ended sessions and data of 0 portals deleted.\n",
    )


def test_everything_of_a_portal_is_erased_at_once_by_its_member_id(installed: Stage) -> None:
    erase = ["portals", "erase"]
    unknown = installed.app.test_cli_runner().invoke(args=[*erase, "nobody"])
    assert (unknown.exit_code, "no portal" in unknown.output) == (1, True)
    told = installed.app.test_cli_runner().invoke(args=[*erase, installed.member_id])
    assert (told.exit_code, told.stdout) == (0, "All data of the portal are deleted.\n")
    rows = installed.rows()
    assert rows["portals"] == rows["grants"] == rows["user_sessions"] == rows["lifecycle_events"] == []


def test_daily_care_says_how_many_portals_left_without_telling(installed: Stage) -> None:
    installed.control("uninstall", lost=True)
    with installed.services.sessions.begin() as session:
        session.query(Portal).update({"doubted_at": now() - timedelta(minutes=1)})
    told = installed.app.test_cli_runner().invoke(args=["portals", "tend"])
    assert told.stdout.startswith("1 portals have removed the app without telling.\n")
    assert installed.record().state == "uninstalled"

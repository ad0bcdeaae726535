"""Installing, opening, updating, removing, and the events that go with it (facts/platform 1, 2, 4, 8)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests
import responses

from emulator import brackets
from emulator.launch import open_application
from tests.emulator.portals import EmulatedPortal

APP = "http://127.0.0.1:8000"
INSTALLER = f"{APP}/install/"


def events(network: responses.RequestsMock) -> list[dict[str, Any]]:
    """The events that were sent so far, their bodies expanded."""
    bodies = [str(call.request.body) for call in network.calls if "event=" in str(call.request.body)]
    return [brackets.decode(parse_qsl(body, keep_blank_values=True)) for body in bodies]


@pytest.fixture
def installed(emulated: EmulatedPortal, network: responses.RequestsMock) -> EmulatedPortal:
    """A portal with the application installed and its handlers bound."""
    network.post(INSTALLER, body="<html></html>")
    emulated.token("admin")
    for event in ("ONAPPINSTALL", "ONAPPUNINSTALL", "ONAPPUPDATE", "ONAPPPAYMENT", "ONAPPTEST"):
        emulated.call("event.bind", user="admin", event=event, handler=INSTALLER)
    emulated.control("install")
    return emulated


def test_the_opening_form(emulated: EmulatedPortal) -> None:
    """facts/platform 2: four parameters in the query, the rest in the body, the frame's name for BX24.js."""
    emulated.install()
    portal = emulated.portal
    form = open_application(portal, portal.app, portal.user("analyst"), options={"URI": "/crm/"})
    parts = urlsplit(form.action)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{APP}/"
    assert parse_qs(parts.query) == {
        "DOMAIN": ["localhost:8001"],
        "PROTOCOL": ["0"],
        "LANG": ["en"],
        "APP_SID": [form.app_sid],
    }
    assert form.frame_name == f"localhost:8001|0|{form.app_sid}"
    fields = dict(form.fields)
    tokens = [fields.pop(name) for name in ("AUTH_ID", "REFRESH_ID")]
    assert emulated.http.post("/rest/profile", json={"auth": tokens[0]}).get_json()["result"]["ID"] == "2"
    assert json.loads(fields.pop("PLACEMENT_OPTIONS")) == {"URI": "/crm/"}
    assert fields == {
        "AUTH_EXPIRES": "3600",
        "SERVER_ENDPOINT": "http://localhost:8001/rest/",
        "APPLICATION_TOKEN": portal.app.application_token,
        "APPLICATION_SCOPE": "biconnector,placement,user_brief",
        "member_id": portal.member_id,
        "status": "F",
        "PLACEMENT": "DEFAULT",
    }


def test_app_sid_is_new_on_every_opening(emulated: EmulatedPortal) -> None:
    """facts/platform 0"""
    emulated.install()
    portal = emulated.portal
    sids = {open_application(portal, portal.app, portal.user("admin")).app_sid for _ in range(5)}
    assert len(sids) == 5
    assert all(len(sid) == 32 for sid in sids)


def test_the_installer_is_opened_until_it_has_finished(emulated: EmulatedPortal, network: object) -> None:
    """facts/platform 1.2"""
    emulated.control("token", user="admin")
    assert emulated.control("opening", user="admin")["action"].startswith(f"{INSTALLER}?DOMAIN=")
    emulated.control("finish-install")
    assert emulated.control("opening", user="admin")["action"].startswith(f"{APP}/?DOMAIN=")


def test_a_registered_application_is_not_installed_yet(emulated: EmulatedPortal) -> None:
    """facts/platform 1.2: the authorization server says installed, the portal does not, events stay away."""
    emulated.call("event.bind", event="ONAPPTEST", handler=INSTALLER)
    info = emulated.call("app.info")
    assert (info["install"]["installed"], info["INSTALLED"]) == (True, False)
    assert emulated.call("event.test", any="x") == 1
    assert list(emulated.portal.journal.deliveries) == []


def test_install_posts_like_a_browser_and_finishes(emulated: EmulatedPortal, network: responses.RequestsMock) -> None:
    """facts/platform 1.2, 1.3"""
    network.post(INSTALLER, body="<html></html>")
    answer = emulated.control("install")
    assert (answer["status"], answer["finished"]) == (200, True)
    post = network.calls[0].request
    assert post.headers["Sec-Fetch-Dest"] == "iframe"
    assert post.headers["Origin"] == "http://localhost:8001"
    assert parse_qs(str(post.body))["PLACEMENT"] == ["DEFAULT"]
    assert [event["event"] for event in events(network)] == ["ONAPPINSTALL", "ONAPPUSERREADY"]
    assert {delivery["failure"] for delivery in answer["deliveries"]} == {""}


def test_an_installer_that_fails_leaves_the_installation_unfinished(
    emulated: EmulatedPortal, network: responses.RequestsMock
) -> None:
    network.post(INSTALLER, status=500, body="broken")
    answer = emulated.control("install")
    assert (answer["status"], answer["finished"], answer["deliveries"]) == (500, False, [])
    assert emulated.call("app.info", user="admin")["INSTALLED"] is False


def test_the_administrator_who_installs_counts_not_the_first_token(
    emulated: EmulatedPortal, network: responses.RequestsMock
) -> None:
    network.post(INSTALLER, body="<html></html>")
    emulated.control("token", user="analyst")
    emulated.control("install", user="admin")
    assert events(network)[0]["auth"]["user_id"] == "1"


def test_only_administrators_install(emulated: EmulatedPortal) -> None:
    """facts/platform 1.1"""
    answer = emulated.http.post("/_emulator/install", json={"user": "analyst"})
    assert answer.status_code == 400
    assert "analyst" in answer.get_json()["error"]


def test_onappinstall_carries_tokens_that_work(installed: EmulatedPortal, network: responses.RequestsMock) -> None:
    """facts/platform 4: form encoded, without `event_handler_id`."""
    event = next(event for event in events(network) if event["event"] == "ONAPPINSTALL")
    assert set(event) == {"event", "data", "ts", "auth"}
    assert event["data"] == {"VERSION": "1", "ACTIVE": "Y", "INSTALLED": "Y", "LANGUAGE_ID": "en"}
    auth = event["auth"]
    assert auth["application_token"] == installed.portal.app.application_token
    assert auth["member_id"] == installed.portal.member_id
    assert auth["domain"] == "localhost:8001"
    profile = installed.http.post("/rest/profile", json={"auth": auth["access_token"]}).get_json()["result"]
    assert (profile["ID"], auth["user_id"]) == ("1", "1")


def test_onappuserready_brings_the_tokens_of_a_hidden_user(
    installed: EmulatedPortal, network: responses.RequestsMock
) -> None:
    """facts/platform 1.3, 4: the tokens to keep are in `data`, the installer's in `auth`."""
    event = next(event for event in events(network) if event["event"] == "ONAPPUSERREADY")
    assert (event["data"]["user_id"], event["auth"]["user_id"]) == ("512", "1")
    assert event["data"]["domain"] == "localhost:8001"
    token = event["data"]["access_token"]
    assert installed.http.post("/rest/biconnector.connector.list", json={"auth": token}).get_json()["result"] == []
    assert 512 not in [user.id for user in installed.portal.users]


def test_finishing_twice_does_nothing(installed: EmulatedPortal, network: responses.RequestsMock) -> None:
    """facts/platform 1.2"""
    sent = len(network.calls)
    assert installed.control("finish-install")["finished"] is False
    assert len(network.calls) == sent


@pytest.mark.parametrize(("clean", "flag"), [(True, "1"), (False, "0")])
def test_onappuninstall_carries_no_tokens(
    installed: EmulatedPortal, network: responses.RequestsMock, clean: bool, flag: str
) -> None:
    """facts/platform 4, 8: access is gone before the event leaves."""
    token = installed.token("admin")
    assert installed.control("uninstall", clean=clean)["uninstalled"] is True
    event = events(network)[-1]
    assert (event["event"], event["data"]) == ("ONAPPUNINSTALL", {"LANGUAGE_ID": "en", "CLEAN": flag})
    assert set(event["auth"]) == {"domain", "server_endpoint", "client_endpoint", "member_id", "application_token"}
    assert installed.http.post("/rest/profile", json={"auth": token}).status_code == 401
    assert installed.portal.state.event_handlers == []
    assert installed.control("uninstall")["uninstalled"] is False


def test_objects_survive_and_a_reinstallation_gets_a_new_application_token(installed: EmulatedPortal) -> None:
    """facts/platform 8"""
    installed.add_connector()
    before = installed.portal.app.application_token
    installed.control("uninstall", clean=True)
    installed.control("install")
    assert installed.portal.app.application_token not in ("", before)
    assert len(installed.call("biconnector.connector.list")) == 1


def test_an_update_renews_the_application_token_and_drops_handlers(
    installed: EmulatedPortal, network: responses.RequestsMock
) -> None:
    """facts/platform 1.4, 4"""
    before = installed.portal.app.application_token
    assert installed.control("update")["version"] == 2
    event = events(network)[-1]
    assert event["data"] == {"VERSION": "2", "PREVIOUS_VERSION": "1", "LANGUAGE_ID": "en"}
    assert event["auth"]["application_token"] not in ("", before)
    assert installed.call("event.get", user="admin") == []
    assert installed.call("app.info")["VERSION"] == 2


def test_onapppayment_has_no_application_token(installed: EmulatedPortal, network: responses.RequestsMock) -> None:
    """facts/platform 4"""
    installed.control("payment", required=True, status="P")
    event = events(network)[-1]
    assert (event["event"], event["data"]["PAYMENT_EXPIRED"], event["data"]["STATUS"]) == ("ONAPPPAYMENT", "Y", "P")
    assert "application_token" not in event["auth"]


def test_event_test_echoes_its_parameters(installed: EmulatedPortal, network: responses.RequestsMock) -> None:
    """facts/platform 4"""
    installed.call("event.test", greeting="hello", nested={"a": ["b"]})
    installed.emulator.deliveries.wait()
    event = events(network)[-1]
    assert event["event_handler_id"]
    assert event["data"] == {"QUERY": {"greeting": "hello", "nested": {"a": ["b"]}}}


def test_a_lost_event_is_not_sent_again(installed: EmulatedPortal, network: responses.RequestsMock) -> None:
    """facts/platform 4: no retries"""
    network.replace("POST", INSTALLER, body=requests.ConnectionError("gone"))
    sent = len(network.calls)
    installed.call("event.test")
    installed.emulator.deliveries.wait()
    assert len(network.calls) == sent + 1
    assert installed.portal.journal.deliveries[-1].failure == "Unreachable"


def test_events_can_be_sent_again_and_forged(installed: EmulatedPortal, network: responses.RequestsMock) -> None:
    genuine = installed.portal.app.application_token
    installed.control("uninstall")
    installed.control("deliver", event="onappuninstall", data={"CLEAN": "1"}, times=3)
    assert [event["auth"]["application_token"] for event in events(network)[-3:]] == [genuine] * 3
    installed.control("deliver", event="ONAPPUNINSTALL", data={"CLEAN": "1"}, forged=True)
    forged = events(network)[-1]["auth"]
    assert forged["application_token"] != genuine
    assert forged["member_id"] == installed.portal.member_id
    installed.control("deliver", event="ONAPPINSTALL", member_id="other", application_token="mine")
    assert (events(network)[-1]["auth"]["member_id"], events(network)[-1]["auth"]["application_token"]) == (
        "other",
        "mine",
    )


def test_the_language_of_the_portal_is_in_forms_and_events(
    installed: EmulatedPortal, network: responses.RequestsMock
) -> None:
    """facts/platform 7"""
    installed.control("language", language="de")
    assert "LANG=de" in installed.control("opening", user="admin")["action"]
    installed.control("uninstall")
    assert events(network)[-1]["data"]["LANGUAGE_ID"] == "de"

"""Methods of the basic scope, events and placements (facts/platform 3.5, 4, 2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.portals import EmulatedPortal

HANDLER = "http://app.test/install/"


def test_profile_and_user_admin_tell_administrators(emulated: EmulatedPortal) -> None:
    """facts/platform 3.5"""
    assert emulated.call("profile", user="admin")["ADMIN"] is True
    assert emulated.call("user.admin", user="admin") is True
    assert emulated.call("user.admin", user="viewer") is False
    assert emulated.call("user.current", user="viewer")["LAST_NAME"] == "Vogt"


def test_app_info_is_the_union_of_both_documented_answers(emulated: EmulatedPortal, network: object) -> None:
    """facts/platform 3.5"""
    token = emulated.token()
    info = emulated.http.get("/rest/app.info/", query_string={"auth": token}).get_json()["result"]
    assert info["client_id"] == emulated.config.client_id
    assert info["user_id"] == 2
    assert info["expires"] == "2026-11-24T13:00:00+00:00"
    assert info["install"] == {
        "installed": True,
        "version": 1,
        "status": "F",
        "scope": "biconnector,placement,user_brief",
        "domain": "localhost:8001",
        "uri": "http://localhost:8001",
        "client_endpoint": "http://localhost:8001/rest/",
        "member_id": emulated.portal.member_id,
        "member_type": "cloud",
    }
    assert (info["INSTALLED"], info["CODE"], info["LANGUAGE_ID"]) == (False, "bi-connectors.demo", "en")
    emulated.control("finish-install")
    assert emulated.call("app.info")["INSTALLED"] is True


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [("f" * 70, 400, "invalid_client"), ("nonsense", 401, "NO_AUTH_FOUND"), ("", 401, "NO_AUTH_FOUND")],
)
def test_app_info_of_a_bogus_token(emulated: EmulatedPortal, token: str, status: int, code: str) -> None:
    """facts/platform 3.4"""
    answer = emulated.http.get("/rest/app.info", query_string={"auth": token})
    assert (answer.status_code, answer.get_json()["error"]) == (status, code)


def test_app_info_after_uninstall(emulated: EmulatedPortal) -> None:
    """facts/platform 3.4"""
    token = emulated.token()
    emulated.control("uninstall")
    answer = emulated.http.get("/rest/app.info", query_string={"auth": token})
    assert (answer.status_code, answer.get_json()["error"]) == (401, "NOT_INSTALLED")


def test_method_get_tells_the_generation(emulated: EmulatedPortal, older: EmulatedPortal) -> None:
    yes, no = {"isExisting": True, "isAvailable": True}, {"isExisting": False, "isAvailable": False}
    assert emulated.call("method.get", name="biconnector.table.delete") == yes
    assert older.call("method.get", name="biconnector.table.delete") == no
    emulated.portal.app.scope = ["placement"]
    emulated.control("expire-tokens")
    assert emulated.call("method.get", name="biconnector.table.delete") == {"isExisting": True, "isAvailable": False}
    assert emulated.fault("method.get") == (400, "ERROR_ARGUMENT")


def test_scope(emulated: EmulatedPortal) -> None:
    assert emulated.call("scope") == ["biconnector", "placement", "user_brief"]
    assert "user_basic" in emulated.call("scope", full=True)


def test_event_bind_get_unbind(emulated: EmulatedPortal) -> None:
    """facts/platform 4"""
    assert emulated.call("event.bind", EVENT="OnAppUninstall", HANDLER=HANDLER) is True
    assert emulated.call("event.get") == [
        {"event": "ONAPPUNINSTALL", "handler": HANDLER, "auth_type": "0", "offline": 0}
    ]
    assert emulated.fault("event.bind", event="onappuninstall", handler=HANDLER) == (400, "ERROR_CORE")
    assert emulated.call("event.unbind", event="ONAPPUNINSTALL", handler="http://other.test/") == {"count": 0}
    assert emulated.call("event.unbind", event="ONAPPUNINSTALL", handler=HANDLER) == {"count": 1}
    assert emulated.call("event.get") == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"handler": HANDLER}, "ERROR_ARGUMENT"),
        ({"event": "ONAPPINSTALL"}, "ERROR_ARGUMENT"),
        ({"event": "ONNOTHING", "handler": HANDLER}, "ERROR_EVENT_NOT_FOUND"),
        ({"event": "ONAPPINSTALL", "handler": "ftp://app.test/"}, "ERROR_UNSUPPORTED_PROTOCOL"),
        ({"event": "ONAPPINSTALL", "handler": "/install/"}, "ERROR_UNSUPPORTED_PROTOCOL"),
    ],
)
def test_event_bind_refuses(emulated: EmulatedPortal, params: dict[str, Any], code: str) -> None:
    assert emulated.fault("event.bind", **params) == (400, code)


def test_events_for_others_need_an_administrator(emulated: EmulatedPortal) -> None:
    """facts/platform 4"""
    order: dict[str, Any] = {"event": "ONUSERADD", "handler": HANDLER, "auth_type": 1}
    assert emulated.fault("event.bind", **order) == (403, "ACCESS_DENIED")
    assert emulated.call("event.bind", user="admin", **order) is True
    assert emulated.call("event.get") == []
    assert len(emulated.call("event.get", user="admin")) == 1


@pytest.mark.parametrize("method", ["event.bind", "event.get", "placement.bind", "placement.get"])
def test_webhooks_have_no_application(emulated: EmulatedPortal, method: str) -> None:
    answer = emulated.http.post(f"/rest/1/code/{method}", json={"event": "ONAPPTEST", "placement": "LEFT_MENU"})
    assert (answer.status_code, answer.get_json()["error"]) == (403, "WRONG_AUTH_TYPE")


def test_placements(emulated: EmulatedPortal) -> None:
    """facts/platform 2"""
    assert "LEFT_MENU" in emulated.call("placement.list")
    order = {"PLACEMENT": "LEFT_MENU", "HANDLER": HANDLER, "TITLE": "Sources"}
    assert emulated.fault("placement.bind", **order) == (403, "ACCESS_DENIED")
    assert emulated.call("placement.bind", user="admin", **order) is True
    assert emulated.fault("placement.bind", user="admin", **order) == (400, "ERROR_CORE")
    bound = emulated.call("placement.get")
    assert (bound[0]["placement"], bound[0]["title"], bound[0]["options"]) == ("LEFT_MENU", "Sources", [])
    assert emulated.call("placement.unbind", user="admin", placement="LEFT_MENU") == {"count": 1}


def test_some_placements_take_one_handler_only(emulated: EmulatedPortal) -> None:
    """facts/platform 2 "REST_APP_URI": one handler."""
    emulated.call("placement.bind", user="admin", placement="REST_APP_URI", handler=HANDLER)
    order = {"placement": "REST_APP_URI", "handler": "http://app.test/other"}
    assert emulated.fault("placement.bind", user="admin", **order) == (400, "ERROR_PLACEMENT_MAX_COUNT")
    assert emulated.fault("placement.bind", user="admin", placement="NOWHERE") == (400, "ERROR_PLACEMENT_NOT_FOUND")
    assert emulated.fault("placement.bind", user="admin", placement="LEFT_MENU") == (400, "ERROR_ARGUMENT")

"""The controls: each does what README.md says, and refuses in a sentence what it cannot do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from emulator.controls import CONTROLS
from tests.emulator.portals import NOON, EmulatedPortal

README = Path(__file__).resolve().parents[2] / "emulator" / "README.md"


def test_every_control_is_documented_with_an_example() -> None:
    text = README.read_text(encoding="utf-8")
    examples = set(re.findall(r"^POST /_emulator/([a-z-]+)", text, re.MULTILINE))
    assert examples == set(CONTROLS)
    assert {"state", "whole"} == set(re.findall(r"`GET /_emulator/([a-z-]+)`", text))


def test_every_documented_example_is_accepted(emulated: EmulatedPortal) -> None:
    text = README.read_text(encoding="utf-8")
    examples = re.findall(r"^POST /_emulator/([a-z-]+)(?: (\{.*\}))?$", text, re.MULTILINE)
    assert len(examples) >= len(CONTROLS)
    for name, body in examples:
        CONTROLS[name].order.model_validate_json(body or "{}")
    assert emulated.http.get("/_emulator/state").status_code == 200


REFUSED: list[tuple[str, Any, str]] = [
    ("token", {"user": "nobody"}, "nobody"),
    ("token", {"usr": 1}, "usr"),
    ("token", [], "object"),
    ("generation", {"generation": "oldest"}, "generation"),
    ("generation", {}, "generation"),
    ("language", {"language": "xx"}, "known are en, ru"),
    ("user", {"user": 99}, "99"),
    ("rename", {"origin": "portal.example"}, "origin"),
    ("rename", {"origin": "http://portal.example/path"}, "origin"),
    ("rename", {"origin": "http://user:word@portal.example"}, "origin"),
    ("rename", {"origin": "http://:8001"}, "origin"),
    ("fail", {"times": 0}, "times"),
    ("fail", {"shape": "loud"}, "shape"),
    ("rate-limit", {"capacity": 0}, "capacity"),
    ("opening", {}, "not installed"),
    ("update", {}, "not installed"),
    ("rights", {"user": "admin", "admin": "perhaps"}, "admin"),
    ("access", {"users": ["nobody"]}, "nobody"),
    ("demo", {}, "SOURCE_CREATE_CONNECTION_ERROR"),
]


@pytest.mark.parametrize(("name", "order", "word"), REFUSED)
def test_refusals_are_sentences(emulated: EmulatedPortal, network: object, name: str, order: Any, word: str) -> None:
    answer = emulated.http.post(f"/_emulator/{name}", json=order)
    assert answer.status_code == 400
    sentence = answer.get_json()["error"]
    assert word in sentence
    assert sentence.endswith((".", ")"))


def test_broken_json_and_unknown_controls(emulated: EmulatedPortal) -> None:
    assert emulated.http.post("/_emulator/token", data="{").status_code == 400
    answer = emulated.http.post("/_emulator/explode")
    assert answer.status_code == 404
    assert "expire-tokens" in answer.get_json()["error"]


def test_an_empty_body_is_an_empty_order(emulated: EmulatedPortal) -> None:
    assert emulated.http.post("/_emulator/token").get_json()["user_id"] == 2


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_other_sites_do_not_work_the_controls(emulated: EmulatedPortal, site: str) -> None:
    headers = {"Sec-Fetch-Site": site}
    assert emulated.http.post("/_emulator/reset", headers=headers).status_code == 403
    assert emulated.http.get("/_emulator/state", headers=headers).status_code == 403


def test_the_token_control_answers_what_clients_need(emulated: EmulatedPortal) -> None:
    pair = emulated.control("token", user=1)
    assert {key: pair[key] for key in ("expires_in", "member_id", "domain", "client_endpoint", "client_id")} == {
        "expires_in": 3600,
        "member_id": emulated.portal.member_id,
        "domain": "localhost:8001",
        "client_endpoint": "http://localhost:8001/rest/",
        "client_id": "app.demo0000000000.00000001",
    }
    assert emulated.portal.app.registered


def test_the_state_counts_everything(emulated: EmulatedPortal) -> None:
    dataset = emulated.add_dataset(emulated.add_source(emulated.add_connector()))
    emulated.call("event.bind", event="ONAPPTEST", handler="http://app.test/")
    state = emulated.http.get("/_emulator/state").get_json()
    counted = {"connectors": 1, "sources": 1, "datasets": 1, "columns": 2, "event_handlers": 1, "calls": 3}
    assert counted.items() <= state["counts"].items()
    assert state["datasets"][0]["columns"] == {column.name: column.id for column in dataset.columns}
    assert [user["login"] for user in state["users"]] == ["admin", "analyst", "viewer", "half", "gone"]
    assert "client_secret" not in state["application"]


def test_reset_forgets_everything_but_the_identity(emulated: EmulatedPortal) -> None:
    member_id = emulated.portal.member_id
    emulated.add_connector()
    emulated.control("generation", generation="older")
    emulated.control("rename", origin="http://other.test")
    emulated.control("fail", times=9)
    emulated.control("reset")
    state = emulated.http.get("/_emulator/state").get_json()
    assert set(state["counts"].values()) == {0}
    assert (state["portal"]["generation"], state["faults"]) == ("newer", [])
    assert (state["portal"]["origin"], state["portal"]["member_id"]) == ("http://localhost:8001", member_id)
    assert emulated.call("biconnector.connector.add", fields=_connector())["id"] == 1


def test_the_whole_portal_can_be_told_changed_and_put_back(emulated: EmulatedPortal) -> None:
    emulated.add_source(emulated.add_connector())
    emulated.control("register")
    whole = emulated.http.get("/_emulator/whole").get_json()
    application = whole["applications"][emulated.config.client_id]
    assert application["client_secret"] == emulated.config.client_secret
    assert application["application_token"] == emulated.portal.app.application_token != ""
    whole["connectors"]["1"]["title"] = "Changed"
    del whole["sources"]["1"]
    emulated.control("restore", state=whole)
    assert emulated.call("biconnector.connector.get", id=1)["item"]["title"] == "Changed"
    assert emulated.http.get("/_emulator/whole").get_json() == whole
    assert emulated.http.get("/_emulator/whole", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_a_state_that_no_portal_has_is_refused_and_changes_nothing(emulated: EmulatedPortal) -> None:
    before = emulated.http.get("/_emulator/whole").get_json()
    changes: list[dict[str, Any]] = [{}, before | {"connectors": {"1": {}}}, before | {"users": {"one": {}}}]
    for wrong in changes:
        answer = emulated.http.post("/_emulator/restore", json={"state": wrong})
        assert (answer.status_code, "state" in answer.get_json()["error"]) == (400, True)
    assert emulated.http.get("/_emulator/whole").get_json() == before


def test_the_clock_stands_until_it_is_told_to_go_on_or_the_portal_is_fresh(emulated: EmulatedPortal) -> None:
    for order in ({"name": "clock", "at": None}, {"name": "reset"}):
        emulated.control("clock", at=NOON - 3600)
        assert emulated.portal.timestamp() == "2026-11-24 11:00:00"
        emulated.control(**order)
        assert emulated.portal.timestamp() == "2026-11-24 12:00:00"


def test_registering_opens_no_installer(emulated: EmulatedPortal) -> None:
    emulated.control("register", user="admin")
    assert (emulated.portal.app.registered, emulated.portal.app.finished) == (True, False)


def test_an_ordered_failure_can_be_taken_back(emulated: EmulatedPortal) -> None:
    emulated.control("fail", times=9)
    emulated.control("fail", target="profile", shape="drop")
    assert emulated.control("mend") == {"taken_back": 2}
    assert emulated.http.get("/_emulator/state").get_json()["faults"] == []
    assert emulated.call("profile")["ID"] == "2"
    assert emulated.control("mend") == {"taken_back": 0}


def test_two_portals_have_two_identities_and_one_keeps_its_own(emulated: EmulatedPortal) -> None:
    from dataclasses import replace

    other = EmulatedPortal(config=replace(emulated.config, public_url="http://localhost:8002"))
    assert other.portal.member_id != emulated.portal.member_id
    assert EmulatedPortal().portal.member_id == emulated.portal.member_id


def test_the_browser_user_is_switched(emulated: EmulatedPortal) -> None:
    assert emulated.portal.browser_user.login == "admin"
    assert emulated.control("user", user="viewer") == {"user": "viewer"}
    assert emulated.portal.browser_user.name == "Lena Vogt"


def test_rights_change_one_by_one(emulated: EmulatedPortal) -> None:
    emulated.control("rights", user="half", analytics_hub=True)
    assert emulated.call("biconnector.connector.list", user="half") == []
    emulated.control("rights", user="half", bi_builder=False)
    assert emulated.error("biconnector.connector.list", user="half")[0] == "ACCESS_DENIED"


def _connector() -> dict[str, Any]:
    from tests.emulator.portals import CONNECTOR

    return dict(CONNECTOR)

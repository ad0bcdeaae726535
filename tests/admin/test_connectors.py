"""Pages of connectors, driven as by a browser without script against an emulated portal."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pytest

from tests.admin.conftest import Control, Enter
from tests.pages import PageClient
from web.forms import MOST_ROWS

FILL_IN = "Fill in this field."


def test_a_connector_is_made_changed_and_deleted(client: PageClient, connector: dict[str, str]) -> None:
    page = client.follow(client.get("/connectors/"), "Add a connector")
    page = client.submit(page, "Add a parameter")
    page = client.submit(page, "Create", connector)
    assert (page.heading, page.alerts, page.place) == ("Online shop", ["The connector was created."], "/connectors/1")
    assert ["Login", "login", "Text"] in page.rows()

    page = client.follow(page, "Edit")
    page = client.submit(page, "Save", {"title": "Shop", "sort": "20", "supportMapping": ["0", "1"]})
    assert (page.heading, page.place) == ("Shop", "/connectors/1")
    assert client.get("/connectors/1/edit").value("sort") == "20"
    assert "checked" in client.get("/connectors/1/edit").control("supportMapping")

    page = client.follow(page, "Delete")
    assert "Delete the connector “Shop”?" in page.text
    page = client.submit(page, "Delete")
    assert (page.heading, page.alerts, page.place) == ("Connectors", ["The connector was deleted."], "/connectors/")
    assert client.get("/connectors/1").status == 404


def test_a_missing_logo_is_told_with_both_ways_to_give_one(client: PageClient, connector: dict[str, str]) -> None:
    page = client.post("/connectors/new", {**connector, "logo": ""})
    assert page.sentences() == {"logo": "Choose a file or enter an address."}


def test_every_wrong_field_gets_its_sentence_and_keeps_what_was_typed(
    client: PageClient, connector: dict[str, str]
) -> None:
    wrong = {
        **connector,
        "title": " ",
        "description": "kept",
        "sort": "soon",
        "urlCheck": "ftp://example.com/check",
        "urlData": "https://example.com/" + "x" * 2048,
        "settings-1-code": "login",
        "settings-1-name": "",
    }
    page = client.post("/connectors/new", wrong)
    assert page.status == 422
    assert page.sentences() == {
        "title": FILL_IN,
        "sort": "Enter a whole number, for example 100.",
        "urlCheck": "Enter a full address that starts with https:// or http://.",
        "urlData": "This is too long. Shorten it to at most 2048 characters.",
        "settings-1-code": "Another parameter has this code already. Give each its own.",
        "settings-1-name": "A parameter needs a code, a name and a type. Fill in all three.",
    }
    for name, value in wrong.items():
        if name != "title" and not name.endswith("-type"):
            assert page.value(name) == value
    assert client.get("/connectors/").heading == "Connectors"
    assert "No connectors yet" in client.get("/connectors/").text


def test_a_connector_without_parameters_is_told_to_have_one(client: PageClient, connector: dict[str, str]) -> None:
    page = client.post("/connectors/new", {k: v for k, v in connector.items() if not k.startswith("settings")})
    assert page.alerts == ["A connector needs at least one parameter, for example a login. Add one."]
    assert page.has_control("settings-0-code")


def test_rows_are_added_and_removed_without_script(client: PageClient, connector: dict[str, str]) -> None:
    page = client.get("/connectors/new")
    page = client.submit(page, "Add a parameter", {"title": "Kept", "settings-0-code": "login"})
    assert (page.status, page.place) == (200, "false")
    assert page.has_control("settings-1-code")
    page = client.post(
        "/connectors/new", {"_remove_settings-0": "1", "title": "Kept", "settings-0-code": "a", "settings-1-code": "b"}
    )
    assert (page.value("title"), page.value("settings-0-code")) == ("Kept", "b")
    assert not page.has_control("settings-1-code")


def test_rows_left_out_by_a_script_do_not_shift_the_sentences(client: PageClient, connector: dict[str, str]) -> None:
    sparse = {**connector, "settings-7-code": "login", "settings-7-name": "Again", "settings-7-type": "STRING"}
    page = client.post("/connectors/new", sparse)
    assert list(page.sentences()) == ["settings-2-code"]
    assert page.value("settings-2-name") == "Again"


def test_as_many_parameters_as_the_form_offers_rows_for_are_taken_with_a_logo_file(
    client: PageClient, connector: dict[str, str]
) -> None:
    """Each row is three parts of a form with a file, and libraries limit parts on their own."""
    rows = {
        f"settings-{number}-{name}": value
        for number in range(MOST_ROWS)
        for name, value in (("code", f"code_{number}"), ("name", f"Parameter {number}"), ("type", "STRING"))
    }
    logo = io.BytesIO(b"\x89PNG\r\n\x1a\n")
    page = client.post("/connectors/new", {**connector, **rows, "logoFile": (logo, "logo.png")})
    assert (page.status, page.heading) == (200, "Online shop")
    assert ["Parameter 499", "code_499", "Text"] in page.rows()


@pytest.mark.parametrize(("generation", "offered"), [("newer", True), ("older", False)])
def test_only_what_the_portal_knows_is_offered(
    enter: Enter, control: Control, connector: dict[str, str], generation: str, offered: bool
) -> None:
    control("generation", generation=generation)
    client = enter()[0]
    page = client.get("/connectors/new")
    assert page.has_control("supportMapping") is offered
    assert page.has_control("sourceCode") is offered
    assert ("INT" in page.text) is offered
    assert client.post("/connectors/new", connector).heading == "Online shop"


def test_what_an_older_portal_does_not_know_is_not_sent(
    enter: Enter, control: Control, connector: dict[str, str]
) -> None:
    control("generation", generation="older")
    client = enter()[0]
    page = client.post("/connectors/new", {**connector, "supportMapping": "1", "sourceCode": "mysql"})
    assert page.heading == "Online shop"


def test_a_connector_with_sources_tells_what_hangs_below_and_stays(client: PageClient, demo: Mapping[str, Any]) -> None:
    page = client.get("/connectors/1/delete")
    assert page.alerts == ["The connector cannot be deleted: it has 1 source. Delete the source first."]
    assert page.links()["Coffee shop, live"] == "/sources/1"
    assert not page.all(".danger")
    page = client.post("/connectors/1/delete")
    assert page.status == 422
    assert "The connector still has sources, perhaps made in the portal itself. Delete them first." in page.alerts[0]
    assert client.get("/connectors/1").status == 200


def test_asking_to_delete_changes_nothing(client: PageClient, connector: dict[str, str]) -> None:
    client.post("/connectors/new", connector)
    client.get("/connectors/1/delete")
    client.post("/connectors/1/delete", {"_view": "1"})
    assert client.get("/connectors/1").status == 200


def test_the_same_form_sent_twice_acts_once(client: PageClient, connector: dict[str, str]) -> None:
    once = {**connector, "_n": "one-and-the-same"}
    assert client.post("/connectors/new", once).place == "/connectors/1"
    assert client.post("/connectors/new", once).place == "/connectors/1"
    assert len(client.get("/connectors/").rows()) == 1


def test_a_form_that_was_refused_can_be_sent_again(client: PageClient, connector: dict[str, str]) -> None:
    once = {**connector, "_n": "one-and-the-same"}
    assert client.post("/connectors/new", {**once, "title": ""}).status == 422
    assert client.post("/connectors/new", once).place == "/connectors/1"


def test_the_used_nonce_of_one_form_does_not_stand_for_another_form(
    client: PageClient, connector: dict[str, str]
) -> None:
    for number in (1, 2):
        assert client.post("/connectors/new", connector, _n=f"nonce {number}").place == f"/connectors/{number}"
    assert client.post("/connectors/1/delete", _n="nonce 1").alerts == ["The connector was deleted."]
    assert client.post("/connectors/2/delete", _n="nonce 1").alerts == ["The connector was deleted."]
    assert [client.get(f"/connectors/{number}").status for number in (1, 2)] == [404, 404]
    assert client.post("/connectors/2/delete", _n="nonce 1").place == "/connectors/"

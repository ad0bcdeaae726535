"""Forms: what was typed is kept whatever is wrong with it, and no page holds a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from flask import Flask, g

from services.sessions.user_sessions import ActiveSession
from tests.doors import Stage
from web import typed_secrets
from web.forms import MOST_ROWS, FormField, PageForm

CANARY = "canary-0f3d"
ROW = (FormField("code"), FormField("name"), FormField("type", default="STRING"))
LIST = FormField("settings", "rows", columns=ROW)


@contextmanager
def sent(fields: Mapping[str, str | list[str]], app: Flask | None = None) -> Iterator[None]:
    """A request that sends a form."""
    with (app or Flask(__name__)).test_request_context("/", method="POST", data=fields):
        yield


def test_without_a_sent_form_it_holds_what_is_stored_else_its_default() -> None:
    with Flask(__name__).test_request_context("/"):
        form = PageForm([FormField("title"), FormField("sort", default="100")], {"title": "Shop"})
    assert form.data == {"title": "Shop", "sort": "100"}


def test_a_followed_link_sends_no_form() -> None:
    with sent({"_view": "1", "title": "typed"}):
        assert PageForm([FormField("title")], {"title": "Shop"})["title"] == "Shop"


def test_the_page_after_a_form_that_acted_reads_nothing_of_it() -> None:
    with sent({"title": "typed"}):
        g.next_path = "/sources/1"
        assert PageForm([FormField("title")], {"title": "Shop"})["title"] == "Shop"


def test_text_is_stripped_unless_it_counts_exactly() -> None:
    with sent({"title": " Shop ", "password": " a "}):
        form = PageForm([FormField("title"), FormField("password", "exact")])
    assert form.data == {"title": "Shop", "password": " a "}


def test_a_setting_that_the_form_did_not_show_keeps_what_is_stored() -> None:
    with sent({"title": "Shop"}):
        form = PageForm(
            [FormField("title"), FormField("path", "exact"), FormField("active", "tick", True)], {"path": "/f"}
        )
    assert form.data == {"title": "Shop", "path": "/f", "active": True}


def test_a_text_that_was_not_sent_is_missing_whatever_is_stored() -> None:
    with sent({"description": "typed"}):
        assert PageForm([FormField("title"), FormField("description")], {"title": "Shop"})["title"] == ""


@pytest.mark.parametrize(("values", "ticked"), [(["0"], False), (["0", "1"], True), (["", "0"], False)])
def test_the_last_value_of_a_tick_counts(values: list[str], ticked: bool) -> None:
    with sent({"active": values}):
        assert PageForm([FormField("active", "tick", True)])["active"] is ticked


def test_a_blank_choice_is_its_default() -> None:
    with sent({"tls": ""}):
        assert PageForm([FormField("tls", "choice", "verify-full")], {"tls": "disable"})["tls"] == "verify-full"


def test_numbers_that_are_none_are_left_out() -> None:
    with sent({"delete": ["3", "x", "0", "3", "²"]}):
        assert PageForm([FormField("delete", "ids")])["delete"] == {3}


def test_rows_are_read_in_their_order_whatever_their_numbers() -> None:
    with sent({"settings-7-code": "b", "settings-2-code": " a ", "settings-2-type": "INT", "settings-²-code": "c"}):
        form = PageForm([LIST])
    assert form["settings"] == [
        {"code": "a", "name": "", "type": "INT"},
        {"code": "b", "name": "", "type": "STRING"},
    ]


def test_names_of_rows_are_counted_as_the_page_numbers_them() -> None:
    with sent({"settings-7-code": "b"}):
        assert PageForm([LIST]).names == {"settings", "settings-0-code", "settings-0-name", "settings-0-type"}


def test_a_list_that_was_sent_without_rows_is_empty_whatever_is_stored() -> None:
    with sent({"title": "Shop"}):
        assert PageForm([LIST], {"settings": [{"code": "a", "name": "A", "type": "STRING"}]})["settings"] == []


def test_no_more_rows_are_read_than_a_list_holds() -> None:
    with sent({f"settings-{number}-code": "a" for number in range(MOST_ROWS + 1)}):
        form = PageForm([LIST])
        form.add_row("settings")
    assert len(form["settings"]) == MOST_ROWS


def test_a_row_of_which_only_the_type_is_chosen_is_blank() -> None:
    with sent({"settings-0-type": "INT", "settings-1-code": "a"}):
        form = PageForm([LIST])
    form.drop_blank_rows()
    assert [row["code"] for row in form["settings"]] == ["a"]


@pytest.mark.parametrize(
    ("button", "codes"),
    [
        ("_add_settings", ["a", "b", ""]),
        ("_remove_settings-7", ["a"]),
        ("_remove_settings-1", ["a", "b"]),
        ("_remove_settings-x", ["a", "b"]),
        ("_add_title", ["a", "b"]),
        ("_remove_title-1", ["a", "b"]),
    ],
)
def test_buttons_change_the_rows_by_the_numbers_that_were_sent(button: str, codes: list[str]) -> None:
    with sent({"settings-2-code": "a", "settings-7-code": "b", button: "1"}):
        form = PageForm([FormField("title"), LIST])
        assert form.rows_changed()
    assert [row["code"] for row in form["settings"]] == codes


def test_rows_of_a_list_without_a_name_are_numbered_at_the_end() -> None:
    with sent({"table-3": "orders", "on-3": "1", "table-4": "people", "name-4": " people_2 "}):
        form = PageForm(
            [FormField("", "rows", columns=(FormField("table"), FormField("name"), FormField("on", "tick", False)))]
        )
    assert form[""] == [
        {"table": "orders", "name": "", "on": True},
        {"table": "people", "name": "people_2", "on": False},
    ]


# --- secrets


@pytest.fixture
def app(installed: Stage) -> Flask:
    """The application, whose vault seals."""
    found: Flask = installed.app
    return found


def in_session(number: int) -> None:
    """Let the request belong to a session."""
    g.current_session = ActiveSession(number, 1, "member", "x.test", "https://x.test", 1, False, "en")


PASSWORD = [FormField("settings-password", "secret")]


def test_a_typed_secret_travels_sealed_and_is_opened_by_its_own_session_only(app: Flask) -> None:
    with sent({"settings-password": CANARY}, app):
        in_session(1)
        sealed = PageForm(PASSWORD).sealed("settings-password")
    assert sealed
    assert CANARY not in sealed
    again = {typed_secrets.hidden_name("settings-password"): sealed, "settings-password": ""}
    with sent(again, app):
        in_session(1)
        assert PageForm(PASSWORD)["settings-password"] == CANARY
        in_session(2)
        assert PageForm(PASSWORD)["settings-password"] == ""


def test_what_is_typed_now_counts_more_than_what_was_sealed_before(app: Flask) -> None:
    with sent({"settings-password": CANARY}, app):
        in_session(1)
        sealed = PageForm(PASSWORD).sealed("settings-password")
        before = {typed_secrets.hidden_name("settings-password"): sealed}
    with sent({**before, "settings-password": "newer"}, app):
        in_session(1)
        assert PageForm(PASSWORD)["settings-password"] == "newer"


def test_a_stored_secret_is_never_in_the_form(app: Flask) -> None:
    with app.test_request_context("/"):
        in_session(1)
        form = PageForm(PASSWORD, {"settings-password": CANARY})
        assert (form["settings-password"], form.sealed("settings-password")) == ("", "")
        assert form.is_stored("settings-password")

"""A driver costs its folder and one line of the catalogue: what a stranger adds works on every page and endpoint."""

from __future__ import annotations

import importlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.base import Driver
from drivers.catalogue import DRIVERS
from tests.admin.shops import PASSWORD, watched
from tests.pages import PageClient
from tests.services.hosted import HostedStage, hosted_stage

LEDGER = '''
"""Ledgers of a made-up server."""

from drivers.base import DATABASE, HOST, N_, PASSWORD, TIMEZONE, USERNAME, Driver, Field, Server, Session, Table
from drivers.base import port_field
from drivers.columns import Column, Form
from drivers.errors import LoginFailed, QueryRefused
from drivers.query import TableName
from drivers.rows import json_rows
from egress.sockets import open_socket

COLUMNS = [Column("id", Form.INTEGER, "number"), Column("note", Form.TEXT, "words")]
ROWS = [(b"1", "Москва".encode()), (b"2", None)]


class Ledger(Driver):
    """Ledgers."""

    name = "ledger"
    label = "Ledger <of> Tests"
    group = "web"
    mark = "Lg"
    note = "Books that nobody keeps"
    schemes = ("ledger",)
    read_only_user = "LET bi_reader READ {database};"
    fields = (
        HOST,
        port_field(7007),
        DATABASE,
        USERNAME,
        PASSWORD,
        Field("token", N_("Access token"), kind="secret", required=True, hint="From the ledger's own settings."),
        Field("years", N_("Years"), kind="choice", default="all", choices={"all": "Every year", "last": "Last one"}),
        TIMEZONE,
    )

    def open(self, values, guards):
        settings = self.settings(values)
        target = guards.policy.resolve(settings["host"], settings["port"])
        open_socket(target).close()
        if settings["username"] != "ann":
            raise LoginFailed("password")
        return LedgerSession(guards.limits)


class LedgerSession(Session):
    """An open ledger."""

    def check(self):
        self.deadline.check()
        return Server("Ledger", "7", encrypted=False)

    def _tables(self):
        return [Table(TableName("books", "entries"), "table", plain=False, comment="All entries")]

    def _describe(self, table):
        return COLUMNS if table == TableName("books", "entries") else []

    def _chunks(self, query, description):
        if query.where is not None:
            raise QueryRefused("value_type")
        places = [("id", "note").index(name) for name in query.columns]
        rows = ([row[place] for place in places] for row in ROWS[: query.limit])
        return json_rows(rows, [COLUMNS[place] for place in places])

    def _interrupt(self):
        pass

    def _close(self):
        pass
'''


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """The driver, listed as those of the catalogue are."""
    folder = tmp_path / "ledger_of_tests"
    folder.mkdir()
    (folder / "__init__.py").write_text(LEDGER, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    driver: Driver = importlib.import_module("ledger_of_tests").Ledger()
    monkeypatch.setitem(DRIVERS, driver.name, driver)
    return driver


@pytest.fixture
def hosted(tmp_path: Path, ledger: Driver) -> Iterator[HostedStage]:
    (tmp_path / "app").mkdir()
    with hosted_stage(tmp_path / "app") as stage:
        yield stage


@pytest.fixture
def client(hosted: HostedStage) -> PageClient:
    return watched(hosted)


@pytest.fixture
def server() -> Iterator[int]:
    """The port of a server that lets everybody connect."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


def form(server: int, **changes: str) -> dict[str, str]:
    values = {"host": "127.0.0.1", "port": str(server), "database": "shop", "username": "ann", "token": PASSWORD}
    settings = {f"settings-{code}": value for code, value in {**values, **changes}.items()}
    return {"driver": "ledger", "title": "Our ledger", **settings}


def test_the_gallery_shows_it_under_its_group_with_its_note(client: PageClient) -> None:
    page = client.get("/connections/new")
    assert [group.text for group in page.all("h2")] == ["Databases", "Files", "Web services"]
    (entry,) = [item.text for item in page.all(".gallery li") if "Ledger" in item.text]
    assert entry.split() == ["Lg", "Ledger", "<of>", "Tests", "Books", "that", "nobody", "keeps", "Unproven"]


def test_its_form_has_its_fields_and_the_statements_for_a_reader(client: PageClient) -> None:
    page = client.follow(client.get("/connections/new"), "Lg Ledger <of> Tests Books that nobody keeps Unproven")
    assert page.heading == "Ledger <of> Tests"
    names = [control.get("name") for control in page.all(".columns .card:first-child input, .columns select")]
    settings = ["host", "port", "database", "username", "password", "token", "years", "timezone"]
    assert [name.removeprefix("settings-") for name in names if name.startswith("settings-")] == settings
    assert page.options("settings-years") == {"all": "Every year", "last": "Last one"}
    assert "LET bi_reader READ shop;" in page.one("pre").text


def test_a_pasted_string_fills_its_form(client: PageClient) -> None:
    pasted = f"jdbc:ledger://ann:{PASSWORD.replace('/', '%2F')}@db.example.com:7008/books"
    page = client.get("/connections/new?driver=ledger")
    page = client.submit(page, "Fill the fields", {"settings-connection_string": pasted})
    told = [page.value(f"settings-{code}") for code in ("host", "port", "database", "username", "password")]
    assert told == ["db.example.com", "7008", "books", "ann", ""]
    assert page.has_control("_kept-password")


def test_what_is_missing_or_wrong_is_told_beside_its_fields(client: PageClient, server: int) -> None:
    page = client.post("/connections/new", form(server, token="", years="none", port="x"))
    assert page.status == 422
    assert set(page.sentences()) == {"settings-token", "settings-years", "settings-port"}
    page = client.post("/connections/new", {**form(server, username="bob"), "_test": "1"})
    assert list(page.sentences()) == ["settings-password"]
    assert page.one(".ticks li.bad").text.startswith("Login")
    assert "Connection is encrypted" not in page.words


def test_it_is_tested_saved_shown_and_read_through_the_endpoints(
    hosted: HostedStage, client: PageClient, server: int
) -> None:
    page = client.post("/connections/new", form(server, years="last"))
    assert (page.status, page.place) == (200, "/connections/1")
    assert "Every year" not in page.words
    assert "Last one" in page.words
    key = hosted.registered_key(1)
    answers = []
    fields: list[dict[str, str]] = [{}, {}, {"table": "books_entries"}, {"table": "books_entries", "limit": "1"}]
    for url, given in zip(hosted.registered_urls(1), fields, strict=True):
        body = {"connection[key]": key, **given}
        with hosted.stage.app.test_client().post(url.removeprefix(hosted.stage.url), data=body) as answer:
            assert answer.status_code == 200, answer.data
            answers.append(json.loads(answer.data or b"null"))
    _, tables, description, data = answers
    assert [table["code"] for table in tables] == ["books_entries"]
    assert [(column["code"], column["type"]) for column in description] == [("ID", "int"), ("NOTE", "string")]
    assert data == [["ID", "NOTE"], [1, "Москва"]]


def test_its_secrets_are_masked_and_kept_when_left_blank(hosted: HostedStage, client: PageClient, server: int) -> None:
    client.post("/connections/new", form(server))
    page = client.get("/connections/1/edit")
    assert page.value("settings-token") == ""
    client.submit(page, "Test and save", {"title": "Renamed", "settings-token": ""})
    assert (hosted.held(1).title, hosted.held(1).settings["token"]) == ("Renamed", PASSWORD)
    assert PASSWORD not in repr(hosted.held(1))


def test_the_command_line_tells_its_settings(hosted: HostedStage) -> None:
    told = hosted.stage.app.test_cli_runner().invoke(args=["connections", "drivers"])
    assert told.exit_code == 0, told.output
    lines = told.output.partition("ledger\t")[2].splitlines()
    assert lines[0] == "Ledger <of> Tests (unproven)"
    assert "  token\tAccess token. From the ledger's own settings. Required, secret." in lines
    assert "  years\tYears. One of all, last; without it all." in lines

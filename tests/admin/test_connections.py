"""Pages of hosted connections, driven as by a browser without script; the portal really calls the endpoints back."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from models import EndpointCall, now
from services.board import Board
from services.budgets import FAILED_LOGINS
from services.table_lists import PAGE_SECONDS, TableLists
from tests.pages import Page, PageClient, opened
from tests.services.hosted import HostedStage

PASSWORD = "canary-Passw0rd/ü"
NEW = "/connections/new?driver=sqlite"


@pytest.fixture
def client(hosted: HostedStage) -> PageClient:
    answer = hosted.stage.enter("analyst")
    hosted.stage.app.testing = True
    return opened(hosted.stage.app, answer, hosted.stage.portal.url, secrets=[PASSWORD])[0]


def shop(client: PageClient, **changes: str) -> dict[str, str]:
    return {"driver": "sqlite", "title": "Shop", "settings-path": "shop.sqlite", **changes}


def made(client: PageClient) -> None:
    page = client.post("/connections/new", shop(client))
    assert (page.status, page.place) == (200, "/connections/1"), page.alerts


def test_the_gallery_offers_every_driver_in_groups_and_searches(client: PageClient) -> None:
    page = client.follow(client.get("/connections/"), "Add a connection")
    assert page.heading == "What do you want to connect?"
    assert [group.text for group in page.all("h2")][:2] == ["Databases", "Files"]
    page = client.submit(page, "Find", {"search": "postgre"})
    assert [group.text for group in page.all("h2")] == ["Databases"]
    assert "Nothing found" in client.post("/connections/new", {"_view": "1", "search": "no such thing"}).text


def test_one_click_saves_registers_and_makes_the_source(hosted: HostedStage, client: PageClient) -> None:
    page = client.get(NEW)
    page = client.submit(page, "Save and connect", {"title": "Shop", "settings-path": "shop.sqlite"})
    assert (page.status, page.heading, page.place) == (200, "Shop", "/connections/1")
    assert page.alerts == ["The connection works and was saved."]
    assert page.links()["Shop"] == "/sources/1"
    assert hosted.opens(1, hosted.registered_key(1))
    assert hosted.registered_key(1) not in page.text
    page = client.get("/connections/")
    assert page.rows()[0][1:3] == ["SQLite", page.rows()[0][2]]
    assert page.rows()[0][2].startswith("Works")


def test_a_failed_test_stands_beside_the_field_that_caused_it_and_nothing_is_saved(
    hosted: HostedStage, client: PageClient
) -> None:
    page = client.submit(client.get(NEW), "Save and connect", {"title": "Shop", "settings-path": "shoop.sqlite"})
    assert page.status == 422
    assert page.sentences() == {
        "settings-path": "There is no such file. Check the path, capital letters included.",
    }
    assert page.all(".ticks li")[0].text.startswith("File can be read")
    assert page.value("title") == "Shop"
    assert hosted.house.hosted.page(hosted.portal_id).items == ()


def test_a_test_saves_nothing_and_shows_a_time_for_every_step(hosted: HostedStage, client: PageClient) -> None:
    page = client.submit(client.get(NEW), "Test the connection", {"settings-path": "shop.sqlite"})
    assert (page.status, page.place) == (200, "false")
    ticks = [item.text for item in page.all(".ticks li.good")]
    assert [" ".join(tick.split()[:2]) for tick in ticks] == ["File can", "List of", "One row"]
    assert all(tick.endswith(" ms") for tick in ticks)
    assert hosted.house.hosted.page(hosted.portal_id).items == ()


def test_a_title_is_needed_to_save(client: PageClient) -> None:
    page = client.post("/connections/new", shop(client, title=" "))
    assert page.status == 422
    assert list(page.sentences()) == ["title"]


def test_everything_that_is_wrong_is_told_at_once(client: PageClient) -> None:
    page = client.post("/connections/new", {"driver": "postgresql", "settings-port": "x", "settings-timezone": "Mars"})
    assert page.status == 422
    assert page.sentences() == {
        "title": "The connection needs a title. Fill in this field.",
        "settings-host": "This is needed to connect. Fill it in.",
        "settings-port": "This is no whole number. Enter digits only, for example 5432.",
        "settings-database": "This is needed to connect. Fill it in.",
        "settings-username": "This is needed to connect. Fill it in.",
        "settings-timezone": "There is no such time zone. Write it like Europe/Berlin or Asia/Almaty.",
    }
    assert client.post("/connections/new", shop(client, title="x" * 256)).sentences() == {
        "title": "A title has at most 255 characters. Shorten it."
    }


def test_a_wrong_zone_is_told_beside_it_and_the_fold_is_open(client: PageClient) -> None:
    page = client.post("/connections/new", shop(client, **{"settings-timezone": "Mars/Olympus"}))
    assert page.sentences() == {
        "settings-timezone": "There is no such time zone. Write it like Europe/Berlin or Asia/Almaty."
    }
    assert "open" in page.one("details.fold")


def test_sending_the_form_twice_makes_one_connection(hosted: HostedStage, client: PageClient) -> None:
    once = shop(client, _n="one-and-the-same")
    assert client.post("/connections/new", once).place == "/connections/1"
    assert client.post("/connections/new", once).place == "/connections/1"
    assert len(hosted.house.hosted.page(hosted.portal_id).items) == 1


def test_a_portal_that_refuses_leaves_the_connection_and_says_why(hosted: HostedStage, client: PageClient) -> None:
    hosted.stage.control("fail", target="biconnector.connector.add", code="ACCESS_DENIED")
    page = client.post("/connections/new", shop(client))
    assert (page.status, page.place) == (200, "/connections/1")
    assert "You may not work with BI data in this portal." in page.alerts[0]
    assert "Bitrix24 has no source for this connection yet" in page.alerts[1]
    page = client.submit(page, "Create the source")
    assert page.alerts == ["The portal has the connection as it is here."]
    assert hosted.opens(1, hosted.registered_key(1))


def test_our_own_refusal_is_told_where_the_portal_only_says_no_connection(
    hosted: HostedStage, client: PageClient
) -> None:
    """facts/field 0.5: the only place where a human can see why is our page."""
    made(client)
    hosted.stage.portal.emulator.portal.state.sources.clear()
    (hosted.folder / "shop.sqlite").unlink()
    page = client.submit(client.get("/connections/1"), "Make it again")
    assert page.alerts[0] == (
        "The portal asked for the connection, and it did not work. "
        "There is no such file. Check the path, capital letters included."
    )


def test_a_connection_is_changed_and_its_source_renamed(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    page = client.follow(client.get("/connections/1"), "Edit")
    assert (page.value("title"), page.value("settings-path")) == ("Shop", "shop.sqlite")
    page = client.submit(page, "Test and save", {"title": "Store", "settings-timezone": "Asia/Almaty"})
    assert (page.heading, page.place) == ("Store", "/connections/1")
    assert hosted.stage.portal.emulator.portal.state.sources[1].title == "Store"
    assert hosted.held(1).settings["timezone"] == "Asia/Almaty"
    assert hosted.held(1).proven


def test_a_change_that_does_not_work_changes_nothing(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    page = client.post("/connections/1/edit", shop(client, title="Store", **{"settings-path": "gone.sqlite"}))
    assert page.status == 422
    assert (hosted.held(1).title, hosted.held(1).settings["path"]) == ("Shop", "shop.sqlite")


def test_a_connection_is_deleted_with_its_source(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    key = hosted.registered_key(1)
    page = client.submit(client.follow(client.get("/connections/1"), "Delete"), "Delete")
    assert (page.heading, page.place) == ("Connections", "/connections/")
    assert hosted.stage.portal.emulator.portal.state.sources == {}
    assert not hosted.opens(1, key)
    assert client.get("/connections/1").status == 404


def test_datasets_keep_a_connection_from_being_deleted(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    client.post("/connections/1/publish", {"name": "orders"})
    page = client.get("/connections/1/delete")
    assert page.alerts == ["The connection cannot be deleted: 1 dataset reads through it. Delete the dataset first."]
    assert page.links()["orders"] == "/datasets/1"
    assert client.post("/connections/1/delete").status == 422
    assert hosted.opens(1, hosted.registered_key(1))


def test_the_key_is_changed_by_a_button_and_never_shown(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    before = hosted.registered_key(1)
    page = client.submit(client.follow(client.get("/connections/1"), "Change the key"), "Change the key")
    assert page.alerts == ["The source has a new key. The former one opens for another day."]
    after = hosted.registered_key(1)
    assert after != before
    assert not any(key in page.text for key in (before, after))


def test_the_addresses_are_changed_by_a_button_and_the_former_ones_open_for_a_day(
    hosted: HostedStage, client: PageClient
) -> None:
    made(client)
    former = hosted.registered_urls(1)
    page = client.submit(client.follow(client.get("/connections/1"), "Change the addresses"), "Change the addresses")
    assert page.alerts == ["The connector has new addresses. The former ones open for another day."]
    assert not set(former) & set(hosted.registered_urls(1))
    assert hosted.opens(1, hosted.registered_key(1))
    path = former[0].removeprefix(hosted.stage.url)
    body = {"connection[key]": hosted.registered_key(1)}
    assert hosted.stage.app.test_client().post(path, data=body).status_code == 200


def test_a_connection_is_checked_by_hand_and_its_health_is_kept(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    (hosted.folder / "shop.sqlite").rename(hosted.folder / "moved.sqlite")
    page = client.submit(client.get("/connections/1"), "Check now")
    assert "There is no such file." in page.one(".ticks li.bad").text
    assert client.get("/connections/").rows()[0][2].startswith("Failing")
    (hosted.folder / "moved.sqlite").rename(hosted.folder / "shop.sqlite")
    client.submit(client.get("/connections/1"), "Check now")
    assert client.get("/connections/").rows()[0][2].startswith("Works")


@pytest.mark.parametrize(
    ("change", "told", "button", "mended"),
    [
        ("delete", "The source was deleted in the portal", "Make it again", True),
        ("delete", "The source was deleted in the portal", "Forget it", False),
        ("rename", "The source has another title in the portal", "Take it over", True),
        ("rename", "The source has another title in the portal", "Write ours back", True),
        ("key", "The source in the portal has another key", "Restore it", True),
        ("connector", "The connector was deleted in the portal", "Make it again", True),
    ],
)
def test_drift_is_told_and_mended(
    hosted: HostedStage, client: PageClient, change: str, told: str, button: str, mended: bool
) -> None:
    """facts/field 5.53."""
    made(client)
    state = hosted.stage.portal.emulator.portal.state
    if change in ("delete", "connector"):
        state.sources.clear()
    if change == "connector":
        state.connectors.clear()
    if change == "rename":
        state.sources[1].title = "Магазин"
    if change == "key":
        state.sources[1].settings[0].value = "typed"
    page = client.get("/connections/1")
    assert told in page.alerts[0]
    page = client.submit(page, button)
    assert len(page.alerts) == (1 if mended else 2)
    assert hosted.house.hosting.inspect(hosted.client, hosted.caps, hosted.held(1)).in_step is mended


def test_a_deleted_source_is_told_in_the_list(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    hosted.stage.portal.emulator.portal.state.sources.clear()
    assert client.get("/connections/").rows()[0][3] == "Deleted in the portal"


def test_other_portals_connections_do_not_exist(hosted: HostedStage, client: PageClient) -> None:
    house = hosted.house
    house.installations.add_local("another-portal")
    foreign = house.connections.add("another-portal", "sqlite", "Foreign", {"path": "shop.sqlite"})
    for path in ("", "/edit", "/delete", "/tables", "/table?name=orders"):
        assert client.get(f"/connections/{foreign.id}{path}").status == 404
    for path in ("/rotate", "/restore", "/forget", "/publish", "/delete", "/edit"):
        assert client.post(f"/connections/{foreign.id}{path}").status == 404
    assert "Foreign" not in client.get("/connections/").text
    assert [overview.title for overview in house.connections.all()] == ["Foreign"]


def test_who_has_no_right_to_bi_data_sees_no_connection(hosted: HostedStage, client: PageClient) -> None:
    """Our own database must not tell what the portal would not."""
    made(client)
    viewer = opened(hosted.stage.app, hosted.stage.enter("viewer"), hosted.stage.portal.url)[0]
    for path in ("/connections/", "/connections/1", "/connections/1/tables", "/connections/new", "/activity/"):
        page = viewer.get(path)
        assert page.status == 403
        assert "Shop" not in page.text


# PostgreSQL


@pytest.fixture
def database() -> Iterator[str]:
    name = f"pages_{uuid.uuid4().hex}"
    with psycopg.connect(host="127.0.0.1", user="postgres", dbname="postgres", autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        try:
            with psycopg.connect(host="127.0.0.1", user="postgres", dbname=name, autocommit=True) as own:
                own.execute("CREATE TABLE deals (id bigint PRIMARY KEY, amount numeric(12,2), made timestamptz)")
                own.execute("INSERT INTO deals VALUES (9007199254740993, 10.50, '2026-01-02 03:04:05+00')")
            yield name
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def server(name: str, **changes: str) -> dict[str, str]:
    fields = {"host": "127.0.0.1", "port": "5432", "database": name, "username": "postgres", "tls": "disable"}
    values = {**fields, "password": PASSWORD, **changes}
    return {"driver": "postgresql", "title": "CRM", **{f"settings-{code}": value for code, value in values.items()}}


def test_a_server_is_tried_step_by_step(client: PageClient, database: str) -> None:
    page = client.post("/connections/new", {**server(database), "_test": "1"})
    assert page.status == 200
    ticks = [item.text for item in page.all(".ticks li.good")]
    assert [tick.rsplit(" ", 2)[0] for tick in ticks if "Login" not in tick] == [
        "Address can be read",
        "Name is known 127.0.0.1",
        "Port is open",
        "List of tables 1",
        "One row read",
    ]
    assert "Login PostgreSQL" in ticks[3]


@pytest.mark.parametrize(
    ("wrong", "field", "step"),
    [
        ({"host": "nowhere.invalid"}, "settings-host", "Name is known"),
        ({"host": "http://db"}, "settings-host", "Address can be read"),
        ({"port": "1"}, "settings-port", "Port is open"),
        ({"tls": "require"}, "settings-tls", "Connection is encrypted"),
        ({"database": "no_such_base"}, "settings-database", "Login"),
        ({"username": "nobody_here"}, "settings-username", "Login"),
    ],
)
def test_a_failing_step_is_told_beside_its_field(
    client: PageClient, database: str, wrong: dict[str, str], field: str, step: str
) -> None:
    page = client.post("/connections/new", server(database, **wrong))
    assert page.status == 422
    assert list(page.sentences()) == [field]
    assert page.one(".ticks li.bad").text.startswith(step)


def test_encryption_is_asked_for_beside_the_port(client: PageClient) -> None:
    """Its default fails on every server without TLS, so it may not hide below the fold."""
    page = client.get("/connections/new?driver=postgresql")
    names = [control.get("name") for control in page.all(".columns .card:first-child input, select")]
    visible = [name for name in names if name.startswith("settings-")]
    assert visible[:3] == ["settings-host", "settings-port", "settings-tls"]
    assert "settings-tls" not in [control.get("name") for control in page.all("details select")]


def test_the_statements_name_the_database_that_was_typed(client: PageClient) -> None:
    page = client.post("/connections/new", {"driver": "mssql", "settings-database": "warehouse", "_test": "1"})
    assert "USE warehouse;" in page.one("pre").text


def test_what_failed_is_told_in_one_place(client: PageClient, database: str) -> None:
    page = client.post("/connections/new", server(database, port="1"))
    assert page.words.count("Nothing listens at this port.") == 1
    assert page.one(".ticks li.bad").text.startswith("Port is open")


def test_a_typed_password_survives_a_failed_save_and_is_never_in_the_page(
    hosted: HostedStage, client: PageClient, database: str
) -> None:
    page = client.post("/connections/new", server(database, port="1"))
    page = client.submit(page, "Save and connect", {"settings-port": "5432"})
    assert page.place == "/connections/1"
    assert hosted.held(1).settings["password"] == PASSWORD


def test_a_blank_password_keeps_the_stored_one(hosted: HostedStage, client: PageClient, database: str) -> None:
    client.post("/connections/new", server(database))
    page = client.get("/connections/1/edit")
    assert page.value("settings-password") == ""
    assert client.submit(page, "Test and save", {"title": "Deals"}).heading == "Deals"
    assert hosted.held(1).settings["password"] == PASSWORD
    page = client.submit(client.get("/connections/1/edit"), "Test and save", {"settings-password": "another"})
    assert hosted.held(1).settings["password"] == "another"


def test_a_pasted_connection_string_fills_the_fields(client: PageClient, database: str) -> None:
    pasted = f"jdbc:postgresql://postgres:canary-Passw0rd%2F%C3%BC@127.0.0.1:5433/{database}?sslmode=disable"
    page = client.submit(
        client.get("/connections/new?driver=postgresql"),
        "Fill the fields",
        {"title": "CRM", "settings-connection_string": pasted},
    )
    shown = {name: page.value(f"settings-{name}") for name in ("host", "port", "database", "username", "tls")}
    assert shown == {
        "host": "127.0.0.1",
        "port": "5433",
        "database": database,
        "username": "postgres",
        "tls": "disable",
    }
    assert "canary" not in page.text
    assert client.submit(page, "Save and connect", {"settings-port": "5432"}).place == "/connections/1"


def test_enter_in_the_connection_string_fills_the_fields_and_saves_nothing(
    hosted: HostedStage, client: PageClient
) -> None:
    """Enter presses the first button of a form, which is the one that saves."""
    pasted = "postgresql://reader:canary-Passw0rd%2F%C3%BC@db.example.com:6432/shop"
    page = client.post(
        "/connections/new", {"driver": "postgresql", "title": "CRM", "settings-connection_string": pasted}
    )
    assert (page.status, page.sentences()) == (200, {})
    assert [page.value(f"settings-{code}") for code in ("host", "port")] == ["db.example.com", "6432"]
    assert hosted.house.hosted.page(hosted.portal_id).items == ()


def test_a_pasted_string_is_kept_sealed_until_it_has_filled_the_fields(client: PageClient) -> None:
    pasted = "postgresql://reader:canary-Passw0rd%2F%C3%BC@db.example.com:6432/shop"
    fields = {"driver": "postgresql", "title": "CRM", "settings-host": "db", "settings-port": "x"}
    page = client.post("/connections/new", {**fields, "settings-connection_string": pasted, "_test": "1"})
    assert "settings-port" in page.sentences()
    assert "6432" not in page.text
    page = client.submit(page, "Fill the fields")
    assert page.value("settings-host") == "db.example.com"
    assert "_kept-connection_string" not in page.text


def test_what_is_no_connection_string_is_told(client: PageClient) -> None:
    page = client.post("/connections/new", {"driver": "postgresql", "_fill": "1", "settings-connection_string": "x"})
    assert list(page.sentences()) == ["settings-connection_string"]


def test_after_five_wrong_passwords_nobody_asks_the_server(hosted: HostedStage, client: PageClient) -> None:
    """facts/security 4 layer 4: failed logins of one user at one server, whoever asks."""
    for _ in range(5):
        hosted.house.budgets.strike(FAILED_LOGINS, "127.0.0.1 5432", "postgres")
    page = client.post("/connections/new", server("whatever"))
    assert "This user failed to log in there too often" in page.alerts[0]


# Tables


def test_tables_are_listed_searched_and_published(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    page = client.follow(client.get("/connections/1"), "Tables")
    assert [row[0] for row in page.rows()] == ["orders", "Заказы клиентов view"]
    assert [row[2] for row in page.rows()] == ["orders", "zakazy_klientov"]
    page = client.submit(page, "Find", {"search": "ЗАКАЗЫ"})
    assert len(page.rows()) == 1
    assert page.place == "/connections/1/tables?search=%D0%97%D0%90%D0%9A%D0%90%D0%97%D0%AB"
    page = client.submit(client.follow(page, "Publish Заказы клиентов"), "Publish")
    assert (page.heading, page.place) == ("zakazy_klientov", "/datasets/1")
    assert page.alerts[0] == "The table was published. Make charts of it in BI Builder."
    columns = hosted.stage.portal.emulator.portal.state.datasets[1].columns
    assert [(column.name, column.external_code, column.type) for column in columns] == [
        ("CITY", "CITY", "string"),
        ("CHISLO", "CHISLO", "int"),
    ]


def test_a_table_shows_columns_types_and_escaped_rows(client: PageClient) -> None:
    made(client)
    page = client.get("/connections/1/table?name=orders")
    assert page.rows()[:4] == [
        ["id", "INTEGER never empty", "ID", "Whole number"],
        ["city", "TEXT", "CITY", "Text"],
        ["amount", "NUMERIC", "AMOUNT", "Decimal number"],
        ["made", "TIMESTAMP", "MADE", "Date and time"],
    ]
    assert page.rows()[4] == ["1", "Köln", "10.5", "2026-01-02 03:04:05"]
    assert page.rows()[5] == ["2", "<b>Омск</b>", "no value", "no value"]


def test_publishing_again_leads_to_the_dataset_that_is_there(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    for _ in range(2):
        page = client.post("/connections/1/publish", {"name": "orders"})
        assert page.place == "/datasets/1"
    assert page.alerts[0] == "The table was published before: this is its dataset."
    assert list(hosted.stage.portal.emulator.portal.state.datasets) == [1]


def test_a_taken_name_is_numbered(hosted: HostedStage, client: PageClient) -> None:
    """facts/biconnector 4.6: names are unique in the whole portal."""
    made(client)
    client.post("/connections/new", shop(client, title="Second"))
    client.post("/connections/1/publish", {"name": "orders"})
    page = client.post("/connections/2/publish", {"name": "orders"})
    assert page.heading == "orders_2"


def test_a_published_table_reads_back_through_the_portals_own_preview(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    client.post("/connections/1/publish", {"name": "orders"})
    key = hosted.registered_key(1)
    url = hosted.registered_urls(1)[3].removeprefix(hosted.stage.url)
    body = {"connection[key]": key, "table": "orders", "limit": "20"}
    answer = hosted.stage.app.test_client().post(url, data=body)
    assert answer.get_json()[0] == ["ID", "CITY", "AMOUNT", "MADE"]
    assert answer.get_json()[3][3] is None


def test_publishing_makes_a_missing_source_first(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    hosted.stage.portal.emulator.portal.state.sources.clear()
    assert client.post("/connections/1/publish", {"name": "orders"}).place == "/datasets/1"
    assert hosted.house.hosting.inspect(hosted.client, hosted.caps, hosted.held(1)).in_step


def test_the_list_of_tables_tells_its_age_and_is_read_again_on_demand(
    hosted: HostedStage, client: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """issue 3 item 5: table lists are cached with their age and a refresh; endpoints read anew then as well."""
    made(client)
    page = client.get("/connections/1/tables")
    assert "The list was read just now." in page.text
    with contextlib.closing(sqlite3.connect(hosted.folder / "shop.sqlite")) as database:
        database.execute("CREATE TABLE later (id INTEGER)")
        database.commit()
    opened_ones: list[object] = []
    session = hosted.house.access.session

    def counted(*given: Any) -> Any:
        opened_ones.append(given)
        return session(*given)

    monkeypatch.setattr(hosted.house.access, "session", counted)
    page = client.get("/connections/1/tables?search=er")
    assert [row[0] for row in page.rows()] == ["orders"]
    assert opened_ones == []
    lists = hosted.house.table_lists
    monkeypatch.setattr(lists, "_clock", lambda: now() - timedelta(minutes=5))
    page = client.follow(page, "Refresh")
    assert page.place == "/connections/1/tables?search=er"
    assert [row[0] for row in page.rows()] == ["later", "orders"]
    assert "The list was read 5 minutes ago." in page.text
    assert len(opened_ones) == 1


def test_a_list_of_tables_that_somebody_outdates_is_outdated_in_all_processes(hosted: HostedStage) -> None:
    board, held = Board(), hosted.connection()
    ours, theirs = TableLists(board), TableLists(board)
    with hosted.house.access.session(held, hosted.house.guards) as session:
        theirs.read(held, session)
        assert theirs.recent(held, PAGE_SECONDS) is not None
        ours.outdate(held)
        assert theirs.recent(held, PAGE_SECONDS) is None
        theirs.read(held, session)
    assert theirs.recent(held, PAGE_SECONDS) is not None
    assert theirs.recent(held, -1.0) is None
    # facts/security 1 row 22: other settings, and other connections with the same ones, have lists of their own
    assert theirs.recent(replace(held, settings={**held.settings, "path": "other"}), PAGE_SECONDS) is None
    assert theirs.recent(hosted.connection("Second"), PAGE_SECONDS) is None


def test_a_database_that_is_away_is_told_on_the_tables_page(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    (hosted.folder / "shop.sqlite").unlink()
    page = client.get("/connections/1/tables")
    assert page.alerts == ["There is no such file. Check the path, capital letters included."]
    page = client.post("/connections/1/publish", {"name": "orders"})
    assert page.status == 422
    assert "There is no such file." in page.alerts[0]


def test_an_unknown_table_is_told(client: PageClient) -> None:
    made(client)
    page = client.get("/connections/1/table?name=nothing")
    assert page.status in (200, 404)
    assert "The database has no such table any more." in page.alerts[0]


# Activity


def calls(page: Page) -> list[list[str]]:
    """The cells of calls; the rows between them hold one cell each, with details."""
    return [row for row in page.rows() if len(row) > 1]


def test_calls_are_listed_filtered_and_found_by_reference(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    client.post("/connections/new", shop(client, title="Second"))
    assert not hosted.opens(1, "wrong key")
    page = client.get("/activity/")
    assert len(calls(page)) == 3
    assert calls(page)[0][1] == "Check"
    failed = client.submit(page, "Apply", {"status": "failed"})
    assert len(calls(failed)) == 1
    assert "The source has a key that opens nothing." in calls(failed)[0][3]
    assert failed.place == "/activity/?status=failed"
    assert len(calls(client.get("/activity/?connection=2"))) == 1
    reference = page.all("dd code")[0].text
    assert len(calls(client.submit(page, "Find", {"search": reference}))) == 1


def test_details_of_a_call_lie_in_a_row_as_wide_as_the_table(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    assert not hosted.opens(1, "wrong key")
    for path, columns in (("/activity/", 6), ("/connections/1", 5)):
        page = client.get(path)
        details = page.all("tr.more td")
        assert [cell["colspan"] for cell in details] == [str(columns)] * len(calls(page))
        assert all(len(row) == columns for row in calls(page))
    refused = next(cell.text for cell in client.get("/activity/").all("tr.more td") if "404" in cell.text)
    assert "What helps" in refused
    assert "Size" not in refused


def test_another_portals_calls_are_not_listed(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    hosted.house.installations.add_local("another-portal")
    other = hosted.house.installations.find("another-portal")
    assert other is not None
    with hosted.house.sessions.begin() as session:
        session.query(EndpointCall).update({"portal_id": other.id})
    assert "Nothing asked yet" in client.get("/activity/").text


def test_every_page_speaks_russian(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    hosted.stage.control("language", language="ru")
    russian = opened(hosted.stage.app, hosted.stage.enter("analyst"), hosted.stage.portal.url)[0]
    assert russian.get("/connections/").heading == "Подключения"
    assert russian.get("/activity/").heading == "Журнал"
    assert "Метка" not in russian.get("/connections/1").text

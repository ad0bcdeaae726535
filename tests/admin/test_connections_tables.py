"""Tables of a connection: listed with their age, looked at, and published one by one."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models import now
from services.connections.table_lists import PAGE_SECONDS, TableLists
from services.limits.shared_memory import SharedMemory
from tests.admin.shops import made, shop, watched
from tests.pages import PageClient
from tests.services.hosted import HostedStage


@pytest.fixture
def client(hosted: HostedStage) -> PageClient:
    return watched(hosted)


def test_tables_are_listed_searched_and_published(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    page = client.follow(client.get("/connections/1"), "Tables")
    assert [row[1] for row in page.rows()] == ["orders", "Заказы клиентов view"]
    assert [row[3] for row in page.rows()] == ["orders", "zakazy_klientov"]
    page = client.submit(page, "Find", {"search": "ЗАКАЗЫ"})
    assert len(page.rows()) == 1
    assert page.place == "/connections/1/tables?search=%D0%97%D0%90%D0%9A%D0%90%D0%97%D0%AB"
    page = client.submit(client.follow(page, "Publish Заказы клиентов"), "Publish")
    assert (page.heading, page.place) == ("zakazy_klientov", "/datasets/1")
    assert page.alerts[0] == "The table was published. Make charts of it in BI Builder."
    columns = hosted.stage.portal.whole().datasets[1].columns
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
    assert list(hosted.stage.portal.whole().datasets) == [1]


def test_a_taken_name_is_numbered(hosted: HostedStage, client: PageClient) -> None:
    """facts/biconnector 4.6: names are unique in the whole portal."""
    made(client)
    client.post("/connections/new", shop(title="Second"))
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
    hosted.stage.portal.clear("sources")
    assert client.post("/connections/1/publish", {"name": "orders"}).place == "/datasets/1"
    assert hosted.house.portal_comparison.state(hosted.client, hosted.caps, hosted.held(1)).in_step


def test_the_list_of_tables_tells_its_age_and_is_read_again_on_demand(
    hosted: HostedStage, client: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """facts/field 5.23: table lists are cached with their age and a refresh; endpoints read anew then as well."""
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
    assert [row[1] for row in page.rows()] == ["orders"]
    assert opened_ones == []
    lists = hosted.house.table_lists
    monkeypatch.setattr(lists, "clock", lambda: now() - timedelta(minutes=5))
    page = client.follow(page, "Refresh")
    assert page.place == "/connections/1/tables?search=er"
    assert [row[1] for row in page.rows()] == ["later", "orders"]
    assert "The list was read 5 minutes ago." in page.text
    assert len(opened_ones) == 1


def test_a_list_of_tables_that_somebody_outdates_is_outdated_in_all_processes(hosted: HostedStage) -> None:
    board, held = SharedMemory(), hosted.connection()
    ledger = hosted.house.table_lists.ledger
    ours, theirs = TableLists(board, ledger), TableLists(board, ledger)
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

"""Publishing a table: asked for once more, since names and types stay for good (facts/biconnector 4.6)."""

from __future__ import annotations

import sqlite3

import pytest

from models import EndpointCall
from tests.pages import Page, PageClient
from tests.services.hosted import HostedStage


@pytest.fixture
def client(with_shop: PageClient) -> PageClient:
    return with_shop


def asked(client: PageClient) -> Page:
    return client.follow(client.get("/connections/1/tables"), "Publish orders")


def test_publishing_asks_first_with_everything_filled_in(hosted: HostedStage, client: PageClient) -> None:
    page = asked(client)
    assert (page.heading, page.value("datasetName")) == ("Publish orders", "orders")
    assert [row[1] for row in page.rows()] == ["id", "city", "amount", "made"]
    assert len([box for box in page.all("[name=columns]") if "checked" in box]) == 4
    assert hosted.stage.portal.whole().datasets == {}


def test_name_description_and_columns_are_chosen(hosted: HostedStage, client: PageClient) -> None:
    changes = {"datasetName": "shop_orders", "description": "Paid ones", "columns": ["CITY", "MADE"]}
    page = client.submit(asked(client), "Publish", changes)
    assert (page.heading, page.place) == ("shop_orders", "/datasets/1")
    made = hosted.stage.portal.whole().datasets[1]
    assert (made.description, [column.name for column in made.columns]) == ("Paid ones", ["CITY", "MADE"])
    assert client.follow(page, "Publish another table").path == "/connections/1/tables"


def test_a_name_that_the_portal_has_already_is_numbered_in_the_form(client: PageClient) -> None:
    client.submit(asked(client), "Publish")
    client.post("/connections/new", {"driver": "sqlite", "title": "Second", "settings-path": "shop.sqlite"})
    page = client.follow(client.get("/connections/2/tables"), "Publish orders")
    assert page.value("datasetName") == "orders_2"


@pytest.mark.parametrize(
    ("changes", "field"), [({"datasetName": "Orders!"}, "datasetName"), ({"datasetName": ""}, "datasetName")]
)
def test_what_is_wrong_is_told_beside_it_and_the_choice_is_kept(
    hosted: HostedStage, client: PageClient, changes: dict[str, str], field: str
) -> None:
    page = client.submit(asked(client), "Publish", {**changes, "description": "kept", "columns": ["CITY"]})
    assert page.status == 422
    assert list(page.sentences()) == [field]
    assert page.value("description") == "kept"
    assert [box["value"] for box in page.all("[name=columns]") if "checked" in box] == ["CITY"]
    assert hosted.stage.portal.whole().datasets == {}


def test_a_dataset_without_columns_is_refused(client: PageClient) -> None:
    page = client.submit(asked(client), "Publish", {"columns": None})
    assert page.status == 422
    assert page.by_id("columns-problem") is not None


def test_a_table_that_is_published_is_not_asked_for_again(client: PageClient) -> None:
    client.submit(asked(client), "Publish")
    page = client.get("/connections/1/publish?name=orders")
    assert page.links()["Open the dataset"] == "/datasets/1"
    assert not page.has_control("datasetName")


def drop_orders(hosted: HostedStage) -> None:
    with sqlite3.connect(hosted.folder / "shop.sqlite") as database:
        database.execute("ALTER TABLE orders RENAME TO renamed")


def test_a_published_table_that_is_gone_is_marked_after_a_check_and_its_dataset_can_be_deleted(
    hosted: HostedStage, client: PageClient
) -> None:
    client.submit(asked(client), "Publish")
    drop_orders(hosted)
    page = client.submit(client.get("/connections/1"), "Check now")
    assert "table is gone" in page.rows()[0][1]
    assert client.follow(page, "Delete orders").heading == "Delete the dataset"
    with sqlite3.connect(hosted.folder / "shop.sqlite") as database:
        database.execute("ALTER TABLE renamed RENAME TO orders")
    assert "table is gone" not in client.submit(client.get("/connections/1"), "Check now").words


def test_a_published_table_that_a_chart_did_not_find_is_marked(hosted: HostedStage, client: PageClient) -> None:
    client.submit(asked(client), "Publish")
    drop_orders(hosted)
    path = hosted.registered_urls(1)[3].removeprefix(hosted.stage.url)
    body = {"connection[key]": hosted.registered_key(1), "table": "orders"}
    with hosted.stage.app.test_client().post(path, data=body) as answer:
        assert answer.status_code != 200
    assert "table is gone" in client.get("/connections/1").rows()[0][1]


def test_the_page_of_a_table_that_is_gone_leads_on(hosted: HostedStage, client: PageClient) -> None:
    client.submit(asked(client), "Publish")
    drop_orders(hosted)
    page = client.get("/connections/1/table?name=orders")
    assert page.heading == "orders"
    assert {"Look at the tables", "Try again", "Delete its dataset"} <= page.links().keys()
    assert "Published" not in page.words


def test_a_table_is_published_only_once_it_is(client: PageClient) -> None:
    assert "Will be published as orders" in client.get("/connections/1/table?name=orders").words
    client.submit(asked(client), "Publish")
    assert "Published as orders" in client.get("/connections/1/table?name=orders").words


def test_empty_cards_have_the_button_that_fills_them(client: PageClient) -> None:
    for path in ("/connections/1", "/sources/1"):
        assert client.get(path).links()["Look at the tables"] == "/connections/1/tables"
    client.submit(client.get("/connections/1/delete"), "Delete")
    page = client.get("/connectors/1")
    assert page.links()["Connect a database or file"] == "/connections/new"


def test_values_that_cannot_be_shown_are_counted_before_publishing(client: PageClient) -> None:
    """One of the orders is of 1899, and the same column misses a value."""
    page = asked(client)
    told = {row[1]: row[-1] for row in page.rows()}
    assert "1 value cannot be shown and is empty" in told["made"]
    assert not any("cannot be shown" in told[name] for name in ("id", "city", "amount"))
    assert "no times until 1900-01-01" in page.text
    page = client.follow(client.get("/connections/1/tables"), "Publish Заказы клиентов")
    assert "cannot be shown" not in page.text
    assert "no times until" not in page.text


def test_of_a_table_that_takes_too_long_it_is_said_that_nothing_was_counted(
    client: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.publishing.tables.COUNT_SECONDS", 0)
    page = asked(client)
    assert page.heading == "Publish orders"
    assert "were not counted: the table is too large" in page.text


def test_activity_tells_what_could_not_be_shown(hosted: HostedStage, client: PageClient) -> None:
    with hosted.house.sessions.begin() as session:
        session.query(EndpointCall).update({"unshown": {"made": 1, "paid": 1204}})
    details = client.get("/activity/").all("tr.more td")[0].text
    assert "Empty since it cannot be shown made 1 value, paid 1204 values" in details

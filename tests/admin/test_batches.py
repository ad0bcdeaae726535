"""Several tables published at once: chosen in the list, reviewed on one page, told one by one (facts/field 3.7)."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import requests

from drivers.sqlite.driver import SQLiteSession
from egress.errors import Timeout
from errors import PortalBusy
from services.publishing.batches import WORK_SECONDS
from services.publishing.tables import Publishing, TableInspection
from services.sessions.form_nonces import FormNonces
from tests.pages import Page, PageClient, opened
from tests.services.hosted import HostedStage
from tests.waiting import HANG

TABLES = "/connections/1/tables"
REVIEW = "/connections/1/publish-tables"
ADD = "biconnector.dataset.add"


@pytest.fixture
def client(with_shop: PageClient) -> PageClient:
    return with_shop


@pytest.fixture
def more(hosted: HostedStage) -> Callable[..., None]:
    """Make further tables of the shop."""

    def make(*names: str, columns: int = 2) -> None:
        described = ", ".join(f"c{number} INTEGER" for number in range(columns))
        with contextlib.closing(sqlite3.connect(hosted.folder / "shop.sqlite")) as database:
            for name in names:
                database.execute(f'CREATE TABLE "{name}" ({described})')

    return make


def made(hosted: HostedStage) -> dict[str, str]:
    """External codes by the names of the datasets that the portal really has."""
    return {row.name: row.external_code for row in hosted.stage.portal.whole().datasets.values()}


def chosen(client: PageClient, *tables: str) -> Page:
    """The review of tables that were ticked in the list."""
    return client.submit(client.get(f"{TABLES}?refresh=1"), "Publish selected", {"table": list(tables)})


def states(page: Page) -> dict[str, str]:
    """What became of tables, by their titles."""
    return {row[0]: row[2] for row in page.rows() if len(row) == 3}


def left(page: Page) -> dict[str, str]:
    """The names of the tables that are left to publish, by their titles."""
    titles = [label.text for label in page.all("label.item-title")]
    return {
        title: page.value(label["for"].replace("on-", "name-"))
        for title, label in zip(titles, page.all("label.item-title"), strict=True)
    }


# --- the list


def test_every_table_that_can_be_published_has_a_box(client: PageClient, more: Callable[..., None]) -> None:
    more("deals")
    client.post("/connections/1/publish", {"name": "orders"})
    page = client.get(f"{TABLES}?refresh=1")
    assert [(box["value"], box["aria-label"]) for box in page.all("input[name=table]")] == [
        ("deals", "Choose deals"),
        ("Заказы клиентов", "Choose Заказы клиентов"),
    ]
    assert not any("checked" in box for box in page.all("input[name=table]"))


def test_all_of_a_page_are_ticked_by_a_button_and_the_search_stays(
    client: PageClient, more: Callable[..., None]
) -> None:
    more("deals", "deal lines")
    page = client.submit(client.get(f"{TABLES}?refresh=1&search=deal"), "Select all on this page")
    assert (page.status, page.place) == (200, f"{TABLES}?search=deal")
    assert [(box["value"], "checked" in box) for box in page.all("input[name=table]")] == [
        ("deal lines", True),
        ("deals", True),
    ]
    page = client.submit(page, "Publish selected")
    assert left(page) == {"deal lines": "deal_lines", "deals": "deals"}


def test_a_list_without_anything_to_publish_asks_for_nothing(hosted: HostedStage, client: PageClient) -> None:
    for name in ("orders", "Заказы клиентов"):
        client.post("/connections/1/publish", {"name": name})
    page = client.get(TABLES)
    assert "Publish selected" not in page.text
    assert not page.has_control("table")


def test_choosing_nothing_is_told(client: PageClient) -> None:
    page = client.submit(client.get(TABLES), "Publish selected")
    assert (page.status, page.heading) == (422, "Tables")
    assert page.alerts == ["Not published Tick the tables that shall be published."]
    assert (client.get(REVIEW).status, client.get(REVIEW).heading) == (200, "Tables")


def test_more_tables_than_the_limit_are_refused_and_stay_ticked(hosted: HostedStage, client: PageClient) -> None:
    names = ["orders", *(f"t{number}" for number in range(50))]
    page = client.post(REVIEW, {"_view": "1", "table": names})
    assert page.status == 422
    assert page.alerts == ["Not published At most 50 tables can be published at once. Untick some of the 51."]
    assert [(box["value"], "checked" in box) for box in page.all("input[name=table]")] == [
        ("orders", True),
        ("Заказы клиентов", False),
    ]
    sent = {f"table-{number}": name for number, name in enumerate(names)}
    assert client.post(REVIEW, {**sent, **{f"on-{number}": "1" for number in range(51)}}).status == 422
    assert made(hosted) == {}


# --- the review


def test_the_review_shows_names_columns_and_why_not(
    hosted: HostedStage, client: PageClient, more: Callable[..., None]
) -> None:
    more("Orders 2026", "gone")
    more("wide", columns=1601)
    client.post("/connections/1/publish", {"name": "orders"})
    client.post("/connections/1/publish", {"name": "Orders 2026", "datasetName": "gone", "columns": ["C0"]})
    client.get(f"{TABLES}?refresh=1")
    page = client.get(f"{REVIEW}?table=orders&table=gone&table=wide&table=lost&table={quote('Заказы клиентов')}")
    assert (page.status, page.heading) == (200, "Publish 2 tables")
    assert [row[-1] for row in page.rows()] == ["4", "2", "1601", "", "2"]
    assert page.rows()[0][1:3] == ["orders", "orders Published"]
    assert page.links()["orders"] == "/datasets/1"
    assert "The name gone is taken already, so a number was added." in page.rows()[1][1]
    assert left(page) == {"gone": "gone_2", "Заказы клиентов": "zakazy_klientov"}
    assert "The table has too many columns. Publish it alone" in page.rows()[2][1]
    assert "The database has no such table any more." in page.rows()[3][1]
    assert [row[2].split("  ")[0] for row in page.rows()[2:4]] == ["Cannot be published Look at the table"] * 2
    assert list(made(hosted)) == ["orders", "gone"]


def test_the_review_has_an_address_unless_that_were_too_long(client: PageClient, more: Callable[..., None]) -> None:
    """facts/field 3.22: a page survives a reload."""
    names = ["x" * 100 + str(number) for number in range(20)]
    more(*names)
    page = client.get(f"{REVIEW}?table=orders")
    assert page.place == f"{REVIEW}?table=orders"
    assert client.get(page.place).heading == "Publish 1 table"
    assert chosen(client, *names).place == "false"


def test_a_connection_that_does_not_open_keeps_what_was_typed(hosted: HostedStage, client: PageClient) -> None:
    page = chosen(client, "orders", "Заказы клиентов")
    (hosted.folder / "shop.sqlite").rename(hosted.folder / "away.sqlite")
    page = client.submit(page, "Publish", {"name-0": "mine", "on-1": None})
    assert page.status == 422
    assert page.alerts[0].startswith("Not published yet There is no such file.")
    assert page.value("name-0") == "mine"
    (hosted.folder / "away.sqlite").rename(hosted.folder / "shop.sqlite")
    page = client.submit(page, "Publish")
    assert states(page) == {"orders": "Created"}
    assert made(hosted) == {"mine": "orders"}


def test_a_connection_that_does_not_open_before_the_review_keeps_the_ticks(
    hosted: HostedStage, client: PageClient
) -> None:
    page = client.get(TABLES)
    (hosted.folder / "shop.sqlite").rename(hosted.folder / "away.sqlite")
    page = client.submit(page, "Publish selected", {"table": ["orders"]})
    assert (page.status, page.heading) == (422, "Tables")
    assert page.alerts[0].startswith("Not published There is no such file.")
    assert ["checked" in box for box in page.all("input[name=table]")] == [True, False]


# --- the publication


def test_chosen_tables_become_datasets_with_all_their_columns(
    hosted: HostedStage, client: PageClient, more: Callable[..., None]
) -> None:
    more("deals")
    page = client.submit(chosen(client, "deals", "orders", "Заказы клиентов"), "Publish", {"name-1": "shop_orders"})
    assert (page.status, page.heading) == (200, "3 of 3 tables are published")
    assert page.alerts == ["Everything is published Make charts of them in BI Builder."]
    assert states(page) == {"deals": "Created", "orders": "Created", "Заказы клиентов": "Created"}
    assert page.links()["shop_orders"] == "/datasets/2"
    assert made(hosted) == {"deals": "deals", "shop_orders": "orders", "zakazy_klientov": "Заказы клиентов"}
    orders = hosted.stage.portal.whole().datasets[2]
    assert [(column.name, column.type) for column in orders.columns] == [
        ("ID", "int"),
        ("CITY", "string"),
        ("AMOUNT", "double"),
        ("MADE", "datetime"),
    ]
    assert client.follow(page, "shop_orders").heading == "shop_orders"
    assert client.follow(page, "Publish other tables").path == TABLES


def test_publishing_twice_makes_nothing_twice(hosted: HostedStage, client: PageClient) -> None:
    """facts/field 3.22: the same form again, and another form with the same table."""
    review = chosen(client, "orders", "Заказы клиентов")
    other = chosen(client, "orders")
    client.submit(review, "Publish")
    page = client.submit(review, "Publish")
    assert (page.status, page.place, page.alerts) == (200, TABLES, ["These tables were published before."])
    page = client.submit(other, "Publish", {"name-0": "orders_again"})
    assert states(page) == {"orders": "Was there already"}
    assert page.links()["orders"] == "/datasets/1"
    assert list(made(hosted)) == ["orders", "zakazy_klientov"]


def test_what_is_unticked_is_not_published(hosted: HostedStage, client: PageClient) -> None:
    review = chosen(client, "orders", "Заказы клиентов")
    assert states(client.submit(review, "Publish", {"on-0": None})) == {"Заказы клиентов": "Created"}
    assert list(made(hosted)) == ["zakazy_klientov"]


def test_unticking_everything_is_told_and_names_stay(hosted: HostedStage, client: PageClient) -> None:
    page = client.submit(chosen(client, "orders"), "Publish", {"on-0": None, "name-0": "kept"})
    assert page.status == 422
    assert page.alerts == ["Not published yet Tick the tables that shall be published."]
    assert (left(page), "checked" in page.control("on-0")) == ({"orders": "kept"}, False)


def test_wrong_names_are_told_beside_them_and_every_row_is_kept(
    hosted: HostedStage, client: PageClient, more: Callable[..., None]
) -> None:
    more("a", "b", "c", "wide", columns=3)
    more("too wide", columns=1601)
    client.post("/connections/1/publish", {"name": "orders"})
    address = "&".join(f"table={quote(name)}" for name in ("orders", "a", "too wide", "b", "c", "wide"))
    client.get(f"{TABLES}?refresh=1")
    review = client.get(f"{REVIEW}?{address}")
    typed = {"name-1": "Wrong!", "on-3": None, "name-3": "unticked", "name-4": "orders", "name-5": "mine"}
    page = client.submit(review, "Publish", typed)
    assert page.status == 422
    assert page.sentences() == {
        "name-1": "Start with a lowercase Latin letter and go on with a-z, 0-9 and _, for example sales_2026.",
    }
    page = client.submit(page, "Publish", {"name-1": "mine"})
    assert page.sentences() == {
        "name-5": "Another table of this page has this name already. Give each its own.",
    }
    page = client.submit(page, "Publish", {"name-1": "a"})
    assert page.sentences() == {"name-4": "A dataset with this name exists in the portal already. Choose another name."}
    assert left(page) == {"a": "a", "b": "unticked", "c": "orders", "wide": "mine"}
    assert ["checked" in page.control(f"on-{number}") for number in (1, 3, 4, 5)] == [True, False, True, True]
    assert len(page.rows()) == 6
    assert list(made(hosted)) == ["orders"]
    page = client.submit(page, "Publish", {"name-4": "c"})
    assert states(page) == {"a": "Created", "c": "Created", "wide": "Created"}
    assert list(made(hosted)) == ["orders", "a", "c", "mine"]


def test_a_name_that_only_the_portal_knows_is_told_beside_it_and_the_others_are_done(
    hosted: HostedStage, client: PageClient, more: Callable[..., None]
) -> None:
    more("a", "b")
    page = client.submit(chosen(client, "a", "b", "orders"), "Publish", {"name-1": "crm_deal", "on-2": None})
    assert (page.status, page.heading) == (200, "1 of 2 tables are published")
    assert states(page) == {"a": "Created"}
    assert page.sentences() == {"name-0": "A dataset with this name exists in the portal already. Choose another name."}
    assert left(page) == {"b": "crm_deal", "orders": "orders"}
    page = client.submit(page, "Try the rest again", {"name-0": "deals"})
    assert (page.heading, states(page)) == ("1 of 1 tables are published", {"b": "Created"})
    assert list(made(hosted)) == ["a", "deals"]


def test_a_failure_in_the_middle_leaves_the_rest_to_be_tried_again_with_its_names(
    hosted: HostedStage, client: PageClient, more: Callable[..., None]
) -> None:
    names = [f"t{number:02}" for number in range(12)]
    more(*names)
    hosted.stage.control("fail", target=ADD, code="OPERATION_TIME_LIMIT")
    page = client.submit(chosen(client, *names), "Publish", {"name-0": "first", "name-11": "last"})
    assert (page.status, page.heading) == (200, "9 of 12 tables are published")
    assert page.alerts[0] == (
        "Not published yet The portal has been busy with this for too long. Try again in ten minutes."
    )
    assert states(page) == dict.fromkeys(names[1:10], "Created")
    assert left(page) == {"t00": "first", "t10": "t10", "t11": "last"}
    page = client.submit(page, "Try the rest again")
    assert states(page) == dict.fromkeys(("t00", "t10", "t11"), "Created")
    assert len(made(hosted)) == 12


def test_an_addition_whose_outcome_is_unknown_can_be_tried_again_without_making_it_twice(
    hosted: HostedStage, client: PageClient
) -> None:
    hosted.stage.control("fail", target=ADD, code="INTERNAL_SERVER_ERROR")
    page = client.submit(chosen(client, "orders"), "Publish")
    assert (page.status, page.heading) == (503, "0 of 1 tables are published")
    assert "The portal did not answer in time, so it may have made this dataset or not." in page.rows()[0][1]
    page = client.submit(page, "Try the rest again")
    assert states(page) == {"orders": "Created"}
    assert list(made(hosted)) == ["orders"]


def test_a_table_that_is_gone_since_the_review_leaves_the_others_alone(hosted: HostedStage, client: PageClient) -> None:
    review = chosen(client, "orders", "Заказы клиентов")
    with contextlib.closing(sqlite3.connect(hosted.folder / "shop.sqlite")) as database:
        database.execute('DROP VIEW "Заказы клиентов"')
    # What was just read is remembered for a minute.
    client.get(f"{TABLES}?refresh=1")
    page = client.submit(review, "Publish")
    assert states(page) == {"orders": "Created"}
    assert "The database has no such table any more." in page.words
    assert "Try the rest again" not in page.text


def test_when_time_runs_out_it_is_told_what_is_left_and_the_work_goes_on(
    hosted: HostedStage, client: PageClient, more: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"t{number:02}" for number in range(12)]
    more(*names)
    review = chosen(client, *names)
    with monkeypatch.context() as patched:
        # As if the first round had used up its time.
        patched.setattr("services.publishing.batches.ROUND_SECONDS", WORK_SECONDS + 1)
        page = client.submit(review, "Publish", {"name-11": "last"})
    assert page.heading == "10 of 12 tables are published"
    assert page.alerts[0] == (
        "Not published yet The time for one publication was over. Go on with the tables that are left."
    )
    assert left(page) == {"t10": "t10", "t11": "last"}
    assert all("Its turn has not come yet." in row[1] for row in page.rows()[10:])
    page = client.submit(page, "Try the rest again")
    assert states(page) == {"t10": "Created", "t11": "Created"}


def test_columns_that_were_not_read_in_time_are_read_when_the_table_is_published(
    hosted: HostedStage, client: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspect = Publishing.inspect

    def too_slow(publishing: Publishing, connection: Any, names: Any, **given: Any) -> tuple[TableInspection, ...]:
        found = inspect(publishing, connection, names, **given)
        return (*found[:1], *(TableInspection(row.name, row.table) for row in found[1:]))

    with monkeypatch.context() as patched:
        patched.setattr(Publishing, "inspect", too_slow)
        page = chosen(client, "orders", "Заказы клиентов")
    assert page.heading == "Publish 2 tables"
    assert "Its columns could not be read in time" in page.rows()[1][1]
    page = client.submit(page, "Publish")
    assert states(page) == {"orders": "Created", "Заказы клиентов": "Created"}


def test_a_table_that_cannot_be_described_is_told_with_its_cure(
    client: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe = SQLiteSession.describe

    def refusing(session: SQLiteSession, table: Any) -> Any:
        if table.name == "orders":
            raise Timeout("deadline")
        return describe(session, table)

    monkeypatch.setattr(SQLiteSession, "describe", refusing)
    page = chosen(client, "orders", "Заказы клиентов")
    assert page.heading == "Publish 1 table"
    assert "The database took too long, so it was stopped." in page.rows()[0][1]


def test_who_lost_the_right_reads_what_it_takes_and_nothing_is_made(hosted: HostedStage, client: PageClient) -> None:
    review = chosen(client, "orders")
    hosted.stage.control("fail", target=ADD, code="ACCESS_DENIED")
    page = client.submit(review, "Publish")
    assert (page.status, page.heading) == (403, "You may not work with BI data yet")
    assert made(hosted) == {}


def test_the_same_form_twice_at_once_waits_with_everything_typed(
    hosted: HostedStage, client: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def under_way(*_: object) -> str:
        raise PortalBusy("FORM_UNDER_WAY", retry_after=2)

    review = chosen(client, "orders")
    with monkeypatch.context() as patched:
        patched.setattr(FormNonces, "claim", under_way)
        page = client.submit(review, "Publish", {"name-0": "mine"})
    assert page.status == 503
    assert page.alerts == [
        "Not published yet The same form is being saved at this very moment. Wait a few seconds.",
    ]
    assert left(page) == {"orders": "mine"}
    assert made(hosted) == {}


def test_a_connection_without_a_source_gets_one_first(hosted: HostedStage, client: PageClient) -> None:
    hosted.stage.portal.clear("sources")
    page = client.submit(chosen(client, "orders"), "Publish")
    assert states(page) == {"orders": "Created"}
    source_id = hosted.held(1).source_id
    assert source_id is not None
    assert hosted.opens(1, hosted.registered_key(source_id))


def test_another_portals_connection_publishes_nothing(hosted: HostedStage, client: PageClient) -> None:
    hosted.house.installations.add_local("another-portal")
    foreign = hosted.house.connections.add("another-portal", "sqlite", "Foreign", {"path": "shop.sqlite"})
    address = f"/connections/{foreign.id}/publish-tables"
    sent = {"table-0": "orders", "name-0": "orders", "on-0": "1"}
    assert (client.get(f"{address}?table=orders").status, client.post(address, sent).status) == (404, 404)


def test_these_pages_speak_russian(hosted: HostedStage, client: PageClient) -> None:
    hosted.stage.control("language", language="ru")
    russian = opened(hosted.stage.app, hosted.stage.enter("analyst"), hosted.stage.portal.url)[0]
    page = russian.get(f"{REVIEW}?table=orders")
    assert page.heading == "Опубликовать 1 таблицу"
    page = russian.submit(page, "Опубликовать")
    assert page.heading == "Опубликовано таблиц: 1 из 1"
    assert not re.search("[A-Za-z]{3,}", re.sub("orders|Shop", "", page.one("main").text))


# --- the whole road


def test_the_hub_reads_rows_of_two_tables_that_were_published_at_once(hosted: HostedStage, client: PageClient) -> None:
    """From the boxes of the list to rows in the portal, which calls the application's endpoints for them."""
    page = client.submit(chosen(client, "orders", "Заказы клиентов"), "Publish")
    assert states(page) == {"orders": "Created", "Заказы клиентов": "Created"}
    wanted = {1: ["Köln", "10.5"], 2: ["Köln", "1"]}
    for number, cells in wanted.items():
        shown = requests.get(f"{hosted.stage.portal.url}/bi/table/{number}?view=report", timeout=HANG)
        assert shown.status_code == 200
        for cell in [*cells, "&lt;b&gt;Омск&lt;/b&gt;"]:
            assert cell in shown.text, cell
    asked = [call for call in hosted.stage.portal.state()["endpoint_calls"] if call["endpoint"] == "urlData"]
    assert [(call["form"]["table"], call["status"], call["failure"]) for call in asked] == [
        ("orders", 200, ""),
        ("Заказы клиентов", 200, ""),
    ]

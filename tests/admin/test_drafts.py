"""The draft of a dataset: names and types that stay for good are chosen, on what all values of the table are."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tests.pages import Page, PageClient
from tests.services.hosted import HostedStage


@pytest.fixture
def client(hosted: HostedStage, with_shop: PageClient) -> PageClient:
    with sqlite3.connect(hosted.folder / "shop.sqlite") as database:
        database.execute("CREATE TABLE bills (number INTEGER, amount TEXT, day TEXT)")
        database.executemany(
            "INSERT INTO bills VALUES (?, ?, ?)",
            [(1, "9,50", "31.12.2025"), (2, "10", "2026-01-01"), (3, "н/д", "01.02.2026"), (4, "", None)],
        )
    return with_shop


def asked(client: PageClient) -> Page:
    return client.get("/connections/1/publish?name=bills")


def columns(hosted: HostedStage) -> dict[str, str]:
    (made,) = hosted.stage.portal.whole().datasets.values()
    return {column.name: column.type for column in made.columns}


def rows(hosted: HostedStage) -> list[list[object]] | int:
    path = hosted.registered_urls(1)[3].removeprefix(hosted.stage.url)
    body = {"connection[key]": hosted.registered_key(1), "table": "bills"}
    with hosted.stage.app.test_client().post(path, data=body) as answer:
        return json.loads(answer.data)[1:] if answer.status_code == 200 else answer.status_code


def test_names_types_and_a_title_are_chosen(hosted: HostedStage, client: PageClient) -> None:
    page = asked(client)
    assert (page.value("code-AMOUNT"), page.value("type-AMOUNT"), page.value("externalName")) == (
        "AMOUNT",
        "string",
        "bills",
    )
    changes = {"externalName": "Bills", "code-NUMBER": "NO", "type-NUMBER": "string", "type-DAY": "date"}
    assert client.submit(page, "Publish", changes).place == "/datasets/1"
    assert columns(hosted) == {"NO": "string", "AMOUNT": "string", "DAY": "date"}
    assert hosted.stage.portal.whole().datasets[1].external_name == "Bills"
    assert rows(hosted) == [
        ["1", "9,50", "2025-12-31"],
        ["2", "10", "2026-01-01"],
        ["3", "н/д", "2026-02-01"],
        ["4", "", None],
    ]


def test_values_that_do_not_fit_are_counted_and_need_an_answer_before_anything_is_made(
    hosted: HostedStage, client: PageClient
) -> None:
    page = client.submit(asked(client), "Publish", {"type-AMOUNT": "double", "code-AMOUNT": "TOTAL"})
    assert page.status == 422
    assert list(page.sentences()) == ["unfit-AMOUNT-double"]
    assert "1 value does not fit, for example “н/д”." in page.words
    assert (page.value("code-AMOUNT"), page.value("unfit-AMOUNT-double")) == ("TOTAL", "refuse")
    assert hosted.stage.portal.whole().datasets == {}
    assert client.submit(page, "Publish").place == "/datasets/1"
    assert columns(hosted)["TOTAL"] == "double"
    assert rows(hosted) == 400
    with sqlite3.connect(hosted.folder / "shop.sqlite") as database:
        database.execute("DELETE FROM bills WHERE amount = 'н/д'")
    assert [row[1] for row in rows(hosted)] == [9.5, 10.0, None]  # type: ignore[union-attr]  # they are rows


def test_values_that_do_not_fit_become_empty_where_somebody_says_so(hosted: HostedStage, client: PageClient) -> None:
    page = client.submit(asked(client), "Test the values", {"type-AMOUNT": "double"})
    assert (page.status, hosted.stage.portal.whole().datasets) == (200, {})
    client.submit(page, "Publish", {"unfit-AMOUNT-double": "null"})
    assert [row[1] for row in rows(hosted)] == [9.5, 10.0, None, None]  # type: ignore[union-attr]  # they are rows


def test_an_answer_for_one_type_is_none_for_another(client: PageClient) -> None:
    page = client.submit(asked(client), "Test the values", {"type-AMOUNT": "double"})
    page = client.submit(page, "Publish", {"type-AMOUNT": "int", "unfit-AMOUNT-double": "null"})
    assert list(page.sentences()) == ["unfit-AMOUNT-int"]


@pytest.mark.parametrize("name", ["", "amount", "NUMBER", "LOGIC", "A" * 33])
def test_a_name_that_will_not_do_is_told_beside_it(hosted: HostedStage, client: PageClient, name: str) -> None:
    page = client.submit(asked(client), "Publish", {"code-AMOUNT": name})
    assert (page.status, list(page.sentences())) == (422, ["code-AMOUNT"])
    assert page.value("code-AMOUNT") == name
    assert hosted.stage.portal.whole().datasets == {}


def test_a_test_that_finds_nothing_wrong_says_so(client: PageClient) -> None:
    assert "All values fit." in client.submit(asked(client), "Test the values", {"type-DAY": "datetime"}).words

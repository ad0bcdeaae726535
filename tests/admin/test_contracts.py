"""The contract of a table: what was published of it beside what is there, and today's columns accepted as it."""

from __future__ import annotations

import sqlite3

import pytest

from tests.pages import PageClient
from tests.services.hosted import HostedStage


@pytest.fixture
def client(hosted: HostedStage, with_shop: PageClient) -> PageClient:
    change(hosted, "CREATE TABLE bills (number INTEGER, paid INTEGER, note TEXT); INSERT INTO bills VALUES (1, 2, 'x')")
    with_shop.submit(with_shop.get("/connections/1/publish?name=bills"), "Publish")
    return with_shop


def change(hosted: HostedStage, script: str) -> None:
    with sqlite3.connect(hosted.folder / "shop.sqlite") as database:
        database.executescript(script)


def test_a_contract_that_holds_says_so_and_offers_nothing(client: PageClient) -> None:
    page = client.follow(client.get("/connections/1/tables"), "Contract of bills")
    assert page.heading == "Contract of bills"
    assert [row[:3] for row in page.rows()] == [
        ["NUMBER", "number", "Whole number"],
        ["PAID", "paid", "Whole number"],
        ["NOTE", "note", "Text"],
    ]
    assert "Holds" in page.words
    assert "Accept today's columns" not in page.links()


def test_what_is_wrong_today_is_shown_and_accepted_after_a_question(hosted: HostedStage, client: PageClient) -> None:
    change(hosted, "DROP TABLE bills; CREATE TABLE bills (number TEXT, note TEXT); INSERT INTO bills VALUES ('x', 'y')")
    page = client.get("/connections/1/contracts/bills")
    assert "Broken" in page.words
    assert [row[3].split(" The ")[0] for row in page.rows()] == ["Text", "gone", "Text"]
    question = client.follow(page, "Accept today's columns")
    assert "NUMBER: Whole number before, Text today" in question.words
    page = client.submit(question, "Accept today's columns")
    assert (page.heading, page.rows()[0][:3]) == ("Contract of bills", ["NUMBER", "number", "Text"])
    assert "Holds" in page.words


def test_a_dataset_that_fails_leads_to_the_contract(hosted: HostedStage, client: PageClient) -> None:
    change(hosted, "DROP TABLE bills; CREATE TABLE bills (number TEXT); INSERT INTO bills VALUES ('x')")
    path = hosted.registered_urls(1)[3].removeprefix(hosted.stage.url)
    body = {"connection[key]": hosted.registered_key(1), "table": "bills", "select[0]": "NUMBER"}
    with hosted.stage.app.test_client().post(path, data=body) as answer:
        assert answer.status_code == 400
    assert client.follow(client.get("/datasets/1"), "Look at the contract").heading == "Contract of bills"


def test_a_table_that_nobody_published_has_no_contract(client: PageClient) -> None:
    page = client.get("/connections/1/contracts/nowhere")
    assert (page.status, "Nothing was published" in page.words) == (404, True)


def test_types_of_a_dataset_that_was_made_by_hand_hold_once_it_is_seen(hosted: HostedStage, client: PageClient) -> None:
    change(hosted, "CREATE TABLE codes (code INTEGER); INSERT INTO codes VALUES (7)")
    client.get("/connections/1/table?name=codes")
    made = {"name": "by_hand", "externalName": "codes", "externalCode": "codes", "sourceId": "1"}
    column = {"fields-0-name": "CODE", "fields-0-externalCode": "CODE", "fields-0-type": "string"}
    assert client.post("/datasets/new", {**made, **column}).heading == "by_hand"
    path = hosted.registered_urls(1)[3].removeprefix(hosted.stage.url)
    body = {"connection[key]": hosted.registered_key(1), "table": "codes"}
    with hosted.stage.app.test_client().post(path, data=body) as answer:
        assert answer.get_json() == [["CODE"], ["7"]]

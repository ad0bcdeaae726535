"""Health on the pages where people look for it: connections, datasets, the start page, Activity."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from tests.admin.shops import made, watched
from tests.pages import Page, PageClient
from tests.services.hosted import HostedStage


@pytest.fixture
def client(hosted: HostedStage) -> PageClient:
    return watched(hosted)


def ask(hosted: HostedStage, *select: str, table: str = "orders", limit: str = "") -> int:
    """A chart's question, as the portal sends it."""
    path = hosted.registered_urls(1)[3].removeprefix(hosted.stage.url)
    fields = {f"select[{number}]": name for number, name in enumerate(select)} | ({"limit": limit} if limit else {})
    body = {"connection[key]": hosted.registered_key(1), "table": table} | fields
    return hosted.stage.app.test_client().post(path, data=body, buffered=True).status_code


def change(hosted: HostedStage, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(hosted.folder / "shop.sqlite")) as database:
        database.execute(statement)


def story(page: Page) -> str:
    return str(page.one("section[aria-labelledby=health]").text)


def test_a_saved_test_counts(client: PageClient) -> None:
    made(client)
    assert client.get("/connections/").rows()[0][2].startswith("Works")


def test_a_chart_that_asks_for_a_column_that_is_gone_makes_its_dataset_fail_wherever_it_is_shown(
    hosted: HostedStage, client: PageClient
) -> None:
    made(client)
    for table in ("orders", "Заказы клиентов"):
        client.post("/connections/1/publish", {"name": table})
    assert ask(hosted, "CITY", "AMOUNT") == 200
    assert ask(hosted, "CITY", table="Заказы клиентов") == 200
    change(hosted, 'ALTER TABLE orders RENAME COLUMN amount TO "Amount, net"')
    assert ask(hosted, "CITY", "AMOUNT") == 400
    assert ask(hosted, "CITY") == 200, "other charts go on, and hide nothing"

    page = client.get("/datasets/1")
    assert story(page).startswith("Health Failing")
    assert "The column that was published under this name is gone. AMOUNT (amount)" in story(page)
    assert "accept the table as it is today, or delete the dataset and publish the table anew" in story(page)
    contract = client.follow(page, "Look at the contract")
    assert (contract.status, contract.path) == (200, "/connections/1/contracts/orders")
    assert "amount" in contract.words

    listed = {row[0]: row[3] for row in client.get("/datasets/").rows()}
    assert listed["orders"].startswith("Failing")
    assert client.get("/connections/").rows()[0][2].startswith("Failing")
    page = client.get("/connections/1")
    assert "AMOUNT (amount)" in story(page)
    assert [row[2][:7] for row in page.rows() if row[0] == "orders"] == ["Failing"]
    for place in ("/start", "/activity/", "/activity/?connection=1"):
        (alert,) = client.get(place).alerts
        assert alert.startswith("What fails today")
        assert "orders" in alert
        assert "AMOUNT (amount)" in alert

    change(hosted, 'ALTER TABLE orders RENAME COLUMN "Amount, net" TO amount')
    assert ask(hosted, "CITY", "AMOUNT") == 200
    assert story(client.get("/datasets/1")).startswith("Health Works")
    for place in ("/start", "/activity/"):
        assert client.get(place).alerts == []


def test_a_dataset_that_nobody_asked_for_says_so(hosted: HostedStage, client: PageClient) -> None:
    made(client)
    client.post("/connections/1/publish", {"name": "orders"})
    assert story(client.get("/datasets/1")).startswith("Health Not asked yet")


def test_a_preview_that_failed_is_told_to_stay_for_an_hour(hosted: HostedStage, client: PageClient) -> None:
    """facts/biconnector 5.8a: removing the cause shows nothing for an hour, and no error either."""
    made(client)
    client.post("/connections/1/publish", {"name": "orders"})
    change(hosted, "ALTER TABLE orders RENAME TO away")
    assert ask(hosted, limit="20") == 400
    change(hosted, "ALTER TABLE away RENAME TO orders")
    assert ask(hosted, "CITY") == 200
    assert "keeps a preview that failed for an hour" in story(client.get("/datasets/1"))


def test_datasets_of_other_endpoints_have_no_health_here(client: PageClient, hosted: HostedStage) -> None:
    hosted.stage.control("demo")
    page = client.get("/datasets/1")
    assert not page.all("section[aria-labelledby=health]")
    assert "Health" not in client.get("/datasets/").text

"""Sources of the application's own connectors, on the pages of connectors, sources and datasets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages import PageClient, opened
from tests.services.hosted import HostedStage, hosted_stage

SHOP = {"driver": "sqlite", "title": "Shop", "settings-path": "shop.sqlite"}
ASK = "Ask the source for its tables"


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[HostedStage]:
    # As on the internet: the application may not call its own private address.
    with hosted_stage(tmp_path, egress_policy="external-only") as stage:
        yield stage


@pytest.fixture
def client(hosted: HostedStage) -> PageClient:
    answer = hosted.stage.enter("analyst")
    hosted.stage.app.testing = True
    client = opened(hosted.stage.app, answer, hosted.stage.portal.url)[0]
    assert client.post("/connections/new", SHOP).place == "/connections/1"
    return client


def test_the_form_of_a_dataset_knows_the_tables_of_a_hosted_source(hosted: HostedStage, client: PageClient) -> None:
    page = client.submit(client.get("/datasets/new"), ASK, {"description": "kept"})
    assert [row[0] for row in page.rows()] == ["orders", "Заказы клиентов"]
    page = client.submit(page, "Use Заказы клиентов")
    shown = [page.value(name) for name in ("name", "externalCode", "externalName", "description")]
    assert shown == ["zakazy_klientov", "Заказы клиентов", "Заказы клиентов", "kept"]
    assert [page.value(f"fields-{row}-name") for row in range(2)] == ["CITY", "CHISLO"]
    assert [page.value(f"fields-{row}-type") for row in range(2)] == ["string", "int"]
    page = client.submit(page, "Create")
    assert (page.heading, page.place) == ("zakazy_klientov", "/datasets/1")
    assert "Заказы клиентов" in client.get("/connections/1").words


def test_a_search_in_the_tables_of_a_hosted_source_narrows_them(client: PageClient) -> None:
    page = client.submit(client.get("/datasets/new"), ASK, {"_search": "ЗАКАЗЫ"})
    assert [row[0] for row in page.rows()] == ["Заказы клиентов"]


def test_a_hosted_source_that_cannot_be_read_is_told_in_the_panel(hosted: HostedStage, client: PageClient) -> None:
    (hosted.folder / "shop.sqlite").unlink()
    page = client.submit(client.get("/datasets/new"), ASK, {"name": "kept"})
    assert any(text.startswith("There is no such file.") for text in page.alerts)
    assert page.value("name") == "kept"
    page = client.post("/datasets/new", {"sourceId": "1", "_use": "nothing"})
    assert any(text.startswith("There is no such file.") for text in page.alerts)


def test_a_table_that_the_hosted_source_lost_is_told(client: PageClient) -> None:
    page = client.post("/datasets/new", {"sourceId": "1", "name": "kept", "_use": "nothing"})
    assert any(text.startswith("The source does not offer this table any more.") for text in page.alerts)


def test_the_form_of_a_dataset_leads_to_the_tables_of_the_chosen_connection(client: PageClient) -> None:
    page = client.follow(client.get("/datasets/new"), "Look at the tables of Shop")
    assert (page.heading, page.path) == ("Tables", "/connections/1/tables")


def test_the_fourth_step_leads_to_the_tables_of_the_newest_connection(client: PageClient) -> None:
    page = client.follow(client.get("/start"), "Choose a table")
    assert page.path == "/connections/1/tables"

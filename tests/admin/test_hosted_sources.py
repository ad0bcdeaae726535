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


def test_our_own_connector_is_marked_and_offers_nothing_that_breaks_it(hosted: HostedStage, client: PageClient) -> None:
    page = client.get("/connectors/")
    assert "managed by this application" in page.rows()[0][0]
    assert "Edit Databases and files" not in page.links()
    page = client.get("/connectors/1")
    assert {"Add a source", "Edit", "Delete"}.isdisjoint(page.links())
    assert client.follow(page, "Connections").links()["Shop"]


def test_no_page_shows_the_key_that_opens_our_addresses(hosted: HostedStage, client: PageClient) -> None:
    key = hosted.registered_urls(1)[0].split("/")[-2]
    for path in ("/connectors/", "/connectors/1", "/connectors/1/edit", "/connections/1", "/sources/1"):
        page = client.get(path)
        assert page.status == 200
        assert key not in page.text


def test_the_addresses_of_our_own_connector_cannot_be_overwritten(
    hosted: HostedStage, client: PageClient, connector: dict[str, str]
) -> None:
    before = hosted.registered_urls(1)
    page = client.post("/connectors/1/edit", connector)
    assert (page.heading, page.place) == ("Databases and files", "/connectors/1")
    assert hosted.registered_urls(1) == before


def test_the_key_of_a_hosted_source_cannot_be_overwritten(hosted: HostedStage, client: PageClient) -> None:
    key = hosted.registered_key(1)
    assert client.post("/sources/1/edit", {"title": "Mine", "settings-key": "typed"}).place == "/sources/1"
    assert hosted.registered_key(1) == key


def test_a_connector_of_ours_without_sources_can_be_deleted(hosted: HostedStage, client: PageClient) -> None:
    client.submit(client.get("/connections/1/delete"), "Delete")
    page = client.follow(client.get("/connectors/1"), "Delete")
    assert client.submit(page, "Delete").alerts == ["The connector was deleted."]
    assert client.post("/connections/new", SHOP).alerts == ["The connection works and was saved."]


def test_sources_are_not_offered_for_a_connector_whose_key_nobody_knows(client: PageClient) -> None:
    client.submit(client.get("/connections/wizards"), "Offer it (PostgreSQL)")
    page = client.get("/sources/new")
    assert list(page.options("connectorId").values()) == ["Choose a connector", "PostgreSQL"]
    assert not client.get("/sources/new?connectorId=1").has_control("settings-key")


def test_pages_of_a_hosted_source_and_its_dataset_lead_back_to_the_connection(client: PageClient) -> None:
    client.post("/connections/1/publish", {"name": "orders"})
    page = client.get("/sources/1")
    assert {"Add a dataset", "Edit", "Delete"}.isdisjoint(page.links())
    assert page.links()["Shop"] == "/connections/1"
    assert "Edit Shop" not in client.get("/sources/").links()
    assert client.get("/sources/").links()["Connection of this application"] == "/connections/1"
    page = client.get("/datasets/1")
    assert page.all("aside button[formaction='/connections/1']")
    assert page.links()["orders"] == "/connections/1/table?name=orders"


def test_a_connector_whose_credentials_are_typed_in_the_portal_leads_to_its_settings(client: PageClient) -> None:
    client.submit(client.get("/connections/wizards"), "Offer it (PostgreSQL)")
    page = client.get("/connectors/2")
    assert "Add a source" in page.links()
    assert {"Edit", "Delete"}.isdisjoint(page.links())
    assert client.follow(page, "Settings of the connector").heading == "Passwords kept in Bitrix24"

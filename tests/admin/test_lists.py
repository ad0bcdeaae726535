"""Lists: search, filter, order and pages without a total."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.admin.conftest import Enter
from tests.doors import Stage
from tests.pages import Page, PageClient


def titles(page: Page) -> list[str]:
    """The texts of the first links of the list's rows."""
    return [row.all("button.item-title")[0].text for row in page.all("tbody tr")]


@pytest.fixture
def many(client: PageClient, connector: dict[str, str]) -> PageClient:
    """A client whose portal has four connectors."""
    for title, sort in (("Beta", "30"), ("alpha 100%", "10"), ("Gamma", "20"), ("Альфа", "40")):
        assert client.post("/connectors/new", {**connector, "title": title, "sort": sort}).status == 200
    return client


def test_a_list_opens_in_its_order_and_is_sorted_both_ways(many: PageClient) -> None:
    page = many.get("/connectors/")
    assert titles(page) == ["alpha 100%", "Gamma", "Beta", "Альфа"]
    assert [header.text for header in page.all("th[aria-sort=ascending]")] == ["Order"]
    page = many.follow(page, "Order")
    assert titles(page) == ["Альфа", "Beta", "Gamma", "alpha 100%"]
    assert [header.text for header in page.all("th[aria-sort=descending]")] == ["Order"]
    assert page.place == "/connectors/?sort=sort&order=desc"


def test_a_search_finds_a_part_of_the_title_and_keeps_the_order(many: PageClient) -> None:
    page = many.follow(many.get("/connectors/"), "Order")
    page = many.submit(page, "Find", {"search": "am"})
    assert titles(page) == ["Gamma"]
    assert page.value("search") == "am"
    assert page.place == "/connectors/?search=am&sort=sort&order=desc"
    assert titles(many.get(page.place)) == ["Gamma"]


def test_a_search_without_a_hit_offers_the_whole_list(many: PageClient) -> None:
    page = many.get("/connectors/?search=nothing")
    assert "Nothing found" in page.text
    assert len(titles(many.follow(page, "Show all"))) == 4


NO_PAGES = ["page=x", "page=0", "page=-1", "page=²", "page=100001", "page=" + "9" * 18, "page=" + "9" * 5000]


@pytest.mark.parametrize("query", [*NO_PAGES, "sort=secret", "order=sideways", "search="])
def test_an_address_that_makes_no_sense_shows_the_list_as_it_opens(many: PageClient, query: str) -> None:
    assert titles(many.get(f"/connectors/?{query}")) == ["alpha 100%", "Gamma", "Beta", "Альфа"]


def test_sources_are_filtered_by_connector_and_datasets_by_source(
    client: PageClient, demo: Mapping[str, Any], connector: dict[str, str]
) -> None:
    client.post("/connectors/new", connector)
    client.post(
        "/sources/new", {"title": "Other", "connectorId": "2", "settings-login": "demo", "settings-password": "demo"}
    )
    page = client.get("/sources/")
    assert titles(page) == ["Coffee shop, live", "Other"]
    page = client.submit(page, "Apply", {"connectorId": "2"})
    assert (titles(page), page.value("connectorId")) == (["Other"], "2")
    assert page.links()["Add a source"] == "/sources/new?connectorId=2"
    page = client.get("/datasets/?sourceId=2")
    assert "Nothing found" in page.text
    assert titles(client.get("/datasets/?sourceId=1")) == ["sales_orders"]


def test_connectors_are_filtered_by_their_day_and_by_who_answers_for_them(many: PageClient, installed: Stage) -> None:
    with installed.portal.changed() as held:
        for number, day in enumerate(("2025-02-28 23:59:59", "2025-03-01 00:00:00", "2025-03-02 12:00:00"), start=1):
            held.connectors[number].date_create = day
    rows = installed.services.repository
    rows.set_registered(rows.connector(1).id, 2)
    page = many.get("/connectors/")
    assert titles(many.submit(page, "Apply", {"dateCreate": "2025-03-01"})) == ["alpha 100%", "Gamma", "Альфа"]
    assert titles(many.submit(page, "Apply", {"hosted": "yes"})) == ["alpha 100%"]
    page = many.submit(page, "Apply", {"dateCreate": "2025-03-01", "hosted": "no"})
    assert titles(page) == ["Gamma", "Альфа"]
    assert page.place == "/connectors/?dateCreate=2025-03-01&hosted=no"
    assert (page.value("dateCreate"), page.value("hosted")) == ("2025-03-01", "no")
    page = many.submit(page, "Find", {"search": "am"})
    assert titles(page) == ["Gamma"]
    assert titles(many.follow(page, "Order")) == ["Gamma"]


def test_without_hosted_connectors_none_is_hosted_and_all_are_others(many: PageClient) -> None:
    assert "Nothing found" in many.get("/connectors/?hosted=yes").text
    assert len(titles(many.get("/connectors/?hosted=no"))) == 4


@pytest.mark.parametrize("query", ["dateCreate=yesterday", "dateCreate=2025-13-01", "dateCreate=0", "hosted=perhaps"])
def test_a_filter_that_makes_no_sense_filters_nothing(many: PageClient, query: str) -> None:
    page = many.get(f"/connectors/?{query}")
    assert len(titles(page)) == 4


def test_sources_are_filtered_by_state_and_all_lists_by_their_day(
    client: PageClient, demo: Mapping[str, Any], installed: Stage
) -> None:
    client.post(
        "/sources/new", {"title": "Off", "connectorId": "1", "settings-login": "demo", "settings-password": "demo"}
    )
    with installed.portal.changed() as held:
        held.sources[2].active = False
    page = client.get("/sources/")
    assert titles(client.submit(page, "Apply", {"active": "Y"})) == ["Coffee shop, live"]
    assert titles(client.submit(page, "Apply", {"active": "N"})) == ["Off"]
    with installed.portal.changed() as held:
        held.sources[1].date_create = held.datasets[1].date_create = "2025-02-28 23:59:59"
    assert titles(client.submit(page, "Apply", {"dateCreate": "2025-03-01"})) == ["Off"]
    assert "Nothing found" in client.get("/datasets/?dateCreate=2025-03-01").text
    assert titles(client.get("/datasets/?dateCreate=2025-02-28")) == ["sales_orders"]


def test_pages_are_walked_without_a_total(enter: Enter, installed: Stage, connector: dict[str, str]) -> None:
    """facts/biconnector 1.5: pages of 50, and only a short page is the last."""
    client = enter()[0]
    client.post("/connectors/new", connector)
    with installed.portal.changed() as held:
        (original,) = held.connectors.values()
        for number in range(2, 102):
            held.connectors[number] = {**vars(original), "id": number, "title": f"Connector {number:03}"}
    page = client.get("/connectors/?sort=id&order=asc")
    assert len(titles(page)) == 50
    assert "Previous" not in page.links()
    page = client.follow(page, "Next")
    assert (titles(page)[0], page.place) == ("Connector 051", "/connectors/?sort=id&order=asc&page=2")
    assert page.one(".pager svg + span").text == "Previous", "an arrow stands on the side to which it points"
    assert len(page.all(".pager button > span + svg")) == 1
    page = client.follow(page, "Next")
    assert titles(page) == ["Connector 101"]
    assert "Next" not in page.links()
    assert titles(client.follow(page, "Previous"))[-1] == "Connector 100"


@pytest.mark.parametrize("path", ["/start", "/connectors/", "/sources/", "/sources/new", "/datasets/", "/datasets/new"])
def test_an_empty_portal_leads_to_a_database_or_file_first(client: PageClient, path: str) -> None:
    """Most analysts have no endpoints of their own."""
    page = client.get(path)
    assert [button.text for button in page.all(".button.filled")] == ["Connect a database or file"]
    assert page.links()["Connect a database or file"] == "/connections/new"


def test_the_start_page_counts_connections_beside_the_portals_objects(client: PageClient) -> None:
    tiles = [tile.text for tile in client.get("/start").all(".tile-name")]
    assert tiles == ["Connections", "Connectors", "Sources", "Datasets"]

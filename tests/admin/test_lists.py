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


def test_pages_are_walked_without_a_total(enter: Enter, installed: Stage, connector: dict[str, str]) -> None:
    """facts/biconnector 1.5: pages of 50, and only a short page is the last."""
    client = enter()[0]
    client.post("/connectors/new", connector)
    state = installed.portal.emulator.portal.state
    original = next(iter(state.connectors.values()))
    for number in range(2, 102):
        copy = type(original)(**{**vars(original), "id": number, "title": f"Connector {number:03}"})
        state.connectors[number] = copy
    page = client.get("/connectors/?sort=id&order=asc")
    assert len(titles(page)) == 50
    assert "Previous" not in page.links()
    page = client.follow(page, "Next")
    assert (titles(page)[0], page.place) == ("Connector 051", "/connectors/?sort=id&order=asc&page=2")
    page = client.follow(page, "Next")
    assert titles(page) == ["Connector 101"]
    assert "Next" not in page.links()
    assert titles(client.follow(page, "Previous"))[-1] == "Connector 100"

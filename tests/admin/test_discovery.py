"""The panel on the form of a dataset that asks a source for its tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.admin.conftest import Control
from tests.doors import Stage
from tests.pages import PageClient

ASK = "Ask the source for its tables"
TABLES = "/_demo/tables"
"""Where the endpoint of the demonstration lists them."""
BY_HAND = "You can type the table and its columns by hand."


def test_a_table_is_used_and_made_a_dataset_without_typing(client: PageClient, demo: Mapping[str, Any]) -> None:
    page = client.submit(client.get("/datasets/new"), ASK, {"description": "Mine"})
    assert ["Sales orders", "sales_orders", "Use"] in page.rows()
    assert page.value("description") == "Mine"

    page = client.submit(page, "Use Sales orders", {"name": "typed"})
    assert page.status == 200
    assert (page.value("externalCode"), page.value("externalName")) == ("sales_orders", "Sales orders")
    assert page.value("name") == "sales_orders_2"
    assert page.value("description") == "Mine"
    assert (page.value("fields-0-name"), page.value("fields-0-type")) == ("ORDER_ID", "int")
    assert "“Sales orders” was filled in with" in " ".join(page.alerts)

    page = client.post("/datasets/new", fields_of(page) | {"_remove_fields-0": "1"})
    assert page.value("fields-0-name") != "ORDER_ID"
    page = client.submit(page, "Create")
    assert (page.heading, page.place) == ("sales_orders_2", "/datasets/2")


def fields_of(page: Any) -> dict[str, str]:
    """What stands in the form now."""
    names = {control["name"] for control in page.all("main form .input") if not control.inside("template")}
    return {name: page.value(name) for name in names}


def test_a_search_narrows_the_list_also_by_enter(client: PageClient, demo: Mapping[str, Any]) -> None:
    page = client.submit(client.get("/datasets/new"), ASK, {"_search": "no such table"})
    assert "The source has no such table." in page.alerts
    page = client.post("/datasets/new", {**fields_of(page), "_search": "ORDERS", "_searched": "no such table"})
    assert (page.status, page.place) == (200, "false")
    assert ["Sales orders", "sales_orders", "Use"] in page.rows()


def test_pages_ask_nobody_until_the_button_is_pressed(
    client: PageClient, demo: Mapping[str, Any], installed: Stage
) -> None:
    asked: list[int] = []

    def ask() -> bytes:
        asked.append(1)
        return b"[]"

    installed.portal.answers[TABLES] = ask
    page = client.get("/datasets/new")
    client.submit(page, "Add a column")
    client.submit(page, "Create")
    assert asked == []
    page = client.submit(page, ASK)
    assert len(asked) == 1
    assert "The source offers no tables." in page.alerts


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sourceId": ""}, "Choose the source first, then ask it."),
        ({"sourceId": "99"}, "There is no such source"),
    ],
)
def test_a_source_that_cannot_be_asked_is_told_in_the_panel(
    client: PageClient, demo: Mapping[str, Any], change: dict[str, str], told: str
) -> None:
    page = client.post("/datasets/new", {"name": "kept", "_ask": "1", **change})
    alert = next(text for text in page.alerts if BY_HAND in text)
    assert alert.startswith(told)
    assert page.value("name") == "kept"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://127.0.0.1:1/", "The application may not call the address that the connector names."),
        ("{portal}/nowhere", "The connector's address refuses, or answers with nothing."),
    ],
)
def test_an_endpoint_that_fails_leaves_the_form_as_it_was(
    client: PageClient, demo: Mapping[str, Any], installed: Stage, address: str, told: str
) -> None:
    client.submit(
        client.get("/connectors/1/edit"), "Save", {"urlTableList": address.format(portal=installed.portal.url)}
    )
    page = client.submit(client.get("/datasets/new"), ASK, {"name": "kept", "fields-0-name": "KEPT"})
    assert f"{told} {BY_HAND}" in page.alerts
    assert (page.value("name"), page.value("fields-0-name")) == ("kept", "KEPT")


def test_a_table_that_is_gone_fills_nothing(client: PageClient, demo: Mapping[str, Any]) -> None:
    page = client.post("/datasets/new", {"sourceId": "1", "name": "kept", "_use": "dropped"})
    assert f"The source does not offer this table any more. Ask it again. {BY_HAND}" in page.alerts
    assert (page.value("name"), page.value("externalCode")) == ("kept", "")


def test_a_portal_that_is_busy_is_told_in_the_panel(
    client: PageClient, demo: Mapping[str, Any], control: Control
) -> None:
    page = client.get("/datasets/new")
    control("fail", target="biconnector.source.get", times=20, shape="text", status=502)
    page = client.submit(page, ASK, {"name": "kept"})
    assert any(BY_HAND in text for text in page.alerts)


def test_titles_and_codes_of_strangers_stay_text(client: PageClient, demo: Mapping[str, Any], installed: Stage) -> None:
    bad = b'[{"code": "\\"><script>alert(1)</script>", "title": "<img src=x onerror=alert(1)>"}]'
    installed.portal.answers[TABLES] = lambda: bad
    page = client.submit(client.get("/datasets/new"), ASK)
    assert page.rows()[0][0] == "<img src=x onerror=alert(1)>"


def test_many_tables_are_cut_aloud(client: PageClient, demo: Mapping[str, Any], installed: Stage) -> None:
    many = ", ".join(f'{{"code": "t{n}", "title": "T {n}"}}' for n in range(53))
    installed.portal.answers[TABLES] = lambda: f"[{many}]".encode()
    page = client.submit(client.get("/datasets/new"), ASK)
    assert len(page.rows()) == 50
    assert "3 more tables are not shown. Search for a part of the name." in page.words

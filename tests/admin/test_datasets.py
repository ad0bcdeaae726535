"""Pages of datasets and their columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.admin.conftest import Control, Enter
from tests.pages import Page, PageClient

LOWER = "Start with a lowercase Latin letter and go on with a-z, 0-9 and _, for example sales_2026."
UPPER = "Start with an uppercase Latin letter and go on with A-Z, 0-9 and _, for example ORDER_DATE."


def filled(**changes: str) -> dict[str, str]:
    """The fields of a dataset of the demonstration's source."""
    return {
        "name": "city_orders",
        "externalName": "Sales orders",
        "externalCode": "sales_orders",
        "sourceId": "1",
        "description": "By city",
        "fields-0-name": "ORDER_ID",
        "fields-0-externalCode": "ORDER_ID",
        "fields-0-type": "int",
        **changes,
    }


def column_ids(page: Page) -> dict[str, str]:
    """Ids of the columns on a dataset's page, by name."""
    boxes = page.all("input[name=visible]")
    return {box["aria-label"].removeprefix("Show "): box["value"] for box in boxes}


def visible(page: Page) -> set[str]:
    """Names of the columns whose box is ticked."""
    ticked = {box["value"] for box in page.all("input[name=visible]") if "checked" in box}
    return {name for name, number in column_ids(page).items() if number in ticked}


@pytest.fixture
def dataset(client: PageClient, demo: Mapping[str, Any]) -> PageClient:
    """A client whose portal has the demonstration and a dataset with three columns, number 2."""
    rows = {
        "fields-1-name": "CITY",
        "fields-1-externalCode": "city",
        "fields-1-type": "string",
        "fields-2-name": "AMOUNT",
        "fields-2-externalCode": "amount",
        "fields-2-type": "double",
    }
    assert client.post("/datasets/new", filled(**rows)).place == "/datasets/2"
    return client


def test_a_dataset_is_made_described_and_deleted(client: PageClient, demo: Mapping[str, Any]) -> None:
    page = client.follow(client.get("/sources/1"), "Add a dataset")
    assert page.value("sourceId") == "1"
    page = client.submit(page, "Create", {name: value for name, value in filled().items() if name != "sourceId"})
    assert (page.heading, page.alerts[0], page.place) == ("city_orders", "The dataset was created.", "/datasets/2")
    assert column_ids(page).keys() == {"ORDER_ID"}

    page = client.submit(client.follow(page, "Edit"), "Save", {"description": "By town"})
    assert "By town" in page.text
    assert not client.get("/datasets/2/edit").has_control("name")

    page = client.submit(client.follow(page, "Delete"), "Delete")
    assert (page.heading, page.place) == ("Datasets", "/datasets/")
    assert client.get("/datasets/2").status == 404


@pytest.mark.parametrize("generation", ["newer", "older"])
def test_deletion_works_on_both_generations_and_tells_what_stays(
    enter: Enter, control: Control, generation: str
) -> None:
    """facts/biconnector 4.2: newer portals keep the BI Builder dataset and refuse `dataset.delete`."""
    control("generation", generation=generation)
    control("demo")
    client = enter()[0]
    page = client.get("/datasets/1/delete")
    assert ("delete it there by hand" in page.text) is (generation == "newer")
    assert client.submit(page, "Delete").heading == "Datasets"


def test_every_wrong_field_gets_its_sentence_and_keeps_what_was_typed(
    client: PageClient, demo: Mapping[str, Any]
) -> None:
    wrong = filled(
        name="Города",
        externalName="",
        sourceId="",
        **{
            "fields-0-name": "order_id",
            "fields-1-name": "X" * 33,
            "fields-1-externalCode": "x",
            "fields-1-type": "string",
            "fields-2-name": "AMOUNT",
            "fields-2-externalCode": "x",
            "fields-2-type": "blob",
        },
    )
    page = client.post("/datasets/new", wrong)
    assert page.status == 422
    assert page.sentences() == {
        "sourceId": "Choose one of the sources.",
        "externalName": "Fill in this field.",
        "name": LOWER,
        "fields-0-name": UPPER,
        "fields-1-name": "The name of a column has at most 32 characters. Shorten it.",
        "fields-2-externalCode": "Another column has this code already. Give each its own.",
        "fields-2-type": "This portal does not know the column's type. Choose one from the list.",
    }
    assert {name: page.value(name) for name in wrong} == wrong


@pytest.mark.parametrize("number", ["1" * 5000, "12345", "²", "٣", "-1", "x", ""])
@pytest.mark.parametrize(
    ("path", "row"),
    [("/datasets/new", "fields-{}-name"), ("/datasets/1", "add-{}-name"), ("/connectors/new", "settings-{}-code")],
)
def test_a_row_with_a_number_that_no_page_gives_is_no_row(
    client: PageClient, demo: Mapping[str, Any], path: str, row: str, number: str
) -> None:
    """Python refuses to read more than 4300 digits as a number."""
    crafted = row.format(number)
    page = client.post(path, {crafted: "crafted", row.format("9999"): "typed", f"_add_{row.partition('-')[0]}": "1"})
    assert page.status == 200
    assert [control["value"] for control in page.all("input") if control.get("value") in ("crafted", "typed")] == [
        "typed"
    ]


def test_a_dataset_without_columns_is_told_to_have_one(client: PageClient, demo: Mapping[str, Any]) -> None:
    fields = {name: value for name, value in filled().items() if not name.startswith("fields-")}
    page = client.post("/datasets/new", fields)
    assert "A dataset needs at least one column. Add one." in page.alerts
    assert page.has_control("fields-0-name")


def test_a_taken_name_is_told_beside_the_name(client: PageClient, demo: Mapping[str, Any]) -> None:
    page = client.post("/datasets/new", filled(name="sales_orders"))
    assert page.sentences() == {"name": "A dataset with this name exists in the portal already. Choose another name."}


def test_rows_are_added_and_removed_without_script(client: PageClient, demo: Mapping[str, Any]) -> None:
    page = client.submit(client.get("/datasets/new"), "Add a column", {"name": "kept"})
    assert page.has_control("fields-1-name")
    page = client.post("/datasets/new", filled(**{"_remove_fields-0": "1"}))
    assert (page.value("name"), page.value("fields-0-name")) == ("city_orders", "")


@pytest.mark.parametrize(("generation", "offered"), [("newer", True), ("older", False)])
def test_money_and_time_zones_are_offered_where_the_portal_knows_them(
    enter: Enter, control: Control, generation: str, offered: bool
) -> None:
    """facts/biconnector 4.7."""
    control("generation", generation=generation)
    control("demo")
    types = enter()[0].get("/datasets/new").options("fields-0-type")
    assert ({"money", "timezone"} <= types.keys()) is offered
    assert types["double"] == "Decimal number"


def test_columns_are_added_hidden_shown_and_deleted_on_the_dataset_s_page(dataset: PageClient) -> None:
    page = dataset.get("/datasets/2")
    ids = column_ids(page)
    page = dataset.submit(page, "Save columns", {"visible": [ids["ORDER_ID"], ids["AMOUNT"]]})
    assert (page.alerts[0], page.place) == ("The columns were changed.", "/datasets/2")
    assert visible(page) == {"ORDER_ID", "AMOUNT"}

    page = dataset.submit(page, "Save columns", {"visible": [ids["CITY"], ids["AMOUNT"], ids["ORDER_ID"]]})
    assert visible(page) == {"ORDER_ID", "CITY", "AMOUNT"}

    page = dataset.submit(page, "Add a column")
    page = dataset.submit(
        page, "Save columns", {"add-0-name": "REGION", "add-0-externalCode": "region", "add-0-type": "string"}
    )
    assert column_ids(page).keys() == {"ORDER_ID", "CITY", "AMOUNT", "REGION"}

    page = dataset.submit(page, "Save columns", {"delete": [ids["CITY"]]})
    assert column_ids(page).keys() == {"ORDER_ID", "AMOUNT", "REGION"}


def test_columns_added_by_a_bare_form_leave_the_others_visible(dataset: PageClient) -> None:
    added = {"add-0-name": "REGION", "add-0-externalCode": "region", "add-0-type": "string"}
    page = dataset.post("/datasets/2", added)
    assert visible(page) == {"ORDER_ID", "CITY", "AMOUNT", "REGION"}


def test_saving_columns_without_a_change_says_so(dataset: PageClient) -> None:
    page = dataset.submit(dataset.get("/datasets/2"), "Save columns")
    assert page.status == 422
    assert "Nothing was changed" in page.alerts[0]


def test_wrong_new_columns_are_told_beside_their_fields_and_kept(dataset: PageClient) -> None:
    page = dataset.submit(dataset.get("/datasets/2"), "Add a column")
    page = dataset.submit(
        page, "Save columns", {"add-0-name": "CITY", "add-0-externalCode": "amount", "add-0-type": "date"}
    )
    assert page.status == 422
    assert page.sentences() == {
        "add-0-name": "The dataset has a column with this name already. Choose another name.",
        "add-0-externalCode": "The dataset has a column with this code already. Choose another code.",
    }
    assert [page.value(f"add-0-{name}") for name in ("name", "externalCode", "type")] == ["CITY", "amount", "date"]


def test_a_column_of_another_dataset_is_never_deleted(dataset: PageClient) -> None:
    """facts/biconnector 4.4: the portal itself would delete it."""
    stranger = next(iter(column_ids(dataset.get("/datasets/1")).values()))
    page = dataset.post("/datasets/2", {"delete": stranger})
    assert page.status == 422
    assert "A column is gone from this dataset, so nothing was changed." in page.alerts[0]
    assert stranger in column_ids(dataset.get("/datasets/1")).values()


def test_the_last_column_cannot_be_deleted(dataset: PageClient) -> None:
    page = dataset.get("/datasets/2")
    page = dataset.submit(page, "Save columns", {"delete": list(column_ids(page).values())})
    assert "A dataset needs at least one column. Add one." in page.alerts
    assert len(column_ids(dataset.get("/datasets/2"))) == 3


def test_marks_are_kept_while_a_row_is_added(dataset: PageClient) -> None:
    page = dataset.get("/datasets/2")
    ids = column_ids(page)
    page = dataset.submit(page, "Add a column", {"visible": [ids["CITY"]], "delete": [ids["AMOUNT"]]})
    assert visible(page) == {"CITY"}
    assert [box["value"] for box in page.all("input[name=delete]") if "checked" in box] == [ids["AMOUNT"]]
    assert visible(dataset.get("/datasets/2")) == {"ORDER_ID", "CITY", "AMOUNT"}

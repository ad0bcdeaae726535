"""A portal becomes one of the other generation while a page of the application is open (facts/biconnector 4.1, 4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.admin.conftest import Control, Enter
from tests.pages import PageClient

NOT_KNOWN = (
    "This portal does not know one of the fields. Open the form again: it then offers only what the portal knows."
)


def test_a_dataset_is_deleted_although_the_portal_was_updated_meanwhile(enter: Enter, control: Control) -> None:
    """facts/biconnector 4.2: on newer portals `dataset.delete` answers 500, only `table.delete` deletes."""
    control("generation", generation="older")
    control("demo")
    client = enter()[0]
    page = client.get("/datasets/1/delete")
    control("generation", generation="newer")
    page = client.submit(page, "Delete")
    assert (page.status, page.heading) == (200, "Datasets")
    assert client.get("/datasets/1").status == 404


def test_a_deletion_of_unknown_outcome_stays_one_where_the_portal_is_as_old_as_before(
    enter: Enter, control: Control
) -> None:
    control("generation", generation="older")
    control("demo")
    client = enter()[0]
    page = client.get("/datasets/1/delete")
    control("fail", target="biconnector.dataset.delete", shape="drop")
    page = client.submit(page, "Delete")
    assert page.status == 503
    assert "The portal did not answer in time" in page.alerts[0]
    assert client.submit(page, "Delete").heading == "Datasets"


def test_a_form_offers_after_a_refusal_what_the_portal_knows(
    client: PageClient, control: Control, connector: dict[str, str]
) -> None:
    """The refusal says that the form will, when it is opened again."""
    client.get("/connectors/new")
    control("generation", generation="older")
    page = client.post("/connectors/new", {**connector, "supportMapping": "1"})
    assert (page.status, page.alerts[0]) == (422, f"Not saved {NOT_KNOWN}")
    assert page.value("title") == "Online shop"
    page = client.get("/connectors/new")
    assert not page.has_control("supportMapping")
    assert "INT" not in page.text
    assert client.post("/connectors/new", {**connector, "supportMapping": "1"}).heading == "Online shop"


@pytest.mark.parametrize("path", ["/datasets/", "/datasets/1", "/datasets/1/delete"])
def test_pages_of_datasets_come_back_at_the_second_try(
    client: PageClient, control: Control, demo: Mapping[str, Any], path: str
) -> None:
    """facts/biconnector 4.1: older portals do not know `table.*`."""
    assert client.get(path).status == 200
    control("generation", generation="older")
    assert client.get(path).status == 422
    assert client.get(path).status == 200

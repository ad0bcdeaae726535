"""What a form did stays done, whatever becomes of the page that follows it; and the analyst reads which of both failed.

The page after a form is the form's own answer (docs/decisions/0004), so it can fail although the action succeeded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.admin.conftest import Control
from tests.doors import Stage
from tests.pages import PageClient

DATASET = {
    "name": "orders",
    "externalName": "Orders",
    "externalCode": "sales_orders",
    "sourceId": "1",
    "fields-0-name": "ID",
    "fields-0-externalCode": "order_id",
    "fields-0-type": "int",
}
SOURCE = {"title": "Shop, live", "connectorId": "1", "settings-login": "demo", "settings-password": "demo"}
DONE = "Done, but the next page cannot be shown"


@dataclass(frozen=True)
class Action:
    """A form that acts, and a method that only the page after it calls."""

    path: str
    fields: Mapping[str, str]
    next_page_calls: str
    notice: str
    place: str
    heading: str


ACTIONS = {
    "create a connector": Action(
        "/connectors/new", {}, "biconnector.connector.get", "The connector was created.", "/connectors/2", "Online shop"
    ),
    "change a connector": Action(
        "/connectors/1/edit",
        {},
        "biconnector.source.list",
        "The connector was changed.",
        "/connectors/1",
        "Online shop",
    ),
    "delete a connector": Action(
        "/connectors/2/delete",
        {},
        "biconnector.connector.list",
        "The connector was deleted.",
        "/connectors/",
        "Connectors",
    ),
    "create a source": Action(
        "/sources/new", SOURCE, "biconnector.source.get", "The source was created.", "/sources/2", "Shop, live"
    ),
    "change a source": Action(
        "/sources/1/edit", SOURCE, "biconnector.table.list", "The source was changed.", "/sources/1", "Shop, live"
    ),
    "delete a source": Action(
        "/sources/2/delete", {}, "biconnector.source.list", "The source was deleted.", "/sources/", "Sources"
    ),
    "create a dataset": Action(
        "/datasets/new", DATASET, "biconnector.source.get", "The dataset was created.", "/datasets/2", "orders"
    ),
    "change a dataset": Action(
        "/datasets/1/edit",
        {"description": "Changed"},
        "biconnector.source.get",
        "The dataset was changed.",
        "/datasets/1",
        "sales_orders",
    ),
    "change columns": Action(
        "/datasets/1",
        {"add-0-name": "EXTRA", "add-0-externalCode": "extra", "add-0-type": "string"},
        "biconnector.source.get",
        "The columns were changed.",
        "/datasets/1",
        "sales_orders",
    ),
    "delete a dataset": Action(
        "/datasets/1/delete", {}, "biconnector.table.list", "The dataset was deleted.", "/datasets/", "Datasets"
    ),
}


def heal(installed: Stage) -> None:
    """Let the portal answer again."""
    installed.control("mend")


def objects(installed: Stage) -> dict[str, list[Any]]:
    """Everything that the portal holds."""
    state = installed.portal.whole()
    return {
        "connectors": [repr(row) for row in state.connectors.values()],
        "sources": [repr(row) for row in state.sources.values()],
        "datasets": [repr(row) for row in state.datasets.values()],
    }


@pytest.mark.parametrize("fault", [{"shape": "text", "status": 502}, {"code": "OPERATION_TIME_LIMIT", "status": 429}])
@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_that_succeeded_is_told_as_done_when_the_next_page_fails(
    client: PageClient,
    demo: Mapping[str, Any],
    control: Control,
    installed: Stage,
    connector: dict[str, str],
    name: str,
    fault: dict[str, Any],
) -> None:
    action = ACTIONS[name]
    if action.path == "/connectors/2/delete":
        client.post("/connectors/new", connector)
    if action.path == "/sources/2/delete":
        client.post("/sources/new", SOURCE)
    fields = connector if action.path in ("/connectors/new", "/connectors/1/edit") else action.fields
    before = objects(installed)
    control("fail", target=action.next_page_calls, times=50, **fault)
    page = client.post(action.path, fields, _n="once")
    acted = objects(installed)
    assert acted != before
    assert (page.status, page.heading, page.alerts) == (503, DONE, [action.notice])
    assert "othing was" not in page.words
    assert page.place == action.place

    heal(installed)
    page = client.submit(page, "Show the page")
    assert (page.status, page.heading) == (200, action.heading)
    assert objects(installed) == acted
    assert client.post(action.path, fields, _n="once").alerts[0] == action.notice
    assert objects(installed) == acted


def test_the_retry_after_an_action_only_looks(
    client: PageClient, control: Control, installed: Stage, connector: dict[str, str]
) -> None:
    client.get("/connectors/new")
    control("fail", target="biconnector.connector.get", times=50, shape="text", status=502)
    page = client.post("/connectors/new", connector)
    for _ in range(3):
        page = client.submit(page, "Show the page" if page.heading == DONE else "Try again")
        assert (page.status, page.path) == (503, "/connectors/1")
    assert len(objects(installed)["connectors"]) == 1


def test_a_right_that_is_lost_after_the_action_does_not_make_it_undone(
    client: PageClient, control: Control, connector: dict[str, str]
) -> None:
    client.get("/connectors/new")
    control("fail", target="biconnector.source.list", code="ACCESS_DENIED", shape="result", status=200)
    page = client.post("/connectors/new", connector)
    assert (page.status, page.heading, page.alerts) == (403, DONE, ["The connector was created."])
    assert client.submit(page, "Show the page").heading == "Online shop"


def test_a_source_that_was_changed_is_changed_although_its_switch_could_not_be_looked_up(
    client: PageClient, demo: Mapping[str, Any], control: Control, installed: Stage
) -> None:
    """facts/field 0.12: whether the portal took `active` over is seen only by looking at the source again."""
    control("fail", target="biconnector.source.get", delay_seconds=0.01)  # the form's own look goes through
    control("fail", target="biconnector.source.get", times=50, shape="text", status=502)
    page = client.post("/sources/1/edit", {**SOURCE, "title": "Renamed", "active": "0"})
    assert installed.portal.whole().sources[1].title == "Renamed"
    assert (page.heading, page.alerts) == (DONE, ["The source was changed."])


@pytest.mark.parametrize("method", ["biconnector.table.delete", "biconnector.dataset.add"])
def test_an_unknown_outcome_stays_unknown_when_its_page_fails_as_well(
    client: PageClient, demo: Mapping[str, Any], control: Control, method: str
) -> None:
    """Such a form must not come back as one that did nothing and may be sent again."""
    control("fail", target=method, shape="drop", times=50)
    for needed_to_show_the_form_again in ("biconnector.table.get", "biconnector.source.list"):
        control("fail", target=needed_to_show_the_form_again, shape="text", status=502, times=50)
    page = client.post("/datasets/1/delete") if method.endswith("delete") else client.post("/datasets/new", DATASET)
    assert (page.status, page.heading) == (503, "It is unknown whether this was done")
    assert "Nothing was changed" not in page.words
    assert page.links()["Look at the list"] == "/datasets/"

"""facts/biconnector 4: datasets of older portals, tables of newer ones, and their columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
import responses

from errors import InvalidInput, NotFound, OutcomeUnknown, PortalRefused
from services.bi import datasets
from services.bi.datasets import DatasetColumn
from services.bi.listing import Listing
from services.portal_api.capabilities import NEWER, OLDER, Capabilities
from tests.services.portal_api.portal import Portal, batch_answer, commands, inner_error, result

COLUMNS: list[dict[str, Any]] = [
    {"id": 224, "datasetId": 2, "type": "int", "name": "ID", "externalCode": "id", "visible": True},
    {"id": "225", "datasetId": "2", "type": "string", "name": "NAME", "externalCode": "name", "visible": "N"},
]
ITEM: dict[str, Any] = {
    "id": 2,
    "type": "rest",
    "name": "sales",
    "description": "Sales of the shop",
    "externalCode": "sales_2026",
    "externalName": "Sales 2026",
    "dateCreate": "2025-03-26 15:28:06",
    "dateUpdate": None,
    "createdById": 1,
    "updatedById": 0,
    "externalId": 275,
    "fields": COLUMNS,
}
FIELDS: dict[str, Any] = {
    "name": "sales",
    "externalName": "Sales 2026",
    "externalCode": "sales_2026",
    "sourceId": "6",
    "fields": [{"name": "ID", "externalCode": "id", "type": "int"}],
}
LOST = requests.ReadTimeout("no answer")
GONE = inner_error("DATASET_NOT_FOUND", "Dataset was not found.")
BOTH = pytest.mark.parametrize(("caps", "family"), [(OLDER, "biconnector.dataset"), (NEWER, "biconnector.table")])


def portal(*answers: Any) -> Portal:
    return Portal(*answers).listen(responses.mock)


@BOTH
@responses.activate
def test_a_dataset_is_read_with_its_columns_and_its_source_in_one_round_trip(caps: Capabilities, family: str) -> None:
    """facts/biconnector 4.5: `sourceId` in lists only, `fields` in `get` only"""
    there = portal(batch_answer({"c0": {"item": ITEM}, "c1": [{"id": "2", "sourceId": "6"}]}))
    dataset = datasets.get(there.client(), caps, 2)
    assert (dataset.id, dataset.name, dataset.source_id, dataset.external_id) == (2, "sales", 6, 275)
    assert (dataset.date_update, dataset.updated_by_id) == ("", 0)
    assert dataset.columns == (
        DatasetColumn(224, 2, "int", "ID", "id", True, ""),
        DatasetColumn(225, 2, "string", "NAME", "name", False, ""),
    )
    assert [method for method, _ in commands(there.calls[0][1]).values()] == [f"{family}.get", f"{family}.list"]


@responses.activate
def test_a_dataset_that_is_not_there_is_not_found() -> None:
    error = {"error": "DATASET_NOT_FOUND", "error_description": "Dataset was not found."}
    with pytest.raises(NotFound):
        datasets.get(portal(batch_answer({"c1": []}, {"c0": error})).client(), OLDER, 2)


@pytest.mark.parametrize(
    ("caps", "table_only", "method"),
    [
        (OLDER, False, "biconnector.dataset.add"),
        (OLDER, True, "biconnector.dataset.add"),
        (NEWER, False, "biconnector.dataset.add"),
        (NEWER, True, "biconnector.table.add"),
    ],
)
@responses.activate
def test_adding_makes_the_bi_builder_dataset_too_unless_only_the_table_is_wanted(
    caps: Capabilities, table_only: bool, method: str
) -> None:
    """facts/biconnector 4.2"""
    there = portal(result([]), result({"id": 10}))
    assert datasets.add(there.client(), caps, FIELDS, table_only=table_only) == 10
    assert there.calls[1][0] == method
    assert there.sent[1:] == [{"fields": {**FIELDS, "sourceId": 6}}]


@BOTH
@responses.activate
def test_a_lost_add_is_looked_up_by_its_name(caps: Capabilities, family: str) -> None:
    there = portal(result([]), LOST, result([{"id": "10"}]))
    assert datasets.add(there.client(), caps, FIELDS) == 10
    assert there.methods == [f"{family}.list", "biconnector.dataset.add", f"{family}.list"]
    same = {"filter": {"=name": "sales"}, "select": ["id"], "order": {"id": "DESC"}, "page": 1}
    assert (there.sent[0], there.sent[2]) == (same, same)


@pytest.mark.parametrize("older", [[], [{"id": "10"}]])
@BOTH
@responses.activate
def test_a_lost_add_does_not_pass_an_older_dataset_off_as_its_own(caps: Capabilities, family: str, older: Any) -> None:
    """facts/biconnector 4.6: a name that was taken before cannot have been added"""
    there = portal(result(older), LOST, result(older))
    with pytest.raises(OutcomeUnknown):
        datasets.add(there.client(), caps, FIELDS)
    assert there.methods[0] == f"{family}.list"


@BOTH
@responses.activate
def test_deletion_goes_through_the_family_that_can_delete(caps: Capabilities, family: str) -> None:
    """facts/biconnector 4.2: `dataset.delete` answers 500 on newer portals"""
    there = portal(result(True))
    datasets.delete(there.client(), caps, 2)
    assert there.calls[0][0] == f"{family}.delete"
    datasets.delete(portal(LOST, GONE).client(), caps, 2)
    with pytest.raises(OutcomeUnknown):
        datasets.delete(portal(LOST, result({"item": ITEM})).client(), caps, 2)


@BOTH
@responses.activate
def test_the_description_is_updated(caps: Capabilities, family: str) -> None:
    there = portal(result(True))
    datasets.update(there.client(), caps, 2, {"description": "new"})
    assert there.calls[0][0] == f"{family}.update"
    assert there.sent == [{"id": 2, "fields": {"description": "new"}}]


NEW = {"name": "TOTAL", "externalCode": "total", "type": "double"}


@BOTH
@responses.activate
def test_columns_are_changed_in_one_call_after_the_dataset_was_read(caps: Capabilities, family: str) -> None:
    """facts/biconnector 4.3, 4.4"""
    there = portal(result({"item": ITEM}), result(True))
    datasets.update_columns(there.client(), caps, 2, add=[NEW], show=[225], hide=[224], delete=[])
    assert there.methods == [f"{family}.get", f"{family}.fields.update"]
    assert there.sent[1] == {
        "id": 2,
        "add": [NEW],
        "update": [{"id": 225, "visible": True}, {"id": 224, "visible": False}],
    }


@responses.activate
def test_a_column_that_is_deleted_is_not_hidden_first() -> None:
    there = portal(result({"item": ITEM}), result(True))
    datasets.update_columns(there.client(), OLDER, 2, hide=[224], delete=[224, 224])
    assert there.sent[1] == {"id": 2, "delete": [224]}


Change = Callable[[Portal], object]
FOREIGN: list[tuple[Change, str]] = [
    (lambda there: datasets.update_columns(there.client(), OLDER, 2, delete=[224, 999]), "delete"),
    (lambda there: datasets.update_columns(there.client(), OLDER, 2, show=[999]), "show"),
    (lambda there: datasets.update_columns(there.client(), OLDER, 2, hide=[999]), "hide"),
]


@pytest.mark.parametrize(("change", "field"), FOREIGN, ids=["delete", "show", "hide"])
@responses.activate
def test_ids_of_other_datasets_are_refused_before_anything_is_changed(change: Change, field: str) -> None:
    """facts/biconnector 4.4: a wrong id deletes a column of somebody else's dataset"""
    there = portal(result({"item": ITEM}), result(True))
    with pytest.raises(InvalidInput) as caught:
        change(there)
    (problem,) = caught.value.problems
    assert (problem.field, problem.code, problem.details["values"]) == (field, "COLUMN_NOT_IN_DATASET", "999")
    assert there.methods == ["biconnector.dataset.get"]


@responses.activate
def test_the_last_column_stays_unless_another_one_comes() -> None:
    there = portal(result({"item": ITEM}))
    with pytest.raises(InvalidInput) as caught:
        datasets.update_columns(there.client(), OLDER, 2, delete=[224, 225])
    assert [problem.code for problem in caught.value.problems] == ["FIELDS_EMPTY"]
    replaced = portal(result({"item": ITEM}), result(True))
    datasets.update_columns(replaced.client(), OLDER, 2, add=[NEW], delete=[225, 224])
    assert replaced.sent[1] == {"id": 2, "add": [NEW], "delete": [224, 225]}


@responses.activate
def test_a_new_column_differs_from_those_that_are_there_even_if_they_go() -> None:
    """facts/biconnector 4.3: the order of work is update, add, delete"""
    there = portal(result({"item": ITEM}))
    again = {"name": "ID", "externalCode": "id", "type": "int"}
    with pytest.raises(InvalidInput) as caught:
        datasets.update_columns(there.client(), OLDER, 2, add=[again], delete=[224])
    assert [(problem.field, problem.code) for problem in caught.value.problems] == [
        ("add-0-name", "VALIDATION_DUPLICATE_EXIST_NAME"),
        ("add-0-externalCode", "VALIDATION_DUPLICATE_EXIST_CODE"),
    ]


@responses.activate
def test_without_a_change_nothing_is_sent() -> None:
    there = portal(result({"item": ITEM}))
    with pytest.raises(InvalidInput):
        datasets.update_columns(there.client(), OLDER, 2)
    assert there.methods == ["biconnector.dataset.get"]


@responses.activate
def test_columns_whose_answer_is_lost_have_an_unknown_outcome() -> None:
    there = portal(result({"item": ITEM}), LOST)
    with pytest.raises(OutcomeUnknown):
        datasets.update_columns(there.client(), OLDER, 2, hide=[224])
    assert there.methods.count("biconnector.dataset.fields.update") == 1


REFUSED = inner_error("DATASET_UPDATE_ERROR", "Error updating dataset.")
AFTER: dict[str, Any] = {
    **ITEM,
    "fields": [{**COLUMNS[1], "visible": True}, {"id": 226, "datasetId": 2, "type": "int", "visible": True, **NEW}],
}


@responses.activate
def test_changes_that_are_in_force_are_no_error_and_are_not_made_again() -> None:
    """facts/biconnector 4.3a: the error may follow changes that are in force, so the columns are read anew"""
    there = portal(result({"item": ITEM}), REFUSED, result({"item": AFTER}))
    assert datasets.update_columns(there.client(), NEWER, 2, add=[NEW], show=[225], delete=[224]) is False
    assert there.methods == ["biconnector.table.get", "biconnector.table.fields.update", "biconnector.table.get"]
    silent = portal(result({"item": ITEM}), result(True))
    assert datasets.update_columns(silent.client(), NEWER, 2, add=[NEW]) is True


@pytest.mark.parametrize(
    "left",
    [
        ITEM,
        {**AFTER, "fields": AFTER["fields"][:1]},
        {**AFTER, "fields": [*AFTER["fields"], COLUMNS[0]]},
        {**AFTER, "fields": [COLUMNS[1], AFTER["fields"][1]]},
    ],
    ids=["nothing", "not added", "not deleted", "not shown"],
)
@responses.activate
def test_changes_that_are_not_in_force_are_an_error(left: dict[str, Any]) -> None:
    """facts/biconnector 4.3a"""
    there = portal(result({"item": ITEM}), REFUSED, result({"item": left}))
    with pytest.raises(PortalRefused):
        datasets.update_columns(there.client(), NEWER, 2, add=[NEW], show=[225], delete=[224])


@BOTH
@responses.activate
def test_a_page_of_datasets_is_searched_by_name(caps: Capabilities, family: str) -> None:
    listed = [{"id": "9", "name": "sales_data_main", "description": "Monthly", "sourceId": "6"}]
    there = portal(batch_answer({"c0": listed, "c1": []}))
    page = datasets.page(there.client(), caps, Listing("sales", order="name", direction="ASC"))
    assert [(dataset.id, dataset.source_id, dataset.columns) for dataset in page.items] == [(9, 6, ())]
    method, asked = commands(there.calls[0][1])["c0"]
    assert (method, asked["filter[%name]"], asked["order[name]"]) == (f"{family}.list", "sales", "ASC")


@BOTH
@responses.activate
def test_fields_are_asked_of_the_same_family(caps: Capabilities, family: str) -> None:
    there = portal(result({"fields": []}))
    assert datasets.fields(there.client(), caps) == ()
    assert there.methods == [f"{family}.fields"]

"""facts/biconnector 1.2 and 3: sources as functions, against a scripted portal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
import responses

from errors import InUse, InvalidInput, NotFound, OutcomeUnknown, PortalRefused
from services.bi import sources
from services.bi.listing import Listing
from services.bi.refusals import problem_for
from services.bi.sources import Source, SourceSetting
from services.portal_api.capabilities import NEWER, OLDER
from tests.services.portal_api.portal import Portal, batch_answer, commands, inner_error, result, root_error

CONNECTION = {
    "id": 6,
    "type": "rest",
    "code": "rest_1",
    "title": "Rest source SQL",
    "description": "Connection for working with mySql",
    "active": True,
    "dateCreate": "2025-03-20 14:50:06",
    "dateUpdate": None,
    "createdById": 1,
    "updatedById": 0,
}
ITEM = {
    "connection": CONNECTION,
    "connectorId": 1,
    "settings": [{"code": "token", "name": "Token", "type": "STRING", "value": "beliberda", "id": 8}],
}
FIELDS: dict[str, Any] = {"title": "Shop", "connectorId": "1", "active": True, "settings": {"token": "s3cret"}}
NOTHING = result([])
LOST = requests.ReadTimeout("no answer")


def portal(*answers: Any) -> Portal:
    return Portal(*answers).listen(responses.mock)


@responses.activate
def test_a_source_is_read_out_of_its_nested_connection() -> None:
    """facts/biconnector 1.2, 1.6: `dateUpdate` null and `updatedById` 0 on a fresh object"""
    assert sources.get(portal(result({"item": ITEM})).client(), 6) == Source(
        id=6,
        title="Rest source SQL",
        type="rest",
        code="rest_1",
        description="Connection for working with mySql",
        active=True,
        connector_id=1,
        settings=(SourceSetting("token", "Token", "STRING", "beliberda", 8),),
        date_create="2025-03-20 14:50:06",
        date_update="",
        created_by_id=1,
        updated_by_id=0,
    )


@responses.activate
def test_a_source_that_is_not_nested_is_read_as_well() -> None:
    flat = {**CONNECTION, "id": "6", "active": "Y", "connectorId": "1"}
    source = sources.get(portal(result({"item": flat})).client(), 6)
    assert (source.id, source.active, source.connector_id, source.settings) == (6, True, 1, ())


@responses.activate
def test_values_of_settings_are_not_shown_by_accident() -> None:
    """facts/field 0.10: portals tell them in plain text"""
    source = sources.get(portal(result({"item": ITEM})).client(), 6)
    assert source.settings[0].value == "beliberda"
    assert "beliberda" not in repr(source)


@responses.activate
def test_adding_sends_settings_as_an_object() -> None:
    """facts/biconnector 3.3"""
    there = portal(NOTHING, result({"id": 7}))
    assert sources.add(there.client(), OLDER, FIELDS, ["token"]) == 7
    assert there.methods == ["biconnector.source.list", "biconnector.source.add"]
    assert there.sent[1:] == [{"fields": {**FIELDS, "connectorId": 1}}]


SAVES: dict[str, Callable[[Portal], Any]] = {
    "SOURCE_CREATE_CONNECTION_ERROR": lambda there: sources.add(there.client(), OLDER, FIELDS),
    "SOURCE_UPDATE_CONNECTION_ERROR": lambda there: sources.update(there.client(), OLDER, 6, {"title": "Shop"}),
}


@pytest.mark.parametrize("code", SAVES)
@responses.activate
def test_a_failed_check_is_told_beside_the_settings_and_is_final(code: str) -> None:
    """facts/biconnector 3.1"""
    refused = inner_error(code, "Cannot create connection.")
    there = portal(NOTHING, refused) if "CREATE" in code else portal(refused)
    with pytest.raises(PortalRefused) as caught:
        SAVES[code](there)
    assert problem_for(caught.value).field == "settings"
    assert sum(not method.endswith(".list") for method in there.methods) == 1


@responses.activate
def test_a_lost_add_is_looked_up_by_title_and_connector() -> None:
    there = portal(result([{"id": "9"}]), LOST, result([{"id": "10"}, {"id": "9"}]))
    assert sources.add(there.client(), OLDER, FIELDS) == 10
    assert there.methods == ["biconnector.source.list", "biconnector.source.add", "biconnector.source.list"]
    same = {"filter": {"=title": "Shop", "=connectorId": 1}, "select": ["id"], "order": {"id": "DESC"}, "page": 1}
    assert (there.sent[0], there.sent[2]) == (same, same)


@pytest.mark.parametrize("older", [[], [{"id": "9"}]])
@responses.activate
def test_a_lost_add_does_not_pass_an_older_source_off_as_its_own(older: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        sources.add(portal(result(older), LOST, result(older)).client(), OLDER, FIELDS)


@responses.activate
def test_an_update_always_sends_the_title() -> None:
    """facts/biconnector 3.2"""
    there = portal(result(True))
    sources.update(there.client(), OLDER, 6, {"title": "Shop", "active": False})
    assert there.sent == [{"id": 6, "fields": {"title": "Shop", "active": False}}]
    with pytest.raises(InvalidInput):
        sources.update(there.client(), OLDER, 6, {"active": False})
    assert len(there.calls) == 1


@responses.activate
def test_a_source_with_datasets_stays() -> None:
    """facts/biconnector 3.4"""
    with pytest.raises(InUse):
        sources.delete(portal(root_error("BX_ERROR", "Cannot delete source.")).client(), 6)


@responses.activate
def test_a_lost_deletion_counts_when_the_source_is_gone() -> None:
    sources.delete(portal(LOST, inner_error("SOURCE_NOT_FOUND", "Source was not found.")).client(), 6)
    with pytest.raises(NotFound):
        sources.delete(portal(inner_error("SOURCE_NOT_FOUND", "Source was not found.")).client(), 6)


@responses.activate
def test_a_page_of_sources_is_searched_by_title() -> None:
    listed = [{"id": "11", "title": "Sql_host", "active": True, "dateCreate": "2025-03-24 07:25:59"}]
    there = portal(batch_answer({"c0": listed, "c1": []}))
    page = sources.page(there.client(), Listing("Sql", {"=connectorId": 1}))
    assert [(source.id, source.title, source.active) for source in page.items] == [(11, "Sql_host", True)]
    method, asked = commands(there.calls[0][1])["c0"]
    assert method == "biconnector.source.list"
    assert (asked["filter[%title]"], asked["filter[=connectorId]"], asked["order[id]"]) == ("Sql", "1", "DESC")


@pytest.mark.parametrize(("caps", "family"), [(OLDER, "dataset"), (NEWER, "table")])
@responses.activate
def test_what_hangs_below_a_source_are_its_datasets(caps: Any, family: str) -> None:
    listed = [{"id": "3", "name": "sales", "sourceId": "6"}]
    there = portal(batch_answer({f"c{number}": listed if number == 0 else [] for number in range(4)}))
    (dataset,) = sources.below(there.client(), caps, 6)
    assert (dataset.id, dataset.name, dataset.source_id) == (3, "sales", 6)
    method, asked = commands(there.calls[0][1])["c0"]
    assert (method, asked["filter[=sourceId]"]) == (f"biconnector.{family}.list", "6")


@responses.activate
def test_everything_and_fields_are_asked_of_the_source_methods() -> None:
    there = portal(batch_answer({f"c{number}": [] for number in range(4)}))
    assert sources.everything(there.client()) == ()
    assert commands(there.calls[0][1])["c0"][0] == "biconnector.source.list"
    described = portal(result({"fields": []}))
    assert sources.fields(described.client()) == ()
    assert described.methods == ["biconnector.source.fields"]


def row(number: int, **values: str) -> dict[str, Any]:
    """A source as lists tell it on portals that tell values there."""
    settings = [{"code": code, "name": code.title(), "type": "STRING", "value": text} for code, text in values.items()]
    return {**CONNECTION, "id": str(number), "title": f"Source {number}", "connectorId": "1", "settings": settings}


def misfits(there: Portal, names: dict[str, str]) -> list[tuple[int, tuple[str, ...], tuple[str, ...]]]:
    listed = sources.of_connector(there.client(), 1)
    found = sources.misfits(there.client(), listed, names)
    return [(one.source.id, one.missing, one.leaving) for one in found]


@responses.activate
def test_sources_without_a_value_for_a_parameter_are_told() -> None:
    """facts/biconnector 3.3d: some portals may make an empty value of a new parameter instead of none"""
    there = portal(
        batch_answer({"c0": [row(1, token="x", region="n"), row(2, token="x"), row(3, token="x", region="")]})
    )
    assert misfits(there, {"token": "Token", "region": "Region"}) == [(2, ("Region",), ()), (3, ("Region",), ())]


@responses.activate
def test_sources_that_lose_a_value_at_their_next_save_are_told() -> None:
    """facts/biconnector 3.3d"""
    there = portal(batch_answer({"c0": [row(1, token="x", old="y"), row(2, token="x", old="")]}))
    assert misfits(there, {"token": "Token"}) == [(1, (), ("Old",))]


@responses.activate
def test_sources_that_lists_tell_without_values_are_read_by_themselves() -> None:
    bare = [{**row(number), "settings": []} for number in (6, 7, 8)]
    single = batch_answer({"c0": {"item": ITEM}, "c1": {"error": {"error": "SOURCE_NOT_FOUND"}}, "c2": {"item": ITEM}})
    there = portal(batch_answer({"c0": bare}), single)
    assert misfits(there, {"token": "Token"}) == []
    assert [method for method, _ in commands(there.calls[1][1]).values()] == ["biconnector.source.get"] * 3


@responses.activate
def test_a_connector_without_parameters_needs_no_second_look() -> None:
    there = portal(batch_answer({"c0": [{**row(6), "settings": []}]}))
    assert misfits(there, {}) == []
    assert len(there.calls) == 1

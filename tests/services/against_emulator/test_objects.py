"""facts/biconnector 1-4: connectors, sources and datasets on both generations, with both error shapes."""

from __future__ import annotations

from typing import Any

import pytest

from errors import (
    InUse,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    PortalRefused,
)
from services.bi import connectors, datasets, sources
from services.bi.refusals import problem_for
from services.portal_api.capabilities import NEWER, OLDER, probe
from services.portal_api.client import PortalClient
from tests.services.against_emulator.objects import COLUMNS, DATASET, SOURCE, Either, connector_fields, fill
from tests.services.emulated import EmulatedPortal


def test_what_a_portal_knows_is_probed(either: Either) -> None:
    """facts/biconnector 2.1, 2.2, 4.1, 4.7"""
    client, caps = either
    assert probe(client) == caps


def test_a_connector_lives_from_adding_to_deletion(portal: EmulatedPortal, either: Either) -> None:
    client, caps = either
    fields = connector_fields(portal, description="Stock", sort="7")
    connector_id = connectors.add(client, caps, fields)
    made = connectors.get(client, connector_id)
    assert (made.id, made.title, made.description, made.sort) == (connector_id, "Warehouse", "Stock", 7)
    assert (made.url_check, made.url_data) == (fields["urlCheck"], fields["urlData"])
    assert [setting.code for setting in made.settings] == ["login", "password"]
    assert made.date_create
    connectors.update(client, caps, connector_id, {"title": "Store", "settings": fields["settings"][:1]})
    assert connectors.get(client, connector_id).title == "Store"
    assert [connector.title for connector in connectors.everything(client)] == ["Store"]
    assert {fact.title for fact in connectors.fields(client)} >= {"title", "urlCheck", "settings"}
    connectors.delete(client, connector_id)
    with pytest.raises(NotFound):
        connectors.get(client, connector_id)


def test_newer_portals_keep_mapping_and_source_code(portal: EmulatedPortal, client: PortalClient) -> None:
    """facts/biconnector 2.1"""
    fields = connector_fields(portal, supportMapping=True, sourceCode="mysql")
    fields["settings"].append({"code": "port", "name": "Port", "type": "INT"})
    made = connectors.get(client, connectors.add(client, NEWER, fields))
    assert (made.support_mapping, made.source_code, made.settings[-1].type) == (True, "mysql", "INT")


def test_a_source_lives_from_adding_to_deletion(portal: EmulatedPortal, either: Either) -> None:
    client, caps = either
    connector_id = connectors.add(client, caps, connector_fields(portal))
    source_id = sources.add(client, caps, {**SOURCE, "connectorId": connector_id}, ["login", "password"])
    made = sources.get(client, source_id)
    assert (made.id, made.title, made.type, made.connector_id, made.active) == (
        source_id,
        "Main",
        "rest",
        connector_id,
        True,
    )
    assert {setting.code: setting.value for setting in made.settings} == SOURCE["settings"]
    sources.update(client, caps, source_id, {"title": "Branch", "description": "North"})
    changed = sources.get(client, source_id)
    assert (changed.title, changed.description, len(changed.settings)) == ("Branch", "North", 2)
    assert [source.id for source in connectors.below(client, connector_id)] == [source_id]
    assert [source.id for source in sources.everything(client)] == [source_id]
    assert {fact.title for fact in sources.fields(client)} >= {"title", "connectorId", "settings"}
    with pytest.raises(InUse):
        connectors.delete(client, connector_id)
    sources.delete(client, source_id)
    with pytest.raises(NotFound):
        sources.get(client, source_id)


def test_a_dataset_lives_from_adding_to_deletion(portal: EmulatedPortal, either: Either) -> None:
    """facts/biconnector 4.2: on newer portals only `table.delete` deletes"""
    client, caps = either
    _, source_id, dataset_id = fill(portal, client, caps)
    made = datasets.get(client, caps, dataset_id)
    assert (made.id, made.name, made.source_id, made.external_code) == (dataset_id, "orders", source_id, "orders")
    assert [(column.name, column.type, column.visible) for column in made.columns] == [
        ("ID", "int", True),
        ("CITY", "string", True),
    ]
    assert made.external_id > 0
    datasets.update(client, caps, dataset_id, {"description": "All orders"})
    assert datasets.get(client, caps, dataset_id).description == "All orders"
    assert [dataset.id for dataset in sources.below(client, caps, source_id)] == [dataset_id]
    assert {fact.title for fact in datasets.fields(client, caps)} >= {"name", "sourceId", "fields"}
    with pytest.raises(InUse):
        sources.delete(client, source_id)
    datasets.delete(client, caps, dataset_id)
    with pytest.raises(NotFound):
        datasets.get(client, caps, dataset_id)


def test_columns_are_added_hidden_shown_and_deleted(portal: EmulatedPortal, either: Either) -> None:
    """facts/biconnector 4.3, 4.4"""
    client, caps = either
    dataset_id = fill(portal, client, caps)[2]
    first, second = (column.id for column in datasets.get(client, caps, dataset_id).columns)
    total = {"name": "TOTAL", "externalCode": "total", "type": "double"}
    datasets.update_columns(client, caps, dataset_id, add=[total], hide=[first], delete=[second])
    columns = datasets.get(client, caps, dataset_id).columns
    assert [(column.name, column.visible) for column in columns] == [("ID", False), ("TOTAL", True)]
    datasets.update_columns(client, caps, dataset_id, show=[first])
    assert all(column.visible for column in datasets.get(client, caps, dataset_id).columns)


def test_columns_of_another_dataset_are_safe_from_us(portal: EmulatedPortal, client: PortalClient) -> None:
    """facts/biconnector 4.4: the portal itself would delete them"""
    _, source_id, dataset_id = fill(portal, client)
    other_id = datasets.add(client, NEWER, {**DATASET, "name": "others", "sourceId": source_id})
    strangers = [column.id for column in datasets.get(client, NEWER, other_id).columns]
    with pytest.raises(InvalidInput):
        datasets.update_columns(client, NEWER, dataset_id, delete=strangers)
    assert len(datasets.get(client, NEWER, other_id).columns) == 2
    client.call("biconnector.table.fields.update", id=dataset_id, delete=strangers)
    assert datasets.get(client, NEWER, other_id).columns == ()


def test_a_table_can_be_made_without_a_bi_builder_dataset(portal: EmulatedPortal, client: PortalClient) -> None:
    """facts/biconnector 4.2"""
    source_id = fill(portal, client)[1]
    table = {**DATASET, "name": "bare", "sourceId": source_id, "fields": [{**COLUMNS[0], "type": "money"}]}
    made = datasets.get(client, NEWER, datasets.add(client, NEWER, table, table_only=True))
    assert (made.external_id, made.columns[0].type) == (0, "money")


def test_dataset_delete_of_a_newer_portal_is_an_unreachable_portal(
    portal: EmulatedPortal, client: PortalClient
) -> None:
    """facts/biconnector 4.2; why `Capabilities.tables` decides about deletion"""
    dataset_id = fill(portal, client)[2]
    with pytest.raises(OutcomeUnknown):
        datasets.delete(client, OLDER, dataset_id)


def test_tables_are_unknown_to_older_portals(portal: EmulatedPortal) -> None:
    portal.control("generation", generation="older")
    with pytest.raises(PortalRefused) as caught:
        portal.client().call("biconnector.table.list")
    assert caught.value.code == "ERROR_METHOD_NOT_FOUND"


NEWER_CODES: list[tuple[str, dict[str, Any], str]] = [
    ("NAME_EXISTS", {"name": "orders"}, "name"),
    ("DUPLICATE_FIELDS", {"fields": [COLUMNS[0], {**COLUMNS[0], "externalCode": "x"}]}, "fields"),
    ("FIELDS_EMPTY", {"fields": []}, "fields"),
    ("VALIDATION_SOURCE_ID_REQUIRED", {"sourceId": 0}, "sourceId"),
]


@pytest.mark.parametrize("family", ["dataset", "table"])
@pytest.mark.parametrize(("code", "changes", "field"), NEWER_CODES)
def test_codes_of_newer_portals_become_problems_beside_their_fields(
    portal: EmulatedPortal, client: PortalClient, family: str, code: str, changes: dict[str, Any], field: str
) -> None:
    """facts/biconnector 4.6"""
    source_id = fill(portal, client)[1]
    wanted = {**DATASET, "name": "fresh", "sourceId": source_id, **changes}
    with pytest.raises(PortalRefused) as caught:
        client.call(f"biconnector.{family}.add", fields=wanted)
    problem = problem_for(caught.value)
    assert (problem.code, problem.field) == (code, field)


def test_what_our_rules_refuse_the_portal_would_refuse_too(portal: EmulatedPortal, client: PortalClient) -> None:
    """No rule of ours is stricter than a portal's on these; codes and fields agree"""
    broken = connector_fields(portal, title=5, settings=[{"code": "a", "name": "A", "type": "TEXT"}])
    with pytest.raises(InvalidInput) as ours:
        connectors.add(client, NEWER, broken)
    with pytest.raises(PortalRefused) as theirs:
        client.call("biconnector.connector.add", fields=broken)
    first = problem_for(theirs.value)
    assert (first.field, first.code) in [(problem.field, problem.code) for problem in ours.value.problems]


def test_an_update_of_a_source_without_a_title_has_an_empty_code(portal: EmulatedPortal, client: PortalClient) -> None:
    """facts/biconnector 3.2"""
    source_id = fill(portal, client)[1]
    with pytest.raises(PortalRefused) as caught:
        client.call("biconnector.source.update", id=source_id, fields={"description": "x"})
    assert (caught.value.code, problem_for(caught.value).field) == ("", "title")


def test_a_direction_of_its_own_is_refused_in_the_root(client: PortalClient) -> None:
    """facts/biconnector 1.4"""
    with pytest.raises(PortalRefused) as caught:
        client.call("biconnector.connector.list", order={"id": "SIDEWAYS"})
    assert caught.value.code == "ERROR_ARGUMENT"

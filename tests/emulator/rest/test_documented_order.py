"""Of several mistakes the first of the documentation's table is told (facts/api 6.1).

facts/biconnector 1.7: of all problems only one is returned. Datasets have such a test in `test_error_tables`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.portals import CONNECTOR, EmulatedPortal

FAMILIES = ("connector", "source", "dataset", "table")
NEW_COLUMN = {"name": "FRESH", "externalCode": "fresh", "type": "int"}
LONG = "x" * 513

FIELDS_UPDATES: list[tuple[dict[str, Any], str]] = [
    (
        {"add": [NEW_COLUMN, {**NEW_COLUMN, "name": "small"}], "update": [{}]},
        "VALIDATION_DUPLICATE_FIELD_CODE",
    ),
    ({"add": [NEW_COLUMN, {"name": "FRESH", "externalCode": "b"}]}, "VALIDATION_DUPLICATE_FIELD_NAME"),
    (
        {"add": [{**NEW_COLUMN, "type": "text"}, {"name": "small"}], "delete": [0]},
        "VALIDATION_FIELD_NAME_INVALID_FORMAT",
    ),
    ({"add": [{**NEW_COLUMN, "type": "text"}, {"name": "F" * 33}]}, "VALIDATION_FIELD_NAME_TOO_LONG"),
    ({"add": [{"name": "ORDER_ID", "type": "text"}]}, "VALIDATION_FIELD_INVALID_TYPE"),
    ({"add": [{"externalCode": "order_id"}], "update": [{}]}, "VALIDATION_DUPLICATE_EXIST_CODE"),
    ({"add": [{"name": "ORDER_ID"}], "update": [{}]}, "VALIDATION_DUPLICATE_EXIST_NAME"),
    ({"add": ["FRESH"], "update": [{}]}, "VALIDATION_FIELD_ADD_MISSING_REQUIRED_FIELDS"),
    ({"update": [{"id": 1}], "delete": ["x"]}, "VALIDATION_FIELD_UPDATE_MISSING_REQUIRED_FIELDS"),
]


@pytest.mark.parametrize(("changes", "code"), FIELDS_UPDATES)
def test_changes_of_columns(emulated: EmulatedPortal, changes: dict[str, Any], code: str) -> None:
    source = emulated.add_source(emulated.add_connector())
    columns = [{"name": "ORDER_ID", "externalCode": "order_id", "type": "int"}]
    number = emulated.add_dataset(source, fields=columns).id
    before = emulated.call("biconnector.dataset.get", id=number)
    assert emulated.error("biconnector.dataset.fields.update", id=number, **changes)[0] == code
    assert emulated.call("biconnector.dataset.get", id=number) == before


def test_columns_of_a_new_dataset_are_looked_at_together(emulated: EmulatedPortal) -> None:
    source = emulated.add_source(emulated.add_connector())
    wrong = [{**NEW_COLUMN, "type": "text"}, {"name": "OTHER"}]
    fields = {"name": "fresh", "externalName": "x", "externalCode": "x", "sourceId": source.id, "fields": wrong}
    assert emulated.error("biconnector.table.add", fields=fields)[0] == "VALIDATION_FIELD_MISSING_REQUIRED_PARAMETERS"


SETTINGS: list[tuple[list[dict[str, Any]], str, str]] = [
    ([{"name": LONG, "code": LONG, "type": "x"}, {}], "MISSING_REQUIRED_FIELDS", "MISSING_REQUIRED_FIELDS"),
    ([{"name": LONG, "code": LONG, "type": "x"}], "NAME_TOO_LONG", "INVALID_TYPE"),
    ([{"name": "a", "code": LONG, "type": "x"}], "CODE_TOO_LONG", "INVALID_TYPE"),
    ([{"name": LONG, "code": LONG, "type": "STRING"}], "NAME_TOO_LONG", "NAME_TOO_LONG"),
]


@pytest.mark.parametrize(("settings", "in_add", "in_update"), SETTINGS)
def test_settings_of_connectors(
    emulated: EmulatedPortal, settings: list[dict[str, Any]], in_add: str, in_update: str
) -> None:
    """The tables of `connector.add` and `connector.update` differ in where the type stands."""
    number = emulated.add_connector().id
    added = emulated.error("biconnector.connector.add", fields={**CONNECTOR, "settings": settings})[0]
    changed = emulated.error("biconnector.connector.update", id=number, fields={"settings": settings})[0]
    assert (added, changed) == (f"VALIDATION_SETTINGS_{in_add}", f"VALIDATION_SETTINGS_{in_update}")


LISTS: list[tuple[dict[str, Any], str]] = [
    ({"select": "x", "filter": "x", "order": "x"}, "VALIDATION_SELECT_TYPE"),
    ({"select": ["nope"], "filter": "x", "order": "x"}, "VALIDATION_FILTER_TYPE"),
    ({"select": ["nope"], "filter": {"nope": 1}, "order": "x"}, "VALIDATION_ORDER_TYPE"),
    ({"select": ["nope"], "filter": {"nope": 1}, "order": {"nope": "ASC"}}, "VALIDATION_FIELD_NOT_ALLOWED_IN_SELECT"),
    ({"filter": {"logic": "XOR", "0": {"nope": 1}}, "order": {"nope": "x"}}, "VALIDATION_FIELD_NOT_ALLOWED_IN_FILTER"),
    ({"filter": {"logic": "XOR"}, "order": {"id": "x", "nope": "ASC"}}, "VALIDATION_FIELD_NOT_ALLOWED_IN_ORDER"),
    ({"filter": {"logic": "XOR"}, "order": {"id": "x"}}, "VALIDATION_INVALID_FILTER_LOGIC"),
]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("params", "code"), LISTS)
def test_lists(emulated: EmulatedPortal, family: str, params: dict[str, Any], code: str) -> None:
    assert emulated.error(f"biconnector.{family}.list", **params)[0] == code

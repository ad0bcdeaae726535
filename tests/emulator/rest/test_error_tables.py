"""Every row of the documentation's error tables can be provoked, with code and text as documented.

The tables are those of facts/api 6.1 and 6.2; ids and names in brackets are the rows' own. Rows that a portal cannot
reach by itself, such as "Error updating dataset.", are ordered with the `fail` control.
"""

from __future__ import annotations

from typing import Any

import pytest
import responses

from tests.emulator.portals import COLUMNS, CONNECTOR, DATASET, EmulatedPortal

LONG = "x" * 513
INVALID_COLUMN_NAME = (
    'Field "name" has to start with an uppercase Latin character. Possible entry includes uppercase Latin '
    "characters (A-Z), numbers (0-9) and underscores."
)
INVALID_DATASET_NAME = (
    "Dataset name has to start with a lowercase Latin character. Possible entry includes lowercase Latin characters "
    "(a-z), numbers (0-9) and underscores."
)

WRITES = [
    ("biconnector.connector.add", {}),
    ("biconnector.connector.update", {"id": 1}),
    ("biconnector.source.add", {}),
    ("biconnector.source.update", {"id": 1}),
    ("biconnector.dataset.add", {}),
    ("biconnector.dataset.update", {"id": 1}),
    ("biconnector.table.add", {}),
    ("biconnector.table.update", {"id": 1}),
]
BY_ID = [
    *[f"biconnector.{kind}.{verb}" for kind in ("connector", "source") for verb in ("get", "update", "delete")],
    *[
        f"biconnector.{kind}.{verb}"
        for kind in ("dataset", "table")
        for verb in ("get", "update", "delete", "fields.update")
    ],
]
LISTS = [f"biconnector.{kind}.list" for kind in ("connector", "source", "dataset", "table")]
NOT_FOUND = {
    "connector": ("CONNECTOR_NOT_FOUND", "Connector was not found."),
    "source": ("SOURCE_NOT_FOUND", "Source was not found."),
    "dataset": ("DATASET_NOT_FOUND", "Dataset was not found."),
    "table": ("DATASET_NOT_FOUND", "Dataset was not found."),
}


@pytest.fixture
def filled(emulated: EmulatedPortal) -> EmulatedPortal:
    """A portal with one connector, one source and one table."""
    emulated.add_dataset(emulated.add_source(emulated.add_connector()))
    return emulated


@pytest.mark.parametrize(("method", "params"), WRITES)
@pytest.mark.parametrize("fields", [None, {}, [], "", "title", 5, False])
def test_fields_not_provided(filled: EmulatedPortal, method: str, params: dict[str, Any], fields: Any) -> None:
    expected = ("VALIDATION_FIELDS_NOT_PROVIDED", "Fields not provided.")
    assert filled.error(method, **params, fields=fields) == expected
    assert filled.error(method, **params) == expected


@pytest.mark.parametrize(("method", "params"), WRITES)
def test_unknown_parameters(filled: EmulatedPortal, method: str, params: dict[str, Any]) -> None:
    fields = {"colour": "red", "id": 5, "Größe": 1}
    expected = ("VALIDATION_UNKNOWN_PARAMETERS", "Unknown parameters: colour, Größe")
    assert filled.error(method, **params, fields=fields) == expected


REQUIRED = [
    *[("connector", title) for title in CONNECTOR],
    *[("source", title) for title in ("title", "connectorId", "settings")],
    *[("dataset", title) for title in ("sourceId", *DATASET)],
    *[("table", title) for title in ("sourceId", *DATASET)],
]
COMPLETE: dict[str, dict[str, Any]] = {
    "connector": CONNECTOR,
    "source": {"title": "Main", "connectorId": 1, "settings": {"login": "demo"}},
    "dataset": {**DATASET, "sourceId": 1},
    "table": {**DATASET, "sourceId": 1},
}


@pytest.mark.parametrize(("kind", "title"), REQUIRED)
def test_required_field_missing(filled: EmulatedPortal, kind: str, title: str) -> None:
    fields = {name: value for name, value in COMPLETE[kind].items() if name != title}
    expected = ("VALIDATION_REQUIRED_FIELD_MISSING", f'Field "{title}" is required.')
    assert filled.error(f"biconnector.{kind}.add", fields=fields) == expected


READ_ONLY = [
    *[("connector", title) for title in ("id", "dateCreate")],
    *[("source", t) for t in ("id", "type", "code", "dateCreate", "dateUpdate", "createdById", "updatedById")],
    *[("dataset", t) for t in ("id", "type", "externalId", "dateCreate", "dateUpdate", "createdById", "updatedById")],
]


@pytest.mark.parametrize(("kind", "title"), READ_ONLY)
def test_read_only_field(filled: EmulatedPortal, kind: str, title: str) -> None:
    expected = ("VALIDATION_READ_ONLY_FIELD", f'Field "{title}" is read only.')
    assert filled.error(f"biconnector.{kind}.add", fields={**COMPLETE[kind], title: 1}) == expected
    assert filled.error(f"biconnector.{kind}.update", id=1, fields={title: 1}) == expected


IMMUTABLE = [
    ("source", "connectorId"),
    *[("dataset", title) for title in ("sourceId", "name", "externalName", "externalCode")],
    *[("table", title) for title in ("sourceId", "name", "externalName", "externalCode")],
]


@pytest.mark.parametrize(("kind", "title"), IMMUTABLE)
def test_immutable_field(filled: EmulatedPortal, kind: str, title: str) -> None:
    expected = ("VALIDATION_IMMUTABLE_FIELD", f'Field "{title}" is immutable.')
    assert filled.error(f"biconnector.{kind}.update", id=1, fields={title: COMPLETE[kind][title]}) == expected


WRONG_TYPES: list[tuple[str, str, str, Any]] = [
    ("connector", "title", "string", 5),
    ("connector", "title", "string", None),
    ("connector", "logo", "string", ["a"]),
    ("connector", "description", "string", False),
    ("connector", "sort", "integer", "first"),
    ("connector", "sort", "integer", True),
    ("connector", "urlData", "string", {}),
    ("connector", "settings", "array", "login"),
    ("connector", "supportMapping", "boolean", "true"),
    ("connector", "supportMapping", "boolean", 1),
    ("connector", "sourceCode", "string", 1),
    ("source", "active", "boolean", "Y"),
    ("source", "active", "boolean", 0),
    ("source", "settings", "array", "login=demo"),
    ("source", "connectorId", "integer", "one"),
    ("dataset", "sourceId", "integer", ""),
    ("dataset", "name", "string", 1),
    ("table", "fields", "array", "ID"),
    ("table", "description", "string", 5),
]


@pytest.mark.parametrize(("kind", "title", "type_name", "value"), WRONG_TYPES)
def test_invalid_field_type(filled: EmulatedPortal, kind: str, title: str, type_name: str, value: Any) -> None:
    expected = ("VALIDATION_INVALID_FIELD_TYPE", f'Field "{title}" must be of type {type_name}.')
    assert filled.error(f"biconnector.{kind}.add", fields={**COMPLETE[kind], title: value}) == expected


SETTINGS_PROBLEMS: list[tuple[Any, str, str]] = [
    (
        {"code": "a", "name": "A"},
        "VALIDATION_SETTINGS_MISSING_REQUIRED_FIELDS",
        'Settings must include "type", "name" and "code" fields.',
    ),
    (
        {"code": None, "name": "A", "type": "STRING"},
        "VALIDATION_SETTINGS_MISSING_REQUIRED_FIELDS",
        'Settings must include "type", "name" and "code" fields.',
    ),
    (
        "login",
        "VALIDATION_SETTINGS_MISSING_REQUIRED_FIELDS",
        'Settings must include "type", "name" and "code" fields.',
    ),
    (
        {"code": LONG, "name": LONG, "type": "STRING"},
        "VALIDATION_SETTINGS_NAME_TOO_LONG",
        'Parameter "name" must be less than 512 characters.',
    ),
    (
        {"code": LONG, "name": "A", "type": "STRING"},
        "VALIDATION_SETTINGS_CODE_TOO_LONG",
        'Parameter "code" must be less than 512 characters.',
    ),
    (
        {"code": "a", "name": "A", "type": "string"},
        "VALIDATION_SETTINGS_INVALID_TYPE",
        'Parameter "type" is not correct.',
    ),
]


@pytest.mark.parametrize(("setting", "code", "text"), SETTINGS_PROBLEMS)
def test_connector_settings(filled: EmulatedPortal, setting: Any, code: str, text: str) -> None:
    fields = {**CONNECTOR, "settings": [CONNECTOR["settings"][0], setting]}
    assert filled.error("biconnector.connector.add", fields=fields) == (code, text)
    assert filled.error("biconnector.connector.update", id=1, fields={"settings": [setting]}) == (code, text)


@pytest.mark.parametrize("method", BY_ID)
def test_id_not_provided(filled: EmulatedPortal, method: str) -> None:
    expected = ("VALIDATION_ID_NOT_PROVIDED", "ID is missing.")
    assert filled.error(method, fields={"title": "x"}) == expected


@pytest.mark.parametrize("method", BY_ID)
@pytest.mark.parametrize("wrong", [0, -1, "0", "one", "", None, [1], True, {"id": 1}])
def test_invalid_id_format(filled: EmulatedPortal, method: str, wrong: Any) -> None:
    expected = ("VALIDATION_INVALID_ID_FORMAT", "ID has to be a positive integer.")
    assert filled.error(method, id=wrong, fields={"title": "x"}) == expected


@pytest.mark.parametrize("method", BY_ID)
def test_object_not_found(filled: EmulatedPortal, method: str) -> None:
    kind = method.split(".")[1]
    fields = {"description": "x"}
    assert filled.error(method, id="77", fields=fields) == NOT_FOUND[kind]


def test_connector_delete_restricted(filled: EmulatedPortal) -> None:
    text = "Connector cannot be removed. Remove the connections related to the connector first."
    assert filled.error("biconnector.connector.delete", id=1) == ("CONNECTOR_DELETE_RESTRICTED", text)


def test_source_with_datasets_cannot_be_deleted(filled: EmulatedPortal) -> None:
    text = "Cannot delete source. Delete all related datasets first."
    assert filled.error("biconnector.source.delete", id=1) == ("BX_ERROR", text)


def test_source_of_an_unknown_connector(filled: EmulatedPortal) -> None:
    fields = {**COMPLETE["source"], "connectorId": 9}
    assert filled.error("biconnector.source.add", fields=fields) == NOT_FOUND["connector"]


def test_source_connection_errors(filled: EmulatedPortal, network: responses.RequestsMock) -> None:
    network.post("http://endpoint.test/check", status=403, body="no")
    assert filled.error("biconnector.source.add", fields=COMPLETE["source"]) == (
        "SOURCE_CREATE_CONNECTION_ERROR",
        "Cannot create connection.",
    )
    assert filled.error("biconnector.source.update", id=1, fields={"title": "x"}) == (
        "SOURCE_UPDATE_CONNECTION_ERROR",
        "Cannot update connection.",
    )


DATASET_PROBLEMS: list[tuple[dict[str, Any], str, str]] = [
    ({"sourceId": 9}, "SOURCE_NOT_FOUND", "Source was not found."),
    ({"name": "orders"}, "DATASET_ALREADY_EXIST", "Dataset with this name already exists."),
    ({"name": "Orders"}, "VALIDATION_DATASET_NAME_INVALID", INVALID_DATASET_NAME),
    ({"name": "1orders"}, "VALIDATION_DATASET_NAME_INVALID", INVALID_DATASET_NAME),
    ({"name": ""}, "VALIDATION_DATASET_NAME_INVALID", INVALID_DATASET_NAME),
    ({"name": "orders\n"}, "VALIDATION_DATASET_NAME_INVALID", INVALID_DATASET_NAME),
    (
        {"name": "a" * 231},
        "VALIDATION_DATASET_NAME_TOO_LONG",
        "Dataset name must not exceed 230 characters.",
    ),
    (
        {"fields": [*COLUMNS, {"name": "OTHER", "externalCode": "id", "type": "int"}]},
        "VALIDATION_DUPLICATE_FIELD_CODE",
        'Duplicate values found in the "code" parameter: id',
    ),
    (
        {"fields": [*COLUMNS, {"name": "ID", "externalCode": "x", "type": "int"}]},
        "VALIDATION_DUPLICATE_FIELD_NAME",
        'Duplicate values found in the "name" parameter: ID',
    ),
    (
        {"fields": [{"name": "ID", "type": "int"}]},
        "VALIDATION_FIELD_MISSING_REQUIRED_PARAMETERS",
        'Field must include the required parameters: "name", "externalCode" and "type".',
    ),
    (
        {"fields": [{"name": "id", "externalCode": "id", "type": "int"}]},
        "VALIDATION_FIELD_NAME_INVALID_FORMAT",
        INVALID_COLUMN_NAME,
    ),
    (
        {"fields": [{"name": "A" * 33, "externalCode": "id", "type": "int"}]},
        "VALIDATION_FIELD_NAME_TOO_LONG",
        'Field "name" must not exceed 32 characters.',
    ),
    (
        {"fields": [{"name": "ID", "externalCode": "id", "type": "INT"}]},
        "VALIDATION_FIELD_INVALID_TYPE",
        "Invalid field type.",
    ),
    ({"fields": []}, "", "Error adding dataset"),
]


@pytest.mark.parametrize(("changes", "code", "text"), DATASET_PROBLEMS)
def test_dataset_add(older: EmulatedPortal, changes: dict[str, Any], code: str, text: str) -> None:
    older.add_dataset(older.add_source(older.add_connector()), family="dataset")
    fields = {**COMPLETE["dataset"], "name": "customers", **changes}
    assert older.error("biconnector.dataset.add", fields=fields) == (code, text)


DOUBLE = [*COLUMNS, *COLUMNS]
WRONG_TYPE = {"name": "OTHER", "externalCode": "other", "type": "text"}
SEVERAL_MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"sourceId": 9, "name": "orders", "fields": DOUBLE}, "SOURCE_NOT_FOUND"),
    ({"sourceId": 9, "name": "O" * 231}, "SOURCE_NOT_FOUND"),
    ({"name": "orders", "fields": DOUBLE}, "DATASET_ALREADY_EXIST"),
    ({"name": "O" * 231, "fields": DOUBLE}, "VALIDATION_DATASET_NAME_INVALID"),
    ({"name": "o" * 231, "fields": DOUBLE}, "VALIDATION_DATASET_NAME_TOO_LONG"),
    ({"fields": [*DOUBLE, {"name": "ID"}]}, "VALIDATION_DUPLICATE_FIELD_CODE"),
    (
        {"fields": [*COLUMNS, {"name": "ID", "externalCode": "x", "type": "text"}]},
        "VALIDATION_DUPLICATE_FIELD_NAME",
    ),
    ({"fields": [{"name": "id", "type": "text"}, WRONG_TYPE]}, "VALIDATION_FIELD_MISSING_REQUIRED_PARAMETERS"),
    ({"fields": [{**WRONG_TYPE, "name": "o" * 33}]}, "VALIDATION_FIELD_NAME_INVALID_FORMAT"),
    ({"fields": [{**WRONG_TYPE, "name": "O" * 33}]}, "VALIDATION_FIELD_NAME_TOO_LONG"),
    ({"fields": [WRONG_TYPE], "externalCode": LONG}, "VALIDATION_FIELD_INVALID_TYPE"),
]


@pytest.mark.parametrize(("changes", "code"), SEVERAL_MISTAKES)
def test_of_several_mistakes_in_a_dataset_the_first_of_the_documented_table_is_told(
    older: EmulatedPortal, changes: dict[str, Any], code: str
) -> None:
    """facts/api 6.1, facts/biconnector 1.7: only one problem is returned."""
    older.add_dataset(older.add_source(older.add_connector()), family="dataset")
    fields = {**COMPLETE["dataset"], "name": "customers", **changes}
    assert older.error("biconnector.dataset.add", fields=fields)[0] == code


@pytest.mark.parametrize(
    "changes", [{"add": [{}]}, {"update": [{}]}, {"delete": ["x"]}, {"add": [{"name": "A"}, {"name": "A"}]}]
)
def test_a_missing_dataset_is_told_before_mistakes_in_its_columns(
    filled: EmulatedPortal, changes: dict[str, Any]
) -> None:
    """facts/api 6.1: the documented table names it first."""
    assert filled.error("biconnector.dataset.fields.update", id=77, **changes)[0] == "DATASET_NOT_FOUND"


def test_dataset_update_refuses_columns(filled: EmulatedPortal) -> None:
    text = 'Use the method "biconnector.dataset.fields.update" to update the dataset fields.'
    assert filled.error("biconnector.dataset.update", id=1, fields={"fields": COLUMNS}) == ("INVALID_METHOD", text)


FIELDS_UPDATE_PROBLEMS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"add": [{"name": "A", "externalCode": "x", "type": "int"}, {"name": "B", "externalCode": "x", "type": "int"}]},
        "VALIDATION_DUPLICATE_FIELD_CODE",
        'Duplicate values found in the "code" parameter: x',
    ),
    (
        {"add": [{"name": "A", "externalCode": "x", "type": "int"}, {"name": "A", "externalCode": "y", "type": "int"}]},
        "VALIDATION_DUPLICATE_FIELD_NAME",
        'Duplicate values found in the "name" parameter: A',
    ),
    (
        {"add": [{"name": "Größe", "externalCode": "x", "type": "int"}]},
        "VALIDATION_FIELD_NAME_INVALID_FORMAT",
        INVALID_COLUMN_NAME,
    ),
    (
        {"add": [{"name": "A" * 33, "externalCode": "x", "type": "int"}]},
        "VALIDATION_FIELD_NAME_TOO_LONG",
        'Field "name" must not exceed 32 characters.',
    ),
    (
        {"add": [{"name": "A", "externalCode": "x", "type": "text"}]},
        "VALIDATION_FIELD_INVALID_TYPE",
        "Invalid field type.",
    ),
    (
        {"add": [{"name": "A", "externalCode": "city", "type": "int"}]},
        "VALIDATION_DUPLICATE_EXIST_CODE",
        'The following "externalCode" values already exist in the current fields: city',
    ),
    (
        {"add": [{"name": "CITY", "externalCode": "x", "type": "int"}]},
        "VALIDATION_DUPLICATE_EXIST_NAME",
        'The following "name" values already exist in the current fields: CITY',
    ),
    (
        {"add": [{"name": "A", "externalCode": "x"}]},
        "VALIDATION_FIELD_ADD_MISSING_REQUIRED_FIELDS",
        'Field to be added must include the required parameters: "name", "externalCode" and "type".',
    ),
    (
        {"update": [{"id": 1}]},
        "VALIDATION_FIELD_UPDATE_MISSING_REQUIRED_FIELDS",
        'Field to be updated must include the required parameters: "id" and "visible".',
    ),
    (
        {"delete": [1, "two"]},
        "VALIDATION_FIELD_DELETE_INVALID_ID",
        "ID to be deleted must be a positive integer.",
    ),
]


@pytest.mark.parametrize("family", ["dataset", "table"])
@pytest.mark.parametrize(("changes", "code", "text"), FIELDS_UPDATE_PROBLEMS)
def test_fields_update(filled: EmulatedPortal, family: str, changes: dict[str, Any], code: str, text: str) -> None:
    assert filled.error(f"biconnector.{family}.fields.update", id=1, **changes) == (code, text)


LIST_PROBLEMS: list[tuple[dict[str, Any], str, str]] = [
    ({"select": "id"}, "VALIDATION_SELECT_TYPE", 'Parameter "select" must be array.'),
    ({"filter": "id"}, "VALIDATION_FILTER_TYPE", 'Parameter "filter" must be array.'),
    ({"order": "id"}, "VALIDATION_ORDER_TYPE", 'Parameter "order" must be array.'),
    (
        {"select": ["id", "colour"]},
        "VALIDATION_FIELD_NOT_ALLOWED_IN_SELECT",
        'Field "colour" is not allowed in the "select".',
    ),
    (
        {"filter": {"%colour": "red"}},
        "VALIDATION_FIELD_NOT_ALLOWED_IN_FILTER",
        'Field "colour" is not allowed in the "filter".',
    ),
    (
        {"order": {"colour": "ASC"}},
        "VALIDATION_FIELD_NOT_ALLOWED_IN_ORDER",
        'Field "colour" is not allowed in the "order".',
    ),
    (
        {"filter": {"logic": "XOR", "id": 1}},
        "VALIDATION_INVALID_FILTER_LOGIC",
        'Field "logic" must be either "AND" or "OR".',
    ),
]


@pytest.mark.parametrize("method", LISTS)
@pytest.mark.parametrize(("params", "code", "text"), LIST_PROBLEMS)
def test_lists(filled: EmulatedPortal, method: str, params: dict[str, Any], code: str, text: str) -> None:
    assert filled.error(method, **params) == (code, text)


@pytest.mark.parametrize(
    ("method", "code", "text"),
    [
        ("biconnector.dataset.fields.update", "DATASET_UPDATE_ERROR", "Error updating dataset."),
        ("biconnector.dataset.update", "", "Error updating dataset."),
        ("biconnector.dataset.delete", "", "Error deleting dataset"),
    ],
)
def test_inner_failures_can_be_ordered(filled: EmulatedPortal, method: str, code: str, text: str) -> None:
    filled.control("fail", target=method, shape="result", code=code, message=text)
    assert filled.error(method, id=1, fields={"description": "x"}) == (code, text)


SYSTEM_ROWS = [
    (500, "INTERNAL_SERVER_ERROR", "Internal server error"),
    (500, "ERROR_UNEXPECTED_ANSWER", "Server returned an unexpected response"),
    (503, "QUERY_LIMIT_EXCEEDED", "Too many requests"),
    (405, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage"),
    (400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded"),
    (401, "NO_AUTH_FOUND", "Wrong authorization data"),
    (400, "INVALID_REQUEST", "Https required"),
    (503, "OVERLOAD_LIMIT", "REST API is blocked due to overload"),
    (403, "ACCESS_DENIED", "REST API is available only on commercial plans"),
    (403, "INVALID_CREDENTIALS", "Invalid request credentials"),
    (404, "ERROR_MANIFEST_IS_NOT_AVAILABLE", "Manifest is not available"),
    (403, "insufficient_scope", "The request requires higher privileges than provided by the access token"),
    (401, "expired_token", "The access token provided has expired"),
    (403, "user_access_error", "The user does not have access to the application"),
    (500, "PORTAL_DELETED", "Portal was deleted"),
    (429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit."),
]


@pytest.mark.parametrize(("status", "code", "text"), SYSTEM_ROWS)
def test_system_errors_can_be_ordered_by_code(filled: EmulatedPortal, status: int, code: str, text: str) -> None:
    filled.control("fail", code=code)
    answer = filled.post("biconnector.connector.list")
    body = answer.get_json()
    assert (answer.status_code, body["error"], body["error_description"]) == (status, code, text)
    assert filled.call("biconnector.connector.list")

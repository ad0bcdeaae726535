"""facts/api 6, facts/biconnector 4.6: every documented error, provoked on the emulator, is told beside its field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from errors import (
    PortalRefused,
)
from services.bi.refusals import problem_for
from services.portal_api.capabilities import OLDER
from services.portal_api.client import PortalClient
from tests.services.against_emulator.objects import COLUMNS, DATASET, SHAPES, SOURCE, connector_fields, fill
from tests.services.documented_errors import ROWS, Row, field_of
from tests.services.emulated import EmulatedPortal


@dataclass(frozen=True)
class Provocation:
    """Parameters that make the portal answer with a code, and the field that the problem then belongs to."""

    params: Callable[[EmulatedPortal], dict[str, Any]]
    field: str | None = None


def sending(field: str | None = None, **params: Any) -> Provocation:
    return Provocation(lambda _: params, field)


def fields(kind: str, field: str | None = None, without: str = "", **changes: Any) -> Provocation:
    """Complete fields of an object but for `changes` and what is left out."""

    def params(portal: EmulatedPortal) -> dict[str, Any]:
        complete = {
            "connector": connector_fields(portal),
            "source": {**SOURCE, "connectorId": 1},
            "dataset": {**DATASET, "name": "fresh", "sourceId": 1},
        }[kind]
        return {"fields": {name: value for name, value in (complete | changes).items() if name != without}}

    return Provocation(params, field)


def changing(field: str | None = None, **changes: Any) -> Provocation:
    return sending(field, id=1, fields=changes)


WITHOUT_ID = {"VALIDATION_ID_NOT_PROVIDED": sending(), "VALIDATION_INVALID_ID_FORMAT": sending(id="0")}
BY_ID = WITHOUT_ID | {
    "CONNECTOR_NOT_FOUND": sending(id=999),
    "SOURCE_NOT_FOUND": sending(id=999),
    "DATASET_NOT_FOUND": sending(id=999),
}
LISTS = {
    "VALIDATION_SELECT_TYPE": sending(select="title"),
    "VALIDATION_FILTER_TYPE": sending(filter="title"),
    "VALIDATION_ORDER_TYPE": sending(order="title"),
    "VALIDATION_FIELD_NOT_ALLOWED_IN_SELECT": sending(select=["colour"]),
    "VALIDATION_FIELD_NOT_ALLOWED_IN_FILTER": sending(filter={"%colour": "red"}),
    "VALIDATION_FIELD_NOT_ALLOWED_IN_ORDER": sending(order={"colour": "ASC"}),
    "VALIDATION_INVALID_FILTER_LOGIC": sending(filter={"0": {"logic": "XOR", "%title": "a"}}),
}
BAD_SETTINGS: dict[str, Any] = {
    "VALIDATION_SETTINGS_MISSING_REQUIRED_FIELDS": {"code": "a", "name": "A"},
    "VALIDATION_SETTINGS_NAME_TOO_LONG": {"code": "a", "name": "A" * 513, "type": "STRING"},
    "VALIDATION_SETTINGS_CODE_TOO_LONG": {"code": "a" * 513, "name": "A", "type": "STRING"},
    "VALIDATION_SETTINGS_INVALID_TYPE": {"code": "a", "name": "A", "type": "TEXT"},
}
BAD_COLUMNS: dict[str, list[Any]] = {
    "VALIDATION_DUPLICATE_FIELD_CODE": [COLUMNS[0], {"name": "OTHER", "externalCode": "id", "type": "int"}],
    "VALIDATION_DUPLICATE_FIELD_NAME": [COLUMNS[0], {"name": "ID", "externalCode": "other", "type": "int"}],
    "VALIDATION_FIELD_NAME_INVALID_FORMAT": [{"name": "id", "externalCode": "x", "type": "int"}],
    "VALIDATION_FIELD_NAME_TOO_LONG": [{"name": "N" * 33, "externalCode": "x", "type": "int"}],
    "VALIDATION_FIELD_INVALID_TYPE": [{"name": "N", "externalCode": "x", "type": "text"}],
}


def new_columns(columns: list[Any]) -> list[Any]:
    """The same mistakes in columns that the dataset does not have yet."""
    return [
        {**column, "name": column["name"].replace("ID", "NEW"), "externalCode": column["externalCode"] + "_new"}
        for column in columns
    ]


CONNECTOR_FIELDS: dict[str, dict[str, Any]] = {
    "VALIDATION_UNKNOWN_PARAMETERS": {"colour": "red", "size": 1},
    "VALIDATION_READ_ONLY_FIELD": {"id": 1},
    "VALIDATION_INVALID_FIELD_TYPE": {"title": 5},
    **{code: {"settings": [setting]} for code, setting in BAD_SETTINGS.items()},
}
SOURCE_FIELDS: dict[str, dict[str, Any]] = {
    "VALIDATION_UNKNOWN_PARAMETERS": {"colour": "red", "size": 1},
    "VALIDATION_READ_ONLY_FIELD": {"id": 1},
    "VALIDATION_INVALID_FIELD_TYPE": {"title": 5},
}
WRONG_PASSWORD = {"login": "demo", "password": "wrong"}

PROVOCATIONS: dict[str, dict[str, Provocation]] = {
    "biconnector.connector.add": {
        "VALIDATION_FIELDS_NOT_PROVIDED": sending(),
        "VALIDATION_REQUIRED_FIELD_MISSING": fields("connector", without="title"),
    }
    | {code: fields("connector", **changes) for code, changes in CONNECTOR_FIELDS.items()},
    "biconnector.connector.update": BY_ID
    | {"VALIDATION_FIELDS_NOT_PROVIDED": sending(id=1)}
    | {code: changing(**changes) for code, changes in CONNECTOR_FIELDS.items()}
    | {"CONNECTOR_NOT_FOUND": sending(id=999, fields={"title": "x"})},
    "biconnector.connector.get": BY_ID,
    "biconnector.connector.list": LISTS,
    "biconnector.connector.delete": BY_ID | {"CONNECTOR_DELETE_RESTRICTED": sending(id=1)},
    "biconnector.source.add": {
        "VALIDATION_FIELDS_NOT_PROVIDED": sending(),
        "VALIDATION_REQUIRED_FIELD_MISSING": fields("source", without="title"),
        "CONNECTOR_NOT_FOUND": fields("source", connectorId=999),
        "SOURCE_CREATE_CONNECTION_ERROR": fields("source", settings=WRONG_PASSWORD),
    }
    | {code: fields("source", **changes) for code, changes in SOURCE_FIELDS.items()},
    "biconnector.source.update": BY_ID
    | {code: changing(**changes) for code, changes in SOURCE_FIELDS.items()}
    | {
        "VALIDATION_FIELDS_NOT_PROVIDED": sending(id=1),
        "VALIDATION_IMMUTABLE_FIELD": changing(connectorId=2),
        "SOURCE_NOT_FOUND": sending(id=999, fields={"title": "x"}),
        "SOURCE_UPDATE_CONNECTION_ERROR": changing(title="Main", settings=WRONG_PASSWORD),
    },
    "biconnector.source.get": BY_ID,
    "biconnector.source.list": LISTS,
    "biconnector.source.delete": BY_ID | {"BX_ERROR": sending(id=1)},
    "biconnector.dataset.add": {
        "VALIDATION_FIELDS_NOT_PROVIDED": sending(),
        "VALIDATION_UNKNOWN_PARAMETERS": fields("dataset", colour="red", size=1),
        "VALIDATION_REQUIRED_FIELD_MISSING": fields("dataset", "name", without="name"),
        "VALIDATION_READ_ONLY_FIELD": fields("dataset", id=1),
        "VALIDATION_INVALID_FIELD_TYPE": fields("dataset", "name", name=5),
        "SOURCE_NOT_FOUND": fields("dataset", sourceId=999),
        "DATASET_ALREADY_EXIST": fields("dataset", name="orders"),
        "VALIDATION_DATASET_NAME_INVALID": fields("dataset", name="Orders"),
        "VALIDATION_DATASET_NAME_TOO_LONG": fields("dataset", name="o" * 231),
        "VALIDATION_FIELD_MISSING_REQUIRED_PARAMETERS": fields("dataset", fields=[{"name": "ID", "type": "int"}]),
        "": fields("dataset", fields=[]),
    }
    | {code: fields("dataset", fields=columns) for code, columns in BAD_COLUMNS.items()},
    "biconnector.dataset.update": BY_ID
    | {
        "VALIDATION_FIELDS_NOT_PROVIDED": sending(id=1),
        "VALIDATION_UNKNOWN_PARAMETERS": changing(colour="red", size=1),
        "VALIDATION_READ_ONLY_FIELD": changing(externalId=1),
        "VALIDATION_IMMUTABLE_FIELD": changing("sourceId", sourceId=2),
        "VALIDATION_INVALID_FIELD_TYPE": changing("description", description=5),
        "DATASET_NOT_FOUND": sending(id=999, fields={"description": "x"}),
        "INVALID_METHOD": changing(fields=COLUMNS),
    },
    "biconnector.dataset.fields.update": BY_ID
    | {code: sending(id=1, add=new_columns(columns)) for code, columns in BAD_COLUMNS.items()}
    | {
        "DATASET_NOT_FOUND": sending(id=999, add=[]),
        "VALIDATION_DUPLICATE_EXIST_CODE": sending(id=1, add=[{**COLUMNS[0], "name": "OTHER"}]),
        "VALIDATION_DUPLICATE_EXIST_NAME": sending(id=1, add=[{**COLUMNS[0], "externalCode": "other"}]),
        "VALIDATION_FIELD_ADD_MISSING_REQUIRED_FIELDS": sending(id=1, add=[{"name": "NEW"}]),
        "VALIDATION_FIELD_UPDATE_MISSING_REQUIRED_FIELDS": sending(id=1, update=[{"id": 1}]),
        "VALIDATION_FIELD_DELETE_INVALID_ID": sending(id=1, delete=["one"]),
    },
    "biconnector.dataset.get": BY_ID,
    "biconnector.dataset.list": LISTS,
    "biconnector.dataset.delete": BY_ID,
}
UNREACHABLE = {
    # Documented rows that no call leads to: a field cannot be immutable in `add`, the error belongs to another method,
    # or the portal's own storage fails ("Error updating dataset."). They are ordered from the emulator.
    *[(f"biconnector.{kind}.add", "VALIDATION_IMMUTABLE_FIELD") for kind in ("connector", "source", "dataset")],
    ("biconnector.connector.update", "VALIDATION_IMMUTABLE_FIELD"),
    ("biconnector.source.add", "SOURCE_UPDATE_CONNECTION_ERROR"),
    ("biconnector.source.add", "BX_ERROR"),
    ("biconnector.source.update", "VALIDATION_REQUIRED_FIELD_MISSING"),
    ("biconnector.source.update", "SOURCE_CREATE_CONNECTION_ERROR"),
    ("biconnector.source.update", "BX_ERROR"),
    ("biconnector.dataset.update", "VALIDATION_REQUIRED_FIELD_MISSING"),
    ("biconnector.dataset.fields.update", "DATASET_UPDATE_ERROR"),
    *[(f"biconnector.dataset.{verb}", "") for verb in ("update", "delete")],
}


def test_every_row_is_either_provoked_or_known_to_be_unreachable() -> None:
    provoked = {(method, code) for method, table in PROVOCATIONS.items() for code in table}
    documented = {(row.method, row.code) for row in ROWS}
    assert documented - provoked == UNREACHABLE


@pytest.fixture(scope="module")
def filled(running: EmulatedPortal) -> tuple[EmulatedPortal, PortalClient]:
    """An older portal with one object of each kind; refused calls leave it as it is."""
    running.control("reset")
    running.control("generation", generation="older")
    client = running.client()
    assert fill(running, client, OLDER) == (1, 1, 1)
    return running, client


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_row_of_the_error_tables_becomes_a_problem_beside_its_field(
    filled: tuple[EmulatedPortal, PortalClient], row: Row, shape: str
) -> None:
    portal, client = filled
    portal.control("error-shape", shape=shape)
    if (row.method, row.code) in UNREACHABLE:
        portal.control("fail", target=row.method, shape=shape, status=200, code=row.code, message=row.message)
        params, field = {"id": 1}, field_of(row)
    else:
        provocation = PROVOCATIONS[row.method][row.code]
        params, field = provocation.params(portal), provocation.field or field_of(row)
    with pytest.raises(PortalRefused) as caught:
        client.call(row.method, **params)
    assert (caught.value.method, caught.value.code) == (row.method, row.code)
    problem = problem_for(caught.value)
    assert (problem.field, problem.code) == (field, row.code)

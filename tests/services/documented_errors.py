"""The error tables of facts/api 6, method by method: method, code and message as documented, and those of any method.

Placeholders such as `#TITLE#` are filled in. `tests/docs/test_error_tables.py` compares it with that page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PARTICULARS = re.compile(r'"[#\w]+"|(?<=: ).+|(?<=of type ).+')


@dataclass(frozen=True)
class Row:
    """One row of a method's error table."""

    method: str
    code: str
    message: str

    @property
    def skeleton(self) -> str:
        """The message without what it tells of the particular case."""
        return skeleton(self.message)

    def __str__(self) -> str:
        return f"{self.method.removeprefix('biconnector.')}-{self.code or 'without-code'}"


def skeleton(message: str) -> str:
    """A message, or its pattern on the page, without what differs from case to case."""
    return PARTICULARS.sub("…", message).rstrip(".")


ID = {
    "VALIDATION_ID_NOT_PROVIDED": "ID is missing.",
    "VALIDATION_INVALID_ID_FORMAT": "ID has to be a positive integer.",
}
FIELDS = {
    "VALIDATION_FIELDS_NOT_PROVIDED": "Fields not provided.",
    "VALIDATION_UNKNOWN_PARAMETERS": "Unknown parameters: colour, size",
    "VALIDATION_REQUIRED_FIELD_MISSING": 'Field "title" is required.',
    "VALIDATION_READ_ONLY_FIELD": 'Field "id" is read only.',
    "VALIDATION_IMMUTABLE_FIELD": 'Field "connectorId" is immutable.',
    "VALIDATION_INVALID_FIELD_TYPE": 'Field "title" must be of type string.',
}
SETTINGS = {
    "VALIDATION_SETTINGS_MISSING_REQUIRED_FIELDS": 'Settings must include "type", "name" and "code" fields.',
    "VALIDATION_SETTINGS_NAME_TOO_LONG": 'Parameter "name" must be less than 512 characters.',
    "VALIDATION_SETTINGS_CODE_TOO_LONG": 'Parameter "code" must be less than 512 characters.',
    "VALIDATION_SETTINGS_INVALID_TYPE": 'Parameter "type" is not correct.',
}
LISTS = {
    "VALIDATION_SELECT_TYPE": 'Parameter "select" must be array.',
    "VALIDATION_FILTER_TYPE": 'Parameter "filter" must be array.',
    "VALIDATION_ORDER_TYPE": 'Parameter "order" must be array.',
    "VALIDATION_FIELD_NOT_ALLOWED_IN_SELECT": 'Field "colour" is not allowed in the "select".',
    "VALIDATION_FIELD_NOT_ALLOWED_IN_FILTER": 'Field "colour" is not allowed in the "filter".',
    "VALIDATION_FIELD_NOT_ALLOWED_IN_ORDER": 'Field "colour" is not allowed in the "order".',
}
CONNECTOR_MISSING = {"CONNECTOR_NOT_FOUND": "Connector was not found."}
SOURCE_MISSING = {"SOURCE_NOT_FOUND": "Source was not found."}
DATASET_MISSING = {"DATASET_NOT_FOUND": "Dataset was not found."}
CONNECTION = {
    "SOURCE_CREATE_CONNECTION_ERROR": "Cannot create connection.",
    "SOURCE_UPDATE_CONNECTION_ERROR": "Cannot update connection.",
    "BX_ERROR": "Cannot delete source. Delete all related datasets first.",
}
COLUMNS = {
    "VALIDATION_DUPLICATE_FIELD_CODE": 'Duplicate values found in the "code" parameter: ID',
    "VALIDATION_DUPLICATE_FIELD_NAME": 'Duplicate values found in the "name" parameter: ID',
    "VALIDATION_FIELD_NAME_INVALID_FORMAT": 'Field "name" has to start with an uppercase Latin character. Possible '
    "entry includes uppercase Latin characters (A-Z), numbers (0-9) and underscores.",
    "VALIDATION_FIELD_NAME_TOO_LONG": 'Field "name" must not exceed 32 characters.',
    "VALIDATION_FIELD_INVALID_TYPE": "Invalid field type.",
}

TABLES: dict[str, dict[str, str]] = {
    "biconnector.connector.add": FIELDS | SETTINGS,
    "biconnector.connector.update": ID
    | {code: text for code, text in FIELDS.items() if code != "VALIDATION_REQUIRED_FIELD_MISSING"}
    | CONNECTOR_MISSING
    | SETTINGS,
    "biconnector.connector.get": ID | CONNECTOR_MISSING,
    "biconnector.connector.list": LISTS
    | {"VALIDATION_INVALID_FILTER_LOGIC": 'Field "logic" must be either "AND" or "OR".'},
    "biconnector.connector.delete": ID
    | CONNECTOR_MISSING
    | {
        "CONNECTOR_DELETE_RESTRICTED": "Connector cannot be removed. Remove the connections related to the connector "
        "first."
    },
    "biconnector.source.add": FIELDS | CONNECTOR_MISSING | CONNECTION,
    "biconnector.source.update": ID | FIELDS | SOURCE_MISSING | CONNECTION,
    "biconnector.source.get": ID | SOURCE_MISSING,
    "biconnector.source.list": LISTS,
    "biconnector.source.delete": ID
    | SOURCE_MISSING
    | {"BX_ERROR": "Cannot delete source. Delete all related datasets first."},
    "biconnector.dataset.add": FIELDS
    | SOURCE_MISSING
    | {
        "DATASET_ALREADY_EXIST": "Dataset with this name already exists.",
        "VALIDATION_DATASET_NAME_INVALID": "Dataset name has to start with a lowercase Latin character. Possible entry "
        "includes lowercase Latin characters (a-z), numbers (0-9) and underscores.",
        "VALIDATION_DATASET_NAME_TOO_LONG": "Dataset name must not exceed 230 characters.",
        "VALIDATION_FIELD_MISSING_REQUIRED_PARAMETERS": "Field must include the required parameters: "
        '"name", "externalCode" and "type".',
        "": "Error adding dataset",
    }
    | COLUMNS,
    "biconnector.dataset.update": ID
    | FIELDS
    | DATASET_MISSING
    | {
        "INVALID_METHOD": 'Use the method "biconnector.dataset.fields.update" to update the dataset fields.',
        "": "Error updating dataset.",
    },
    "biconnector.dataset.fields.update": ID
    | DATASET_MISSING
    | COLUMNS
    | {
        "DATASET_UPDATE_ERROR": "Error updating dataset.",
        "VALIDATION_DUPLICATE_EXIST_CODE": 'The following "externalCode" values already exist in the current fields: '
        "ID",
        "VALIDATION_DUPLICATE_EXIST_NAME": 'The following "name" values already exist in the current fields: ID',
        "VALIDATION_FIELD_ADD_MISSING_REQUIRED_FIELDS": "Field to be added must include the required parameters: "
        '"name", "externalCode" and "type".',
        "VALIDATION_FIELD_UPDATE_MISSING_REQUIRED_FIELDS": "Field to be updated must include the required parameters: "
        '"id" and "visible".',
        "VALIDATION_FIELD_DELETE_INVALID_ID": "ID to be deleted must be a positive integer.",
    },
    "biconnector.dataset.get": ID | DATASET_MISSING,
    "biconnector.dataset.list": LISTS,
    "biconnector.dataset.delete": ID | DATASET_MISSING | {"": "Error deleting dataset"},
}
SYSTEM: dict[str, tuple[int, str]] = {
    "INTERNAL_SERVER_ERROR": (500, "Internal server error"),
    "ERROR_UNEXPECTED_ANSWER": (500, "Server returned an unexpected response"),
    "QUERY_LIMIT_EXCEEDED": (503, "Too many requests"),
    "ERROR_BATCH_METHOD_NOT_ALLOWED": (405, "Method is not allowed for batch usage"),
    "ERROR_BATCH_LENGTH_EXCEEDED": (400, "Max batch length exceeded"),
    "NO_AUTH_FOUND": (401, "Wrong authorization data"),
    "INVALID_REQUEST": (400, "Https required"),
    "OVERLOAD_LIMIT": (503, "REST API is blocked due to overload"),
    "ACCESS_DENIED": (403, "REST API is available only on commercial plans"),
    "INVALID_CREDENTIALS": (403, "Invalid request credentials"),
    "ERROR_MANIFEST_IS_NOT_AVAILABLE": (404, "Manifest is not available"),
    "insufficient_scope": (403, "The request requires higher privileges than provided by the webhook token"),
    "expired_token": (401, "The access token provided has expired"),
    "user_access_error": (403, "The user does not have access to the application"),
    "PORTAL_DELETED": (500, "Portal was deleted"),
}
"""Errors that "may occur when calling any method": status and message by code."""
ROWS = [Row(method, code, message) for method, table in TABLES.items() for code, message in table.items()]

FIELD_OF_CODE = {
    "VALIDATION_SETTINGS_MISSING_REQUIRED_FIELDS": "settings",
    "VALIDATION_SETTINGS_NAME_TOO_LONG": "settings",
    "VALIDATION_SETTINGS_CODE_TOO_LONG": "settings",
    "VALIDATION_SETTINGS_INVALID_TYPE": "settings",
    "VALIDATION_REQUIRED_FIELD_MISSING": "title",
    "VALIDATION_IMMUTABLE_FIELD": "connectorId",
    "VALIDATION_INVALID_FIELD_TYPE": "title",
    "SOURCE_CREATE_CONNECTION_ERROR": "settings",
    "SOURCE_UPDATE_CONNECTION_ERROR": "settings",
    "DATASET_ALREADY_EXIST": "name",
    "VALIDATION_DATASET_NAME_INVALID": "name",
    "VALIDATION_DATASET_NAME_TOO_LONG": "name",
    "VALIDATION_FIELD_MISSING_REQUIRED_PARAMETERS": "fields",
    "INVALID_METHOD": "fields",
    "VALIDATION_DUPLICATE_EXIST_CODE": "add",
    "VALIDATION_DUPLICATE_EXIST_NAME": "add",
    "VALIDATION_FIELD_ADD_MISSING_REQUIRED_FIELDS": "add",
    "VALIDATION_FIELD_UPDATE_MISSING_REQUIRED_FIELDS": "update",
    "VALIDATION_FIELD_DELETE_INVALID_ID": "delete",
}
"""Where a code's problem belongs, for the messages above; codes that are not here concern the form as a whole."""


def field_of(row: Row) -> str:
    """The form field next to which the analyst reads about `row`."""
    if row.code in COLUMNS:
        return "add" if row.method.endswith("fields.update") else "fields"
    above = {"biconnector.source.add": "connectorId", "biconnector.dataset.add": "sourceId"}
    if row.code in ("CONNECTOR_NOT_FOUND", "SOURCE_NOT_FOUND"):
        return above.get(row.method, "")
    return FIELD_OF_CODE.get(row.code, "")

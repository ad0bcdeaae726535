"""Next to which form field a portal's refusal belongs: one table of codes (facts/api 6.1, facts/biconnector 4.6)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from errors import FieldProblem, PortalRefused
from services.bi import rules

QUOTED = re.compile(r'"([A-Za-z]{1,64})"', re.ASCII)
LISTED = re.compile(r":\s*(.{1,300})$", re.ASCII | re.DOTALL)

FIELD_OF: Mapping[str, str] = {
    "VALIDATION_SETTINGS_MISSING_REQUIRED_FIELDS": "settings",
    "VALIDATION_SETTINGS_NAME_TOO_LONG": "settings",
    "VALIDATION_SETTINGS_CODE_TOO_LONG": "settings",
    "VALIDATION_SETTINGS_INVALID_TYPE": "settings",
    "SOURCE_CREATE_CONNECTION_ERROR": "settings",
    "SOURCE_UPDATE_CONNECTION_ERROR": "settings",
    "VALIDATION_SOURCE_ID_REQUIRED": "sourceId",
    "DATASET_ALREADY_EXIST": "name",
    "NAME_EXISTS": "name",
    "VALIDATION_DATASET_NAME_INVALID": "name",
    "VALIDATION_DATASET_NAME_TOO_LONG": "name",
    "FIELDS_EMPTY": "fields",
    "DUPLICATE_FIELDS": "fields",
    "INVALID_METHOD": "fields",
    "VALIDATION_FIELD_MISSING_REQUIRED_PARAMETERS": "fields",
    "VALIDATION_DUPLICATE_EXIST_CODE": "add",
    "VALIDATION_DUPLICATE_EXIST_NAME": "add",
    "VALIDATION_FIELD_ADD_MISSING_REQUIRED_FIELDS": "add",
    "VALIDATION_FIELD_UPDATE_MISSING_REQUIRED_FIELDS": "update",
    "VALIDATION_FIELD_DELETE_INVALID_ID": "delete",
}
COLUMN_CODES = frozenset(
    {
        "VALIDATION_DUPLICATE_FIELD_CODE",
        "VALIDATION_DUPLICATE_FIELD_NAME",
        "VALIDATION_FIELD_NAME_INVALID_FORMAT",
        "VALIDATION_FIELD_NAME_TOO_LONG",
        "VALIDATION_FIELD_INVALID_TYPE",
    }
)
"""About a column, which is in `fields` when a dataset is made and in `add` when its columns are changed."""
NAMES_A_FIELD = frozenset(
    {
        "VALIDATION_REQUIRED_FIELD_MISSING",
        "VALIDATION_READ_ONLY_FIELD",
        "VALIDATION_IMMUTABLE_FIELD",
        "VALIDATION_INVALID_FIELD_TYPE",
        "BX_EMPTY_REQUIRED",
        "BX_INVALID_VALUE",
        "VALIDATION_FIELD_NOT_ALLOWED_IN_SELECT",
        "VALIDATION_FIELD_NOT_ALLOWED_IN_FILTER",
        "VALIDATION_FIELD_NOT_ALLOWED_IN_ORDER",
    }
)
"""The description quotes the field's name: `Field "title" is required.`"""
PARENT_FIELD: Mapping[tuple[str, str], str] = {
    ("CONNECTOR_NOT_FOUND", "source"): "connectorId",
    ("SOURCE_NOT_FOUND", "dataset"): "sourceId",
    ("SOURCE_NOT_FOUND", "table"): "sourceId",
}
"""An object that is missing above the one that is made; otherwise it is the object of the page itself."""
FORM_FIELDS = frozenset(rule.name for table in (rules.CONNECTOR, rules.SOURCE, rules.DATASET) for rule in table)


def problem_for(error: PortalRefused) -> FieldProblem:
    """The problem that a refusal is, with the form's field or an empty field for the form as a whole.

    Details are `field` (with `object`: `connector`, `source`, ...) or `values` where the portal names them.
    """
    code = error.code.upper().replace("-", "")
    parts = error.method.lower().split(".")
    kind, action = (parts[1], parts[-1]) if len(parts) > 2 else ("", parts[-1])
    if not code and kind == "source" and action == "update":
        return FieldProblem("title", "VALIDATION_REQUIRED_FIELD_MISSING", {"field": "title"})  # facts/biconnector 3.2
    if code in NAMES_A_FIELD:
        return _about_quoted(code, kind, error.description)
    if code in COLUMN_CODES:
        return FieldProblem("add" if "fields" in parts else "fields", code, _values(error.description))
    if code == "VALIDATION_UNKNOWN_PARAMETERS":
        details = _values(error.description)
        named = details.get("values", "")
        return FieldProblem(named if named in FORM_FIELDS else "", code, details)
    field = PARENT_FIELD.get((code, kind)) or FIELD_OF.get(code, "")
    return FieldProblem(field, code, _values(error.description) if "DUPLICATE_EXIST" in code else {})


def _about_quoted(code: str, kind: str, description: str) -> FieldProblem:
    quoted = QUOTED.search(description)
    name = quoted[1] if quoted else ""
    return FieldProblem(name if name in FORM_FIELDS else "", code, {"field": name, "object": kind})


def _values(description: str) -> dict[str, str]:
    listed = LISTED.search(description)
    return {"values": listed[1].strip().rstrip(".")} if listed else {}

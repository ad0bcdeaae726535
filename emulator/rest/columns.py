"""Checks and changes of a dataset's columns (facts/biconnector 4.3, 4.4, 4.6, 4.7)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from emulator.endpoints import COLUMN_TYPES
from emulator.portal import Portal
from emulator.records import Column, Dataset
from emulator.rest.calls import RestCall
from emulator.rest.replies import ModuleError
from emulator.rest.validation import raise_first
from emulator.rest.values import as_integer, is_empty, members

COLUMN_NAME = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)
COLUMN_NAME_LENGTH = 32
PARTS = ("name", "externalCode", "type")
INVALID_NAME = (
    'Field "name" has to start with an uppercase Latin character. Possible entry includes uppercase Latin '
    "characters (A-Z), numbers (0-9) and underscores."
)


def problems(portal: Portal, columns: Sequence[Any]) -> Iterator[ModuleError]:
    """What is wrong with columns that shall be added, in the documented order."""
    given = [column for column in columns if isinstance(column, dict)]
    codes = repeated(given, "externalCode")
    if codes:
        text = f'Duplicate values found in the "code" parameter: {", ".join(codes)}'
        yield ModuleError("VALIDATION_DUPLICATE_FIELD_CODE", text)
    names = repeated(given, "name")
    if names:
        text = f'Duplicate values found in the "name" parameter: {", ".join(names)}'
        yield ModuleError("VALIDATION_DUPLICATE_FIELD_NAME", text)
    for column in columns:
        yield from _problems_of(portal, column)


def _problems_of(portal: Portal, column: Any) -> Iterator[ModuleError]:
    if not isinstance(column, dict) or any(part not in column for part in PARTS):
        yield ModuleError(
            "VALIDATION_FIELD_MISSING_REQUIRED_PARAMETERS",
            'Field must include the required parameters: "name", "externalCode" and "type".',
        )
        return
    name = str(column["name"])
    if not COLUMN_NAME.fullmatch(name):
        yield ModuleError("VALIDATION_FIELD_NAME_INVALID_FORMAT", INVALID_NAME)
    if len(name) > COLUMN_NAME_LENGTH:
        yield ModuleError("VALIDATION_FIELD_NAME_TOO_LONG", 'Field "name" must not exceed 32 characters.')
    if column["type"] not in COLUMN_TYPES[portal.generation]:
        yield ModuleError("VALIDATION_FIELD_INVALID_TYPE", "Invalid field type.")


def repeated(columns: Sequence[dict[str, Any]], part: str) -> list[str]:
    """Values of one part that more than one column has."""
    counted = Counter(str(column[part]) for column in columns if part in column)
    return [value for value, count in counted.items() if count > 1]


def create(portal: Portal, columns: Sequence[dict[str, Any]]) -> list[Column]:
    """New columns with fresh ids; they are visible."""
    return [
        Column(
            id=portal.next_id("column"),
            type=str(column["type"]),
            name=str(column["name"]),
            external_code=str(column["externalCode"]),
        )
        for column in columns
    ]


def read_changes(call: RestCall) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[int]]:
    """`add`, `update` and `delete` of `fields.update`; parameters that are no arrays count as missing.

    Raises VALIDATION_FIELD_ADD_MISSING_REQUIRED_FIELDS, VALIDATION_FIELD_UPDATE_MISSING_REQUIRED_FIELDS or
    VALIDATION_FIELD_DELETE_INVALID_ID.
    """
    added, updated, deleted = (_array(call, name) for name in ("add", "update", "delete"))
    if any(not _has(column, PARTS) for column in added):
        raise ModuleError(
            "VALIDATION_FIELD_ADD_MISSING_REQUIRED_FIELDS",
            'Field to be added must include the required parameters: "name", "externalCode" and "type".',
        )
    if any(not _has(change, ("id", "visible")) for change in updated):
        raise ModuleError(
            "VALIDATION_FIELD_UPDATE_MISSING_REQUIRED_FIELDS",
            'Field to be updated must include the required parameters: "id" and "visible".',
        )
    if any(as_integer(column_id) < 1 for column_id in deleted):
        raise ModuleError("VALIDATION_FIELD_DELETE_INVALID_ID", "ID to be deleted must be a positive integer.")
    return added, updated, [as_integer(column_id) for column_id in deleted]


def change(
    portal: Portal,
    dataset: Dataset,
    added: Sequence[dict[str, Any]],
    updated: Sequence[dict[str, Any]],
    deleted: Sequence[int],
) -> None:
    """Update, add, delete, in this order and all or nothing.

    Foreign ids in `updated` are skipped silently; ids in `deleted` are not checked for ownership at all: a wrong one
    takes a column of another dataset, also of another application's (facts/biconnector 4.4).
    """
    raise_first(problems(portal, added))
    raise_first(_collisions(dataset, added))
    own = {column.id: column for column in dataset.columns}
    for one in updated:
        column = own.get(as_integer(one["id"]))
        if column is not None:
            column.visible = not is_empty(one["visible"])
    dataset.columns.extend(create(portal, added))
    for any_dataset in portal.state.datasets.values():
        any_dataset.columns = [column for column in any_dataset.columns if column.id not in deleted]


def _collisions(dataset: Dataset, added: Sequence[dict[str, Any]]) -> Iterator[ModuleError]:
    wanted_codes = {str(column["externalCode"]) for column in added}
    wanted_names = {str(column["name"]) for column in added}
    codes = [column.external_code for column in dataset.columns if column.external_code in wanted_codes]
    if codes:
        text = f'The following "externalCode" values already exist in the current fields: {", ".join(codes)}'
        yield ModuleError("VALIDATION_DUPLICATE_EXIST_CODE", text)
    names = [column.name for column in dataset.columns if column.name in wanted_names]
    if names:
        text = f'The following "name" values already exist in the current fields: {", ".join(names)}'
        yield ModuleError("VALIDATION_DUPLICATE_EXIST_NAME", text)


def _array(call: RestCall, name: str) -> list[Any]:
    given = call.params.get(name)
    return members(given) if isinstance(given, (list, dict)) else []


def _has(given: Any, parts: Sequence[str]) -> bool:
    return isinstance(given, dict) and all(given.get(part) is not None for part in parts)

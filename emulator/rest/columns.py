"""Checks and changes of a dataset's columns (facts/biconnector 4.3, 4.4, 4.6, 4.7)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.endpoints import COLUMN_TYPES
from emulator.php_values import as_integer, is_empty, members
from emulator.portal import Portal
from emulator.records import Column, Dataset
from emulator.rest.calls import RestCall
from emulator.rest.replies import ModuleError
from emulator.rest.validation import raise_first

COLUMN_NAME = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)
COLUMN_NAME_LENGTH = 32
PARTS = ("name", "externalCode", "type")
INVALID_NAME = (
    'Field "name" has to start with an uppercase Latin character. Possible entry includes uppercase Latin '
    "characters (A-Z), numbers (0-9) and underscores."
)


def problems(portal: Portal, columns: Sequence[Any]) -> Iterator[ModuleError]:
    """What is wrong with the columns of a new dataset, in the documented order."""
    yield from _repetitions(columns)
    if any(not isinstance(column, dict) or any(part not in column for part in PARTS) for column in columns):
        yield ModuleError(
            "VALIDATION_FIELD_MISSING_REQUIRED_PARAMETERS",
            'Field must include the required parameters: "name", "externalCode" and "type".',
        )
    yield from _misfits(portal, columns)


def _repetitions(columns: Sequence[Any]) -> Iterator[ModuleError]:
    given = [column for column in columns if isinstance(column, dict)]
    codes = repeated(given, "externalCode")
    if codes:
        text = f'Duplicate values found in the "code" parameter: {", ".join(codes)}'
        yield ModuleError("VALIDATION_DUPLICATE_FIELD_CODE", text)
    names = repeated(given, "name")
    if names:
        text = f'Duplicate values found in the "name" parameter: {", ".join(names)}'
        yield ModuleError("VALIDATION_DUPLICATE_FIELD_NAME", text)


def _misfits(portal: Portal, columns: Sequence[Any]) -> Iterator[ModuleError]:
    """Names and types that no column can have; parts that are missing are not looked at."""
    given = [column for column in columns if isinstance(column, dict)]
    names = [str(column["name"]) for column in given if column.get("name") is not None]
    if not all(COLUMN_NAME.fullmatch(name) for name in names):
        yield ModuleError("VALIDATION_FIELD_NAME_INVALID_FORMAT", INVALID_NAME)
    if any(len(name) > COLUMN_NAME_LENGTH for name in names):
        yield ModuleError("VALIDATION_FIELD_NAME_TOO_LONG", 'Field "name" must not exceed 32 characters.')
    known = COLUMN_TYPES[portal.generation]
    if any(column["type"] not in known for column in given if column.get("type") is not None):
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


@dataclass(frozen=True)
class Changes:
    """`add`, `update` and `delete` of `fields.update`; parameters that are no arrays count as missing."""

    added: Sequence[Any]
    updated: Sequence[Any]
    deleted: Sequence[Any]

    @classmethod
    def read(cls, call: RestCall) -> Changes:
        """The changes that a call asks for, not yet checked."""
        return cls(*(_array(call, name) for name in ("add", "update", "delete")))

    def problems(self, portal: Portal, dataset: Dataset) -> Iterator[ModuleError]:
        """What is wrong with them, in the documented order."""
        yield from _repetitions(self.added)
        yield from _misfits(portal, self.added)
        yield from _collisions(dataset, [column for column in self.added if isinstance(column, dict)])
        if any(not _has(column, PARTS) for column in self.added):
            yield ModuleError(
                "VALIDATION_FIELD_ADD_MISSING_REQUIRED_FIELDS",
                'Field to be added must include the required parameters: "name", "externalCode" and "type".',
            )
        if any(not _has(change, ("id", "visible")) for change in self.updated):
            yield ModuleError(
                "VALIDATION_FIELD_UPDATE_MISSING_REQUIRED_FIELDS",
                'Field to be updated must include the required parameters: "id" and "visible".',
            )
        if any(as_integer(column_id) < 1 for column_id in self.deleted):
            yield ModuleError("VALIDATION_FIELD_DELETE_INVALID_ID", "ID to be deleted must be a positive integer.")


def change(portal: Portal, dataset: Dataset, changes: Changes) -> None:
    """Update, add, delete, in this order and all or nothing. Raises the first problem.

    Foreign ids in `updated` are skipped silently; ids in `deleted` are not checked for ownership at all: a wrong one
    takes a column of another dataset, also of another application's (facts/biconnector 4.4).
    """
    raise_first(changes.problems(portal, dataset))
    own = {column.id: column for column in dataset.columns}
    for one in changes.updated:
        column = own.get(as_integer(one["id"]))
        if column is not None:
            column.visible = not is_empty(one["visible"])
    dataset.columns.extend(create(portal, changes.added))
    gone = {as_integer(column_id) for column_id in changes.deleted}
    for any_dataset in portal.state.datasets.values():
        any_dataset.columns = [column for column in any_dataset.columns if column.id not in gone]


def _collisions(dataset: Dataset, added: Sequence[dict[str, Any]]) -> Iterator[ModuleError]:
    wanted_codes, wanted_names = (
        {str(column[part]) for column in added if column.get(part) is not None} for part in ("externalCode", "name")
    )
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

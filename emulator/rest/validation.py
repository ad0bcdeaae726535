"""Checks of `id` and `fields` that all objects share, with the codes and texts of the documentation.

All problems exist at once, but only the first one is answered (facts/biconnector 1.7): the generators here yield them
in the documented order and the caller takes the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from emulator.php_values import as_integer, is_array, is_empty, is_numeric, keys
from emulator.rest.replies import ModuleError
from emulator.rest.schemas import Field, Schema

FITS: Mapping[str, Callable[[object], bool]] = {
    "integer": is_numeric,
    "string": lambda value: isinstance(value, str),
    "array": is_array,
    "boolean": lambda value: isinstance(value, bool),
    "datetime": lambda _value: True,
}
"""Which values a field type takes: numeric strings are integers, booleans must be real ones."""


def checked_id(params: Mapping[str, Any]) -> int:
    """The `id` parameter. Raises VALIDATION_ID_NOT_PROVIDED or VALIDATION_INVALID_ID_FORMAT."""
    if "id" not in params:
        raise ModuleError("VALIDATION_ID_NOT_PROVIDED", "ID is missing.")
    if as_integer(params["id"]) < 1:
        raise ModuleError("VALIDATION_INVALID_ID_FORMAT", "ID has to be a positive integer.")
    return as_integer(params["id"])


def fields_to_add(params: Mapping[str, Any], schema: Schema, *, newer: bool) -> dict[str, Any]:
    """The `fields` parameter of an `add`. Raises the first problem."""
    return _checked_fields(params, schema, newer=newer, adding=True)


def fields_to_update(params: Mapping[str, Any], schema: Schema, *, newer: bool) -> dict[str, Any]:
    """The `fields` parameter of an `update`. Raises the first problem."""
    return _checked_fields(params, schema, newer=newer, adding=False)


def raise_first(problems: Iterator[ModuleError]) -> None:
    """Raise the first problem, if there is one."""
    for problem in problems:
        raise problem


def check_storage(fields: Mapping[str, Any], schema: Schema) -> None:
    """What the database refuses after the schema was satisfied: empty required texts and texts that are too long.

    The codes are the ORM's; facts/biconnector 2.3 and 4.6 give the lengths, the sentences are ours.
    """
    for field in schema.fields:
        value = fields.get(field.title)
        if not isinstance(value, str):
            continue
        if field.required and not value:
            raise ModuleError("BX_EMPTY_REQUIRED", f'Required field "{field.title}" is empty.')
        if field.longest is not None and len(value) > field.longest:
            text = f'Value of field "{field.title}" must not exceed {field.longest} characters.'
            raise ModuleError("BX_INVALID_VALUE", text)


def _checked_fields(params: Mapping[str, Any], schema: Schema, *, newer: bool, adding: bool) -> dict[str, Any]:
    given = params.get("fields")
    if not isinstance(given, (list, dict)) or is_empty(given):
        raise ModuleError("VALIDATION_FIELDS_NOT_PROVIDED", "Fields not provided.")
    fields = given if isinstance(given, dict) else dict(zip(keys(given), given, strict=True))
    raise_first(_problems(fields, schema.known(newer=newer), adding=adding))
    return fields


def _problems(fields: Mapping[str, Any], known: list[Field], *, adding: bool) -> Iterator[ModuleError]:
    unknown = [title for title in fields if title not in {field.title for field in known}]
    if unknown:
        yield ModuleError("VALIDATION_UNKNOWN_PARAMETERS", f"Unknown parameters: {', '.join(unknown)}")
    for field in known:
        if field.title in fields:
            yield from _problems_of(field, fields[field.title], adding=adding)
        elif adding and field.required and not field.read_only:
            yield ModuleError("VALIDATION_REQUIRED_FIELD_MISSING", f'Field "{field.title}" is required.')


def _problems_of(field: Field, value: object, *, adding: bool) -> Iterator[ModuleError]:
    if field.read_only:
        yield ModuleError("VALIDATION_READ_ONLY_FIELD", f'Field "{field.title}" is read only.')
    elif field.immutable and not adding:
        yield ModuleError("VALIDATION_IMMUTABLE_FIELD", f'Field "{field.title}" is immutable.')
    elif not FITS[field.type](value):
        text = f'Field "{field.title}" must be of type {field.type}.'
        yield ModuleError("VALIDATION_INVALID_FIELD_TYPE", text)

"""The `list` methods: `select`, `filter`, `order` and `page` are checked, then applied.

Pages have 50 items and start at 1; there is no total and no next page, `start` means nothing, and a `page` that makes
no sense is page 1 (facts/biconnector 1.5).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from emulator.languages import SiteFormat
from emulator.php_values import as_integer, keys, members
from emulator.rest.filters import check_fields, read_filter
from emulator.rest.replies import ModuleError, SystemFault
from emulator.rest.schemas import Field, Schema

PAGE = 50


def select_items(
    items: Iterable[Mapping[str, Any]], params: Mapping[str, Any], schema: Schema, *, newer: bool, site: SiteFormat
) -> list[dict[str, Any]]:
    """The page of `items` that `params` asks for, with the asked-for keys and ids as strings.

    `items` are whole objects by API name and may carry keys beyond the schema, which appear unless `select` leaves
    them out. Raises the first VALIDATION error of the documentation's table, or ERROR_ARGUMENT in the root for a
    direction other than ASC and DESC (facts/biconnector 1.4).
    """
    wanted, conditions, sorting = (_array(params, name) for name in ("select", "filter", "order"))
    known = {field.title: field for field in schema.known(newer=newer)}
    select = _select(wanted, known)
    check_fields(conditions, known)
    _check_order(sorting, known)
    ignored = frozenset(title for title, field in known.items() if field.ignored)
    condition = read_filter(conditions, {title: field.type for title, field in known.items()}, ignored, site)
    order = _order(sorting, known)
    found = [item for item in items if condition.holds(item)]
    for title, descending in reversed(order):
        found.sort(key=lambda item: _rank(item.get(title)), reverse=descending)
    offset = (max(as_integer(params.get("page")), 1) - 1) * PAGE
    return [_present(item, select, schema) for item in found[offset : offset + PAGE]]


def _array(params: Mapping[str, Any], name: str) -> list[Any] | dict[str, Any]:
    given = params.get(name)
    if given is None:
        return []
    if not isinstance(given, (list, dict)):
        raise ModuleError(f"VALIDATION_{name.upper()}_TYPE", f'Parameter "{name}" must be array.')
    return given


def _select(given: list[Any] | dict[str, Any], known: Mapping[str, Field]) -> list[str] | None:
    """Names to answer; None for all. `fields` of datasets may be named and is left out."""
    names = members(given)
    for name in names:
        if name != "*" and name not in list(known):
            text = f'Field "{name}" is not allowed in the "select".'
            raise ModuleError("VALIDATION_FIELD_NOT_ALLOWED_IN_SELECT", text)
    return None if not names or "*" in names else [str(name) for name in names]


def _check_order(given: list[Any] | dict[str, Any], known: Mapping[str, Field]) -> None:
    for title in keys(given):
        if title not in known:
            text = f'Field "{title}" is not allowed in the "order".'
            raise ModuleError("VALIDATION_FIELD_NOT_ALLOWED_IN_ORDER", text)


def _order(given: list[Any] | dict[str, Any], known: Mapping[str, Field]) -> list[tuple[str, bool]]:
    sorting = []
    for title, direction in zip(keys(given), members(given), strict=True):
        if known[title].ignored:
            continue
        if str(direction).upper() not in ("ASC", "DESC"):
            raise SystemFault("ERROR_ARGUMENT", f'Invalid order "{str(direction).upper()}"', 400)
        sorting.append((title, str(direction).upper() == "DESC"))
    return sorting


def _rank(value: Any) -> tuple[int, Any]:
    """A sort key: nothing first, then numbers, then texts without regard to case."""
    if value is None:
        return 0, 0
    if isinstance(value, (int, float)):
        return 1, value
    return 2, (value if isinstance(value, str) else json.dumps(value)).casefold()


def _present(item: Mapping[str, Any], select: list[str] | None, schema: Schema) -> dict[str, Any]:
    keys = {field.title for field in schema.fields if field.key}
    empty = {field.title for field in schema.fields if select and field.type == "datetime" and schema.loses_dates}
    return {
        title: str(value) if title in keys else {} if title in empty else value
        for title, value in item.items()
        if select is None or title in select
    }

"""What a call asked for, as far as it may be remembered: names and never values (facts/field 5 item 14)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.calls import CheckCall, DataCall, TableDescriptionCall, TableListCall, Tree

MOST_NAMES = 100
LONGEST_NAME = 128


def names_of(call: CheckCall | TableListCall | TableDescriptionCall | DataCall) -> dict[str, Any]:
    """Table, selected names, keys of the filter and the limit; what is too long ends in `…`."""
    if isinstance(call, TableListCall):
        return {"searched": bool(call.search)}
    if isinstance(call, TableDescriptionCall):
        return {"table": _short(call.table)}
    if isinstance(call, DataCall):
        return {
            "table": _short(call.table),
            "select": _few(iter(call.select or ())),
            "filter": _few(_keys(call.filter)),
            "limit": call.limit,
        }
    return {}


def table_of(call: CheckCall | TableListCall | TableDescriptionCall | DataCall) -> str:
    """The whole name of the table that was asked for, or nothing."""
    return call.table if isinstance(call, TableDescriptionCall | DataCall) else ""


def _keys(tree: Mapping[str, Tree]) -> Iterator[str]:
    for key, value in tree.items():
        if not (key.isascii() and key.isdigit()):
            yield key
        if isinstance(value, Mapping):
            yield from _keys(value)


def _few(names: Iterator[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        if len(found) == MOST_NAMES:
            return [*found, "…"]
        found.append(_short(name))
    return found


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"

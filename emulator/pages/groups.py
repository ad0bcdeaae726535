"""Rows put together for a chart: grouped by a dimension, one aggregated number per group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Aggregation = Literal["sum", "count", "avg"]
Grain = Literal["year", "month", "day"]

AGGREGATIONS: Mapping[Aggregation, str] = {"sum": "sum", "avg": "average", "count": "number of rows"}
"""How each is called on pages."""
GRAINS: tuple[Grain, ...] = ("month", "day", "year")
GRAIN_LENGTHS: Mapping[str, int] = {"year": 4, "month": 7, "day": 10}
"""How much of `2025-12-31 23:59:59` names a group (values are ISO, facts/biconnector 5.12)."""


@dataclass(frozen=True)
class Group:
    """One group: its label, None for rows without a value, and its number."""

    label: str | None
    value: float
    rows: int


@dataclass(frozen=True)
class Grouping:
    """All groups, dates in order of time, others by size; `skipped` counts measures that were no numbers."""

    groups: tuple[Group, ...]
    skipped: int = 0


def group_rows(
    rows: Sequence[Mapping[str, Any]],
    dimension: str,
    measure: str,
    aggregation: Aggregation,
    grain: Grain | None = None,
) -> Grouping:
    """Group `rows` by the column `dimension` and aggregate the column `measure`.

    `count` counts rows. `sum` and `avg` take numbers, also written as text; empty values are left out and anything
    else is counted as skipped. With `grain` the dimension is a date.
    """
    buckets: dict[str | None, list[float]] = {}
    counts: dict[str | None, int] = {}
    skipped = 0
    for row in rows:
        label = _label(row.get(dimension), grain)
        counts[label] = counts.get(label, 0) + 1
        numbers = buckets.setdefault(label, [])
        value = None if aggregation == "count" else row.get(measure)
        if value is None or value == "":
            continue
        number = _number(value)
        if number is None:
            skipped += 1
        else:
            numbers.append(number)
    groups = [
        Group(label, _aggregate(aggregation, numbers, counts[label]), counts[label])
        for label, numbers in buckets.items()
    ]
    if grain:
        groups.sort(key=lambda group: (group.label is None, group.label or ""))
    else:
        groups.sort(key=lambda group: (-group.value, group.label or ""))
    return Grouping(tuple(groups), skipped)


def _label(value: object, grain: Grain | None) -> str | None:
    if value is None or value == "":
        return None
    return str(value)[: GRAIN_LENGTHS[grain]] if grain else str(value)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) != float("inf") and number == number else None


def _aggregate(aggregation: Aggregation, numbers: Sequence[float], rows: int) -> float:
    if aggregation == "count":
        return float(rows)
    total = sum(numbers)
    return total / len(numbers) if aggregation == "avg" and numbers else total

"""What the BI hub asks of a dataset, and the filter that a portal builds from it (facts/biconnector 5.9-5.11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from emulator.languages import SiteFormat
from emulator.records import Column, Dataset

Operator = Literal[
    "EQUALS",
    "IN_LIST",
    "CONTAINS",
    "BETWEEN",
    "NUMERIC_GREATER_THAN",
    "NUMERIC_GREATER_THAN_OR_EQUAL",
    "NUMERIC_LESS_THAN",
    "NUMERIC_LESS_THAN_OR_EQUAL",
    "IS_NULL",
]

PREFIXES: Mapping[Operator, str] = {
    "EQUALS": "=",
    "IN_LIST": "=",
    "CONTAINS": "%",
    "BETWEEN": "><",
    "NUMERIC_GREATER_THAN": ">",
    "NUMERIC_GREATER_THAN_OR_EQUAL": ">=",
    "NUMERIC_LESS_THAN": "<",
    "NUMERIC_LESS_THAN_OR_EQUAL": "<=",
    "IS_NULL": "=",
}
"""A chart's operator and the prefix that the portal writes for it; exclusion adds `!` in front."""


class UnknownColumn(LookupError):
    """A query names a column that the dataset does not have."""


@dataclass(frozen=True)
class DateRange:
    """A dashboard's date range over one column; either end may be open."""

    column: str
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Condition:
    """A chart's condition on one column. Dates are ISO; `IS_NULL` needs no values."""

    column: str
    operator: Operator
    values: Sequence[str] = ()
    exclude: bool = False


@dataclass(frozen=True)
class DataQuery:
    """What to ask for. `groups` are joined by AND, the conditions inside each by OR.

    `select` holds column names, None asks for the whole table; without `limit` all rows are wanted.
    """

    select: Sequence[str] | None = None
    date_range: DateRange | None = None
    groups: Sequence[Sequence[Condition]] = ()
    limit: int | None = None

    def columns(self, dataset: Dataset) -> list[Column]:
        """The selected columns, or the visible ones. Raises `UnknownColumn`."""
        if self.select is None:
            return [column for column in dataset.columns if column.visible]
        return [_column(dataset, name) for name in self.select]

    def filter(self, dataset: Dataset, site_format: SiteFormat) -> dict[str, Any]:
        """The portal's filter structure; keys are column names with an operator prefix. Raises `UnknownColumn`.

        Date bounds stand at the top level in the site's own format; each group is a numbered map with `LOGIC`.
        """
        built: dict[str, Any] = {}
        if self.date_range is not None:
            name = _column(dataset, self.date_range.column).name
            if self.date_range.first is not None:
                built[f">={name}"] = site_format.day(self.date_range.first)
            if self.date_range.last is not None:
                built[f"<={name}"] = site_format.last_second(self.date_range.last)
        for number, group in enumerate(filter(None, self.groups)):
            conditions = [_condition(dataset, condition, site_format) for condition in group]
            built[str(number)] = {"LOGIC": "OR", **{str(at): one for at, one in enumerate(conditions)}}
        return built


def _condition(dataset: Dataset, condition: Condition, site_format: SiteFormat) -> dict[str, Any]:
    column = _column(dataset, condition.column)
    key = f"{'!' if condition.exclude else ''}{PREFIXES[condition.operator]}{column.name}"
    if condition.operator == "IS_NULL":
        return {key: False}
    return {key: [_value(column, value, site_format) for value in condition.values]}


def _value(column: Column, value: str, site_format: SiteFormat) -> str:
    """`value` as portals write it: dates in the site's format, everything else as it is."""
    try:
        if column.type == "date":
            return site_format.day(date.fromisoformat(value))
        if column.type == "datetime":
            return site_format.moment(datetime.fromisoformat(value))
    except ValueError:
        return value
    return value


def _column(dataset: Dataset, name: str) -> Column:
    for column in dataset.columns:
        if column.name == name:
            return column
    raise UnknownColumn(f"The dataset {dataset.name} has no column {name!r}.")

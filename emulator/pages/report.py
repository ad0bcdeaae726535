"""The report's form: what a person asks of a table's rows, read, checked and turned into a query.

Fields: `date_column`, `date_from`, `date_to`; `filter-N-column`, `-operator`, `-value` (one value per line), `-until`,
`-joint` (`and`/`or` with the line before); `limit`; `chart`, `dimension`, `grain`, `aggregation`, `measure`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from emulator.pages.chart import KINDS, Kind
from emulator.pages.groups import AGGREGATIONS, GRAINS, Aggregation, Grain
from emulator.queries import Condition, DataQuery, DateRange
from emulator.queries import Operator as PortalOperator
from emulator.records import Column

DATE_TYPES = frozenset({"date", "datetime"})
NUMBER_TYPES = frozenset({"int", "double", "money"})
NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True)
class Comparison:
    """A choice of the form: how it is called, the portal's operator behind it, and how many values it takes."""

    code: str
    label: str
    operator: PortalOperator
    exclude: bool = False
    values: Literal["0", "1", "2", "many"] = "many"


COMPARISONS = {
    comparison.code: comparison
    for comparison in (
        Comparison("equals", "equals any of", "IN_LIST"),
        Comparison("not_equals", "equals none of", "IN_LIST", exclude=True),
        Comparison("contains", "contains", "CONTAINS"),
        Comparison("not_contains", "does not contain", "CONTAINS", exclude=True),
        Comparison("between", "is between", "BETWEEN", values="2"),
        Comparison("greater", "is greater than", "NUMERIC_GREATER_THAN", values="1"),
        Comparison("at_least", "is at least", "NUMERIC_GREATER_THAN_OR_EQUAL", values="1"),
        Comparison("less", "is less than", "NUMERIC_LESS_THAN", values="1"),
        Comparison("at_most", "is at most", "NUMERIC_LESS_THAN_OR_EQUAL", values="1"),
        Comparison("is_null", "is empty", "IS_NULL", values="0"),
        Comparison("is_not_null", "is not empty", "IS_NULL", exclude=True, values="0"),
    )
}
ORDERED = frozenset({"between", "greater", "at_least", "less", "at_most"})


@dataclass(frozen=True)
class Line:
    """One condition as it was typed; `problem` is a sentence when it cannot be asked."""

    column: str = ""
    comparison: str = "equals"
    value: str = ""
    until: str = ""
    joint: Literal["and", "or"] = "and"
    problem: str = ""

    @property
    def values(self) -> list[str]:
        """The values to compare with, without blank lines."""
        wanted = COMPARISONS[self.comparison].values
        typed = self.typed + ([self.until] if wanted == "2" else [])
        return [] if wanted == "0" else [value for value in typed if value.strip()]

    @property
    def has_lines(self) -> bool:
        """Whether the value needs a field of several lines: the comparison takes them, or they were typed."""
        return COMPARISONS[self.comparison].values in ("0", "many") or len(self.typed) > 1

    @property
    def typed(self) -> list[str]:
        """The lines of the value field, without blank ones."""
        return [line for typed in self.value.split("\n") if (line := typed.strip("\r")).strip()]

    def condition(self) -> Condition:
        """The same in the portal's terms."""
        comparison = COMPARISONS[self.comparison]
        return Condition(self.column, comparison.operator, tuple(self.values), comparison.exclude)


@dataclass(frozen=True)
class Range:
    """Two days as typed, both included and either of them open."""

    column: str = ""
    start: str = ""
    end: str = ""
    problem: str = ""

    def date_range(self) -> DateRange | None:
        """The same in the portal's terms, None when nothing was typed."""
        if not (self.start or self.end):
            return None
        first, last = (date.fromisoformat(day) if day else None for day in (self.start, self.end))
        return DateRange(self.column, first, last)


@dataclass(frozen=True)
class ChartChoice:
    """Which chart to draw from the rows."""

    kind: Kind = "bar"
    dimension: str = ""
    grain: Grain = "month"
    aggregation: Aggregation = "sum"
    measure: str = ""


@dataclass(frozen=True)
class Report:
    """The whole form; opened without fields it asks for all rows and draws the usual chart.

    `columns` are the names of what is asked for.
    """

    columns: tuple[str, ...]
    dates: Range
    lines: tuple[Line, ...]
    limit: str
    chart: ChartChoice
    problems: tuple[str, ...] = field(default=())
    limit_problem: str = ""

    @property
    def valid(self) -> bool:
        """Whether it can be asked for."""
        return not (self.dates.problem or self.limit_problem or any(line.problem for line in self.lines))

    def query(self) -> DataQuery:
        """What to ask the endpoint for: visible columns by name (facts/biconnector 5.7a), all rows unless limited.

        Only for a valid report.
        """
        groups: list[list[Condition]] = []
        for line in self.lines:
            if line.joint == "or" and groups:
                groups[-1].append(line.condition())
            else:
                groups.append([line.condition()])
        limit = int(self.limit) if self.limit else None
        return DataQuery(self.columns, self.dates.date_range(), groups, limit)


def read_report(form: Mapping[str, str], columns: Sequence[Column]) -> Report:
    """The form as it was sent, with a problem beside whatever cannot be asked. `columns` are the visible ones."""
    limit = form.get("limit", "").strip()
    good_limit = not limit or (re.fullmatch(r"[0-9]{1,9}", limit) is not None and int(limit) > 0)
    return Report(
        columns=tuple(column.name for column in columns),
        dates=_read_range(form, columns),
        lines=tuple(_read_lines(form, columns)),
        limit=limit,
        limit_problem="" if good_limit else "Enter a whole number above zero, or nothing.",
        chart=_read_chart(form, columns),
    )


def _read_range(form: Mapping[str, str], columns: Sequence[Column]) -> Range:
    dates = [column.name for column in columns if column.type in DATE_TYPES]
    typed = Range(
        form.get("date_column") or (dates[0] if dates else ""),
        form.get("date_from", "").strip(),
        form.get("date_to", "").strip(),
    )
    if not (typed.start or typed.end):
        return typed
    if typed.column not in dates:
        return replace(typed, problem="A date range needs a date column of this table.")
    try:
        days = [date.fromisoformat(day) for day in (typed.start, typed.end) if day]
    except ValueError:
        return replace(typed, problem="Write dates as year-month-day, for example 2025-12-31.")
    return replace(typed, problem="The first day lies after the last one." if days[0] > days[-1] else "")


def _read_lines(form: Mapping[str, str], columns: Sequence[Column]) -> list[Line]:
    numbers = sorted({int(key.split("-")[1]) for key in form if re.fullmatch(r"filter-[0-9]{1,3}-column", key)})
    types = {column.name: column.type for column in columns}
    lines = []
    for number in numbers:
        if form.get("remove") == str(number) or not form[f"filter-{number}-column"]:
            continue
        comparison = form.get(f"filter-{number}-operator", "equals")
        line = Line(
            column=form[f"filter-{number}-column"],
            comparison=comparison if comparison in COMPARISONS else "equals",
            value=form.get(f"filter-{number}-value", ""),
            until=form.get(f"filter-{number}-until", ""),
            joint="or" if form.get(f"filter-{number}-joint") == "or" else "and",
        )
        lines.append(replace(line, problem=_problem(line, types)))
    return lines


def _problem(line: Line, types: Mapping[str, str]) -> str:
    if line.column not in types:
        return "This table has no such column."
    wanted = COMPARISONS[line.comparison].values
    if wanted in ("1", "2") and len(line.typed) > 1:
        return "Enter one value."
    if wanted == "2" and len(line.values) < 2:
        return "Enter both ends of the range."
    if wanted in ("1", "many") and not line.values:
        return "Enter one value." if wanted == "1" else "Enter at least one value."
    if line.comparison in ORDERED and types[line.column] in NUMBER_TYPES:
        numbers = all(NUMBER.fullmatch(value.strip()) for value in line.values)
        return "" if numbers else "Enter a number, with a dot before decimals."
    return ""


def _read_chart(form: Mapping[str, str], columns: Sequence[Column]) -> ChartChoice:
    """The chosen chart; at first, the sum of the last decimal column by the first date or text column."""
    names = {column.name for column in columns}
    measures = [column.name for column in columns if column.type in NUMBER_TYPES]
    decimals = [column.name for column in columns if column.type in NUMBER_TYPES - {"int"}]
    dimension, measure = form.get("dimension", ""), form.get("measure", "")
    dates = [column.name for column in columns if column.type in DATE_TYPES]
    words = [column.name for column in columns if column.type not in NUMBER_TYPES | DATE_TYPES]
    first_dimension = next(iter([*dates, *words, *(column.name for column in columns)]), "")
    return ChartChoice(
        kind=next((kind for kind in KINDS if kind == form.get("chart")), "bar"),
        dimension=dimension if dimension in names else first_dimension,
        grain=next((grain for grain in GRAINS if grain == form.get("grain")), "month"),
        aggregation=next(
            (way for way in AGGREGATIONS if way == form.get("aggregation")), "sum" if measures else "count"
        ),
        measure=measure if measure in measures else next(iter([*decimals[::-1], *measures]), ""),
    )

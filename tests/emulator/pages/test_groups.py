"""Rows grouped for a chart."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.pages.groups import Aggregation, Grain, group_rows

ROWS: list[dict[str, Any]] = [
    {"DAY": "2025-03-02", "STATUS": "won", "AMOUNT": 10},
    {"DAY": "2025-01-15", "STATUS": "new", "AMOUNT": "5.5"},
    {"DAY": "2025-01-31", "STATUS": "won", "AMOUNT": None},
    {"DAY": "2024-12-31", "STATUS": None, "AMOUNT": 1},
    {"DAY": None, "STATUS": "", "AMOUNT": 2},
]


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("sum", [("won", 10.0), ("new", 5.5), (None, 3.0)]),
        ("count", [(None, 2.0), ("won", 2.0), ("new", 1.0)]),
        ("avg", [("won", 10.0), ("new", 5.5), (None, 1.5)]),
    ],
)
def test_words_are_ordered_by_size_and_missing_values_are_one_group(
    aggregation: Aggregation, expected: list[tuple[str | None, float]]
) -> None:
    grouping = group_rows(ROWS, "STATUS", "AMOUNT", aggregation)
    assert [(group.label, group.value) for group in grouping.groups] == expected


@pytest.mark.parametrize(
    ("grain", "labels"),
    [
        ("year", ["2024", "2025", None]),
        ("month", ["2024-12", "2025-01", "2025-03", None]),
        ("day", ["2024-12-31", "2025-01-15", "2025-01-31", "2025-03-02", None]),
    ],
)
def test_dates_are_ordered_in_time_and_rows_without_one_come_last(grain: Grain, labels: list[str | None]) -> None:
    grouping = group_rows(ROWS, "DAY", "AMOUNT", "sum", grain)
    assert [group.label for group in grouping.groups] == labels


@pytest.mark.parametrize("value", ["abc", "1,5", "nan", "inf", True, [1], {}])
def test_what_is_no_number_is_left_out_and_counted(value: object) -> None:
    grouping = group_rows([{"A": "x", "N": 1}, {"A": "x", "N": value}], "A", "N", "sum")
    assert [group.value for group in grouping.groups] == [1.0]
    assert grouping.skipped == 1


def test_an_average_counts_numbers_only_but_rows_count_all() -> None:
    (group,) = group_rows([{"A": "x", "N": 4}, {"A": "x", "N": None}], "A", "N", "avg").groups
    assert (group.value, group.rows) == (4.0, 2)

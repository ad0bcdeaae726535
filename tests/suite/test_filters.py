"""Filters select exactly what an oracle in plain Python selects (facts/field 5.34)."""

# ruff: noqa: DTZ001 - moments are without zone on purpose: they are in the connection's

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from drivers.base import Description, Session
from drivers.columns import Form
from drivers.errors import QueryRefused
from drivers.query import Comparison, Condition, Contains, Group, IsNull, OneOf, TableName, Value
from tests.suite import oracle
from tests.suite.databases import Database, read

SEED = 20261124
# A session has a time limit, which ten thousand filters reach on a busy machine.
FILTERS_OF_A_SESSION = 500
ROWS = oracle.rows(90, SEED)
SHOWN = [oracle.shown(row) for row in ROWS]


@pytest.fixture(scope="module")
def sample(database: Database) -> TableName:
    columns = {name: database.types[form] for name, form in oracle.COLUMNS.items()}
    return database.create("sample", columns, [list(row.values()) for row in ROWS])


@pytest.fixture
def session(database: Database, sample: TableName) -> Iterator[Session]:
    with database.open() as opened:
        yield opened


@pytest.fixture(scope="module")
def description(database: Database, sample: TableName) -> Description:
    with database.open() as opened:
        return opened.describe(sample)


def selected(session: Session, description: Description, condition: Condition) -> list[int]:
    return sorted(row[0] for row in read(session, description.table, ["id"], condition, None, description))


def test_random_filters_select_what_the_oracle_selects(database: Database, description: Description) -> None:
    rng = random.Random(SEED)
    for first in range(0, database.random_filters, FILTERS_OF_A_SESSION):
        with database.open() as session:
            for number in range(first, first + FILTERS_OF_A_SESSION):
                condition = oracle.random_condition(rng)
                expected = [row["id"] for row in SHOWN if oracle.matches(condition, row)]
                assert selected(session, description, condition) == expected, (number, condition)


def test_a_whole_table_is_shown_as_the_oracle_shows_it(session: Session, description: Description) -> None:
    found = sorted(read(session, description.table, list(oracle.COLUMNS)), key=lambda row: row[0])
    for row, expected in zip(found, SHOWN, strict=True):
        wanted: list[Any] = []
        for value in expected.values():
            wanted.append(oracle.text(value) if isinstance(value, dt.date) else value)
        wanted[2] = None if wanted[2] is None else float(wanted[2])
        assert row == wanted


def test_null_matches_no_comparison_negated_or_not(session: Session, description: Description) -> None:
    nulls = {row["id"] for row in SHOWN if row["title"] is None}
    assert nulls
    for condition in (
        Comparison("title", "!=", "abc"),
        OneOf("title", ("abc",), negated=True),
        Contains("title", "abc", negated=True),
        OneOf("title", (), negated=True),
    ):
        assert not nulls & set(selected(session, description, condition))
    assert set(selected(session, description, IsNull("title"))) == nulls


def test_equality_tells_case_accents_and_trailing_spaces_apart(session: Session, description: Description) -> None:
    for text in ("abc", "ABC", "ábc", "abc ", "é", "e\u0301", ""):
        for condition in (Comparison("title", "=", text), OneOf("title", (text,))):
            expected = [row["id"] for row in SHOWN if row["title"] == text]
            assert expected
            assert selected(session, description, condition) == expected


def test_the_last_second_of_a_day_holds_its_fractions(session: Session, description: Description) -> None:
    """facts/biconnector 5.10: a dashboard's end date carries 23:59:59, a row may be later within that second."""
    end = Comparison("moment", "<=", dt.datetime(2025, 12, 31, 23, 59, 59))
    found = set(selected(session, description, end))
    late = {row["id"] for row in ROWS if row["moment"] == dt.datetime(2025, 12, 31, 23, 59, 59, 700000)}
    assert late
    assert late <= found


def test_an_empty_list_and_an_empty_group_of_alternatives_select_nothing(
    session: Session, description: Description
) -> None:
    assert selected(session, description, OneOf("id", ())) == []
    assert selected(session, description, Group("OR", ())) == []
    assert len(selected(session, description, Group("AND", ()))) == len(ROWS)


def test_wildcards_in_searched_text_stand_for_themselves(session: Session, description: Description) -> None:
    """facts/field 1 V1: `%` and `_` in the searched text acted as wildcards."""
    for text in ("%", "_", "\\", "|", "'", '"', "100%"):
        expected = [row["id"] for row in SHOWN if row["title"] is not None and text in row["title"]]
        assert expected
        assert selected(session, description, Contains("title", text)) == expected


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", "1"),
        ("id", True),
        ("amount", Decimal("NaN")),
        ("score", Decimal("Infinity")),
        ("title", 1),
        ("title", "nul\0"),
        ("day", dt.datetime(2025, 1, 1)),
        ("day", "2025-01-01"),
        ("moment", dt.date(2025, 1, 1)),
        ("moment", dt.datetime(2025, 1, 1, tzinfo=dt.UTC)),
    ],
)
def test_a_value_of_another_type_is_refused(
    session: Session, description: Description, column: str, value: Value
) -> None:
    for condition in (Comparison(column, "=", value), OneOf(column, (value,))):
        with pytest.raises(QueryRefused) as refusal:
            selected(session, description, condition)
        assert (refusal.value.code, refusal.value.name) == ("value_type", column)


def test_a_filter_on_an_unknown_column_is_refused(session: Session, description: Description) -> None:
    with pytest.raises(QueryRefused) as refusal:
        selected(session, description, Group("OR", (Comparison("id", "=", 1), Comparison("ID2", "=", 1))))
    assert (refusal.value.code, refusal.value.name) == ("unknown_column", "ID2")


def test_groups_nested_too_deep_are_refused(session: Session, description: Description) -> None:
    condition: Condition = IsNull("id")
    for _ in range(40):
        condition = Group("AND", (condition,))
    with pytest.raises(QueryRefused) as refusal:
        selected(session, description, condition)
    assert refusal.value.code == "filter_too_deep"


def test_as_many_conditions_as_a_call_can_hold_are_understood(
    database: Database, session: Session, description: Description
) -> None:
    """A call holds 5,000 keys; databases read `a OR b OR c` as nested, and SQLite refuses 1,000 levels."""
    count = database.most_conditions
    text = next(row["title"] for row in SHOWN if row["title"])
    missing = (Contains("title", f"missing {number}") for number in range(count - 1))
    expected = [row["id"] for row in SHOWN if row["title"] is not None and text.lower() in row["title"].lower()]
    assert selected(session, description, Group("OR", (*missing, Contains("title", text)))) == expected
    moments = tuple(dt.datetime(1999, 1, 1) + dt.timedelta(minutes=number) for number in range(count))
    assert selected(session, description, OneOf("moment", moments)) == []
    present = [row["id"] for row in SHOWN if row["moment"] is not None]
    assert selected(session, description, OneOf("moment", moments, negated=True)) == present


def test_the_table_uses_every_form_that_portals_know(description: Description) -> None:
    assert {column.type for column in description.columns} == {"int", "double", "string", "date", "datetime"}
    assert description.column("flag").form in (Form.BOOLEAN, Form.INTEGER)

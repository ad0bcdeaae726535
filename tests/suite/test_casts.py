"""Columns in types that an analyst chose: every value as a plain reading of it says, or refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from drivers.base import Description, Session
from drivers.casts import Misfits, casts_of
from drivers.columns import Form, PortalType
from drivers.errors import QueryRefused
from drivers.query import Comparison, Contains, IsNull, OneOf, TableName
from tests.suite.databases import Database, read

MISFIT = object()
# What each text is in each type; None is no value.
READ: dict[PortalType, dict[str, Any]] = {
    "int": {
        "12": 12,
        " -7 ": -7,
        "+3": 3,
        "007": 7,
        "1 234 567": 1234567,
        "12.00": 12,
        "999999999999999999": 999999999999999999,
        "": None,
        "  ": None,
        "9999999999999999999": MISFIT,
        "1.5": MISFIT,
        "1,234": MISFIT,
        "1E5": MISFIT,
        "0x10": MISFIT,
        "12abc": MISFIT,
        "12 34": MISFIT,
        "--1": MISFIT,
        "н/д": MISFIT,
        "'; DROP": MISFIT,
    },
    "double": {
        "12": 12.0,
        "1.5": 1.5,
        "1,5": 1.5,
        "-1 234,50": -1234.5,
        "1.234": 1.234,
        "0.000000123456789": 0.000000123456789,
        "100000000000.125": 100000000000.125,
        " ": None,
        "1,234": MISFIT,
        "1234567890.1234567": MISFIT,
        "1.2.3": MISFIT,
        "NaN": MISFIT,
        "inf": MISFIT,
        "1e400": MISFIT,
        ".": MISFIT,
        "-": MISFIT,
    },
    "date": {
        "2025-12-31": "2025-12-31",
        "31.12.2025": "2025-12-31",
        " 29.02.2024": "2024-02-29",
        "2000-02-29": "2000-02-29",
        "2025-12-31 00:00:00": "2025-12-31",
        "": None,
        "2025-02-29": MISFIT,
        "1900-02-29": MISFIT,
        "2025-13-01": MISFIT,
        "31.04.2025": MISFIT,
        "2025-12-31 10:00:00": MISFIT,
        "12/31/2025": MISFIT,
        "0000-00-00": MISFIT,
        "20251231": MISFIT,
    },
    "datetime": {
        "2025-12-31 23:59:59": "2025-12-31 23:59:59",
        "2025-12-31T23:59": "2025-12-31 23:59:00",
        "31.12.2025 1:00": MISFIT,
        "31.12.2025 01:00:00.999": "2025-12-31 01:00:00",
        "2025-12-31": "2025-12-31 00:00:00",
        "  ": None,
        "2025-12-31 24:00:00": MISFIT,
        "2025-12-31 10:00:00Z": MISFIT,
        "1899-12-31 10:00:00": MISFIT,
        "2025-06-31 10:00": MISFIT,
    },
}


def can(
    database: Database, session: Session, description: Description, name: str, form: Form, wanted: PortalType
) -> bool:
    """Whether the driver offers the type; it does for all databases but those that are said not to have the cast."""
    offered = casts_of(session).can(description.column(name), wanted)
    assert offered == ((form, wanted) not in database.uncastable)
    return offered


def delivered(
    session: Session, description: Description, name: str, wanted: PortalType, misfits: Misfits = "refuse"
) -> Description:
    """The table's columns, of which one is another one now."""
    cast = casts_of(session).delivered(description.column(name), wanted, misfits, "A (b)", "A_B")
    return replace(description, columns=(*description.columns, cast))


def texts_table(database: Database, wanted: str) -> tuple[TableName, list[str]]:
    texts = list(READ[wanted])  # type: ignore[index]  # one of its keys
    columns = {"id": database.types[Form.INTEGER], "a {c} 'b'": database.types[Form.TEXT]}
    rows: list[Sequence[Any]] = [[number, text] for number, text in enumerate(texts)]
    return database.create(f"texts_{wanted}", columns, [*rows, [len(texts), None]]), texts


@pytest.mark.parametrize("wanted", READ)
def test_texts_are_read_as_the_chosen_type_or_named(database: Database, wanted: PortalType) -> None:
    table, texts = texts_table(database, wanted)
    expected = [READ[wanted][text] for text in texts] + [None]
    fitting = [number for number, value in enumerate(expected) if value is not MISFIT]
    name = "a {c} 'b'"
    with database.open() as session:
        description = session.describe(table)
        if not can(database, session, description, name, Form.TEXT, wanted):
            return
        count = replace(description, columns=(casts_of(session).count(description.column(name), wanted),))
        assert read(session, table, [name], None, 1, count) == [[len(expected) - len(fitting)]]
        emptied = delivered(session, description, name, wanted, "null")
        shown = sorted(read(session, table, ["id", "A (b)"], None, None, emptied))
        assert [row[1] for row in shown] == [None if value is MISFIT else value for value in expected]
        empty = [number for number, value in enumerate(expected) if value in (None, MISFIT)]
        assert ids(session, emptied, IsNull("A (b)")) == empty
        assert ids(session, emptied, IsNull("A (b)", negated=True)) == [
            n for n in range(len(expected)) if n not in empty
        ]
        for number in fitting:
            if (value := expected[number]) is None or "date" in wanted:
                continue
            same = [n for n, other in enumerate(expected) if other == value]
            asked = Decimal(str(value))
            assert ids(session, emptied, Comparison("A (b)", "=", asked)) == same
            assert ids(session, emptied, OneOf("A (b)", (asked,))) == same
    refusing = [number for number, value in enumerate(expected) if value is MISFIT]
    for number in refusing[:3]:
        with database.open() as session:
            strict = delivered(session, session.describe(table), name, wanted)
            kept = (*fitting, len(texts))
            assert sorted(
                row[0] for row in read(session, table, ["id", "A (b)"], OneOf("id", kept), None, strict)
            ) == sorted(set(kept))
            with pytest.raises(QueryRefused) as refused:
                read(session, table, ["A (b)"], Comparison("id", "=", number), None, strict)
            assert (refused.value.code, refused.value.name) == ("value_unfit", "A_B")
            assert refused.value.detail in ("", texts[number])


def ids(session: Session, description: Description, condition: Any) -> list[int]:
    return sorted(row[0] for row in read(session, description.table, ["id"], condition, None, description))


@pytest.mark.parametrize("form", [Form.INTEGER, Form.EXACT, Form.FLOAT, Form.DATE, Form.DATETIME, Form.BOOLEAN])
def test_a_column_as_text_says_what_it_says_as_itself(database: Database, form: Form) -> None:
    values: dict[Form, list[Any]] = {
        Form.INTEGER: [0, -5, 2**63 - 1],
        Form.EXACT: [Decimal("12.5000"), Decimal("-0.0001"), Decimal("1234567890123456.7891")],
        Form.FLOAT: [0.1 + 0.2, 1e15 + 0.5, -2.5],
        Form.DATE: ["2025-12-31", "1850-01-01"],
        Form.DATETIME: ["2025-12-31 23:59:59", "2024-02-29 00:00:00"],
        Form.BOOLEAN: [True, False],
    }
    columns = {"id": database.types[Form.INTEGER], "v": database.types[form]}
    rows = [[number, value] for number, value in enumerate(values[form])]
    table = database.create(f"as_text_{form}", columns, [*rows, [len(rows), None]])
    with database.open() as session:
        description = session.describe(table)
        if not can(database, session, description, "v", form, "string"):
            return
        own = description.column("v")
        text = delivered(session, description, "v", "string")
        told = sorted(read(session, table, ["id", "v", "A (b)"], None, None, text))
        for number, itself, shown in told:
            assert (itself is None) == (shown is None)
            if itself is None:
                assert ids(session, text, IsNull("A (b)")) == [number]
                continue
            assert (float(shown) if own.is_number else shown) == (float(itself) if own.is_number else itself)
            assert ids(session, text, Comparison("A (b)", "=", shown)) == [number]
            assert number in ids(session, text, Contains("A (b)", shown[1:]))


def test_fractions_of_a_number_are_no_whole_number(database: Database) -> None:
    columns = {"id": database.types[Form.INTEGER], "v": database.types[Form.EXACT]}
    table = database.create("whole", columns, [[0, Decimal("12.0000")], [1, Decimal("12.5")], [2, None]])
    with database.open() as session:
        description = session.describe(table)
        if not can(database, session, description, "v", Form.EXACT, "int"):
            return
        whole = delivered(session, description, "v", "int", "null")
        assert sorted(read(session, table, ["id", "A (b)"], None, None, whole)) == [[0, 12], [1, None], [2, None]]


@pytest.mark.parametrize("wanted", ["date", "datetime"])
def test_moments_at_midnight_are_days_and_days_are_midnights(database: Database, wanted: PortalType) -> None:
    kind = Form.DATETIME if wanted == "date" else Form.DATE
    moments = ["2025-12-31 00:00:00", "2025-12-31 10:00:00"] if wanted == "date" else ["2025-12-31", "1850-01-01"]
    columns = {"id": database.types[Form.INTEGER], "v": database.types[kind]}
    table = database.create(f"days_as_{wanted}", columns, [[number, text] for number, text in enumerate(moments)])
    with database.open() as session:
        description = session.describe(table)
        if not can(database, session, description, "v", kind, wanted):
            return
        cast = delivered(session, description, "v", wanted, "null")
        shown = sorted(read(session, table, ["id", "A (b)"], None, None, cast))
        assert shown == [[0, "2025-12-31" if wanted == "date" else "2025-12-31 00:00:00"], [1, None]]
        counted = replace(description, columns=(casts_of(session).count(description.column("v"), wanted),))
        assert read(session, table, ["v"], None, 1, counted) == [[1]]
        example = replace(description, columns=(casts_of(session).example(description.column("v"), wanted),))
        assert read(session, table, ["v"], None, 1, example) == [[moments[1]]]

"""Values that are there and cannot be shown are null, and counted by their columns (facts/field 5.26)."""

from __future__ import annotations

import itertools

import pytest

from drivers.casts import unshown_values
from drivers.columns import Form
from drivers.query import IsNull, TableQuery
from tests.suite.databases import Database, read

NUMBERS = itertools.count()
LOOK_ALIKES = ['"-infinity"', "-infinity", "NaN", "null", "a,NaN,\n]\\"]


def test_values_that_cannot_be_shown_are_told_from_missing_ones(database: Database) -> None:
    """Times until 1900-01-01 00:00:00 are what every database can hold and no portal can (facts/field 0.9)."""
    moments = ["1900-01-01 00:00:00", "1900-01-01 00:00:01", None, "1899-12-31 23:59:59", "2025-01-01 00:00:00"]
    rows = [[number, text, moment] for number, (text, moment) in enumerate(zip(LOOK_ALIKES, moments, strict=True))]
    columns = {"id": database.types[Form.INTEGER], "t": database.types[Form.TEXT], "m": database.types[Form.DATETIME]}
    table = database.create(f"unshown_{next(NUMBERS)}", columns, rows)
    counts = {} if database.driver == "trino" else {"m": 2}
    with database.open() as session:
        told = read(session, table, ["id", "t", "m"])
        assert [row[:2] for row in told] == [row[:2] for row in rows]
        assert [row[2] for row in told] == [None, "1900-01-01 00:00:01", None, None, "2025-01-01 00:00:00"]
        assert session.unshown == counts
        assert read(session, table, ["id"], IsNull("m")) == [[0], [2], [3]]
        assert session.unshown == {}
        assert unshown_values(session, session.describe(table)) == {"m": 2}


@pytest.mark.parametrize(
    ("driver", "native", "values", "shown"),
    [
        ("postgresql", "float8", ["NaN", "Infinity", "-Infinity", "1.5"], 1.5),
        ("postgresql", "real", ["NaN", "1.5"], 1.5),
        ("postgresql", "numeric", ["NaN", "1e400", "1.5"], 1.5),
        ("postgresql", "numeric(4,1)", ["NaN", "1.5"], 1.5),
        ("postgresql", "date", ["infinity", "-infinity", "0044-03-15 BC", "2025-01-01"], "2025-01-01"),
        ("postgresql", "timestamptz", ["infinity", "10000-01-01", "2025-01-01"], "2025-01-01 00:00:00"),
        ("mysql", "date", ["0000-00-00", "2025-00-01", "2025-01-00", "2025-01-01"], "2025-01-01"),
        ("mysql", "date NOT NULL", ["0000-00-00", "2025-01-01"], "2025-01-01"),
        ("mysql", "datetime", ["0000-00-00 00:00:00", "2025-00-01 01:00:00", "2025-01-01"], "2025-01-01 00:00:00"),
    ],
)
def test_what_only_some_databases_hold_is_counted(
    database: Database, driver: str, native: str, values: list[str], shown: object
) -> None:
    if database.driver != driver:
        return
    table = f"unshown_{next(NUMBERS)}"
    database.execute(f"CREATE TABLE {database.qualified(table)} (v {native})")
    if driver == "mysql":
        database.execute("SET SESSION sql_mode = ''")
    quoted = ", ".join(f"('{value}')" for value in values)
    database.execute(f"INSERT INTO {database.qualified(table)} VALUES {quoted}")
    name = database.table(table)
    with database.open() as session:
        description = session.describe(name)
        assert [row for row in read(session, name, ["v"]) if row != [None]] == [[shown]]
        assert session.unshown == {"v": len(values) - 1}
        assert unshown_values(session, description) == {"v": len(values) - 1}
        assert list(session.rows(TableQuery(name, ("v",), None, 1), description))

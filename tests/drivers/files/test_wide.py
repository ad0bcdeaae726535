"""Files of many columns are typed as others are, by statements that are planned soon (facts/security 1 row 15)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from drivers.files.column_types import FIRST_ROWS, MOST_CHECKS, SAMPLE_ROWS, Columns
from drivers.files.encoding import text_of
from drivers.files.grammar import CANDIDATES
from drivers.files.layout import layout_of
from drivers.files.told import Told
from egress.errors import Timeout
from tests.drivers.files.samples import table_of, written

KINDS = ("int", "double", "string", "date", "datetime", "double", "int")
FIRST = ("1", "2.5", "x", "2024-02-29", "01.02.2024 10:00", "1e3", "true")
LAST = ("-7", "", "y", "2023-12-31", "31.12.2023 23:59", "-.5", "false")
REPEATED = 20
WIDE = 50
SETTINGS = {"delimiter": ",", "header": "yes", "header_row": "", "skip_rows": "", "quote": ""}


class Recorded:
    """A connection that remembers what it was asked."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()
        self.statements: list[str] = []

    def execute(self, statement: str) -> Any:
        self.statements.append(statement)
        return self._connection.execute(statement)


def wide(folder: Path, rows: int = 2) -> Path:
    names = ",".join(f"c{number}" for number in range(len(KINDS) * REPEATED))
    lines = [",".join(FIRST * REPEATED)] * (rows - 1) + [",".join(LAST * REPEATED)]
    return written(folder, "wide.csv", "\n".join([names, *lines, ""]))


def test_columns_of_a_wide_file_have_the_types_of_their_values(tmp_path: Path) -> None:
    assert len(KINDS) * REPEATED > WIDE
    wide(tmp_path)
    types, rows = table_of(tmp_path, "wide", path="wide.csv")
    assert list(types.values()) == list(KINDS) * REPEATED
    assert rows[1][:7] == [-7, None, "y", "2023-12-31", "2023-12-31 23:59:00", -0.5, 0]


@pytest.mark.parametrize("rows", [2, FIRST_ROWS + 5, SAMPLE_ROWS + 5])
def test_a_value_behind_the_first_rows_still_counts(tmp_path: Path, rows: int) -> None:
    names = [f"c{number}" for number in range(WIDE + 1)]
    lines = [",".join("1" for _ in names)] * (rows - 1) + [",".join(["word", "1.5", *("1" for _ in names[2:])])]
    written(tmp_path, "late.csv", "\n".join([",".join(names), *lines, ""]))
    types, _ = table_of(tmp_path, "late", path="late.csv")
    assert list(types.values()) == ["string", "double", *("int" for _ in names[2:])]


def test_no_statement_asks_for_more_than_is_planned_soon(tmp_path: Path) -> None:
    path = wide(tmp_path)
    layout = layout_of(path, text_of(path, "", lambda: None), SETTINGS)
    connection: Any = Recorded()
    Columns(connection, layout.source(path), layout.columns, Told({})).conversions()
    assert max(statement.count("bool_and(") for statement in connection.statements) <= MOST_CHECKS
    # The first rows tell that most types cannot be meant.
    asked = sum(statement.count("bool_and(") for statement in connection.statements)
    assert asked < len(layout.columns) * len(CANDIDATES) / 3


def test_the_deadline_ends_what_no_statement_ends(tmp_path: Path) -> None:
    path = wide(tmp_path)
    layout = layout_of(path, text_of(path, "", lambda: None), SETTINGS)
    connection: Any = Recorded()

    def check() -> None:
        if len(connection.statements) >= 2:
            raise Timeout("deadline")

    with pytest.raises(Timeout):
        Columns(connection, layout.source(path), layout.columns, Told({}), check=check).conversions()
    assert len(connection.statements) == 2

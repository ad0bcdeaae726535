"""What a column of SQLite is, its stored values decide: all of them, whatever its type is called."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest

from drivers.base import Guards, Session
from drivers.catalogue import DRIVERS
from drivers.query import Comparison, IsNull, OneOf, TableName, TableQuery
from drivers.sqlite import driver, stored_values
from egress.errors import TargetError
from egress.policy import Policy
from tests.suite.databases import read

LATE = 1200
"""More rows than any look at the first ones takes."""


def opened(path: Path, zone: str = "UTC") -> Session:
    guards = Guards(Policy(), local_files=path.parent)
    return DRIVERS["sqlite"].open({"path": path.name, "timezone": zone}, guards)


def written(path: Path, *statements: str, values: Sequence[Any] = ()) -> Path:
    with contextlib.closing(apsw.Connection(str(path))) as database, database:
        for statement in statements:
            list(database.execute(statement))
        database.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate(values)))
    return path


def column(
    folder: Path, declared: str, values: Sequence[Any], zone: str = "UTC"
) -> tuple[str, list[Any], dict[Any, list[Any]]]:
    """The type of a column of these values, what is shown of them, and which rows are found by what is shown."""
    path = written(folder / "t.db", f"CREATE TABLE t(n INTEGER PRIMARY KEY, v {declared})", values=values)
    with opened(path, zone) as session:
        table = TableName("", "t")
        described = session.describe(table).column("v")
        shown = [row[0] for row in read(session, table, ["v"])]
        found = {}
        for value in dict.fromkeys(shown):
            condition: Any = IsNull("v") if value is None else Comparison("v", "=", _asked(described.type, value))
            found[value] = [row[0] for row in read(session, table, ["n"], condition)]
            if value is not None:
                listed = OneOf("v", (_asked(described.type, value),))
                assert [row[0] for row in read(session, table, ["n"], listed)] == found[value]
        assert found == {value: [n for n, other in enumerate(shown) if other == value] for value in found}
        return described.type, shown, found


def _asked(portal: str, value: Any) -> Any:
    match portal:
        case "date":
            return dt.date.fromisoformat(value)
        case "datetime":
            return dt.datetime.fromisoformat(value)
        case "double":
            return Decimal(repr(value))
    return value


DAY, MOMENT = "2025-12-31", "2025-12-31 10:20:30"
SECONDS = 1767176430
CASES: list[tuple[str, list[Any], str, list[Any]]] = [
    # Days in one spelling, in several, and beside nothing.
    ("DATE", ["31.12.2025", "1.2.2025"], "date", [DAY, "2025-02-01"]),
    ("DATE", ["31.12.25", "01.02.99", ""], "date", [DAY, "1999-02-01", None]),
    ("DATE", ["31/12/2025", "05/06/2025"], "date", [DAY, "2025-06-05"]),
    ("DATE", ["12/31/2025", "05/06/2025"], "date", [DAY, "2025-05-06"]),
    ("DATE", ["12-31-2025"], "date", [DAY]),
    ("DATE", ["2025/12/31", "2025.1.2"], "date", [DAY, "2025-01-02"]),
    ("DATE", ["0000-00-00", "2025-12-31", None], "date", [None, DAY, None]),
    ("DATE", ["2025-12-31 23:30:00+05:00"], "date", [DAY]),
    # The order of day and month is not guessed.
    ("DATE", ["05/06/2025", "2025-12-31"], "string", ["05/06/2025", "2025-12-31"]),
    ("DATE", ["31/12/2025", "12/31/2025"], "string", ["31/12/2025", "12/31/2025"]),
    ("DATE", ["06/06/2025"], "date", ["2025-06-06"]),
    # Numbers of time: their size tells what they count, if it can.
    ("DATE", [20251231, 20240229], "date", [DAY, "2024-02-29"]),
    ("DATETIME", [20251231102030], "datetime", [MOMENT]),
    ("DATE", [SECONDS, SECONDS - 86400], "date", [DAY, "2025-12-30"]),
    ("DATETIME", [SECONDS, 5], "datetime", [MOMENT, "1970-01-01 00:00:05"]),
    ("DATETIME", [SECONDS * 1000 + 999, 1000], "datetime", [MOMENT, "1970-01-01 00:00:01"]),
    ("DATETIME", [SECONDS * 1000, 31_536_000_000], "datetime", [MOMENT, "1971-01-01 00:00:00"]),
    ("TIMESTAMP", [SECONDS * 10**6], "datetime", [MOMENT]),
    ("TIMESTAMP", [SECONDS * 10**9 + 1], "datetime", [MOMENT]),
    ("DATE", [SECONDS * 1000, -86_400_000 * 365], "date", [DAY, "1969-01-01"]),
    ("DATETIME", [SECONDS + 0.75, -0.5], "datetime", [MOMENT, "1969-12-31 23:59:59"]),
    ("DATETIME", [2461040.9309027777], "datetime", [MOMENT]),
    ("DATE", [2461040.5, 2461042], "date", [DAY, "2026-01-01"]),
    ("DATE", [2461041, 2461042], "date", [DAY, "2026-01-01"]),
    ("DATETIME", [SECONDS, DAY, "31.12.2025 10:20"], "datetime", [MOMENT, DAY + " 00:00:00", DAY + " 10:20:00"]),
    # What counts nothing since 1970, or may count two things, is the number that it is, or a text beside texts.
    ("DATE", [2024, 2025], "int", [2024, 2025]),
    ("DATE", [202512, 202511], "int", [202512, 202511]),
    ("DATE", [20251231, 20251399], "int", [20251231, 20251399]),
    ("DATETIME", [31_536_000_000], "int", [31_536_000_000]),
    ("DATETIME", [SECONDS, SECONDS * 1000, 7], "int", [SECONDS, SECONDS * 1000, 7]),
    ("DATE", [2024, "2025-12-31"], "string", ["2024", "2025-12-31"]),
    ("DATETIME", ["2025-12-31", "soon"], "string", ["2025-12-31", "soon"]),
    ("DATE", ["2025-02-30"], "string", ["2025-02-30"]),
    # Texts that are dates throughout, and those that are something else as well.
    ("TEXT", ["2025-12-31", None, "2024-01-01"], "date", [DAY, None, "2024-01-01"]),
    ("TEXT", ["2025-12-31T10:20:30.5", "2025-12-31 10:20"], "datetime", [MOMENT, DAY + " 10:20:00"]),
    ("VARCHAR(30)", ["2025-12-31T10:20:30Z", "2025-12-31T12:20:30+02:00"], "datetime", [MOMENT, MOMENT]),
    ("TEXT", ["31.12.2025", "01.02.2025"], "date", [DAY, "2025-02-01"]),
    ("TEXT", ["20251231", "20240101"], "string", ["20251231", "20240101"]),
    ("TEXT", ["1767176430"], "string", ["1767176430"]),
    ("TEXT", ["31.12.25"], "string", ["31.12.25"]),
    ("TEXT", ["1850-01-01 10:00:00", "2025-12-31 10:20:30"], "string", ["1850-01-01 10:00:00", MOMENT]),
    ("TEXT", ["2025-12-31T10:20:30Z", "2025-12-31 10:20:30"], "string", ["2025-12-31T10:20:30Z", MOMENT]),
    ("TEXT", ["true", "false"], "string", ["true", "false"]),
    ("", ["2025-12-31", "2024-01-01"], "date", [DAY, "2024-01-01"]),
    ("NUM", ["2025-12-31", "2024-01-01"], "date", [DAY, "2024-01-01"]),
    # Truths.
    ("BOOLEAN", ["true", "False", "T", "f", 1, 0, -1, None], "int", [1, 0, 1, 0, 1, 0, -1, None]),
    ("BOOL", ["yes", "N", "on", "OFF", ""], "int", [1, 0, 1, 0, None]),
    ("BOOLEAN", ["true", "maybe"], "string", ["true", "maybe"]),
    ("BOOLEAN", [1, 0.5], "double", [1, 0.5]),
    # Numbers.
    ("INTEGER", [1, 2.5, None], "double", [1, 2.5, None]),
    ("INTEGER", [1, ""], "int", [1, None]),
    ("INTEGER", [2**63 - 1, "n/a"], "string", ["9223372036854775807", "n/a"]),
    ("INTEGER", [1, 0.1 + 0.2, "x"], "string", ["1", "0.30000000000000004", "x"]),
    ("DECIMAL(10,2)", [1, 2], "double", [1, 2]),
    ("DECIMAL(10,2)", [1.5, "", "  "], "double", [1.5, None, None]),
    ("DECIMAL(10,2)", ["12,50"], "string", ["12,50"]),
    ("REAL", [1.5, float("inf"), float("-inf")], "double", [1.5, None, None]),
    ("LONG", [1], "double", [1]),
    ("BIT", [1, 0], "double", [1, 0]),
    ("", [1, 2.5], "double", [1, 2.5]),
    ("", [1, "x", 2.5], "string", ["1", "x", "2.5"]),
    ("", [None], "string", [None]),
    # Bytes.
    ("BLOB", [b"\x00\xff", None], "string", ["00ff", None]),
    ("BLOB", ["text", b"bytes", b"\x00\xff"], "string", ["text", "bytes", "00ff"]),
    ("BLOB", [1, 2], "int", [1, 2]),
    ("UUID", [b"\xa0\xee"], "string", ["a0ee"]),
    ("UUID", [], "string", []),
    ("JSON", ['{"a": 1}'], "string", ['{"a": 1}']),
    ("TIME", ["10:20:30"], "string", ["10:20:30"]),
]


@pytest.mark.parametrize(("declared", "values", "portal", "shown"), CASES, ids=[f"{c[0]}-{c[1]}"[:60] for c in CASES])
def test_values_decide_and_filters_find_what_is_shown(
    tmp_path: Path, declared: str, values: list[Any], portal: str, shown: list[Any]
) -> None:
    assert column(tmp_path, declared, values)[:2] == (portal, shown)


@pytest.mark.parametrize(
    ("declared", "first", "last", "portal", "shown"),
    [
        ("INTEGER", 7, 1.5, "double", 1.5),
        ("INTEGER", 7, "n/a", "string", "n/a"),
        ("REAL", 7.5, "n/a", "string", "n/a"),
        ("DATE", "2025-12-31", "31.12.2025", "date", DAY),
        ("DATE", "2025-12-31", "n/a", "string", "n/a"),
        ("DATETIME", "2025-12-31 10:20:30", SECONDS * 1000, "datetime", MOMENT),
        ("DATETIME", SECONDS, "2025-12-31", "datetime", DAY + " 00:00:00"),
        ("DATE", 2024, "2025-12-31", "string", DAY),
        ("TEXT", "2025-12-31", "n/a", "string", "n/a"),
        ("TEXT", "2025-12-31", "2025-12-31 10:20:30", "datetime", MOMENT),
        ("TEXT", "2025-12-31 10:20:30", "2025-12-31T10:20:30+01:00", "string", "2025-12-31T10:20:30+01:00"),
        ("TEXT", "2025-12-31T10:20:30Z", "2025-12-31 10:20:30", "string", MOMENT),
        ("TEXT", "2025-12-31", "\u044f" * 50, "string", "\u044f" * 50),
        ("TEXT", None, "2025-12-31", "date", DAY),
        ("BOOLEAN", 1, "t", "int", 1),
        ("", 1, "x", "string", "x"),
        ("", None, 1.5, "double", 1.5),
        ("", None, "x", "string", "x"),
        ("BLOB", b"\x00\xff", "text", "string", "text"),
    ],
)
def test_the_last_value_counts_as_the_first(
    tmp_path: Path, declared: str, first: Any, last: Any, portal: str, shown: Any
) -> None:
    found, rows, _ = column(tmp_path, declared, [first] * LATE + [last])
    assert (found, rows[-1]) == (portal, shown)
    assert rows.count(None) == (LATE if first is None else 0)


def test_views_unions_and_copies_are_read_as_their_tables_are(tmp_path: Path) -> None:
    path = written(
        tmp_path / "views.db",
        "CREATE TABLE t(n INTEGER PRIMARY KEY, v DATE)",
        "CREATE VIEW same AS SELECT v AS d, n * 1.5 AS f, n % 2 = 0 AS b, 'x' || n AS s FROM t",
        "CREATE VIEW united AS SELECT v AS d FROM t UNION ALL SELECT '31.12.2025'",
        "CREATE VIEW mixed AS SELECT n AS m FROM t UNION ALL SELECT 'total'",
        values=["2025-12-30", "2025-12-29", None],
    )
    with contextlib.closing(apsw.Connection(str(path))) as database:
        database.execute("CREATE TABLE copy AS SELECT v AS d, n AS i, n / 2.0 AS f, hex(n) AS s FROM t")
    with opened(path) as session:

        def seen(name: str) -> dict[str, str]:
            return dict(session.describe(TableName("", name)).portal_types)

        assert seen("same") == {"d": "date", "f": "double", "b": "int", "s": "string"}
        assert seen("united") == {"d": "date"}
        assert seen("mixed") == {"m": "string"}
        assert seen("copy") == {"d": "date", "i": "int", "f": "double", "s": "string"}
        assert read(session, TableName("", "united"), ["d"]) == [["2025-12-30"], ["2025-12-29"], [None], [DAY]]
        assert read(session, TableName("", "mixed"), ["m"]) == [["0"], ["1"], ["2"], ["total"]]


def test_moments_are_shown_in_the_zone_of_the_connection_whatever_they_were_written_as(tmp_path: Path) -> None:
    values = [SECONDS * 1000, "2025-12-31T10:20:30 +0000 UTC", "2025-12-31 10:20:30"]
    assert column(tmp_path, "DATETIME", values, "Europe/Berlin")[1] == ["2025-12-31 11:20:30"] * 2 + [MOMENT]


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables whose values were looked at."""
    seen: list[str] = []
    look = stored_values.stored_columns

    def noted(fetch: Any, table: str, declared: Any) -> Any:
        seen.append(table)
        return look(fetch, table, declared)

    monkeypatch.setattr(driver, "stored_columns", noted)
    return seen


def test_values_are_looked_at_once_until_the_file_changes(
    tmp_path: Path, readings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The time of a file's last change of any kind cannot be set.
    monkeypatch.setattr(stored_values, "QUIET_SECONDS", -1)
    path = written(tmp_path / "t.db", "CREATE TABLE t(n INTEGER PRIMARY KEY, v INTEGER)", values=[1, 2])
    for _ in range(3):
        with opened(path) as session:
            assert session.describe(TableName("", "t")).column("v").type == "int"
    assert readings == ["t"]
    written(path, "INSERT INTO t VALUES (7, 1.5)")
    with opened(path) as session:
        assert session.describe(TableName("", "t")).column("v").type == "double"
    assert readings == ["t", "t"]


def test_a_file_that_was_written_just_now_is_looked_at_again(tmp_path: Path, readings: list[str]) -> None:
    path = written(tmp_path / "t.db", "CREATE TABLE t(n INTEGER PRIMARY KEY, v INTEGER)", values=[1, 2])
    for _ in range(2):
        with opened(path) as session:
            session.describe(TableName("", "t"))
    assert readings == ["t", "t"]


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_columns_that_change_after_they_were_described_are_refused(tmp_path: Path, journal: str) -> None:
    path = written(tmp_path / "t.db", "CREATE TABLE t(n INTEGER PRIMARY KEY, v INTEGER)", values=[1, 2])
    with contextlib.closing(apsw.Connection(str(path))) as database:
        list(database.execute(f"PRAGMA journal_mode = {journal}"))
    with opened(path) as session:
        described = session.describe(TableName("", "t"))
        query = TableQuery(TableName("", "t"), ("v",))
        written(path, "INSERT INTO t VALUES (7, 8)")
        assert sum(chunk.rows for chunk in session.rows(query, described)) == 3
        written(path, "INSERT INTO t VALUES (8, 'n/a')")
        with pytest.raises(TargetError) as refused:
            list(session.rows(query, described))
        assert refused.value.code == "file_changed"

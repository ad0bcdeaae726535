"""What SQLite files may be: texts in UTF-16, and tables that belong to others (facts/performance 3)."""

from __future__ import annotations

import contextlib
from pathlib import Path

import apsw
import pytest

from drivers.base import Guards, Session
from drivers.catalogue import DRIVERS
from drivers.query import Between, Comparison, Condition, Contains, OneOf, TableName
from egress.policy import Policy
from tests.suite.databases import read

TEXTS = ["", "A", "a", "ab", "z", "\u00e9", "\u044f", "\u0100", "\uffff", "\U0001f600"]


def opened(path: Path) -> Session:
    return DRIVERS["sqlite"].open({"path": path.name}, Guards(Policy(), local_files=path.parent))


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_texts_are_compared_by_code_points_however_the_file_keeps_them(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "texts.db"
    with contextlib.closing(apsw.Connection(str(path))) as database, database:
        database.execute(f"PRAGMA encoding = '{encoding}'; CREATE TABLE t(s TEXT COLLATE NOCASE)")
        database.executemany("INSERT INTO t VALUES (?)", [(text,) for text in TEXTS])
    with opened(path) as session:

        def selected(condition: Condition) -> set[str]:
            return {row[0] for row in read(session, TableName("", "t"), ["s"], condition)}

        for value in TEXTS:
            assert selected(Comparison("s", "=", value)) == {value}
            assert selected(Comparison("s", ">", value)) == {text for text in TEXTS if text > value}
            assert selected(Comparison("s", "<=", value)) == {text for text in TEXTS if text <= value}
            assert selected(OneOf("s", (value, "ab"))) == {value, "ab"}
            assert selected(Between("s", value, "z", negated=True)) == {t for t in TEXTS if not value <= t <= "z"}
        assert selected(Contains("s", "A")) == {"A", "a", "ab"}


def test_the_tables_behind_a_search_index_are_not_listed(tmp_path: Path) -> None:
    path = tmp_path / "search.db"
    with contextlib.closing(apsw.Connection(str(path))) as database, database:
        database.execute("CREATE VIRTUAL TABLE notes USING fts5(body); INSERT INTO notes VALUES ('hello')")
        database.execute("CREATE TABLE plain(n INTEGER); CREATE VIEW shown AS SELECT n FROM plain")
    with opened(path) as session:
        assert [(table.name.name, table.kind) for table in session.tables()] == [
            ("notes", "table"),
            ("plain", "table"),
            ("shown", "view"),
        ]
        assert read(session, TableName("", "notes"), ["body"]) == [["hello"]]


@pytest.mark.parametrize("count", [999, 1000, 1001, 1999, 2000])
def test_a_table_may_have_as_many_columns_as_sqlite_knows(tmp_path: Path, count: int) -> None:
    path = tmp_path / "wide.db"
    names = [f"c{number}" for number in range(count)]
    row = [None if number % 7 == 0 else number if number % 2 else f'"{number}]' for number in range(count)]
    kinds = ("TEXT", "INTEGER")
    declared = ", ".join(f"{name} {kinds[number % 2]}" for number, name in enumerate(names))
    with contextlib.closing(apsw.Connection(str(path))) as database, database:
        database.execute(f"CREATE TABLE wide({declared})")
        database.execute(f"INSERT INTO wide VALUES ({', '.join('?' * count)})", row)
    with opened(path) as session:
        assert read(session, TableName("", "wide"), names) == [row]
        assert read(session, TableName("", "wide"), names[-1:]) == [row[-1:]]

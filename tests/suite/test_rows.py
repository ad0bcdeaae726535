"""Rows arrive whole, exact and as JSON, whichever way they are read (facts/performance 2, facts/biconnector 5.12)."""

from __future__ import annotations

import json

import pytest

from drivers.base import Chunk, Limits
from drivers.columns import Form
from drivers.errors import TooBig
from drivers.query import TableName, TableQuery
from egress.errors import TargetError
from tests.suite.cell_by_cell import rows_by_cell
from tests.suite.databases import Database, read

CONTROLS = "".join(chr(code) for code in range(1, 33)) + "\x7f\x80\u2028\u2029"
NASTY_TEXTS = [
    *("", " ", "null", "NULL", '"', '""', "\\", "\\\\", '\\"', '"\\', "\\n", "\n", "\r\n", "\n\n", "\t", "\x01", "\\."),
    *(CONTROLS, CONTROLS[::-1], "a,b", "],\n[", '"],\n["', "\\u001f", "\\\\u001F", "\x1f\\u001F\x1f", "{}", "[1]", "'"),
    *("я", "😀", "\U0010ffff", "e\u0301", "\ufeff", "x" * 300, "я" * 40000, '"\n\\' * 30000, "end\\"),
]
NUMBERS = [0, -1, 2**53 + 1, 2**63 - 1, -(2**63)]


@pytest.fixture(scope="module")
def nasty(database: Database) -> TableName:
    columns = {"id": database.types[Form.INTEGER], "a": database.long_text, "b": database.long_text}
    rows = [[number, text, None if number % 3 else text] for number, text in enumerate(NASTY_TEXTS)]
    return database.create("nasty", columns, rows)


def everything(chunks: list[Chunk]) -> bytes:
    for chunk in chunks:
        assert len(json.loads(b"[" + chunk.data + b"]")) == chunk.rows > 0
    return b",\n".join(chunk.data for chunk in chunks)


@pytest.mark.needs("rows_come_joined")
def test_rows_equal_their_cells_read_one_by_one_byte_for_byte(database: Database, nasty: TableName) -> None:
    with database.open() as session:
        for columns in (("id", "a", "b"), ("b",), ("a", "id"), ("id",)):
            query = TableQuery(nasty, columns)
            assert everything(list(session.rows(query))) == rows_by_cell(session, query)


def test_every_text_comes_back_as_it_was(database: Database, nasty: TableName) -> None:
    with database.open() as session:
        found = {row[0]: row[1:] for row in read(session, nasty, ["id", "a", "b"])}
    assert len(found) == len(NASTY_TEXTS)
    for number, text in enumerate(NASTY_TEXTS):
        assert found[number] == [text, None if number % 3 else text]


def test_control_characters_are_escaped_in_one_way(database: Database, nasty: TableName) -> None:
    with database.open() as session:
        text = b"\n".join(chunk.data for chunk in session.rows(TableQuery(nasty, ("a",))))
    assert rb'"\n"' in text
    assert rb"\u001f" in text
    assert b"\x1f" not in text


def test_whole_numbers_keep_all_their_digits(database: Database) -> None:
    table = database.create("big", {"n": database.types[Form.INTEGER]}, [[number] for number in NUMBERS])
    with database.open() as session:
        assert sorted(row[0] for row in read(session, table, ["n"])) == sorted(NUMBERS)


def test_a_table_without_rows_gives_no_chunk(database: Database) -> None:
    table = database.create("empty", {"n": database.types[Form.INTEGER]})
    with database.open() as session:
        assert list(session.rows(TableQuery(table, ("n",)))) == []


def test_no_limit_means_all_rows_and_a_limit_is_kept(database: Database) -> None:
    """facts/field 1 V1 and DEMO: an absent limit silently became 100."""
    table = database.create("many", {"n": database.types[Form.INTEGER]}, [[number] for number in range(2500)])
    with database.open() as session:
        assert sorted(row[0] for row in read(session, table, ["n"])) == list(range(2500))
        assert len(read(session, table, ["n"], limit=20)) == 20
        assert len(read(session, table, ["n"], limit=5000)) == 2500
        assert read(session, table, ["n"], limit=0) == []


def test_a_column_may_be_asked_for_twice_and_order_is_kept(database: Database, nasty: TableName) -> None:
    with database.open() as session:
        for row in read(session, nasty, ["b", "id", "b", "a"], limit=5):
            assert row[0] == row[2]
            assert NASTY_TEXTS[row[1]] == row[3]


@pytest.mark.parametrize(
    ("limits", "code"),
    [(Limits(bytes=50_000), "bytes"), (Limits(rows=10), "rows"), (Limits(row_bytes=70_000), "row_bytes")],
)
def test_over_a_cap_the_answer_is_refused_never_cut(
    database: Database, nasty: TableName, limits: Limits, code: str
) -> None:
    with database.open(limits=limits) as session, pytest.raises(TooBig) as refusal:
        read(session, nasty, ["id", "a", "b"])
    assert refusal.value.code == code


def test_exactly_a_cap_is_allowed(database: Database) -> None:
    table = database.create("ten", {"n": database.types[Form.INTEGER]}, [[number] for number in range(10)])
    with database.open(limits=Limits(rows=10)) as session:
        assert len(read(session, table, ["n"])) == 10


def test_a_session_reads_one_table_after_another(database: Database, nasty: TableName) -> None:
    with database.open() as session:
        for _ in range(3):
            assert len(read(session, nasty, ["id"])) == len(NASTY_TEXTS)
            assert session.check().version
            assert session.tables("nasty")


def test_a_session_left_in_the_middle_closes_at_once(database: Database, nasty: TableName) -> None:
    with database.open() as session:
        first = next(iter(session.rows(TableQuery(nasty, ("id", "a")))))
    assert first.rows
    with pytest.raises(TargetError):
        session.check()

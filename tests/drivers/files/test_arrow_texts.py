"""DuckDB's texts through Arrow's C data interface: all of them, in order, and errors of the kinds that drivers know."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import duckdb
import pytest

from drivers.errors import TooBig
from drivers.files.arrow_texts import BATCH_ROWS, text_batches

NO_CAP = 2**40


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as opened:
        opened.execute("SET arrow_large_buffer_size = true")
        yield opened


@pytest.mark.parametrize("count", [0, 1, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1, 300_000])
def test_all_texts_come_in_order(connection: duckdb.DuckDBPyConnection, count: int) -> None:
    found = list(text_batches(connection, f"SELECT 'я' || range || ';' FROM range({count})", (), NO_CAP))
    assert b"".join(text for text, _ in found).decode() == "".join(f"я{number};" for number in range(count))
    assert sum(rows for _, rows in found) == count
    assert all(0 < rows <= BATCH_ROWS for _, rows in found)


def test_values_are_bound(connection: duckdb.DuckDBPyConnection) -> None:
    ((text, rows),) = text_batches(connection, "SELECT ? || range FROM range(?)", ("' \0", 2), NO_CAP)
    assert (text, rows) == (b"' \x000' \x001", 2)


def test_a_batch_may_begin_within_its_buffers(connection: duckdb.DuckDBPyConnection) -> None:
    statement = "SELECT repeat('x', (range % 50)::INTEGER) FROM range(10000) WHERE range % 3 = 1 LIMIT 3000 OFFSET 17"
    expected = connection.execute(statement).fetchall()
    found = b"".join(text for text, _ in text_batches(connection, statement, (), NO_CAP))
    assert found.decode() == "".join(row[0] for row in expected)


def test_empty_texts_are_counted(connection: duckdb.DuckDBPyConnection) -> None:
    assert list(text_batches(connection, "SELECT '' FROM range(3)", (), NO_CAP)) == [(b"", 3)]


@pytest.mark.parametrize("length", [99, 100])
def test_a_text_over_the_cap_is_refused(connection: duckdb.DuckDBPyConnection, length: int) -> None:
    statement = f"SELECT repeat('x', CASE range WHEN 5000 THEN {length} ELSE 9 END) FROM range(9000)"
    if length == 99:
        assert sum(rows for _, rows in text_batches(connection, statement, (), 99)) == 9000
    else:
        with pytest.raises(TooBig):
            list(text_batches(connection, statement, (), 99))


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("SELECT missing FROM range(3)", duckdb.BinderException),
        ("SELECT * FROM missing", duckdb.CatalogException),
        ("SELECT CAST(CASE WHEN range = 200000 THEN 'x' ELSE '1' END AS INT)::VARCHAR FROM range(300000)",
         duckdb.ConversionException),
        ("SELECT error('own words') FROM range(3)", duckdb.InvalidInputException),
        ("SELECT range FROM range(3)", duckdb.InternalError),
        ("SELECT 'a', 'b'", duckdb.InternalError),
    ],
)  # fmt: skip
def test_errors_keep_their_kind(
    connection: duckdb.DuckDBPyConnection, statement: str, kind: type[duckdb.Error]
) -> None:
    with pytest.raises(kind):
        list(text_batches(connection, statement, (), NO_CAP))
    assert list(text_batches(connection, "SELECT 'again'", (), NO_CAP)) == [(b"again", 1)]


def test_an_interrupted_statement_says_so(connection: duckdb.DuckDBPyConnection) -> None:
    batches = text_batches(connection, "SELECT 'x' || range FROM range(100000000000)", (), NO_CAP)
    next(batches)
    interrupting = threading.Timer(0.1, connection.interrupt)
    interrupting.start()
    with pytest.raises(duckdb.InterruptException):
        for _ in batches:
            pass
    interrupting.join()


def test_what_nobody_wants_to_its_end_is_let_go(connection: duckdb.DuckDBPyConnection) -> None:
    batches = text_batches(connection, "SELECT 'x' || range FROM range(100000000000)", (), NO_CAP)
    next(batches)
    del batches
    assert list(text_batches(connection, "SELECT 'next'", (), NO_CAP)) == [(b"next", 1)]

"""Large SQLite tables read in ranges by several connections say what one connection says (facts/performance 2)."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from drivers.base import Chunk, Guards, Limits, Session
from drivers.catalogue import DRIVERS
from drivers.errors import TooBig
from drivers.query import Comparison, TableName, TableQuery
from drivers.sqlite import driver, ranges
from egress.errors import TargetError, Timeout
from egress.policy import Policy
from tests.suite.cell_by_cell import rows_by_cell
from tests.waiting import HANG, eventually

NAMES = ("n", "t")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "large.db"


@pytest.fixture
def ranged(monkeypatch: pytest.MonkeyPatch) -> list[ranges.RowidTable]:
    """Tables that were read in ranges; ten rows are many already."""
    seen: list[ranges.RowidTable] = []
    whole = ranges.rows_in_ranges

    def noted(opened: Any, table: ranges.RowidTable) -> Iterator[Chunk]:
        seen.append(table)
        return whole(opened, table)

    monkeypatch.setattr(driver, "rows_in_ranges", noted)
    monkeypatch.setattr(ranges, "LARGE_ROWS", 10)
    return seen


def make(path: Path, rows: Iterable[tuple[int, Any]], table: str = "t(n INTEGER PRIMARY KEY, t TEXT)") -> None:
    with contextlib.closing(written(path)) as database, database:
        database.execute(f"CREATE TABLE {table}")
        name, first, second = re.findall(r"\w+", re.sub(r" (INTEGER|PRIMARY|KEY|TEXT)", "", table))[:3]
        database.executemany(f'INSERT INTO {name} ("{first}", "{second}") VALUES (?, ?)', rows)


def written(path: Path) -> apsw.Connection:
    """A connection that may write, of the driver's library: two of them in a process would undo each other's locks."""
    connection = apsw.Connection(str(path))
    connection.setbusytimeout(30_000)
    return connection


def opened(path: Path, limits: Limits | None = None) -> Session:
    guards = Guards(Policy(), local_files=path.parent, limits=limits or Limits())
    return DRIVERS["sqlite"].open({"path": path.name}, guards)


def read(session: Session, query: TableQuery) -> list[list[Any]]:
    chunks = list(session.rows(query))
    rows: list[list[Any]] = json.loads(b"[" + b",".join(chunk.data for chunk in chunks) + b"]")
    assert sum(chunk.rows for chunk in chunks) == len(rows)
    return rows


def whole(table: str = "t", columns: tuple[str, ...] = NAMES) -> TableQuery:
    return TableQuery(TableName("", table), columns)


def test_all_rows_come_once_and_in_their_order(path: Path, ranged: list[ranges.RowidTable]) -> None:
    make(path, ((n, f"текст {n}\n") for n in range(50_000)))
    with opened(path) as session:
        assert read(session, whole()) == [[n, f"текст {n}\n"] for n in range(50_000)]
        assert b",\n".join(chunk.data for chunk in session.rows(whole())) == rows_by_cell(session, whole())
    assert len(ranged) == 2


def test_row_numbers_may_be_anywhere(path: Path, ranged: list[ranges.RowidTable]) -> None:
    numbers = [-(2**63), -(2**63) + 1, -5, -1, 0, 7, *range(10**9, 10**9 + 5000), 2**62, 2**63 - 2, 2**63 - 1]
    make(path, ((n, "x") for n in numbers))
    with opened(path) as session:
        assert [row[0] for row in read(session, whole())] == numbers
    assert len(ranged) == 1


def test_rows_that_are_too_long_together_are_read_fewer_at_a_time(path: Path, ranged: list[ranges.RowidTable]) -> None:
    lengths = [10] * 3000 + [90_000, 95_000] * 40 + [10] * 3000 + [50_000] * 30
    make(path, ((n, "я" * (length // 2)) for n, length in enumerate(lengths)))
    with opened(path, Limits(row_bytes=100_000)) as session:
        assert [len(row[1]) * 2 for row in read(session, whole())] == lengths
    assert len(ranged) == 1


def test_a_row_over_the_cap_is_refused(path: Path, ranged: list[ranges.RowidTable]) -> None:
    make(path, ((n, "x" * (200_000 if n == 4_000 else 10)) for n in range(5_000)))
    with opened(path, Limits(row_bytes=100_000)) as session, pytest.raises(TooBig) as refused:
        read(session, whole())
    assert refused.value.code == "row_bytes"
    assert len(ranged) == 1


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("t(n INTEGER PRIMARY KEY, t TEXT)", "rowid"),
        ("t(n INTEGER, t TEXT)", "rowid"),
        ('t(n INTEGER, "RowID" TEXT)', "_rowid_"),
        ('t(oid INTEGER, "_ROWID_" TEXT)', "rowid"),
    ],
)
def test_the_row_number_goes_by_a_name_that_no_column_has(
    path: Path, ranged: list[ranges.RowidTable], table: str, key: str
) -> None:
    make(path, ((n, str(-n)) for n in range(100)), table)
    with opened(path) as session:
        columns = tuple(column.name for column in session.describe(TableName("", "t")).columns)
        assert read(session, whole(columns=columns)) == [[n, str(-n)] for n in range(100)]
    assert [one.key for one in ranged] == [key]


def test_tables_without_row_numbers_and_views_are_read_as_before(path: Path, ranged: list[ranges.RowidTable]) -> None:
    make(path, ((n, "x") for n in range(100)), "t(n INTEGER PRIMARY KEY, t TEXT) WITHOUT ROWID")
    make(path, ((n, "x") for n in range(100)), "shadowed(oid INTEGER, rowid TEXT, _rowid_ DEFAULT 1)")
    with contextlib.closing(written(path)) as database:
        database.execute("CREATE VIEW v AS SELECT * FROM t")
    with opened(path) as session:
        for query in (whole(), whole("v"), whole("shadowed", ("oid", "rowid"))):
            assert [row[0] for row in read(session, query)] == list(range(100))
    assert ranged == []


def test_questions_for_a_part_go_to_one_connection(path: Path, ranged: list[ranges.RowidTable]) -> None:
    make(path, ((n, "x") for n in range(100)))
    with opened(path) as session:
        assert read(session, TableQuery(TableName("", "t"), NAMES, None, 2)) == [[0, "x"], [1, "x"]]
        assert read(session, TableQuery(TableName("", "t"), NAMES, Comparison("n", ">=", 99))) == [[99, "x"]]
    assert ranged == []


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_all_ranges_show_the_same_state_while_others_write(
    path: Path, ranged: list[ranges.RowidTable], journal: str
) -> None:
    make(path, ((n, "0") for n in range(20_000)))
    with contextlib.closing(written(path)) as database:
        database.execute(f"PRAGMA journal_mode = {journal}")
    done = threading.Event()

    def write() -> None:
        with contextlib.closing(written(path)) as writer:
            state = 0
            while not done.wait(0.02):
                state += 1
                writer.execute("UPDATE t SET t = ?", (str(state),))

    writing = threading.Thread(target=write)
    writing.start()
    try:
        states: list[set[str]] = []
        until = time.monotonic() + HANG
        # Until the writer was at work: readers that see one state are found all the same.
        while len(states) < 15 or all(state == states[0] for state in states):
            assert time.monotonic() < until, states
            with opened(path) as session:
                rows = read(session, whole())
            assert len(rows) == 20_000
            states.append({row[1] for row in rows})
    finally:
        done.set()
        writing.join()
    assert all(len(state) == 1 for state in states)
    assert ranged


def test_readers_that_see_different_states_are_not_used(path: Path) -> None:
    make(path, ((n, "0") for n in range(100)))
    with contextlib.closing(written(path)) as writer, opened(path) as session:
        assert isinstance(session, driver.SQLiteSession)
        writer.execute("PRAGMA journal_mode = wal")
        number = iter(range(100))

        def connect() -> Any:
            writer.execute("UPDATE t SET t = ?", (str(next(number)),))
            return session._connect()

        with ranges.readers(session._connection, connect) as found:
            assert found == []
        with ranges.readers(session._connection, session._connect) as found:
            assert len(found) == 1 + ranges.READERS


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_an_answer_that_nobody_wants_any_more_leaves_nothing_running(
    path: Path, ranged: list[ranges.RowidTable], taken: int
) -> None:
    make(path, ((n, "x" * 100) for n in range(20_000)))
    before = threading.active_count()
    with opened(path) as session:
        chunks = session.rows(whole())
        for _ in range(taken):
            next(chunks)
        chunks.close()  # type: ignore[attr-defined]
        assert threading.active_count() <= before + 1
        assert len(read(session, whole())) == 20_000


def test_readers_stop_when_nobody_waits_any_more(path: Path, ranged: list[ranges.RowidTable]) -> None:
    make(path, ((n, "x" * 100) for n in range(20_000)))
    gone = threading.Event()
    with opened(path, Limits(is_wanted=lambda: not gone.is_set())) as session:
        chunks = session.rows(whole())
        next(chunks)
        gone.set()
        with pytest.raises(Timeout):
            eventually(session.deadline.check)
        with pytest.raises(Timeout):
            list(chunks)
    assert ranged


def test_a_file_whose_writer_died_half_way_is_refused(path: Path) -> None:
    make(path, ((n, "0") for n in range(1000)))
    with contextlib.closing(written(path)) as writer:
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN; UPDATE t SET t = '1'")
        left = path.with_name("left.db")
        for end in ("", "-journal"):
            shutil.copy(f"{path}{end}", f"{left}{end}")
    with pytest.raises(TargetError) as refused, opened(left) as session:
        read(session, whole())
    assert "readonly" in (refused.value.detail or str(refused.value.__cause__))

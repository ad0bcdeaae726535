"""A large SQLite table in ranges of rows that follow each other, two of them read at a time.

SQLite itself joins the rows of a range, which spares a Python object for each; and it works without Python's lock, so
that a second connection keeps a second core busy. All connections see the same state of the file: they begin to read
while another one watches that nobody writes.
"""

# ruff: noqa: S608 - names in these statements are quoted by the driver

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import apsw

from drivers.base import Chunk

#: From how many rows on further connections pay.
LARGE_ROWS = 20_000
READERS = 2
# Ranges that are read or wait for their turn, so that readers need not wait for whoever takes the rows.
_AHEAD = 2 * READERS
_RANGE_BYTES = 256 * 1024
_FIRST_ROWS, _MOST_ROWS = 128, 4096
_FIRST_KEY, _LAST_KEY = -(2**63), 2**63 - 1
# Runs a statement with values and gives all its rows.
Fetch = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]
_KEYS = ("rowid", "_rowid_", "oid")


@dataclass(frozen=True)
class RowidTable:
    """A table to read whole: its quoted name, the name of its row number, and the SQL of a row's JSON text."""

    name: str
    key: str
    row: str


@dataclass(frozen=True)
class _Range:
    """Row numbers from `first` to `last`, both included, and how many rows have one of them."""

    first: int
    last: int
    rows: int


@dataclass(frozen=True)
class _RangeRows:
    """A range's rows; `text` is None where they were too long together."""

    text: bytes | None
    rows: int


def row_number(fetch: Fetch, table: str, columns: list[str]) -> str:
    """The name by which a table's row number can be asked for; empty if it has none, or columns take all its names."""
    if fetch("SELECT type, wr FROM pragma_table_list(?) WHERE schema = 'main'", (table,)) != [("table", 0)]:
        return ""
    taken = {column.lower() for column in columns}
    return next((key for key in _KEYS if key not in taken), "")


def is_large(fetch: Fetch, table: str) -> bool:
    """Whether a table has so many rows that ranges pay; counts no further than needed."""
    ((rows,),) = fetch(f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT ?)", (LARGE_ROWS,))
    return bool(rows == LARGE_ROWS)


@contextlib.contextmanager
def readers(watcher: apsw.Connection, open_reader: Callable[[], apsw.Connection]) -> Iterator[list[apsw.Connection]]:
    """A connection to count with and `READERS` to read with, all seeing the same state of the file.

    None at all if somebody wrote while they began. `watcher` must not be in a transaction itself.
    """
    opened: list[apsw.Connection] = []
    try:
        yield opened if _began_together(watcher, open_reader, opened) else []
    finally:
        for reader in opened:
            with contextlib.suppress(apsw.Error):
                reader.close(force=True)


def _began_together(
    watcher: apsw.Connection, open_reader: Callable[[], apsw.Connection], opened: list[apsw.Connection]
) -> bool:
    """Open the connections and begin to read; whether the file stayed as it was meanwhile."""
    try:
        before = data_version(watcher)
        for _ in range(1 + READERS):
            opened.append(open_reader())
            # A transaction begins to see the file with its first look.
            list(opened[-1].execute("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1"))
        return data_version(watcher) == before
    except (apsw.BusyError, apsw.ReadOnlyError):
        # A writer waits for those who read already and lets nobody begin, or ends just now (see `driver.py`).
        return False


def data_version(watcher: apsw.Connection) -> int:
    """A number that changes when another connection has written (https://sqlite.org/pragma.html#pragmadata_version)."""
    (version,) = next(watcher.execute("PRAGMA data_version"))
    return int(version)


def rows_in_ranges(opened: list[apsw.Connection], table: RowidTable) -> Iterator[Chunk]:
    """All rows in the order of their numbers, through connections of `readers`; texts are as SQLite gives them.

    Rows that are too long together are asked for again, fewer at a time; raises `apsw.TooBigError` for a single one
    that is too long.
    """
    counter, *others = opened
    free: SimpleQueue[apsw.Connection] = SimpleQueue()
    for reader in others:
        free.put(reader)

    def read(wanted: _Range) -> _RangeRows:
        reader = free.get()
        try:
            return _read_range(reader, table, wanted)
        finally:
            free.put(reader)

    pool = ThreadPoolExecutor(len(others), "sqlite-range")
    waiting: deque[tuple[_Range, Future[_RangeRows]]] = deque()
    first, size = _FIRST_KEY, _FIRST_ROWS
    try:
        while True:
            while first <= _LAST_KEY and len(waiting) < _AHEAD:
                wanted = _next_range(counter, table, first, size)
                waiting.append((wanted, pool.submit(read, wanted)))
                first = wanted.last + 1
            if not waiting:
                return
            asked, future = waiting.popleft()
            found = future.result()
            if found.text is None:
                # Begin again at this range, with fewer rows; what was asked for behind it is forgotten.
                for _, later in waiting:
                    later.cancel()
                waiting.clear()
                first, size = asked.first, max(asked.rows // 4, 1)
                continue
            if found.rows:
                yield Chunk(found.text, found.rows)
                size = _next_size(size, len(found.text) // found.rows)
    finally:
        # Nobody wants the rest, if there is any: what still runs ends at once.
        pool.shutdown(wait=False, cancel_futures=True)
        for reader in others:
            reader.interrupt()
        pool.shutdown()


def _next_size(size: int, row_bytes: int) -> int:
    """How many rows the next range should have: about as many as fill it, growing step by step."""
    return max(1, min(_MOST_ROWS, size * 2, _RANGE_BYTES // max(row_bytes, 1)))


def _next_range(counter: apsw.Connection, table: RowidTable, first: int, size: int) -> _Range:
    """The range of the next `size` rows from `first` on; the last one ends with the largest number there can be."""
    (last, rows) = next(
        counter.execute(
            f"SELECT max(k), count(*) FROM (SELECT {table.key} AS k FROM {table.name} "
            f"WHERE {table.key} >= ? ORDER BY {table.key} LIMIT ?)",
            (first, size),
        )
    )
    return _Range(first, _LAST_KEY if rows < size else last, rows)


def _read_range(reader: apsw.Connection, table: RowidTable, wanted: _Range) -> _RangeRows:
    statement = (
        f"SELECT CAST(group_concat(j, ',' || char(10)) AS BLOB), count(*) FROM (SELECT {table.row} AS j "
        f"FROM {table.name} WHERE {table.key} BETWEEN ? AND ? ORDER BY {table.key})"
    )
    try:
        text, rows = next(reader.execute(statement, (wanted.first, wanted.last)))
    except apsw.TooBigError:
        if wanted.rows <= 1:
            raise
        return _RangeRows(None, wanted.rows)
    return _RangeRows(text or b"", rows)

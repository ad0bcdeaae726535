"""SQLite files in the operator's folder, through apsw.

SQLite's columns hold whatever was put there, so that their values decide what they are (`stored_values.py`). Texts and
numbers that name an instant are shown in the connection's zone. Rows come as JSON from the database itself, whole
tables in ranges by more than one connection (`drivers/sqlite/ranges.py`).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import re
import time
import zoneinfo
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import apsw

from drivers.base import (
    N_,
    TIMEZONE,
    Chunk,
    Description,
    Driver,
    Field,
    Group,
    Guards,
    Limits,
    Server,
    Session,
    SettingValues,
    Table,
)
from drivers.casts import Casts, CastSql, TextConversion
from drivers.columns import Column, Form
from drivers.errors import Broken, NoRoom, QueryRefused, SettingsWrong, TooBig
from drivers.local_files import local_file
from drivers.query import TableName, TableQuery, Value
from drivers.rows import CHUNK_ROWS, valid_utf8
from drivers.sql import Dialect, Shape, Sql
from drivers.sqlite.ranges import RowidTable, data_version, is_large, readers, row_number, rows_in_ranges
from drivers.sqlite.stored_values import FileStates, Kinds, quote, state_of, stored_columns
from drivers.sqlite.written_dates import shown
from egress.errors import TargetError, Timeout

PATH = Field("path", N_("File"), required=True, hint=N_("Below the folder that the operator opened for local files."))

# How long a session waits for others who write.
BUSY_SECONDS = 2.0
_MOST_CELLS = 1000
_INTEGERS = range(-(2**63), 2**63)
_TEXT = Shape(operand="{x} COLLATE BINARY")
SHAPES = {**dict.fromkeys(Form, Shape()), **dict.fromkeys((Form.TEXT, Form.RENDERED, Form.BINARY), _TEXT)}


def bind(value: Value, column: Column) -> Any:
    """A value as SQLite keeps its like: whole numbers exact up to 64 bits, dates as texts."""
    match value:
        case dt.datetime():
            return value.isoformat(" ")
        case dt.date():
            return value.isoformat()
        case str():
            return value
    whole = int(value)
    return whole if whole == value and whole in _INTEGERS else float(value)


STATES = FileStates()
DIALECT = Dialect(
    quote,
    SHAPES,
    text="CAST({x} AS TEXT)",
    folded="bi_fold(CAST({x} AS BLOB))",
    like="{x} LIKE {v} ESCAPE '|'",
    bind=bind,
    whole_seconds=True,
)
_BY_POINTS = Shape(operand="{x} COLLATE bi_points")
IN_UTF16 = replace(DIALECT, shapes={**SHAPES, **dict.fromkeys((Form.TEXT, Form.RENDERED, Form.BINARY), _BY_POINTS)})
_SHOWN_NUMBER = "CASE WHEN {x} IS NOT NULL THEN trim(json_array({x}), '[]') END"
_REFUSED = "bi_refuse({t})"
CASTS = CastSql(
    "bi_matches({t}, '{p}')",
    {
        "int": TextConversion(Form.INTEGER, "CAST({t} AS INTEGER)", refuse=_REFUSED),
        "double": TextConversion(Form.FLOAT, "CAST({t} AS REAL)", refuse=_REFUSED),
        "date": TextConversion(Form.DATE, "({t})", refuse=_REFUSED),
        "datetime": TextConversion(Form.DATETIME, "({t})", refuse=_REFUSED),
    },
    # As text, SQLite itself gives fifteen digits of a number.
    texts={Form.FLOAT: _SHOWN_NUMBER, Form.EXACT: _SHOWN_NUMBER},
)


class SQLite(Driver):
    """Database files of SQLite 3."""

    name: ClassVar[str] = "sqlite"
    label: ClassVar[str] = "SQLite"
    fields: ClassVar[tuple[Field, ...]] = (PATH, TIMEZONE)
    group: ClassVar[Group] = "files"
    mark: ClassVar[str] = "Sq"
    note: ClassVar[str] = N_("A file on the application's machine")
    proven: ClassVar[bool] = True
    needs_folder: ClassVar[bool] = True

    def open(self, values: SettingValues, guards: Guards) -> Session:
        """A session on the file (see `Driver.open`)."""
        settings = self.settings(values)
        path = local_file(guards.local_files, settings["path"])
        zone = zoneinfo.ZoneInfo(settings["timezone"])
        try:
            session = SQLiteSession(str(path), lambda: _reader(str(path), zone, guards.limits), guards.limits)
        except apsw.Error as problem:
            raise SettingsWrong("path", "not_readable", str(problem)) from problem
        try:
            session.prepare()
        except BaseException:
            session.__exit__(None, None, None)
            raise
        return session


def _reader(path: str, zone: zoneinfo.ZoneInfo, limits: Limits) -> apsw.Connection:
    """A connection that reads only, trusts nothing in the file, and knows what the expressions above call."""
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    connection.setbusytimeout(int(BUSY_SECONDS * 1000))
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    # Without this an unknown name in double quotes would be read as a text.
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    connection.limit(apsw.SQLITE_LIMIT_ATTACHED, 0)
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, limits.row_bytes)
    connection.execute("PRAGMA query_only = ON")

    def local(text: str | None) -> str | None:
        if text is None or zone.key == "UTC":
            return text
        with contextlib.suppress(ValueError, OverflowError):
            instant = dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
            return instant.astimezone(zone).replace(tzinfo=None).isoformat(" ")
        return None

    def day(text: str | None) -> str | None:
        shown = local(text)
        return shown and shown[:10]

    def written(value: str | float | None, form: str, order: str, unit: str) -> str | None:
        return shown(value, form, order, unit, zone)

    create: Any = connection.create_scalar_function
    create("bi_zone", local, 1, deterministic=True)
    create("bi_day", day, 1, deterministic=True)
    create("bi_matches", _matches, 2, deterministic=True)
    create("bi_refuse", _refuse, 1, deterministic=True)
    create("bi_shown", written, 4, deterministic=True)
    create("bi_text", _text_of, 1, deterministic=True)
    return connection


def _text_of(value: bytes) -> str:
    """Bytes beside texts: some programs store texts so. What is no text is shown as all bytes are."""
    with contextlib.suppress(UnicodeDecodeError):
        text = value.decode()
        if text.isprintable():
            return text
    return value.hex()


def _matches(text: str | None, pattern: str) -> bool | None:
    return None if text is None else re.fullmatch(pattern, text, re.ASCII) is not None


def _refuse(said: str | None) -> None:
    if said is not None:
        raise Broken("server_error", said)


def _array(cells: list[str]) -> str:
    """The SQL of a JSON array of cells; a function of SQLite takes a thousand at most."""
    parts = [f"json_array({', '.join(cells[at : at + _MOST_CELLS])})" for at in range(0, len(cells), _MOST_CELLS)]
    if len(parts) == 1:
        return parts[0]
    # No cell ends with a bracket, so that only the array's own is cut off.
    bodies = (f"rtrim(substr({part}, 2), ']')" for part in parts)
    return "'[' || " + " || ',' || ".join(bodies) + " || ']'"


class SQLiteSession(Session):
    """A read-only session; `connect` opens further connections like its own."""

    def __init__(self, path: str, connect: Callable[[], apsw.Connection], limits: Limits) -> None:
        self._path, self._connect, self._connection = path, connect, connect()
        self._described: dict[TableName, tuple[int, list[Column]]] = {}
        self._helpers: list[apsw.Connection] = []
        self._encoding = "utf-8"
        self._dialect = DIALECT
        super().__init__(limits, self._interrupt)

    def prepare(self) -> None:
        """Look at the file. Raises `SettingsWrong("path")` when it is no database."""
        try:
            self._encoding = str(self._fetch("PRAGMA encoding")[0][0])
            self._fetch("SELECT count(*) FROM sqlite_schema")
        except Broken as problem:
            raise SettingsWrong("path", "not_a_database", problem.detail) from problem

        def fold(text: bytes | None) -> str | None:
            # A sigma at the end of a word is another letter to Python, and then no part of the word.
            return None if text is None else text.decode(self._encoding, "replace").lower().replace("\u03c2", "\u03c3")

        create: Any = self._connection.create_scalar_function
        create("bi_fold", fold, 1, deterministic=True)
        aggregate: Any = self._connection.create_aggregate_function
        aggregate("bi_kinds", Kinds, 1)
        if self._encoding != "UTF-8":
            # SQLite's own order is that of the bytes, which is the order of code points in UTF-8 only.
            self._connection.create_collation("bi_points", lambda one, other: (one > other) - (one < other))
            self._dialect = IN_UTF16

    @property
    def casts(self) -> Casts:
        """SQLite's casts."""
        return Casts(self._dialect, CASTS)

    def check(self) -> Server:
        """SQLite and the version that reads the file."""
        self._fetch("SELECT count(*) FROM sqlite_schema")
        return Server("SQLite", apsw.sqlite_lib_version(), encrypted=False)

    def _chunks(self, query: TableQuery, description: Description) -> Iterator[Chunk]:
        row = _array([self._told(description.column(name)) for name in query.columns])
        with self._errors(), self._readers(query, description) as opened:
            if opened:
                table = RowidTable(self._dialect.name(query.table), self._row_number(query, description), row)
                for chunk in rows_in_ranges(opened, table):
                    self.deadline.check()
                    yield Chunk(valid_utf8(chunk.data), chunk.rows)
                return
        statement = self._dialect.tail(Sql(f"SELECT {self._bytes(row)}"), query, description)
        with self._errors(), self._snapshot() as version:
            self._check_described(query.table, version)
            cursor = self._execute(statement.with_markers("?"), statement.values)
            while rows := [cells[0] for cells in itertools.islice(cursor, CHUNK_ROWS)]:
                self.deadline.check()
                if self._encoding != "UTF-8":
                    rows = [self._encoded(row) or b"" for row in rows]
                # SQLite writes the digits of escapes in lower case, as all drivers do.
                yield Chunk(valid_utf8(b",\n".join(rows)), len(rows))

    def _told(self, column: Column) -> str:
        """The SQL of a cell, in which dates that cannot be shown are told from NULL (`drivers/unshown.py`)."""
        shown = self._dialect.shown(column)
        if column.type not in ("date", "datetime") or column.source:
            return shown
        return f"coalesce({shown}, CASE WHEN {quote(column.name)} IS NOT NULL THEN '-infinity' END)"

    @contextlib.contextmanager
    def _readers(self, query: TableQuery, description: Description) -> Iterator[list[apsw.Connection]]:
        """Connections to read the whole of a large table with; none where that cannot be asked for, or is not."""
        whole = query.where is None and query.limit is None and self._encoding == "UTF-8"
        if not (
            whole and self._row_number(query, description) and is_large(self._fetch, self._dialect.name(query.table))
        ):
            yield []
            return
        with readers(self._connection, self._connect) as opened:
            if opened and query.table in self._described:
                # Nothing was written since the columns were looked at, or one connection looks again.
                opened = opened if self._described[query.table][0] == data_version(self._connection) else []
            self._helpers = opened
            try:
                self.deadline.check()
                yield opened
            finally:
                self._helpers = []

    def _row_number(self, query: TableQuery, description: Description) -> str:
        return row_number(self._fetch, query.table.name, [column.name for column in description.columns])

    def _bytes(self, text: str) -> str:
        """A text as its bytes, which spares checking and decoding them one by one."""
        return f"CAST({text} AS BLOB)" if self._encoding == "UTF-8" else text

    @staticmethod
    def _encoded(cell: Any) -> bytes | None:
        return cell.encode("utf-8", "replace") if isinstance(cell, str) else cell

    def _tables(self) -> list[Table]:
        rows = self._fetch(
            "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type <> 'shadow' "
            "AND name NOT LIKE 'sqlite|_%' ESCAPE '|'"
        )
        return [Table(TableName("", name), "view" if kind == "view" else "table") for name, kind in rows]

    def _describe(self, table: TableName) -> list[Column]:
        before = state_of(self._path)
        with self._errors(), self._snapshot() as version:
            state = before if before == state_of(self._path) else None
            columns = STATES.get(state, table.name)
            if columns is None:
                columns = self._stored_columns(table)
                STATES.keep(state, table.name, columns)
            self._described[table] = version, list(columns)
            return list(columns)

    def _stored_columns(self, table: TableName) -> tuple[Column, ...]:
        known = self._fetch("SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?", (table.name,))
        if table.schema or not known:
            return ()
        rows = self._fetch('SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?)', (table.name,))
        declared = [
            (name, native, not (required or key)) for name, native, required, key, hidden in rows if hidden != 1
        ]
        return stored_columns(self._fetch, table.name, declared) if declared else ()

    def _check_described(self, table: TableName, version: int) -> None:
        """Raise `Broken("file_changed")` where columns are no longer those that were described in this session."""
        seen, columns = self._described.get(table, (version, []))
        if seen != version and list(self._stored_columns(table)) != columns:
            raise Broken("file_changed", table.name)

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[int]:
        """One state of the file for all statements within, and the number that this connection has for it."""
        if self._connection.in_transaction:
            yield data_version(self._connection)
            return
        self._fetch("BEGIN")
        try:
            yield int(self._fetch("PRAGMA data_version")[0][0])
        finally:
            with contextlib.suppress(apsw.Error):
                self._connection.execute("COMMIT")

    def _fetch(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._errors():
            return list(self._execute(statement, values))

    def _execute(self, statement: str, values: tuple[Any, ...]) -> apsw.Cursor:
        """A statement's cursor.

        A writer that ends just now can look as if it had died, and what it left is not for us to take back: look again.
        """
        patience = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                return self._connection.execute(statement, values)
            except apsw.ReadOnlyError as problem:
                code = getattr(problem, "extendedresult", None)
                if code != apsw.SQLITE_READONLY_ROLLBACK or time.monotonic() > patience:
                    raise
                time.sleep(0.01)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Database errors become ours; a statement that we stopped ourselves is a `Timeout`."""
        self.deadline.check()
        try:
            yield
        except apsw.Error as problem:
            self.deadline.check()
            raise self._target_error(problem) from problem
        except ValueError as problem:
            # A value that none was when all of them were looked at.
            raise Broken("file_changed", str(problem)) from problem

    def _target_error(self, problem: apsw.Error) -> TargetError:
        said = str(problem)
        match problem:
            case apsw.InterruptError():
                return Timeout("deadline", said)
            case apsw.FullError():
                return NoRoom("disk", said)
            case apsw.TooBigError():
                return TooBig("row_bytes", self.limits.row_bytes)
            case apsw.SQLError() if "no such table" in said:
                return QueryRefused("unknown_table", detail=said)
            case apsw.SQLError() if "no such column" in said:
                return QueryRefused("unknown_column", detail=said)
        return Broken("server_error", said)

    def _interrupt(self) -> None:
        for connection in (self._connection, *self._helpers):
            with contextlib.suppress(apsw.Error):
                connection.interrupt()

    def _close(self) -> None:
        with contextlib.suppress(apsw.Error):
            self._connection.close(force=True)

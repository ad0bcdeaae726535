"""SQLite files in the operator's folder, through apsw.

SQLite's columns hold whatever was put there: a value that does not fit its column's declared type counts as NULL.
Dates are texts (ISO 8601), seconds since 1970 or Julian days; texts and numbers that name an instant are shown in the
connection's zone. Rows come as JSON from the database itself, whole tables in ranges by more than one connection
(`drivers/sqlite/ranges.py`).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
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
from drivers.columns import Column, Form, sqlite_form
from drivers.errors import Broken, QueryRefused, SettingsWrong, TooBig
from drivers.local_files import local_file
from drivers.query import TableName, TableQuery, Value
from drivers.rows import CHUNK_ROWS, valid_utf8
from drivers.sql import Dialect, Shape, Sql, quoting
from drivers.sqlite.ranges import RowidTable, is_large, readers, row_number, rows_in_ranges
from egress.errors import TargetError, Timeout

PATH = Field("path", N_("File"), required=True, hint=N_("Below the folder that the operator opened for local files."))

# How long a session waits for others who write.
BUSY_SECONDS = 2.0
_SAMPLE_ROWS = 1000
_MOST_CELLS = 1000
_INTEGERS = range(-(2**63), 2**63)
_DAY_SHAPE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_CUT = "'1900-01-01 00:00:00'"

_REAL_DAY = f"{{c}} GLOB '{_DAY_SHAPE}*' AND date(substr({{c}}, 1, 10)) = substr({{c}}, 1, 10)"

# What is written as it is shown, by far the most, is decided by one comparison.
_DATE = (
    f"CASE WHEN date({{c}}) = {{c}} THEN {{c}} WHEN typeof({{c}}) = 'text' THEN "
    f"CASE WHEN {_REAL_DAY} THEN substr({{c}}, 1, 10) END "
    "WHEN typeof({c}) = 'integer' THEN bi_day(datetime({c}, 'unixepoch')) "
    "WHEN typeof({c}) = 'real' THEN date({c}) END"
)
_TEXT_TIME = (
    f"CASE WHEN {_REAL_DAY} THEN CASE WHEN substr({{c}}, 12) GLOB '*[-+Zz]*' THEN bi_zone(datetime({{c}})) "
    "ELSE datetime({c}) END END"
)
_DATETIME = (
    f"CASE WHEN datetime({{c}}) = {{c}} THEN CASE WHEN {{c}} > {_CUT} THEN {{c}} END ELSE "
    f"nullif(max(CASE typeof({{c}}) WHEN 'text' THEN {_TEXT_TIME} WHEN 'integer' THEN "
    f"bi_zone(datetime({{c}}, 'unixepoch')) WHEN 'real' THEN datetime({{c}}) END, {_CUT}), {_CUT}) END"
)
_ANY_TEXT = "CASE typeof({c}) WHEN 'blob' THEN lower(hex({c})) ELSE CAST({c} AS TEXT) END"
_EXPRESSIONS = {
    Form.TEXT: "CAST({c} AS TEXT)",
    Form.RENDERED: _ANY_TEXT,
    Form.BINARY: "CASE WHEN {c} IS NOT NULL THEN lower(hex({c})) END",
    Form.DATE: _DATE,
    Form.DATETIME: _DATETIME,
}
_WHOLE = Shape(present="typeof({x}) = 'integer'")
_REAL = Shape(present="{x} BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308")
_TEXT = Shape(operand="{x} COLLATE BINARY")
SHAPES = {
    Form.BOOLEAN: _WHOLE,
    Form.INTEGER: _WHOLE,
    Form.EXACT: _REAL,
    Form.FLOAT: _REAL,
    Form.TEXT: _TEXT,
    Form.RENDERED: _TEXT,
    Form.BINARY: _TEXT,
    Form.DATE: Shape(),
    Form.DATETIME: Shape(),
}


quote = quoting('"', '"')


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
            session = SQLiteSession(lambda: _reader(str(path), zone, guards.limits), guards.limits)
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

    create: Any = connection.create_scalar_function
    create("bi_zone", local, 1, deterministic=True)
    create("bi_day", day, 1, deterministic=True)
    return connection


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

    def __init__(self, connect: Callable[[], apsw.Connection], limits: Limits) -> None:
        self._connect, self._connection = connect, connect()
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
        if self._encoding != "UTF-8":
            # SQLite's own order is that of the bytes, which is the order of code points in UTF-8 only.
            self._connection.create_collation("bi_points", lambda one, other: (one > other) - (one < other))
            self._dialect = IN_UTF16

    def check(self) -> Server:
        """SQLite and the version that reads the file."""
        self._fetch("SELECT count(*) FROM sqlite_schema")
        return Server("SQLite", apsw.sqlite_lib_version(), encrypted=False)

    def _chunks(self, query: TableQuery, description: Description) -> Iterator[Chunk]:
        row = _array([self._dialect.shown(description.column(name)) for name in query.columns])
        with self._errors(), self._readers(query, description) as opened:
            if opened:
                table = RowidTable(self._dialect.name(query.table), self._row_number(query, description), row)
                for chunk in rows_in_ranges(opened, table):
                    self.deadline.check()
                    yield Chunk(valid_utf8(chunk.data), chunk.rows)
                return
        statement = self._dialect.tail(Sql(f"SELECT {self._bytes(row)}"), query, description)
        with self._errors():
            cursor = self._execute(statement.with_markers("?"), statement.values)
            while rows := [cells[0] for cells in itertools.islice(cursor, CHUNK_ROWS)]:
                self.deadline.check()
                if self._encoding != "UTF-8":
                    rows = [self._encoded(row) or b"" for row in rows]
                # SQLite writes the digits of escapes in lower case, as all drivers do.
                yield Chunk(valid_utf8(b",\n".join(rows)), len(rows))

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
        known = self._fetch("SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?", (table.name,))
        if table.schema or not known:
            return []
        rows = self._fetch('SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?)', (table.name,))
        return [
            self._column(table, name, declared, not (required or key))
            for name, declared, required, key, hidden in rows
            if hidden != 1
        ]

    def _column(self, table: TableName, name: str, declared: str, nullable: bool) -> Column:
        form = sqlite_form(declared)
        if form is not None:
            return Column(name, form, declared, nullable, expression=_EXPRESSIONS.get(form, "{c}"))
        form = self._sample_form(table, name)
        return Column(name, form, "", nullable, expression=_ANY_TEXT if form is Form.RENDERED else "{c}")

    def _sample_form(self, table: TableName, name: str) -> Form:
        """The form of a column without a declared type, by the first rows; views have many of them."""
        statement = f"SELECT DISTINCT typeof(c) FROM (SELECT {quote(name)} AS c FROM {quote(table.name)} LIMIT ?)"  # noqa: S608 - both names are the catalogue's and quoted
        kinds = {row[0] for row in self._fetch(statement, (_SAMPLE_ROWS,))} - {"null"}
        if kinds == {"integer"}:
            return Form.INTEGER
        return Form.FLOAT if kinds and kinds <= {"integer", "real"} else Form.RENDERED

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

    def _target_error(self, problem: apsw.Error) -> TargetError:
        said = str(problem)
        match problem:
            case apsw.InterruptError():
                return Timeout("deadline", said)
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

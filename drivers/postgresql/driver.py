"""PostgreSQL, and servers that speak its protocol, through psycopg and libpq.

Rows come by `COPY ... (FORMAT csv)` that is JSON already but for a few bytes (facts/performance 2): backslash as escape
character, `null` for NULL, texts and times always quoted. What remains is to escape control characters, where a block
holds any, and to put brackets between rows.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import psycopg
from psycopg import pq

from drivers.base import (
    CA,
    DATABASE,
    HOST,
    N_,
    PASSWORD,
    STOP_SECONDS,
    TIMEZONE,
    TLS,
    USERNAME,
    Chunk,
    Description,
    Driver,
    Field,
    Guards,
    Limits,
    Server,
    Session,
    SettingValues,
    Table,
    port_field,
)
from drivers.casts import Casts, CastSql, TextConversion
from drivers.columns import POSTGRESQL, POSTGRESQL_OTHERS, Column, Form
from drivers.errors import Broken, QueryRefused, SettingsWrong
from drivers.hidden import HiddenTables
from drivers.limits import ASK_SECONDS
from drivers.postgresql import rights
from drivers.postgresql.connection import connect, target_error
from drivers.postgresql.copy import Connection, copy_rows
from drivers.postgresql.encodings import ONE_IN_BYTES, ServerEncoding, regular_expression
from drivers.postgresql.spellings import SPELLINGS
from drivers.postgresql.statements import BEGIN, COLUMNS, IS_COMPUTING, TABLES
from drivers.query import TableName, TableQuery, Value
from drivers.rows import escape_controls
from drivers.sql import Dialect, Shape, Sql, quoting
from egress.deadline import Deadline

#: How long a statement waits for a table that somebody has locked.
LOCK_SECONDS = 10

_PLAIN_BYTES = bytes(range(32, 256))
_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")

_TEXT = Shape(operand='{x} COLLATE "C"', narrow="{x}")
_SECONDS = Shape(
    shown="date_trunc('second', {x})",
    present="({x} > '1900-01-01 00:00:00.999999' AND {x} < '10000-01-01')",
    unshown="'-infinity'",
)
SHAPES = {
    Form.BOOLEAN: Shape(),
    Form.INTEGER: Shape(),
    # NaN is above all numbers; a number beyond the doubles is an infinity to whoever reads JSON.
    Form.EXACT: Shape(
        present=f"{{x}} BETWEEN '-{sys.float_info.max}'::numeric AND '{sys.float_info.max}'::numeric", unshown="'NaN'"
    ),
    Form.FLOAT: Shape(present="{x} NOT IN ('NaN', 'Infinity', '-Infinity')"),
    Form.TEXT: _TEXT,
    Form.RENDERED: replace(_TEXT, narrow=""),
    Form.BINARY: replace(_TEXT, narrow=""),
    Form.DATE: Shape(present="{x} BETWEEN '0001-01-01' AND '9999-12-31'", unshown="'-infinity'"),
    Form.DATETIME: _SECONDS,
    Form.INSTANT: _SECONDS,
}

DATABASE_COLLATION = 'pg_catalog."default"'

quote = quoting('"', '"')


def bind(value: Value, column: Column) -> Any:
    """A value as psycopg takes it; doubles are compared with doubles."""
    return float(value) if column.form is Form.FLOAT and not isinstance(value, str) else value  # type: ignore[arg-type]


def dialect(encoding: ServerEncoding, folding: str | None) -> Dialect:
    """PostgreSQL's SQL; `folding` is a collation whose `lower` knows more than ASCII, whatever that of a column is."""
    shapes = SHAPES
    if not encoding.orders_by_code_points:
        texts = (Form.TEXT, Form.RENDERED, Form.BINARY)
        shapes = {**SHAPES, **{form: replace(SHAPES[form], ordered="convert_to({x}, 'UTF8')") for form in texts}}

    def quoted(name: str) -> str:
        if not encoding.has(name):
            raise QueryRefused("unknown_column", name)
        return quote(name)

    spoken = Dialect(quoted, shapes, "({x})::pg_catalog.text", "{x}", '{x} COLLATE "C" ~ {v}', bind, has=encoding.has)
    if folding is None:
        one = ONE_IN_BYTES if encoding.name == "SQL_ASCII" else "."
        return replace(spoken, pattern=lambda pattern: regular_expression(pattern, one))
    folded = f"lower({{x}} COLLATE {folding})"
    if folding != DATABASE_COLLATION and encoding.name == "UTF8":
        # Small, the Turkish capital has a dot of its own above the i.
        folded = f"replace({folded}, U&'i\\0307', 'i')"
    return replace(spoken, folded=folded, like='{x} COLLATE "C" LIKE {v} COLLATE "C" ESCAPE \'|\'')


CASTS = CastSql(
    "{t} ~ '{p}'",
    {
        "int": TextConversion(Form.INTEGER, "split_part({t}, '.', 1)::int8"),
        "double": TextConversion(Form.FLOAT, "({t})::float8"),
        "date": TextConversion(Form.DATE, "({t})::date"),
        "datetime": TextConversion(Form.DATETIME, "({t})::timestamp"),
    },
)


class PostgreSQL(Driver):
    """PostgreSQL 12 and later."""

    name: ClassVar[str] = "postgresql"
    label: ClassVar[str] = "PostgreSQL"
    fields: ClassVar[tuple[Field, ...]] = (HOST, port_field(5432), DATABASE, USERNAME, PASSWORD, TLS, CA, TIMEZONE)
    mark: ClassVar[str] = "Pg"
    note: ClassVar[str] = N_("Also servers that speak its protocol")
    schemes: ClassVar[tuple[str, ...]] = ("postgresql", "postgres")
    read_only_user: ClassVar[str] = """CREATE ROLE bi_reader LOGIN PASSWORD '...';
GRANT CONNECT ON DATABASE {database} TO bi_reader;
GRANT USAGE ON SCHEMA public TO bi_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO bi_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO bi_reader;"""
    proven: ClassVar[bool] = True

    def open(self, values: SettingValues, guards: Guards) -> Session:
        """A session that is logged in (see `Driver.open`)."""
        settings = self.settings(values)
        target = guards.policy.resolve(settings["host"], settings["port"])

        def log_in(limits: Limits) -> Connection:
            return connect(settings, target, limits)

        return PostgreSQLSession(log_in(guards.limits), log_in, guards.limits, settings["timezone"])


class PostgreSQLSession(Session):
    """One transaction that reads only, whose settings and times in the connection's zone end with it."""

    def __init__(
        self, connection: Connection, log_in: Callable[[Limits], Connection], limits: Limits, timezone: str
    ) -> None:
        self._connection, self._log_in, self._timezone = connection, log_in, timezone
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._socket.settimeout(limits.seconds)
        # Of a connection that was cut, libpq no longer says how to cancel what it ran.
        self._cancellation = connection.pgconn.cancel_conn()
        super().__init__(limits)
        self.deadline.hold(self._socket)
        self._transaction: Literal["", "open", "failed"] = ""
        self._encoding = ServerEncoding()
        self._dialect = dialect(self._encoding, DATABASE_COLLATION)

    @property
    def casts(self) -> Casts:
        """PostgreSQL's casts."""
        return Casts(self._dialect, CASTS)

    def check(self) -> Server:
        """PostgreSQL and its version."""
        product, _, rest = self._fetch("SELECT version()", (str,))[0][0].partition(" ")
        return Server(product, rest.split(" ")[0], self._connection.pgconn.ssl_in_use)

    def is_computing(self, begun: bool) -> bool:
        """As the server's list of processes says; a pooler hides the process from it."""
        number = self._connection.pgconn.backend_pid
        with contextlib.suppress(psycopg.Error, OSError), Deadline(ASK_SECONDS) as limit:
            second = self._log_in(replace(self.limits, connect_seconds=ASK_SECONDS))
            with contextlib.closing(second), socket.socket(fileno=os.dup(second.fileno())) as used:
                limit.hold(used)
                rows = second.execute(IS_COMPUTING, (number,)).fetchall()
                return bool(rows[0][0]) if rows else not begun
        return False

    def _tables(self) -> list[Table]:
        found = self._fetch(TABLES, (bytes, bytes, str, bool, bytes, bool))
        return [
            Table(
                TableName(self._text(schema), self._text(name)),
                "view" if kind in "vm" else "table",
                plain,
                self._text(comment),
                part,
            )
            for schema, name, kind, plain, comment, part in found
        ]

    def hidden(self) -> HiddenTables:
        """Tables of all schemas that the user may not read."""
        found = self._fetch(rights.HIDDEN, (bytes, bytes, bool, bool, bytes))
        return rights.of_rows([(self._text(s), self._text(n), *flags, self._text(u)) for s, n, *flags, u in found])

    def _describe(self, table: TableName) -> list[Column]:
        columns = []
        found = self._fetch(COLUMNS, (bytes, bytes, str, bool, bytes), (table.schema, table.name))
        for name, native, base, required, comment in found:
            form, expression = POSTGRESQL.get(base, POSTGRESQL_OTHERS)
            told, spelling = self._text(comment), SPELLINGS.get(base, str)
            columns.append(Column(self._text(name), form, self._text(native), not required, told, expression, spelling))
        return columns

    def _text(self, sent: bytes) -> str:
        return self._encoding.utf8(sent).decode("utf-8", "replace")

    def _chunks(self, query: TableQuery, description: Description) -> Iterator[Chunk]:
        if self._transaction != "open":
            self._fetch("")
        columns = [description.column(name) for name in query.columns]
        items = (f"{self._copy_expression(column)} AS {quote(f'c{number}')}" for number, column in enumerate(columns))
        select = self._dialect.tail(Sql(f"SELECT {', '.join(items)}"), query, description)
        statement = _copy(select, columns, self._encoding.sent)
        with self._errors():
            text = self._mogrified(statement.with_markers("%s"), statement.values) + "; COMMIT"
            blocks = copy_rows(self._connection, self._socket, text.encode(), self.limits.row_bytes)
            for block, count in blocks:
                self.deadline.check()
                yield Chunk(self._encoding.utf8(_json(block, count)), count)
            self._transaction = ""

    def _copy_expression(self, column: Column) -> str:
        """What is copied of a column: NaN and infinities among numbers are found in the rows, where they are rare."""
        words = column.form is Form.FLOAT or (column.form is Form.EXACT and _is_within_doubles(column.native))
        return self._dialect.raw(column) if words else self._dialect.told(column)

    def _mogrified(self, statement: str, values: Any) -> str:
        return psycopg.ClientCursor(self._connection).mogrify(statement.encode(), values)

    def _fetch(self, statement: str, kinds: tuple[type, ...] = (), values: Any = None) -> list[tuple[Any, ...]]:
        """The rows of a statement, of values of these kinds, in the transaction that it begins if there is none.

        Raises `SettingsWrong("timezone")` besides the errors of statements.
        """
        with self._errors():
            text = statement if values is None else self._mogrified(statement, values)
            if self._transaction == "open":
                return _rows_of(self._connection.execute(text.encode()), kinds)
            return _rows_of(self._begin_with(text), kinds)

    def _begin_with(self, text: str) -> psycopg.Cursor[tuple[Any, ...]]:
        """Begin a transaction and run a statement, all on one way to the server and back."""
        settings = {
            "timezone": self._timezone,
            "milliseconds": str(max(int(self.deadline.left * 1000), 1)),
            "lock_milliseconds": str(LOCK_SECONDS * 1000),
        }
        begin = ("ROLLBACK;" if self._transaction else "") + self._mogrified(BEGIN, settings)
        try:
            cursor = self._connection.execute((begin + text).encode())
        except psycopg.errors.InvalidParameterValue as problem:
            self._transaction = "failed"
            raise SettingsWrong("timezone", "zone_unknown_to_server", str(problem)) from problem
        self._transaction = "open"
        while cursor.description is None and cursor.nextset():
            pass
        for *_, encoding, folding in _rows_of(cursor, (object,) * 10 + (str, object)):
            self._encoding = ServerEncoding(encoding)
            self._dialect = dialect(self._encoding, folding)
        cursor.nextset()
        return cursor

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Database errors become ours; a statement that we stopped ourselves is a `Timeout`."""
        self.deadline.check()
        try:
            yield
        except (psycopg.Error, OSError) as problem:
            self._transaction = "failed"
            self.deadline.check()
            raise target_error(problem) from problem

    def _end_transaction(self) -> None:
        """Give the server's session back to a pooler, which would have to throw it away, within `STOP_SECONDS`."""
        libpq, end = self._connection.pgconn, time.monotonic() + STOP_SECONDS
        ready = select.poll()
        with contextlib.suppress(psycopg.Error):
            ready.register(libpq.socket, select.POLLIN)
            libpq.send_query(b"ROLLBACK")
            libpq.flush()
            while libpq.is_busy() and ready.poll(max(end - time.monotonic(), 0) * 1000):
                libpq.consume_input()

    def _cancel_statement(self) -> None:
        waits = {pq.PollingStatus.READING: select.POLLIN, pq.PollingStatus.WRITING: select.POLLOUT}
        end = time.monotonic() + STOP_SECONDS
        with contextlib.suppress(psycopg.Error):
            self._cancellation.start()
            while (event := waits.get(pq.PollingStatus(self._cancellation.poll()))) and time.monotonic() < end:
                ready = select.poll()
                ready.register(self._cancellation.socket, event)
                ready.poll(max(end - time.monotonic(), 0) * 1000)

    def _close(self) -> None:
        if self.deadline.is_over:
            self._cancel_statement()
        elif self._transaction:
            self._end_transaction()
        self._cancellation.finish()
        self._socket.close()
        with contextlib.suppress(psycopg.Error):
            self._connection.close()


def _rows_of(cursor: psycopg.Cursor[tuple[Any, ...]], kinds: tuple[type, ...]) -> list[tuple[Any, ...]]:
    """The rows, none of a statement that has no rows. Raises `Broken` where a server answers something else."""
    if cursor.description is None:
        return []
    rows = cursor.fetchall()
    for row in rows:
        if kinds and not (len(row) == len(kinds) and all(map(isinstance, row, kinds))):
            raise Broken("bad_answer")
    return rows


def _is_within_doubles(native: str) -> bool:
    """Whether a type such as `numeric(12,2)` holds no number beyond the doubles."""
    digits = _NUMERIC.fullmatch(native)
    return digits is not None and int(digits[1]) - int(digits[2]) < sys.float_info.max_10_exp


def _copy(select: Sql, columns: Sequence[Column], encoding: str) -> Sql:
    quoted = ", ".join(quote(f"c{number}") for number, column in enumerate(columns) if not column.is_number)
    force = f", FORCE_QUOTE ({quoted})" if quoted else ""
    return Sql(
        f"COPY ({select.text}) TO STDOUT (FORMAT csv, NULL 'null', ESCAPE '\\', ENCODING '{encoding}'{force})",
        select.values,
    )


def _json(block: bytes, count: int) -> bytes:
    """Rows of a block, separated by NUL, as JSON arrays: replaced in the whole, for row by row would cost more."""
    controls = block.translate(None, _PLAIN_BYTES)
    if len(controls) >= count:
        block = escape_controls(block, set(controls) - {0})
    return b"[" + block.replace(b"\0", b"],\n[") + b"]"

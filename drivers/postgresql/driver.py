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
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

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
from drivers.columns import POSTGRESQL, POSTGRESQL_OTHERS, Column, Form
from drivers.errors import QueryRefused, SettingsWrong
from drivers.postgresql.connection import connect, target_error
from drivers.postgresql.copy import Connection, copy_rows
from drivers.query import TableName, TableQuery, Value
from drivers.rows import escape_controls, valid_utf8
from drivers.sql import Dialect, Shape, Sql, quoting

_PLAIN_BYTES = bytes(range(32, 256))
_NUMBER_WORDS = re.compile(rb'"(?:[^"\\]|\\.)*"|NaN|-?Infinity', re.DOTALL)

_TEXT = Shape(operand='{x} COLLATE "C"', narrow="{x}")
_SECONDS = Shape(
    shown="date_trunc('second', {x})", present="({x} > '1900-01-01 00:00:00.999999' AND {x} < '10000-01-01')"
)
SHAPES = {
    Form.BOOLEAN: Shape(),
    Form.INTEGER: Shape(),
    Form.EXACT: Shape(present="{x} NOT IN ('NaN', 'Infinity', '-Infinity')"),
    Form.FLOAT: Shape(present="{x} NOT IN ('NaN', 'Infinity', '-Infinity')"),
    Form.TEXT: _TEXT,
    Form.RENDERED: replace(_TEXT, narrow=""),
    Form.BINARY: replace(_TEXT, narrow=""),
    Form.DATE: Shape(present="{x} BETWEEN '0001-01-01' AND '9999-12-31'"),
    Form.DATETIME: _SECONDS,
    Form.INSTANT: _SECONDS,
}
#: Before version 14 `numeric` knew no infinities, and does not know the word.
OLD_EXACT = Shape(present="{x} <> 'NaN'")

_TABLES = """
SELECT n.nspname, c.relname, c.relkind, pg_table_is_visible(c.oid), coalesce(obj_description(c.oid, 'pg_class'), '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND n.nspname NOT LIKE 'pg\\_temp\\_%%' AND has_schema_privilege(n.oid, 'USAGE')
  AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))
"""

_COLUMNS = """
WITH RECURSIVE wanted AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
), base AS (
  SELECT a.attnum, a.atttypid AS type FROM pg_attribute a JOIN wanted ON a.attrelid = wanted.oid
  UNION
  SELECT base.attnum, t.typbasetype FROM base JOIN pg_type t ON t.oid = base.type WHERE t.typtype = 'd'
)
SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typname, t.typcategory, a.attnotnull,
       coalesce(col_description(a.attrelid, a.attnum), '')
FROM pg_attribute a JOIN wanted ON a.attrelid = wanted.oid
  JOIN base ON base.attnum = a.attnum JOIN pg_type t ON t.oid = base.type AND t.typtype <> 'd'
WHERE a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')
ORDER BY a.attnum
"""

_SETTINGS = """
SELECT set_config('default_transaction_read_only', 'on', false), set_config('TimeZone', %(timezone)s, false),
  set_config('statement_timeout', %(milliseconds)s, false), set_config('DateStyle', 'ISO, YMD', false),
  set_config('IntervalStyle', 'iso_8601', false), set_config('extra_float_digits', '1', false),
  set_config('standard_conforming_strings', 'on', false), set_config('lock_timeout', '10s', false),
  current_setting('server_version_num')::int,
  (SELECT datctype IN ('C', 'POSIX') FROM pg_database WHERE datname = current_database())
    AND EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu') AND current_setting('server_encoding') = 'UTF8',
  (SELECT set_config(name, '2000', false) FROM pg_settings WHERE name = 'client_connection_check_interval'),
  current_setting('server_encoding') = 'SQL_ASCII'
"""


quote = quoting('"', '"')


def bind(value: Value, column: Column) -> Any:
    """A value as psycopg takes it; doubles are compared with doubles."""
    return float(value) if column.form is Form.FLOAT and not isinstance(value, str) else value  # type: ignore[arg-type]


def dialect(version: int, blind_to_case: bool) -> Dialect:
    """PostgreSQL's SQL; `blind_to_case` where the database itself knows upper and lower case of ASCII letters only."""
    shapes = SHAPES if version >= 140000 else {**SHAPES, Form.EXACT: OLD_EXACT}
    folded = 'lower({x} COLLATE "und-x-icu")' if blind_to_case else "lower({x})"
    return Dialect(quote, shapes, "({x})::text", folded, '{x} COLLATE "C" LIKE {v} COLLATE "C" ESCAPE \'|\'', bind)


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
        connection = connect(settings, target, guards.limits)
        session = PostgreSQLSession(connection, guards.limits)
        try:
            session.prepare(settings["timezone"])
        except BaseException:
            session.__exit__(None, None, None)
            raise
        return session


class PostgreSQLSession(Session):
    """A read-only session whose times are in the connection's zone."""

    def __init__(self, connection: Connection, limits: Limits) -> None:
        self._connection = connection
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._socket.settimeout(limits.seconds)
        # Of a connection that was cut, libpq no longer says how to cancel what it ran.
        self._cancellation = connection.pgconn.cancel_conn()
        super().__init__(limits)
        self.deadline.hold(self._socket)
        self._dialect = dialect(140000, False)
        self._any_bytes = True

    def prepare(self, timezone: str) -> None:
        """Make the session read-only, limited and in its zone. Raises `SettingsWrong("timezone")`."""
        limits = {"timezone": timezone, "milliseconds": str(max(int(self.deadline.left * 1000), 1))}
        try:
            row = self._fetch(_SETTINGS, limits)[0]
        except QueryRefused as problem:
            raise SettingsWrong("timezone", "zone_unknown_to_server", problem.detail) from problem
        self._dialect = dialect(int(row[8]), bool(row[9]))
        # Texts in any other encoding are checked by the server, when it stores them and when it sends them.
        self._any_bytes = bool(row[11])

    def check(self) -> Server:
        """PostgreSQL and its version."""
        product, _, rest = str(self._fetch("SELECT version()")[0][0]).partition(" ")
        return Server(product, rest.split(" ")[0], self._connection.pgconn.ssl_in_use)

    def _tables(self) -> list[Table]:
        return [
            Table(TableName(schema, name), "view" if kind in "vm" else "table", plain, comment)
            for schema, name, kind, plain, comment in self._fetch(_TABLES, {})
        ]

    def _describe(self, table: TableName) -> list[Column]:
        columns = []
        for name, native, base, category, required, comment in self._fetch(_COLUMNS, (table.schema, table.name)):
            form, expression = POSTGRESQL["array"] if category == "A" else POSTGRESQL.get(base, POSTGRESQL_OTHERS)
            columns.append(Column(name, form, native, not required, comment, expression))
        return columns

    def _chunks(self, query: TableQuery, description: Description) -> Iterator[Chunk]:
        columns = [description.column(name) for name in query.columns]
        items = (f"{self._copy_expression(column)} AS {quote(f'c{number}')}" for number, column in enumerate(columns))
        select = self._dialect.tail(Sql(f"SELECT {', '.join(items)}"), query, description)
        statement = _copy(select, columns, "SQL_ASCII" if self._any_bytes else "UTF8")
        words = any(column.form in (Form.EXACT, Form.FLOAT) for column in columns)
        with self._errors():
            text = psycopg.ClientCursor(self._connection).mogrify(
                statement.with_markers("%s").encode(), statement.values
            )
            blocks = copy_rows(self._connection, self._socket, text.encode(), self.limits.row_bytes)
            for block, count in blocks:
                self.deadline.check()
                json = _json(block, count, words)
                yield Chunk(valid_utf8(json) if self._any_bytes else json, count)

    def _copy_expression(self, column: Column) -> str:
        """What is copied of a column: NaN and infinities among numbers are replaced here, where they are rare."""
        words = column.form in (Form.EXACT, Form.FLOAT)
        return self._dialect.raw(column) if words else self._dialect.shown(column)

    def _fetch(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        with self._errors():
            return self._connection.execute(statement.encode(), values).fetchall()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Database errors become ours; a statement that we stopped ourselves is a `Timeout`."""
        self.deadline.check()
        try:
            yield
        except (psycopg.Error, OSError) as problem:
            self.deadline.check()
            raise target_error(problem) from problem

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
        self._cancellation.finish()
        self._socket.close()
        with contextlib.suppress(psycopg.Error):
            self._connection.close()


def _copy(select: Sql, columns: Sequence[Column], encoding: str) -> Sql:
    quoted = ", ".join(quote(f"c{number}") for number, column in enumerate(columns) if not column.is_number)
    force = f", FORCE_QUOTE ({quoted})" if quoted else ""
    return Sql(
        f"COPY ({select.text}) TO STDOUT (FORMAT csv, NULL 'null', ESCAPE '\\', ENCODING '{encoding}'{force})",
        select.values,
    )


def _json(block: bytes, count: int, words: bool) -> bytes:
    """Rows of a block, separated by NUL, as JSON arrays: replaced in the whole, for row by row would cost more."""
    controls = block.translate(None, _PLAIN_BYTES)
    if len(controls) >= count:
        block = escape_controls(block, set(controls) - {0})
    if words and (b"NaN" in block or b"Infinity" in block):
        block = _NUMBER_WORDS.sub(lambda found: found[0] if found[0].startswith(b'"') else b"null", block)
    return b"[" + block.replace(b"\0", b"],\n[") + b"]"

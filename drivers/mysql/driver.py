"""MySQL 8 and MariaDB 10.3 and later, through PyMySQL's connection and a row reader of our own.

The server puts each row together as one text (`CONCAT`), which costs it little more than sending the cells and spares
us taking a million rows apart. The marks round texts and dates are bytes that UTF-8 does not have, so that what stands
between them can be escaped here in whole blocks while the server goes on; its own `JSON_QUOTE` takes longer.
Rows are never buffered, and a result that nobody
wants to its end is dropped with the socket: PyMySQL would read it all.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Context, Decimal
from typing import Any, ClassVar

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
from drivers.columns import MYSQL_CONVERTED, Column, Form, holds_any, holds_three_bytes, mysql_row, spelling_of
from drivers.errors import QueryRefused, SettingsWrong
from drivers.hidden import HiddenTables, hidden_tables
from drivers.limits import ASK_SECONDS
from drivers.mysql.protocol import PROTOCOL_ERRORS, MySQLConnection, only_cell, open_connection, target_error
from drivers.query import TableName, TableQuery, Value
from drivers.rows import escape_controls, valid_utf8
from drivers.sql import Dialect, Shape, Sql, quoting
from drivers.zones import fixed_offset
from egress.deadline import Deadline
from egress.errors import TargetError

# An explicit collation makes the whole text binary; otherwise servers may take marks for bad letters and replace them.
_ROW_START, _TEXT_MARK, _DATE_MARK = (f"CHAR({code}) COLLATE `binary`" for code in (0x5B, 0xFF, 0xFE))
_ROW_END = b"\xfd"
_QUOTES = bytes.maketrans(b"\xff\xfe", b'""')
_PLAIN_BYTES = bytes(range(32, 256))
_UNREAL_DATE = re.compile(rb"\xfe\d{4}-(?:00-\d\d|\d\d-00)[^\xfe]*\xfe")
# How long a session waits for others who lock a table.
LOCK_SECONDS = 10
# What a literal of MySQL's exact numbers holds (MariaDB: eight decimals more).
_MOST_DIGITS, _MOST_DECIMALS = 65, 30
_EXACTLY = Context(prec=400)
_THREE_BYTES = frozenset({"utf8mb3", "utf8"})
_UTF8 = _THREE_BYTES | {"utf8mb4"}

# Days of zero, and those behind the last one of a month, which servers take that are told to.
_REAL_DATE = "MONTH({x}) > 0 AND DAYOFMONTH({x}) BETWEEN 1 AND DAYOFMONTH(LAST_DAY({x}))"
_EXACT_TEXT = Shape(operand="CAST(CONVERT({x} USING utf8mb4) AS BINARY)", value="CAST({v} AS BINARY)", narrow="{x}")
_SECONDS = Shape(
    shown="DATE_FORMAT({x}, '%Y-%m-%d %H:%i:%s')",
    present=f"({{x}} > '1900-01-01 00:00:00.999999' AND {_REAL_DATE})",
)
SHAPES = {
    Form.BOOLEAN: Shape(),
    Form.INTEGER: Shape(),
    Form.EXACT: Shape(),
    Form.FLOAT: Shape(),
    Form.TEXT: _EXACT_TEXT,
    Form.RENDERED: replace(_EXACT_TEXT, narrow=""),
    Form.BINARY: replace(_EXACT_TEXT, narrow=""),
    Form.DATE: Shape(present=f"({{x}} >= '0001-01-01' AND {_REAL_DATE})"),
    Form.DATETIME: _SECONDS,
    Form.INSTANT: _SECONDS,
}

# A table with any right to it is listed, and a broken view has no columns for anybody.
_LISTED = """
SELECT t.table_schema, t.table_name, t.table_type, t.table_schema = DATABASE(), t.table_comment, CURRENT_USER(),
  @@lower_case_table_names > 0
FROM information_schema.tables AS t LEFT JOIN (
  SELECT DISTINCT table_schema, table_name FROM information_schema.columns WHERE FIND_IN_SET('select', privileges)
) AS c ON BINARY c.table_schema = t.table_schema AND BINARY c.table_name = t.table_name
WHERE t.table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')
  AND t.table_type IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED') AND
"""
_TABLES = _LISTED + "(c.table_name IS NOT NULL OR t.table_type = 'VIEW')"
_HIDDEN = _LISTED + "c.table_name IS NULL AND t.table_type <> 'VIEW'"
_COLUMNS = """
SELECT column_name, column_type, data_type, is_nullable, column_comment, character_set_name
FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position
"""
_PROCESS = "SELECT command, state FROM information_schema.processlist WHERE id = %s"
# What MariaDB and MySQL call it that a client takes nothing.
_WRITING = ("Writing to net", "Sending to client")
_IS_VIEW = """
SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = %s AND table_type = 'VIEW'
"""


quote = quoting("`", "`")


def bind(value: Value, column: Column) -> Any:
    """A value as PyMySQL takes it; doubles are compared with doubles.

    Raises `QueryRefused` for digits that the server would cut off without a word.
    """
    if not isinstance(value, int | Decimal):
        return value
    if column.form is Form.FLOAT:
        return float(value)
    digits, exponent = Decimal(value).normalize(_EXACTLY).as_tuple()[1:]
    decimals = max(-int(exponent), 0)
    if decimals > _MOST_DECIMALS or len(digits) + max(int(exponent), 0) > _MOST_DIGITS:
        raise QueryRefused("value_type", column.name)
    return value


DIALECT = Dialect(
    quote,
    SHAPES,
    text="CAST({x} AS CHAR)",
    # A collation knows upper and lower case of its version of Unicode; the usual ones know little of some scripts.
    folded="LOWER(CONVERT({x} USING utf8mb4) COLLATE utf8mb4_unicode_520_ci)",
    like="{x} COLLATE utf8mb4_bin LIKE {v} COLLATE utf8mb4_bin ESCAPE '|'",
    bind=bind,
)
# The other way round it would be one of a text that is too long (`drivers/columns.py`).
_OVERFLOW = "(LENGTH(CONCAT({t})) + 18446744073709551615)"
CASTS = Casts(
    DIALECT,
    CastSql(
        "{t} REGEXP '{p}'",
        {
            "int": TextConversion(Form.INTEGER, "CAST({t} AS SIGNED)", refuse=_OVERFLOW),
            "double": TextConversion(Form.FLOAT, "({t} + 0e0)", refuse=_OVERFLOW),
            "date": TextConversion(Form.DATE, "CAST({t} AS DATE)", refuse=f"CAST({_OVERFLOW} AS DATE)"),
            "datetime": TextConversion(Form.DATETIME, "CAST({t} AS DATETIME)", refuse=f"CAST({_OVERFLOW} AS DATETIME)"),
        },
        # Casts give zero and only warn; an error about numbers that are too large repeats the function, not the value.
        message="'{m} ', {t}",
    ),
)


class MySQL(Driver):
    """MySQL and MariaDB."""

    name: ClassVar[str] = "mysql"
    label: ClassVar[str] = "MySQL, MariaDB"
    fields: ClassVar[tuple[Field, ...]] = (HOST, port_field(3306), DATABASE, USERNAME, PASSWORD, TLS, CA, TIMEZONE)
    mark: ClassVar[str] = "My"
    note: ClassVar[str] = N_("Also servers that speak its protocol")
    schemes: ClassVar[tuple[str, ...]] = ("mysql", "mariadb")
    read_only_user: ClassVar[str] = """CREATE USER 'bi_reader'@'%' IDENTIFIED BY '...';
GRANT SELECT, SHOW VIEW ON {database}.* TO 'bi_reader'@'%';"""
    quotes: ClassVar[tuple[str, str]] = ("`", "`")
    proven: ClassVar[bool] = True
    knows_offsets: ClassVar[bool] = True

    def open(self, values: SettingValues, guards: Guards) -> Session:
        """A session that is logged in (see `Driver.open`)."""
        settings = self.settings(values)
        target = guards.policy.resolve(settings["host"], settings["port"])

        def connect(seconds: float) -> MySQLConnection:
            return open_connection(settings, target, seconds)

        session = MySQLSession(connect(guards.limits.connect_seconds), connect, guards.limits)
        try:
            session.prepare(settings["timezone"])
        except BaseException:
            session.__exit__(None, None, None)
            raise
        return session


class MySQLSession(Session):
    """A read-only session whose times are in the connection's zone."""

    def __init__(
        self, connection: MySQLConnection, connect: Callable[[float], MySQLConnection], limits: Limits
    ) -> None:
        self._connection, self._connect = connection, connect
        super().__init__(limits)
        self.deadline.hold(connection.socket)

    def prepare(self, timezone: str) -> None:
        """Make the session read-only, limited and in its zone. Raises `SettingsWrong("timezone")`."""
        connection: Any = self._connection
        mariadb = "mariadb" in connection.get_server_info().lower()
        seconds = self.deadline.left
        limit = f"max_statement_time = {seconds:.3f}" if mariadb else f"max_execution_time = {int(seconds * 1000)}"
        locks = f"lock_wait_timeout = {LOCK_SECONDS}"
        statement = f"SET SESSION sql_mode = '', SESSION {limit}, SESSION {locks}, SESSION time_zone = %s"
        try:
            # Offsets are known to servers without tables of zones, too.
            self._fetch(statement, (fixed_offset(timezone) or timezone,))
        except QueryRefused as problem:
            raise SettingsWrong("timezone", "zone_unknown_to_server", problem.detail) from problem
        self._fetch("SET SESSION TRANSACTION READ ONLY")

    @property
    def casts(self) -> Casts:
        """MySQL's casts."""
        return CASTS

    def check(self) -> Server:
        """MySQL or MariaDB and its version."""
        version = str(self._fetch("SELECT VERSION()")[0][0])
        product = "MariaDB" if "mariadb" in version.lower() else "MySQL"
        connection: Any = self._connection
        return Server(product, version.partition("-")[0], bool(connection._secure))

    def is_computing(self, begun: bool) -> bool:
        """As the server's list of processes says; a proxy hides the process from it."""
        connection: Any = self._connection
        with (
            contextlib.suppress(*PROTOCOL_ERRORS),
            Deadline(ASK_SECONDS),
            contextlib.closing(self._connect(ASK_SECONDS)) as second,
            second.cursor() as cursor,
        ):
            cursor.execute(_PROCESS, (connection.thread_id(),))
            rows = cursor.fetchall()
            return any(command == "Query" and state not in _WRITING for command, state in rows) if rows else not begun
        return False

    def _chunks(self, query: TableQuery, description: Description) -> Iterator[Chunk]:
        columns = [description.column(name) for name in query.columns]
        parts = ", ',', ".join(_cell_expression(column) for column in columns)
        statement = DIALECT.tail(Sql(f"SELECT CONCAT({_ROW_START}, {parts}, ']')"), query, description)
        with self._errors():
            for block in self._blocks(statement.with_markers("%s"), statement.values):
                rows = [only_cell(packet, self.limits.row_bytes) for packet in block]
                yield Chunk(_json(_ROW_END.join(rows)), len(rows))

    def _blocks(self, statement: str, values: Sequence[Any]) -> Iterator[list[bytes]]:
        cursor = self._connection.cursor()
        text = cursor.mogrify(statement, tuple(values)).encode("utf-8", "surrogatepass")
        return self._connection.row_blocks(text, self.limits.row_bytes)

    def _tables(self) -> list[Table]:
        return [
            Table(
                TableName(schema, name),
                "view" if "VIEW" in kind else "table",
                bool(int(plain or 0)),
                "" if comment == "VIEW" else comment,
                any_case=bool(int(folds)),
            )
            for schema, name, kind, plain, comment, _, folds in self._fetch(_TABLES)
        ]

    def hidden(self) -> HiddenTables:
        """Tables that the user may change or the like, but not read: the server tells of no others."""
        rows = self._fetch(_HIDDEN)
        user = "@".join(map(quote, str(rows[0][5]).rsplit("@", 1))) if rows else ""
        return hidden_tables((TableName(row[0], row[1]) for row in rows), quote, user)

    def _describe(self, table: TableName) -> list[Column]:
        columns = []
        for name, native, kind, nullable, comment, charset in self._fetch(_COLUMNS, (table.schema, table.name)):
            form, expression = mysql_row(kind)
            if native == "bit(1)":
                form = Form.BOOLEAN
            if "zerofill" in native:
                expression = "({c}+0)"
            if form is Form.TEXT and charset not in _UTF8:
                expression = MYSQL_CONVERTED
            holds = holds_three_bytes if charset in _THREE_BYTES else holds_any
            spelling = spelling_of(native)
            columns.append(
                Column(name, form, native, nullable == "YES", comment or "", expression, spelling, holds=holds)
            )
        if not columns and self._fetch(_IS_VIEW, (table.schema, table.name)):
            # A view whose tables are gone has no columns there; only whoever asks for them is told why.
            self._fetch(f"SHOW COLUMNS FROM {DIALECT.name(table).replace('%', '%%')}")
        return columns

    def _fetch(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._errors(), self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return [tuple(_text(cell) for cell in row) for row in cursor.fetchall()]

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Database errors become ours; a statement that we stopped ourselves is a `Timeout`."""
        self.deadline.check()
        try:
            yield
        except PROTOCOL_ERRORS as problem:
            self.deadline.check()
            raise target_error(problem, self.limits.row_bytes) from problem

    def _close(self) -> None:
        connection: Any = self._connection
        connection._force_close()
        if self.deadline.is_over:
            with (
                contextlib.suppress(TargetError, *PROTOCOL_ERRORS),
                Deadline(STOP_SECONDS),
                contextlib.closing(self._connect(STOP_SECONDS)) as second,
            ):
                second.cursor().execute("KILL %s", (connection.thread_id(),))


def _cell_expression(column: Column) -> str:
    """The SQL for a cell of the row's text: numbers as they are, texts and dates between marks."""
    raw = DIALECT.raw(column)
    if column.is_number:
        return f"IFNULL({DIALECT.shown(column)}, 'null')"
    if column.type == "string":
        text = raw if column.form is Form.TEXT else f"CONVERT({raw} USING utf8mb4)"
        missing = f"{raw if column.form is Form.RENDERED else quote(column.own_name)} IS NULL"
        # A text that is too long to be put together makes the whole row NULL, which `only_cell` refuses.
        return f"IF({missing}, 'null', CONCAT({_TEXT_MARK}, {text}, CHAR(255)))"
    # Days and months of zero are looked for in the texts, which is cheaper than asking for them here.
    if column.type == "date":
        shown = f"CASE WHEN {raw} BETWEEN '0001-01-01' AND LAST_DAY({raw}) THEN {raw} END"
    else:
        whole = raw if column.native == "datetime" else f"LEFT({raw}, 19)"
        real = f"{raw} > '1900-01-01 00:00:00.999999'"
        if column.form is Form.DATETIME:
            real += f" AND DAYOFMONTH({raw}) <= DAYOFMONTH(LAST_DAY({raw}))"
        shown = f"CASE WHEN {real} THEN {whole} END"
    # `IS NULL` would be true of a day of zeros where the column takes no NULL.
    missing = f"IF({raw} <=> NULL, 'null', CONCAT({_DATE_MARK}, '-infinity', CHAR(254)))"
    return f"IFNULL(CONCAT({_DATE_MARK}, {shown}, CHAR(254)), {missing})"


def _json(rows: bytes) -> bytes:
    """Marked rows as JSON arrays."""
    controls = set(rows.translate(None, _PLAIN_BYTES))
    rows = escape_controls(rows.replace(b"\\", b"\\\\").replace(b'"', b'\\"'), controls)
    if b"-00" in rows:
        rows = _UNREAL_DATE.sub(b"\xfe-infinity\xfe", rows)
    return valid_utf8(rows.translate(_QUOTES).replace(_ROW_END, b",\n"))


def _text(cell: Any) -> Any:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell

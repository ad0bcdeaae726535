"""Microsoft SQL Server 2016 and later, and Azure SQL, through python-tds.

SQL Server knows no read-only session: the user has to be one that may only read. What a statement of ours would write
is lost all the same, since no transaction is ever committed. Texts come as bytes of UTF-16, so that a broken one spoils
no other, and rows are put together here. `_` in a pattern stands for one UTF-16 unit, half of what lies beyond U+FFFF.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from drivers.base import (
    CA,
    DATABASE,
    HOST,
    N_,
    PASSWORD,
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
from drivers.casts import Casts, CastSql
from drivers.columns import Column, Form, TypeRow, spelling_of
from drivers.conditions import as_double, comparisons_in, is_ambiguous, refuse_float_texts
from drivers.errors import QueryRefused, TooBig
from drivers.hidden import HiddenTables, hidden_tables
from drivers.mssql.protocol import PROTOCOL_ERRORS, TdsConnection, open_connection, target_error
from drivers.query import TableName, TableQuery, TextSearch, Value
from drivers.rows import json_rows
from drivers.sql import LIKE_ESCAPE, Dialect, Shape, Sql, quoting
from egress.errors import TargetError

# The double with the fewest of 6 or 8 digits that is the same number of four bytes: 19.99 and not 19.989999771118164.
_SHOWN = "CAST(CONVERT(varchar(30), {c}, %s) AS float)"
_REAL = (
    f"CASE WHEN TRY_CAST({_SHOWN % 0} AS real) = {{c}} THEN {_SHOWN % 0} "
    f"WHEN TRY_CAST({_SHOWN % 1} AS real) = {{c}} THEN {_SHOWN % 1} ELSE CAST({{c}} AS float) END"
)

MSSQL: Mapping[str, TypeRow] = {
    "bit": (Form.BOOLEAN, "CAST({c} AS int)"),
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), (Form.INTEGER, "{c}")),
    **dict.fromkeys(("decimal", "numeric"), (Form.EXACT, "{c}")),
    **dict.fromkeys(("money", "smallmoney"), (Form.EXACT, "CAST({c} AS decimal(19,4))")),
    "real": (Form.FLOAT, _REAL),
    "float": (Form.FLOAT, "CAST({c} AS float)"),
    **dict.fromkeys(("varchar", "nvarchar", "sysname"), (Form.TEXT, "{c}")),
    **dict.fromkeys(("char", "nchar"), (Form.TEXT, "RTRIM({c})")),
    **dict.fromkeys(("text", "ntext"), (Form.TEXT, "CAST({c} AS nvarchar(max))")),
    **dict.fromkeys(
        ("binary", "varbinary", "image", "timestamp"),
        (Form.BINARY, "LOWER(CONVERT(varchar(max), CAST({c} AS varbinary(max)), 2))"),
    ),
    "date": (Form.DATE, "{c}"),
    **dict.fromkeys(("datetime", "smalldatetime", "datetime2"), (Form.DATETIME, "{c}")),
    "datetimeoffset": (Form.INSTANT, "CAST(SWITCHOFFSET({c}, '+00:00') AS datetime2(7))"),
    "uniqueidentifier": (Form.RENDERED, "LOWER(CAST({c} AS nvarchar(36)))"),
    "hierarchyid": (Form.RENDERED, "{c}.ToString()"),
    **dict.fromkeys(("geometry", "geography"), (Form.RENDERED, "{c}.STAsText()")),
}
OTHERS: TypeRow = (Form.RENDERED, "CAST({c} AS nvarchar(max))")

_MOST_VALUES = 2000
_MOST_DIGITS = 38
_ROW_ROOM = 1024 * 1024
_EXACT = "COLLATE Latin1_General_100_BIN2"

_LISTED = """
FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id
WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0
  AND HAS_PERMS_BY_NAME(QUOTENAME(s.name) + '.' + QUOTENAME(o.name), 'OBJECT', 'SELECT') =
"""
_TABLES = f"SELECT s.name, o.name, o.type, CASE WHEN s.name = SCHEMA_NAME() THEN 1 ELSE 0 END {_LISTED} 1"
_HIDDEN = f"SELECT s.name, o.name, USER_NAME() {_LISTED} 0"
_COLUMNS = f"""
SELECT c.name, CASE WHEN t.is_assembly_type = 1 THEN t.name ELSE COALESCE(TYPE_NAME(c.system_type_id), t.name) END,
  t.name, CAST(c.is_nullable AS int), CAST(c.precision AS int), CAST(c.scale AS int)
FROM sys.columns c JOIN sys.objects o ON o.object_id = c.object_id JOIN sys.schemas s ON s.schema_id = o.schema_id
  JOIN sys.types t ON t.user_type_id = c.user_type_id
WHERE s.name {_EXACT} = \0 AND o.name {_EXACT} = \0 AND o.type IN ('U', 'V') ORDER BY c.column_id
"""  # noqa: S608 - a collation
_VERSION = "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128))"


@dataclass(frozen=True)
class TypedValue:
    """A value as python-tds takes it, which sends it apart from the statement and with its type."""

    value: int | float | Decimal | str


quote = quoting("[", "]")


def _number(value: int | Decimal, column: Column) -> TypedValue:
    if column.form is Form.FLOAT:
        return TypedValue(as_double(value, column))
    number = Decimal(value)
    _, digits, exponent = number.as_tuple()
    scale = max(0, -int(exponent))
    if max(len(digits), len(digits) + int(exponent), scale) > _MOST_DIGITS:
        raise QueryRefused("value_type", column.name)
    whole = int(number)
    return TypedValue(whole if whole == number and -(2**63) <= whole < 2**63 else number)


class SqlServerDialect(Dialect):
    """T-SQL, whose limit stands at the beginning of a statement."""

    def tail(self, select: Sql, query: TableQuery, description: Description) -> Sql:
        """`select` completed with table, condition and limit."""
        if query.limit is None:
            return super().tail(select, query, description)
        first = Sql(f"SELECT TOP ({int(query.limit)})" + select.text.removeprefix("SELECT"), select.values)
        return super().tail(first, TableQuery(query.table, query.columns, query.where), description)


def dialect(zone: zoneinfo.ZoneInfo) -> Dialect:
    """SQL Server's SQL for a connection's zone; it knows zones by other names, so that instants are in UTC there."""

    def bind(value: Value, column: Column) -> TypedValue:
        match value:
            case dt.datetime():
                return TypedValue(_moment(value, column))
            case dt.date():
                return TypedValue(value.isoformat())
            case str():
                return TypedValue(value)
        return _number(value, column)

    def _moment(value: dt.datetime, column: Column) -> str:
        if column.form is Form.INSTANT:
            if is_ambiguous(value, zone):
                raise QueryRefused("value_type", column.name)
            with contextlib.suppress(OverflowError):
                value -= value.replace(tzinfo=zone).utcoffset() or dt.timedelta()
        # The library knows microseconds, the server one digit more.
        return value.isoformat(" ") + ("9" if value.microsecond == 999_999 else "")

    def seconds(form: Form) -> Shape:
        first = _moment(dt.datetime(1900, 1, 1, 0, 0, 0, 999_999), Column("", form, ""))  # noqa: DTZ001 - local
        return Shape(
            "CONVERT(nvarchar(19), {x}, 120)",
            f"{{x}} > CAST('{first}' AS datetime2(7))",
            value="CAST({v} AS datetime2(7))",
            unshown="N'-infinity'",
        )

    # Told to be of another collation, a text of one byte a letter loses what the code page of that one lacks.
    unicode = f"CAST({{x}} AS nvarchar(max)) {_EXACT}"
    exact = Shape(operand=f"({unicode} + NCHAR(1))", value="({v} + NCHAR(1))", narrow="{x}")
    shapes = {form: Shape() for form in Form}
    shapes |= dict.fromkeys((Form.TEXT, Form.RENDERED, Form.BINARY), exact)
    shapes |= {Form.DATE: Shape("CONVERT(nvarchar(10), {x}, 23)", value="CAST({v} AS date)")}
    shapes |= {form: seconds(form) for form in (Form.DATETIME, Form.INSTANT)}
    return SqlServerDialect(
        quote, shapes, "CAST({x} AS nvarchar(max))", f"LOWER({unicode})", "{x} LIKE {v} ESCAPE '|'", bind
    )


class SQLServer(Driver):
    """Microsoft SQL Server and Azure SQL."""

    name: ClassVar[str] = "mssql"
    label: ClassVar[str] = "Microsoft SQL Server"
    fields: ClassVar[tuple[Field, ...]] = (HOST, port_field(1433), DATABASE, USERNAME, PASSWORD, TLS, CA, TIMEZONE)
    mark: ClassVar[str] = "MS"
    note: ClassVar[str] = N_("Also Azure SQL")
    schemes: ClassVar[tuple[str, ...]] = ("sqlserver", "mssql")
    read_only_user: ClassVar[str] = """CREATE LOGIN bi_reader WITH PASSWORD = '...';
USE {database};
CREATE USER bi_reader FOR LOGIN bi_reader;
ALTER ROLE db_datareader ADD MEMBER bi_reader;"""
    quotes: ClassVar[tuple[str, str]] = ("[", "]")
    reads_only: ClassVar[bool] = False

    def open(self, values: SettingValues, guards: Guards) -> Session:
        """A session that is logged in (see `Driver.open`)."""
        settings = self.settings(values)
        connection = open_connection(settings, guards.policy, guards.limits.connect_seconds)
        session = SQLServerSession(connection, zoneinfo.ZoneInfo(settings["timezone"]), guards.limits)
        try:
            session.prepare()
        except BaseException:
            session.__exit__(None, None, None)
            raise
        return session


class SQLServerSession(Session):
    """A session whose transaction is never committed."""

    def __init__(self, connection: TdsConnection, zone: zoneinfo.ZoneInfo, limits: Limits) -> None:
        self._connection, self._zone = connection, zone
        self._dialect = dialect(zone)
        super().__init__(limits)
        self.deadline.hold(connection.opened)

    def prepare(self) -> None:
        """Begin what is never committed, and wait for no lock longer than ten seconds."""
        with self._errors():
            self._send("SET IMPLICIT_TRANSACTIONS ON; SET LOCK_TIMEOUT 10000; SET TEXTSIZE 2147483647", ())

    @property
    def casts(self) -> Casts:
        """SQL Server's casts: it knows no patterns, so that values become texts and nothing else."""
        shifted = {Form.INSTANT} if self._zone.key != "UTC" else set()
        return Casts(self._dialect, CastSql("", {}, silent=frozenset({Form.FLOAT, Form.EXACT} | shifted)))

    def check(self) -> Server:
        """SQL Server and its version."""
        return Server("Microsoft SQL Server", str(self._fetch(_VERSION)[0][0]), self._connection.encrypted)

    def _chunks(self, query: TableQuery, description: Description) -> Iterator[Chunk]:
        self._check_texts(query, description)
        columns = [description.column(name) for name in query.columns]
        statement = self._dialect.select(
            query, description, "CAST(CAST({x} AS nvarchar(max)) AS varbinary(max))", number="{x}", marks=True
        )
        with self._errors():
            yield from json_rows(self._cells(statement, columns), columns)

    def _check_texts(self, query: TableQuery, description: Description) -> None:
        """Raise `QueryRefused` for a search in texts that only this side writes."""
        refuse_float_texts(query.where, description)
        for leaf in comparisons_in(query.where):
            shifted = description.column(leaf.column).form is Form.INSTANT and self._zone.key != "UTC"
            if shifted and isinstance(leaf, TextSearch):
                raise QueryRefused("value_type", leaf.column)

    def _cells(self, statement: Sql, columns: Sequence[Column]) -> Iterator[list[bytes | None]]:
        readers = [self._reader(column) for column in columns]
        cap = self.limits.row_bytes
        for row in self._rows(statement):
            cells = [None if cell is None else read(cell) for read, cell in zip(readers, row, strict=True)]
            if sum(len(cell) for cell in cells if cell) > cap:
                raise TooBig("row_bytes", cap)
            yield cells

    def _reader(self, column: Column) -> Callable[[Any], bytes | None]:
        """What makes a cell's text."""
        if column.form is Form.EXACT:
            digits = column.native.rpartition(",")[2].removesuffix(")")
            return functools.partial(_decimal, digits=int(digits) if digits.isdigit() else 0)
        if column.is_number:
            return _number_text
        if column.form is Form.INSTANT and self._zone.key != "UTC":
            return self._local
        return _text

    def _local(self, cell: bytes) -> bytes | None:
        try:
            instant = dt.datetime.fromisoformat(_text(cell).decode()).replace(tzinfo=dt.UTC)
            return instant.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S").encode()
        except OverflowError:
            return None

    def _rows(self, statement: Sql) -> Iterator[Sequence[Any]]:
        """The rows of a statement, one by one; the socket takes no row beyond the cap."""
        values = tuple(value.value if isinstance(value, TypedValue) else _pattern(value) for value in statement.values)
        if len(values) > _MOST_VALUES:
            raise QueryRefused("filter_too_long")
        cursor = self._send(statement.with_markers("%s") if values else statement.text, values)
        # UTF-16 takes at most twice the bytes of UTF-8.
        room = 2 * self.limits.row_bytes + _ROW_ROOM
        self._connection.metered_socket.allowance = room
        while (row := cursor.fetchone()) is not None:
            self._connection.metered_socket.allowance = room
            self.deadline.check()
            yield row

    def _send(self, statement: str, values: tuple[Any, ...]) -> Any:
        self._connection.metered_socket.allowance = 2 * self.limits.row_bytes + _ROW_ROOM
        cursor = self._connection.connection.cursor()
        cursor.execute(statement, values or None)
        return cursor

    def _tables(self) -> list[Table]:
        return [
            Table(TableName(schema, name), "view" if kind.strip() == "V" else "table", bool(plain))
            for schema, name, kind, plain in self._fetch(_TABLES)
        ]

    def hidden(self) -> HiddenTables:
        """Tables to which the user has rights, but not to read: the server tells of no others."""
        rows = self._fetch(_HIDDEN)
        user = quote(rows[0][2]) if rows else ""
        return hidden_tables((TableName(row[0], row[1]) for row in rows), quote, user)

    def _describe(self, table: TableName) -> list[Column]:
        columns = []
        statement = Sql(_COLUMNS, (TypedValue(table.schema), TypedValue(table.name)))
        for name, base, native, nullable, precision, scale in self._fetch(statement):
            form, expression = MSSQL.get(base, OTHERS)
            if form is Form.EXACT:
                native = f"{native}({precision},{scale})"
            columns.append(Column(name, form, native, bool(nullable), "", expression, spelling_of(base)))
        return columns

    def _fetch(self, statement: Sql | str) -> list[Sequence[Any]]:
        with self._errors():
            return list(self._rows(Sql(statement) if isinstance(statement, str) else statement))

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Database errors become ours; a statement that we stopped ourselves is a `Timeout`."""
        self.deadline.check()
        try:
            yield
        except PROTOCOL_ERRORS as problem:
            self.deadline.check()
            raise target_error(problem) from problem
        except TargetError as problem:
            self.deadline.check()
            if isinstance(problem, TooBig):
                problem.limit = problem.limit or self.limits.row_bytes
            raise

    def _close(self) -> None:
        # The server ends what a caller asked who has gone.
        self._connection.metered_socket.close()


def _decimal(cell: Decimal, digits: int) -> bytes:
    """All digits that the column declares: python-tds drops zeros at the end, the server's own text has them."""
    return f"{cell:.{digits}f}".encode()


def _number_text(cell: float) -> bytes:
    return repr(cell).encode()


def _text(cell: bytes) -> bytes:
    return cell.decode("utf-16-le", "replace").encode()


def _pattern(pattern: str) -> str:
    """A pattern of ours as SQL Server reads it, where a bracket begins a set of characters."""
    return pattern.replace("[", LIKE_ESCAPE + "[")

"""ClickHouse over its HTTP interface, 24.3 and later.

Every request is read-only by the server's own setting (`readonly=2`), limited in time, and told to fail where a profile
would cut (`..._overflow_mode=throw`, `limit=0`). The server itself writes the rows as JSON (`CustomSeparated`), and an
end mark of this request's own behind the last one: an answer without it is broken, whatever its status says, since
ClickHouse reports an error in the middle of an answer with status 200 (facts/security 6).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import secrets
import urllib.parse
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
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
from drivers.casts import Casts
from drivers.clickhouse.casts import casts_in
from drivers.clickhouse.column_types import clickhouse_row, fraction_digits, is_nullable
from drivers.clickhouse.protocol import (
    OLDEST,
    SETTINGS,
    QueryParameter,
    ReadOnlyProfile,
    ServerBusy,
    UnknownSetting,
    failure,
    is_too_old,
    normalize_escapes,
    request_body,
    text_value,
)
from drivers.columns import Column, Form, spelling_of
from drivers.conditions import as_double, datetimes_in, is_ambiguous
from drivers.errors import Broken, LoginFailed, QueryRefused, SettingsWrong, TooBig
from drivers.hidden import HiddenTables, hidden_tables
from drivers.http_client import (
    PROTOCOL_ERRORS,
    HttpConnection,
    HttpEndpoint,
    HttpResponse,
    basic_login,
    broken_connection,
    endpoint,
    login,
    tell,
)
from drivers.query import Condition, Group, OneOf, TableName, TableQuery, Value
from drivers.sql import MARK, Dialect, Shape, Sql
from egress.errors import TargetError

_BLOCK = 256 * 1024
_AGENT = "bi-connectors"
_MOST_CATALOGUE_BYTES = 64 * 1024 * 1024
_MOST_DIGITS = 76
_WHOLE = {"Int64": range(-(2**63), 2**63), "Int256": range(-(2**255), 2**255), "UInt256": range(2**256)}
_MESSAGE = 4096
_LONGEST_VERSION = 40
_KILL = b"KILL QUERY WHERE query_id = {q:String} ASYNC"
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - the offset of the connection's zone is reckoned apart

_TABLES = """
SELECT database, name, engine LIKE '%View', database = currentDatabase(), comment FROM system.tables
WHERE NOT is_temporary AND database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')
  AND NOT startsWith(name, '.inner')
"""
# Who may read a table may see its columns.
_HIDDEN = """
SELECT database, name, currentUser() FROM system.tables
WHERE NOT is_temporary AND database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')
  AND NOT startsWith(name, '.inner') AND (database, name) NOT IN (SELECT database, table FROM system.columns)
"""
_COLUMNS = """
SELECT name, type, comment FROM system.columns
WHERE database = \0 AND table = \0 AND default_kind <> 'EPHEMERAL' ORDER BY position
"""


def quote(name: str) -> str:
    """A name in backticks."""
    if "\0" in name:
        raise QueryRefused("unknown_column", name)
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _number(value: int | Decimal, column: Column) -> QueryParameter:
    if column.form is Form.FLOAT:
        return QueryParameter("Float64", repr(as_double(value, column)))
    number = Decimal(value)
    _, digits, exponent = number.as_tuple()
    scale = max(0, -int(exponent))
    if max(len(digits), len(digits) + int(exponent)) + scale > _MOST_DIGITS + 2:
        raise QueryRefused("value_type", column.name)
    if column.form is not Form.EXACT and number == int(number):
        for kind, numbers in _WHOLE.items():
            if int(number) in numbers:
                return QueryParameter(kind, str(int(number)))
    if max(len(digits), len(digits) + int(exponent)) + scale > _MOST_DIGITS:
        raise QueryRefused("value_type", column.name)
    return QueryParameter(f"Decimal({_MOST_DIGITS}, {scale})", f"{number:f}")


def _microseconds(value: dt.datetime, zone: zoneinfo.ZoneInfo, column: Column) -> QueryParameter:
    """Microseconds since 1970, within what compares with the column's fractions without an overflow."""
    offset = value.replace(tzinfo=zone).utcoffset() or dt.timedelta()
    count = (value - _EPOCH - offset) // dt.timedelta(microseconds=1)
    most = (2**63 - 1) // 10 ** max(fraction_digits(column.native) - 6, 0)
    return QueryParameter("Int64", str(max(-most, min(count, most))))


def dialect(zone: zoneinfo.ZoneInfo, as_text: bool) -> Dialect:
    """ClickHouse's SQL for a connection's zone.

    Times are instants there and compared as such, which its indexes can serve; `as_text` compares what is shown, for
    times that the zone has twice or never.
    """

    def bind(value: Value, column: Column) -> QueryParameter:
        match value:
            case dt.datetime():
                return QueryParameter("String", value.isoformat(" ")) if as_text else _microseconds(value, zone, column)
            case dt.date():
                return QueryParameter("Int32", str((value - _EPOCH.date()).days))
            case str():
                return QueryParameter("String", value)
        return _number(value, column)

    shown = f"substring(toString(toTimeZone({{x}}, '{zone.key}')), 1, 19)"
    first = _microseconds(dt.datetime(1900, 1, 1, 0, 0, 1), zone, Column("", Form.INSTANT, ""))  # noqa: DTZ001 - in the connection's zone
    present = f"{{x}} >= fromUnixTimestamp64Micro({first.text})"
    instant = Shape(shown, present, shown) if as_text else Shape(shown, present, value="fromUnixTimestamp64Micro({v})")
    instant = replace(instant, unshown="'-infinity'")
    shapes = {form: Shape() for form in Form}
    shapes |= {Form.FLOAT: Shape(present="isFinite({x})"), Form.DATE: Shape(operand="toInt32({x})")}
    shapes |= {Form.INSTANT: instant}
    # A sigma at the end of a word is another letter in lower case, and then no part of the word.
    folded = "replaceAll(lowerUTF8({x}), '\u03c2', '\u03c3')"
    return Dialect(quote, shapes, "toString({x})", folded, "{x} LIKE {v}", bind, as_text, fine_fractions=True)


class ClickHouse(Driver):
    """ClickHouse 24.3 and later, also as a service."""

    name: ClassVar[str] = "clickhouse"
    label: ClassVar[str] = "ClickHouse"
    fields: ClassVar[tuple[Field, ...]] = (HOST, port_field(8443), DATABASE, USERNAME, PASSWORD, TLS, CA, TIMEZONE)
    mark: ClassVar[str] = "Ch"
    note: ClassVar[str] = N_("Over HTTPS")
    schemes: ClassVar[tuple[str, ...]] = ("clickhouse", "clickhouses")
    read_only_user: ClassVar[
        str
    ] = """CREATE USER bi_reader IDENTIFIED WITH sha256_password BY '...' SETTINGS readonly = 2;
GRANT SELECT ON {database}.* TO bi_reader;"""
    quotes: ClassVar[tuple[str, str]] = ("`", "`")

    def open(self, values: SettingValues, guards: Guards) -> Session:
        """A session that is logged in (see `Driver.open`)."""
        settings = self.settings(values)
        server = endpoint(settings, guards.policy, guards.limits.connect_seconds)
        session = ClickHouseSession(server, settings, guards.limits)
        with login(session, guards.limits.connect_seconds):
            session.prepare()
        return session


class ClickHouseSession(Session):
    """A read-only session; every request stands alone and carries its settings."""

    def __init__(self, server: HttpEndpoint, settings: Mapping[str, str], limits: Limits) -> None:
        self._database = settings["database"]
        self._headers = {
            "Authorization": basic_login(settings),
            "User-Agent": _AGENT,
        }
        self._zone = zoneinfo.ZoneInfo(settings["timezone"])
        self._running = ""
        super().__init__(limits)
        self._http = HttpConnection(server, self.deadline)

    def prepare(self) -> None:
        """Log in. Raises `LoginFailed`, `SettingsWrong` for a server, a zone or a profile that will not do."""
        try:
            self._check_age(self.check().version)
        except UnknownSetting:
            self._check_age(self._plain_version())
            raise
        except QueryRefused as problem:
            raise LoginFailed("database", problem.detail) from problem
        except ReadOnlyProfile as problem:
            raise SettingsWrong("username", "readonly_profile", problem.detail) from problem
        except ServerBusy as problem:
            raise LoginFailed("too_many_connections", problem.detail) from problem
        if self._zone.key == "UTC":
            return
        try:
            self._fetch(Sql(f"SELECT toTimeZone(toDateTime(0), {MARK})", (text_value(self._zone.key),)))
        except (QueryRefused, Broken) as problem:
            if problem.code == "connection_lost":
                raise
            raise SettingsWrong("timezone", "zone_unknown_to_server", problem.detail) from problem

    def _check_age(self, version: str) -> None:
        if is_too_old(version):
            needed = ".".join(map(str, OLDEST))
            detail = f"ClickHouse {version[:_LONGEST_VERSION]} answers there; version {needed} or later is needed."
            raise SettingsWrong("host", "server_too_old", detail)

    def _plain_version(self) -> str:
        """The version of a server that may know none of our settings; empty if it does not say."""
        with self._errors():
            answer = self._http.ask("POST", "/", self._headers, b"SELECT version()")
            return answer.start(_MESSAGE).decode("utf-8", "replace").strip() if answer.status == 200 else ""

    @property
    def casts(self) -> Casts:
        """ClickHouse's casts in the connection's zone."""
        return Casts(dialect(self._zone, as_text=False), casts_in(self._zone.key))

    def check(self) -> Server:
        """ClickHouse and its version."""
        return Server(
            "ClickHouse", str(self._fetch(Sql("SELECT version()"))[0][0]), self._http.endpoint.tls is not None
        )

    def _chunks(self, query: TableQuery, description: Description) -> Iterator[Chunk]:
        with self._errors():
            # The server may stop early; whether the answer is over the cap is counted here (`Session.rows`).
            limit = {} if self.limits.rows is None else {"max_result_rows": str(self.limits.rows)}
            for rows in self._rows(self._statement(query, description), limit):
                yield Chunk(normalize_escapes(rows).replace(b"\n", b",\n"), rows.count(b"\n") + 1)

    def _statement(self, query: TableQuery, description: Description) -> Sql:
        as_text = any(is_ambiguous(moment, self._zone) for moment in datetimes_in(query.where))
        spoken = dialect(self._zone, as_text)
        # Without aliases: ClickHouse would let them stand for columns in conditions.
        items = (spoken.told(description.column(name)) for name in query.columns)
        where = None if query.where is None else _without_fractions(query.where, description)
        return spoken.tail(Sql(f"SELECT {', '.join(items)}"), replace(query, where=where), description)

    def _rows(self, statement: Sql, settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[bytes]:
        """Whole rows as ClickHouse wrote them, a line each. Raises what the answer's end says."""
        mark = secrets.token_hex(16).encode()
        answer = self._send(statement, {**settings, "format_custom_result_after_delimiter": "\n" + mark.decode()})
        rest = b""
        for block in answer.blocks(_BLOCK):
            self.deadline.check()
            rows, _, rest = (rest + block).rpartition(b"\n")
            if rows:
                self._check_rows(rows, rest)
                yield rows
            elif len(rest) > self.limits.row_bytes + len(mark):
                raise TooBig("row_bytes", self.limits.row_bytes)
        if rest != mark:
            raise failure(rest, "the answer lacks its end mark")

    def _check_rows(self, rows: bytes, rest: bytes) -> None:
        """Raise for an error among the rows, and for a row over the cap."""
        if not rows.startswith(b"[") or not rows.endswith(b"]") or rows.count(b"\n[") != rows.count(b"\n"):
            raise failure(rows + b"\n" + rest, "a line is no row")
        cap = self.limits.row_bytes
        if len(rows) > cap and any(len(row) > cap for row in rows.split(b"\n")):
            raise TooBig("row_bytes", cap)

    def _send(self, statement: Sql, settings: Mapping[str, str]) -> HttpResponse:
        """The answer to a statement, whose head says that all is well so far."""
        headers, body = request_body(statement)
        self._running = secrets.token_hex(16)
        seconds = self.deadline.left
        parameters = {
            **SETTINGS,
            "database": self._database,
            "query_id": self._running,
            "max_execution_time": str(max(int(seconds), 1)),
            **settings,
        }
        path = "/?" + urllib.parse.urlencode(parameters, errors="surrogatepass")
        answer = self._http.ask("POST", path, {**self._headers, **headers}, body)
        if answer.status != 200 or answer.header("X-ClickHouse-Exception-Code"):
            said = answer.start(_MESSAGE)
            code = answer.header("X-ClickHouse-Exception-Code")
            raise failure(said, f"HTTP status {answer.status}", code)
        return answer

    def _tables(self) -> list[Table]:
        return [
            Table(TableName(schema, name), "view" if view else "table", bool(plain), comment)
            for schema, name, view, plain, comment in self._fetch(Sql(_TABLES))
        ]

    def hidden(self) -> HiddenTables:
        """Tables that the user may see and not read: the server tells of no others."""
        rows = self._fetch(_HIDDEN)
        user = quote(rows[0][2]) if rows else ""
        return hidden_tables((TableName(schema, name) for schema, name, _ in rows), quote, user)

    def _describe(self, table: TableName) -> list[Column]:
        columns = []
        for name, native, comment in self._fetch(Sql(_COLUMNS, (text_value(table.schema), text_value(table.name)))):
            form, expression = clickhouse_row(native)
            columns.append(Column(name, form, native, is_nullable(native), comment, expression, spelling_of(native)))
        return columns

    def _fetch(self, statement: Sql | str) -> list[list[Any]]:
        if isinstance(statement, str):
            statement = Sql(statement)
        read: list[bytes] = []
        with self._errors():
            for rows in self._rows(statement):
                read.append(rows)
                if sum(map(len, read)) > _MOST_CATALOGUE_BYTES:
                    raise Broken("bad_answer", "the catalogue is too large")
            lines = b"\n".join(read).split(b"\n") if read else []
            return [json.loads(line.decode("utf-8", "replace")) for line in lines]

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Failures become our errors; a statement that we stopped ourselves is a `Timeout`."""
        self.deadline.check()
        try:
            yield
        except PROTOCOL_ERRORS as problem:
            self.deadline.check()
            raise broken_connection(problem) from problem
        except TargetError as problem:
            self.deadline.check()
            if isinstance(problem, TooBig):
                problem.limit = problem.limit or self.limits.rows or 0
            raise
        self._running = ""

    def _close(self) -> None:
        self._http.close()
        if self._running and self.deadline.is_over:
            # The server notices a lost caller late, or never while it sends nothing.
            path = "/?" + urllib.parse.urlencode({"param_q": self._running})
            tell(self._http.endpoint, "POST", path, self._headers, _KILL)


def _without_fractions(condition: Condition, description: Description) -> Condition:
    """The condition without fractions in lists for whole numbers: ClickHouse refuses them, and nothing equals them."""
    match condition:
        case Group():
            inner = (_without_fractions(part, description) for part in condition.conditions)
            return Group(condition.logic, tuple(inner))
        case OneOf() if description.column(condition.column).type == "int":
            whole = (value for value in condition.values if not _is_fraction(value))
            return OneOf(condition.column, tuple(whole), condition.negated)
    return condition


def _is_fraction(value: Value) -> bool:
    return isinstance(value, Decimal) and value.is_finite() and value != value.to_integral_value()

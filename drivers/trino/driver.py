"""Trino over its REST protocol, 418 and later: one door to many databases, and one for data that outgrew its own.

A statement is posted, and its rows come in pages of JSON, each naming the address of the next. Only the path of such an
address is used: a server cannot send us elsewhere. Statements run in a read-only transaction, their values apart from
them (`EXECUTE IMMEDIATE ... USING`). Rows are believed when a page was read to its end, and the answer is whole when
the server says `FINISHED`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
import urllib.parse
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

import orjson

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
from drivers.columns import Column, Form, spelling_of
from drivers.conditions import as_double, datetimes_in, is_ambiguous, refuse_float_texts
from drivers.errors import Broken, LoginFailed, QueryRefused, TooBig
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
from drivers.query import TableName, TableQuery, Value
from drivers.sql import MARK, Dialect, Shape, Sql, quoting
from drivers.trino.protocol import failure, json_row, trino_row
from egress.deadline import Deadline
from egress.errors import TargetError

_LONGEST_STATEMENT = 900_000
_PAGE_ROOM = 8 * 1024 * 1024
_MOST_CATALOGUE_ROWS = 500_000
_MOST_DIGITS = 38
_BUSY = frozenset({429, 502, 503, 504})
_PAUSE = 0.1
_TRANSACTION, _NONE = "X-Trino-Transaction-Id", "NONE"

_TABLES = "SELECT table_schema, table_name, table_type FROM {i}.tables WHERE table_schema <> 'information_schema'"
_COLUMNS = (
    "SELECT column_name, data_type, is_nullable FROM {i}.columns "
    "WHERE table_schema = \0 AND table_name = \0 ORDER BY ordinal_position"
)


quote = quoting('"', '"')


class SqlLiteral(str):
    """A value as it stands in SQL."""

    __slots__ = ()


def literal(text: str) -> SqlLiteral:
    """A text in SQL: Trino knows no escape but the doubled quote."""
    return SqlLiteral("'" + text.replace("'", "''") + "'")


def _number(value: int | Decimal, column: Column) -> SqlLiteral:
    if column.form is Form.FLOAT:
        return SqlLiteral(f"DOUBLE '{as_double(value, column)!r}'")
    number = Decimal(value)
    _, digits, exponent = number.as_tuple()
    scale = max(0, -int(exponent))
    if max(len(digits), len(digits) + int(exponent), scale) > _MOST_DIGITS:
        raise QueryRefused("value_type", column.name)
    whole = int(number)
    if number == whole and -(2**63) <= whole < 2**63:
        return SqlLiteral(f"BIGINT '{whole}'")
    return SqlLiteral(f"DECIMAL '{number:f}'")


def dialect(zone: zoneinfo.ZoneInfo, as_shown: bool) -> Dialect:
    """Trino's SQL for a connection's zone.

    Times with a zone are compared as instants, which the databases behind Trino can serve; `as_shown` compares local
    times, for those that the zone has twice or never.
    """

    def bind(value: Value, column: Column) -> SqlLiteral:
        match value:
            case dt.datetime():
                local = column.form is not Form.INSTANT or as_shown
                return SqlLiteral(f"TIMESTAMP '{value.isoformat(' ')}{'' if local else ' ' + zone.key}'")
            case dt.date():
                return SqlLiteral(f"DATE '{value.isoformat()}'")
            case str():
                return literal(value)
        return _number(value, column)

    def within(zone: str) -> str:
        first, last = f"TIMESTAMP '1900-01-01 00:00:00.999999{zone}'", f"TIMESTAMP '10000-01-01 00:00:00{zone}'"
        return f"({{x}} > {first} AND {{x}} < {last})"

    local = f"CAST({{x}} AT TIME ZONE '{zone.key}' AS timestamp(6))"
    instant = Shape(_seconds(local), within(f" {zone.key}"), local if as_shown else "{x}")
    shapes = {form: Shape() for form in Form}
    shapes |= {
        Form.FLOAT: Shape(present="is_finite({x})"),
        Form.DATE: Shape(present="{x} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"),
        Form.DATETIME: Shape(_seconds("{x}"), within("")),
        Form.INSTANT: instant,
    }
    return Dialect(quote, shapes, "CAST({x} AS varchar)", "lower({x})", "{x} LIKE {v} ESCAPE '|'", bind)


def _seconds(expression: str) -> str:
    return f"CAST(date_trunc('second', {expression}) AS timestamp(0))"


CASTS = CastSql(
    "regexp_like({t}, '{p}')",
    {
        "int": TextConversion(Form.INTEGER, "CAST(split_part({t}, '.', 1) AS bigint)"),
        "double": TextConversion(Form.FLOAT, "CAST({t} AS double)"),
        "date": TextConversion(Form.DATE, "CAST({t} AS date)"),
        "datetime": TextConversion(Form.DATETIME, "CAST({t} AS timestamp(6))"),
    },
    # The server writes the text of floating numbers in a way of its own.
    silent=frozenset({Form.FLOAT}),
)


class Trino(Driver):
    """Trino 418 and later; `database` is a catalog."""

    name: ClassVar[str] = "trino"
    label: ClassVar[str] = "Trino"
    fields: ClassVar[tuple[Field, ...]] = (
        *(
            HOST,
            port_field(443),
            replace(DATABASE, example="hive", hint=N_("The catalog to read.")),
            USERNAME,
            PASSWORD,
            TLS,
            CA,
            TIMEZONE,
        ),
    )
    mark: ClassVar[str] = "Tr"
    note: ClassVar[str] = N_("Queries many databases through one server")
    schemes: ClassVar[tuple[str, ...]] = ("trino",)

    def open(self, values: SettingValues, guards: Guards) -> Session:
        """A session that is logged in (see `Driver.open`)."""
        settings = self.settings(values)
        server = endpoint(settings, guards.policy, guards.limits.connect_seconds)
        session = TrinoSession(server, settings, guards.limits)
        with login(session, guards.limits.connect_seconds):
            session.prepare()
        return session


class TrinoSession(Session):
    """A read-only transaction of one user in one catalog."""

    def __init__(self, server: HttpEndpoint, settings: Mapping[str, str], limits: Limits) -> None:
        self._zone = zoneinfo.ZoneInfo(settings["timezone"])
        self._schema = f"{quote(settings['database'])}.information_schema"
        self._headers = {
            "User-Agent": "bi-connectors",
            "X-Trino-User": settings["username"],
            "X-Trino-Source": "bi-connectors",
            "X-Trino-Catalog": settings["database"],
            "X-Trino-Time-Zone": self._zone.key,
            "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
            _TRANSACTION: _NONE,
        }
        if settings["password"]:
            self._headers["Authorization"] = basic_login(settings)
        self._next = ""
        super().__init__(limits)
        self._http = HttpConnection(server, self.deadline)

    def is_computing(self, begun: bool) -> bool:
        """No: a coordinator answers every request within a second or so, also while it computes."""
        return False

    def prepare(self) -> None:
        """Log in, begin the read-only transaction, look for the catalog. Raises `LoginFailed`."""
        self._headers["X-Trino-Session"] = f"query_max_run_time={max(int(self.deadline.left), 1)}s"
        try:
            self._fetch(f"SELECT 1 FROM {self._schema}.schemata LIMIT 1")  # noqa: S608 - the catalog is quoted
        except QueryRefused as problem:
            raise LoginFailed("database", problem.detail) from problem

    @property
    def casts(self) -> Casts:
        """Trino's casts in the connection's zone."""
        return Casts(dialect(self._zone, as_shown=False), CASTS)

    def check(self) -> Server:
        """Trino and its version."""
        return Server("Trino", str(self._fetch("SELECT version()")[0][0]), self._http.endpoint.tls is not None)

    def _chunks(self, query: TableQuery, description: Description) -> Iterator[Chunk]:
        refuse_float_texts(query.where, description)
        spoken = dialect(self._zone, any(is_ambiguous(moment, self._zone) for moment in datetimes_in(query.where)))
        columns = [description.column(name) for name in query.columns]
        numbers = [column.is_number for column in columns]
        cap = self.limits.row_bytes
        with self._errors():
            for page in self._read_only(_with_values(spoken.select(query, description))):
                rows = [json_row(row, numbers) for row in page]
                if any(len(row) > cap for row in rows):
                    raise TooBig("row_bytes", cap)
                if rows:
                    yield Chunk(b",\n".join(rows), len(rows))

    def _read_only(self, statement: str) -> Iterator[list[Any]]:
        """The rows of a statement in the session's transaction, or in a new one after an error, which ends the old."""
        if self._headers[_TRANSACTION] == _NONE:
            for _ in self._pages("START TRANSACTION READ ONLY"):
                pass
            if self._headers[_TRANSACTION] == _NONE:
                raise Broken("bad_answer", "no transaction began")
        yield from self._pages(statement)

    def _pages(self, statement: str) -> Iterator[list[Any]]:
        """The rows of a statement, page by page, until the server says that it has finished."""
        body = statement.encode("utf-8", "surrogatepass")
        if len(body) > _LONGEST_STATEMENT:
            raise QueryRefused("filter_too_long")
        page = self._page("POST", "/v1/statement", body)
        while True:
            rows = page.get("data") or []
            if not isinstance(rows, list):
                raise Broken("bad_answer", "rows are no list")
            yield rows
            self.deadline.check()
            if not self._next:
                break
            page = self._page("GET", self._next)
        state = page.get("stats", {}).get("state") if isinstance(page.get("stats"), dict) else None
        if state != "FINISHED":
            raise Broken("bad_answer", f"the last page says {state}"[:100])

    def _page(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        """One page. Raises what the server says went wrong."""
        answer = self._send(method, path, body)
        cap = self.limits.row_bytes + _PAGE_ROOM
        text = answer.body(cap, TooBig("row_bytes", self.limits.row_bytes))
        if answer.status == 401:
            raise LoginFailed("password")
        if answer.status == 403:
            raise LoginFailed("refused")
        if answer.status != 200:
            raise Broken("bad_answer", f"HTTP status {answer.status}")
        page = orjson.loads(text)
        if not isinstance(page, dict) or "id" not in page or "stats" not in page:
            raise Broken("bad_answer", "no page of Trino")
        self._next = _own_path(page.get("nextUri"))
        if page.get("error"):
            self._next, self._headers[_TRANSACTION] = "", _NONE
            raise failure(page["error"])
        started = answer.header("X-Trino-Started-Transaction-Id")
        if started:
            self._headers[_TRANSACTION] = started
        return page

    def _send(self, method: str, path: str, body: bytes) -> HttpResponse:
        """The answer to a request; a busy server is asked again, as its protocol wants it."""
        while True:
            answer = self._http.ask(method, path, self._headers, body)
            if answer.status not in _BUSY:
                return answer
            answer.body(_PAGE_ROOM, Broken("bad_answer"))
            time.sleep(min(_PAUSE, self.deadline.left))
            self.deadline.check()

    def _tables(self) -> list[Table]:
        return [
            Table(TableName(schema, name), "view" if "VIEW" in kind else "table", plain=False)
            for schema, name, kind in self._fetch(_TABLES.replace("{i}", self._schema))
        ]

    def _describe(self, table: TableName) -> list[Column]:
        columns = []
        statement = Sql(_COLUMNS.replace("{i}", self._schema), (literal(table.schema), literal(table.name)))
        for name, native, nullable in self._fetch(_with_values(statement)):
            form, expression = trino_row(native)
            columns.append(Column(name, form, native, nullable == "YES", "", expression, spelling_of(native)))
        return columns

    def _fetch(self, statement: str) -> list[list[Any]]:
        read: list[list[Any]] = []
        with self._errors():
            for page in self._read_only(statement):
                read.extend(page)
                if len(read) > _MOST_CATALOGUE_ROWS:
                    raise Broken("bad_answer", "the catalogue is too large")
        return read

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Failures become our errors; a statement that we stopped ourselves is a `Timeout`."""
        self.deadline.check()
        try:
            yield
        except PROTOCOL_ERRORS as problem:
            self.deadline.check()
            raise broken_connection(problem) from problem
        except TargetError:
            self.deadline.check()
            raise

    def _cancel_query(self) -> None:
        """Tell the server that nobody wants the rest."""
        path, self._next = self._next, ""
        if path:
            tell(self._http.endpoint, "DELETE", path, self._headers)

    def _roll_back(self) -> None:
        """End the transaction, unless the session ends in the middle of something: then the server lets it idle out."""
        if self._next or self.deadline.is_over or self._headers[_TRANSACTION] == _NONE:
            return
        with contextlib.suppress(TargetError, *PROTOCOL_ERRORS), Deadline(STOP_SECONDS):
            for _ in self._pages("ROLLBACK"):
                pass

    def _close(self) -> None:
        self._roll_back()
        self._http.close()
        self._cancel_query()


def _with_values(statement: Sql) -> str:
    """The statement with its values behind it; patterns of LIKE did not go through `bind` (`drivers/sql.py`)."""
    if not statement.values:
        return statement.text
    text, *rest = statement.text.split(MARK)
    values = (value if isinstance(value, SqlLiteral) else literal(value) for value in statement.values)
    return f"EXECUTE IMMEDIATE {literal('?'.join((text, *rest)))} USING {', '.join(values)}"


def _own_path(address: object) -> str:
    """The path of the next page, on the server that was checked, whichever host the address names."""
    if not address:
        return ""
    parts = urllib.parse.urlsplit(str(address))
    if not parts.path.startswith("/v1/statement/"):
        raise Broken("bad_answer", "the next page is elsewhere")
    return parts.path + (f"?{parts.query}" if parts.query else "")

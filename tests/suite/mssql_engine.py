"""SQL Server's protocol in front of DuckDB, for which the driver's few forms of T-SQL are rewritten.

It proves the driver's statements, parameters, rows and errors against each other, and nothing about SQL Server itself.
"""

from __future__ import annotations

import re
import ssl
import struct
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from drivers.columns import Form
from egress.policy import Policy
from tests.drivers import tds_server
from tests.drivers.servers import certificates
from tests.drivers.tds_server import OFF, SqlServer, done, error, text
from tests.suite.databases import DuckDBDatabase

_ROWS_OF_A_PART = 1000
_FAILED = 2
_HEADERS = 22
_EXECUTE_SQL = b"\xff\xff\x0a\0"
_VERSION = "SELECT '16.0.1000.6'"
_TABLES = """
SELECT table_schema, table_name, CASE table_type WHEN 'VIEW' THEN 'V ' ELSE 'U ' END, 1
FROM information_schema.tables WHERE table_schema <> 'closed'
"""
_HIDDEN = "SELECT table_schema, table_name, 'reader' FROM information_schema.tables WHERE table_schema = 'closed'"
_COLUMNS = """
SELECT column_name, type, type, CASE is_nullable WHEN 'YES' THEN 1 ELSE 0 END, numeric_precision, numeric_scale
FROM (SELECT *, CASE regexp_extract(data_type, '[A-Z]+') WHEN 'BOOLEAN' THEN 'bit' WHEN 'VARCHAR' THEN 'nvarchar'
  WHEN 'DOUBLE' THEN 'float' WHEN 'TIMESTAMP' THEN 'datetime2' WHEN 'INTEGER' THEN 'int'
  ELSE lower(regexp_extract(data_type, '[A-Z]+')) END AS type FROM information_schema.columns)
WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position
"""
_REWRITTEN = (
    (re.compile(r" COLLATE Latin1_General_100_BIN2"), ""),
    (re.compile(r" \+ NCHAR\(1\)"), " || chr(1)"),
    (re.compile(r"\bn?varchar\(max\)|\bvarbinary\(max\)"), "VARCHAR"),
    (re.compile(r"\bCONVERT\(nvarchar\(\d+\), "), "convert_style("),
    (re.compile(r"\bdatetime2\(7\)"), "TIMESTAMP"),
    (re.compile(r"\bAS float\)"), "AS DOUBLE)"),
    (re.compile(r"@P(\d+)"), r"$\1"),
)
_STYLES = (
    "CREATE MACRO convert_style(x, style) AS "
    "strftime(x, CASE style WHEN 23 THEN '%Y-%m-%d' WHEN 120 THEN '%Y-%m-%d %H:%M:%S' END)"
)
_NUMBERS: dict[type[duckdb.Error], int] = {duckdb.CatalogException: 208, duckdb.BinderException: 207}
_NAME = re.compile(r"\[((?:[^\]]|\]\])*)\]")
_TOP = re.compile(r"^SELECT TOP \((\d+)\)")


class SQLServerDatabase(DuckDBDatabase):
    driver = "mssql"
    schema = "suite"
    rows_come_joined = False
    #: A time between others is two values, of which the driver takes 2,000.
    most_conditions = 1000
    #: Each goes to a server in this process.
    random_filters = 1000
    uncastable = frozenset(
        {
            *((Form.TEXT, wanted) for wanted in ("int", "double", "date", "datetime")),
            (Form.EXACT, "int"),
            (Form.EXACT, "string"),
            (Form.FLOAT, "string"),
            (Form.DATE, "datetime"),
            (Form.DATETIME, "date"),
        }
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.admin.execute(f"SET threads = 1; CREATE SCHEMA suite; {_STYLES}")
        self._running: list[str] = []
        files = certificates(folder, "db.example.com")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(files.cert_file, files.key_file)
        self._server = SqlServer(self._answer, OFF, tls)
        self.policy = Policy(allow=[f"127.0.0.1:{self._server.port}"])
        settings = {"host": "127.0.0.1", "database": "shop", "username": "reader", "password": "secret"}
        self.settings = {**settings, "port": str(self._server.port), "tls": "disable"}

    def running(self, word: str) -> list[Any]:
        return [statement for statement in self._running if word in statement]

    def close(self) -> None:
        self._server.close()
        super().close()

    def _answer(self, request: bytes) -> Iterator[bytes]:
        """The tokens of an answer, some rows at a time."""
        statement, values = _request(request)
        cursor = self.admin.cursor()
        self._running.append(statement)
        try:
            cursor.execute(_for_duckdb(statement), values)
            kinds = [_kind(column[1], "varbinary" in statement) for column in cursor.description or []]
            yield tds_server.columns(kinds)
            while rows := cursor.fetchmany(_ROWS_OF_A_PART):
                shown = ([_cell(cell, kind) for cell, kind in zip(row, kinds, strict=True)] for row in rows)
                yield b"".join(tds_server.row(kinds, row) for row in shown)
            yield done()
        except duckdb.Error as problem:
            yield error(_NUMBERS.get(type(problem), 50000), str(problem)[:1000]) + done(_FAILED)
        finally:
            self._running.remove(statement)
            cursor.close()


def _request(request: bytes) -> tuple[str, list[Any]]:
    """The statement and the values of a batch, or of a call of `sp_executesql` ([MS-TDS] 2.2.6.6)."""
    body = request[_HEADERS:]
    if not body.startswith(_EXECUTE_SQL):
        return body.decode("utf-16-le"), []
    values, position = [], len(_EXECUTE_SQL) + 2
    while position < len(body):
        position += 1 + 2 * body[position] + 1
        value, position = _value(body, position)
        values.append(value)
    return values[0], values[2:]


def _value(body: bytes, position: int) -> tuple[Any, int]:
    """The value whose type stands at `position`, and where the next parameter begins."""
    kind, position = body[position], position + 1
    if kind == 0xE7:
        position += 2 + 5 + 8
        found = b""
        while length := int.from_bytes(body[position : position + 4], "little"):
            found += body[position + 4 : position + 4 + length]
            position += 4 + length
        return found.decode("utf-16-le"), position + 4
    if kind == 0x26:
        size = body[position + 1]
        return int.from_bytes(body[position + 2 : position + 2 + size], "little", signed=True), position + 2 + size
    if kind == 0x6D:
        return struct.unpack_from("<d", body, position + 2)[0], position + 10
    assert kind in (0x6A, 0x6C), kind
    _, _, scale, size, is_positive = body[position : position + 5]
    digits = int.from_bytes(body[position + 5 : position + 4 + size], "little")
    return Decimal(digits if is_positive else -digits).scaleb(-scale), position + 4 + size


def _for_duckdb(statement: str) -> str:
    """The driver's T-SQL as DuckDB reads it; names are taken out first, since they may look like anything."""
    if "SERVERPROPERTY" in statement:
        return _VERSION
    if "sys.columns" in statement:
        return _COLUMNS
    if "sys.objects" in statement:
        return _HIDDEN if "USER_NAME" in statement else _TABLES
    limit = ""
    if top := _TOP.match(statement):
        statement, limit = "SELECT" + statement[top.end() :], f" LIMIT {top[1]}"
    pieces = _NAME.split(statement)
    for pattern, replacement in _REWRITTEN:
        pieces[::2] = [pattern.sub(replacement, piece) for piece in pieces[::2]]
    pieces[1::2] = ['"' + name.replace("]]", "]").replace('"', '""') + '"' for name in pieces[1::2]]
    return "".join(pieces) + limit


def _kind(native: object, as_bytes: bool) -> str:
    name = str(native).partition("(")[0]
    texts = "bytes" if as_bytes else "nvarchar"
    return {"VARCHAR": texts, "DOUBLE": "float", "DECIMAL": "decimal"}.get(name, "int")


def _cell(cell: Any, kind: str) -> Any:
    return text(cell) if kind == "bytes" and cell is not None else cell

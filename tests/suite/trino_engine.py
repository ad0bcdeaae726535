"""Trino's protocol in front of DuckDB, which speaks nearly Trino's SQL: what the driver asks is answered by an engine.

It proves the driver's statements, values, pages and errors against each other, and nothing about Trino itself.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from drivers.columns import Form
from egress.policy import Policy
from tests.drivers.http_server import Asked, Played, answer
from tests.suite.databases import DuckDBDatabase

_ROWS_OF_A_PAGE = 1000
_IMMEDIATE = re.compile(r"EXECUTE IMMEDIATE '((?:[^']|'')*)' USING (.*)", re.DOTALL)
_VALUE = re.compile(r"(?:(BIGINT|DECIMAL|DOUBLE|DATE|TIMESTAMP) )?'((?:[^']|'')*)'(?:, |$)", re.DOTALL)
_READ: Mapping[str, Callable[[str], Any]] = {
    "": str,
    "BIGINT": int,
    "DECIMAL": Decimal,
    "DOUBLE": float,
    "DATE": dt.date.fromisoformat,
    "TIMESTAMP": dt.datetime.fromisoformat,
}
_READ_ONLY = "read-only"
#: DuckDB calls the catalog of what is kept in memory so, and has one such schema for all catalogs.
_SCHEMA = '"memory".information_schema'


class TrinoDatabase(DuckDBDatabase):
    driver = "trino"
    schema = "suite"
    rows_come_joined = False
    #: Each takes three requests, to a server in this process.
    random_filters = 1000
    uncastable = frozenset({(Form.FLOAT, "string")})

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.admin.execute("SET threads = 1; CREATE SCHEMA suite; CREATE MACRO is_finite(x) AS isfinite(x)")
        self.admin.execute("CREATE MACRO regexp_like(x, p) AS regexp_matches(x, p)")
        self._numbers = itertools.count(1)
        self._queries: dict[str, _Query] = {}
        self._server = Played(self._play)
        self.policy = Policy(allow=[f"127.0.0.1:{self._server.port}"])
        settings = {"host": "127.0.0.1", "database": "memory", "username": "reader", "tls": "disable"}
        self.settings = {**settings, "port": str(self._server.port)}

    def running(self, word: str) -> list[Any]:
        return [query.statement for query in self._queries.values() if word in query.statement]

    def close(self) -> None:
        self._server.close()
        for query in self._queries.values():
            query.cancel()
        super().close()

    def _play(self, asked: Asked) -> bytes:
        if asked.method == "POST":
            name = f"q{next(self._numbers)}"
            self._queries[name] = _Query(self.admin.cursor(), asked.body, asked.headers["x-trino-transaction-id"])
            return self._page(name, {}, {})
        name = asked.path.split("/")[3]
        if asked.method == "DELETE":
            with contextlib.suppress(KeyError):
                self._queries.pop(name).cancel()
            return answer(b"", 204)
        if (query := self._queries.get(name)) is None:
            # Cancelled while its next page was already asked for.
            return answer(b"", 410)
        try:
            rows = next(query.pages, None)
        except duckdb.Error as problem:
            error = {"errorName": _error_name(problem), "message": str(problem)}
            self._queries.pop(name, None)
            return answer(json.dumps({"id": name, "stats": {"state": "FAILED"}, "error": error}).encode())
        if rows is not None:
            return self._page(name, {"data": rows}, {})
        self._queries.pop(name, None)
        begun = query.statement == "START TRANSACTION READ ONLY"
        headers = {"X_Trino_Started_Transaction_Id": _READ_ONLY} if begun else {}
        return answer(json.dumps({"id": name, "stats": {"state": "FINISHED"}}).encode(), 200, **headers)

    def _page(self, name: str, page: dict[str, Any], headers: dict[str, str]) -> bytes:
        following = f"http://127.0.0.1/v1/statement/{name}/{next(self._numbers)}"
        whole = {"id": name, "stats": {"state": "RUNNING"}, "nextUri": following, **page}
        return answer(json.dumps(whole, ensure_ascii=False).encode("utf-8", "surrogatepass"), 200, **headers)


class _Query:
    """A statement that was posted; it runs when its first page is asked for."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, statement: str, transaction: str) -> None:
        self.statement = statement
        self._cursor, self._transaction = cursor, transaction
        self.pages = self._run()

    def cancel(self) -> None:
        self._cursor.interrupt()

    def _run(self) -> Iterator[list[list[Any]]]:
        if self.statement in ("START TRANSACTION READ ONLY", "ROLLBACK"):
            return
        text, values = _parts(self.statement)
        with contextlib.closing(self._cursor):
            if self._transaction == _READ_ONLY:
                self._cursor.execute("BEGIN TRANSACTION READ ONLY")
            self._cursor.execute(text, values)
            while rows := self._cursor.fetchmany(_ROWS_OF_A_PAGE):
                yield [[_cell(cell) for cell in row] for row in rows]


def _parts(statement: str) -> tuple[str, list[Any]]:
    """A statement for DuckDB and its values; types are told in small letters, as Trino's are."""
    values: list[Any] = []
    if found := _IMMEDIATE.fullmatch(statement):
        statement = found[1].replace("''", "'")
        values = [_READ[kind or ""](text.replace("''", "'")) for kind, text in _VALUE.findall(found[2])]
    if _SCHEMA in statement:
        statement = statement.replace(_SCHEMA, "information_schema").replace("data_type", "lower(data_type)", 1)
    return statement, values


def _cell(cell: Any) -> Any:
    """A value as Trino's JSON holds it."""
    match cell:
        case dt.datetime():
            return cell.isoformat(" ")
        case dt.date() | Decimal():
            return str(cell)
    return cell


def _error_name(problem: duckdb.Error) -> str:
    match problem:
        case duckdb.CatalogException():
            return "TABLE_NOT_FOUND"
        case duckdb.BinderException():
            return "COLUMN_NOT_FOUND"
        case duckdb.InterruptException():
            return "USER_CANCELED"
    return "READ_ONLY_VIOLATION" if "read-only" in str(problem) else "GENERIC_INTERNAL_ERROR"

"""The databases that the suite runs on: how each is reached, and how tables come into it.

Real servers: PostgreSQL on 127.0.0.1:5432 and MariaDB on 127.0.0.1:3306; each opening makes a database of its own and
drops it.
"""

from __future__ import annotations

import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import apsw
import duckdb
import psycopg

from drivers.base import Description, Guards, Limits, Session
from drivers.catalogue import DRIVERS
from drivers.columns import Form, PortalType
from drivers.query import Condition, TableName, TableQuery
from egress.policy import Policy
from tests.databases import POSTGRESQL, mariadb_administrator, mariadb_database, postgresql_database
from tests.waiting import eventually

POLICY = Policy(allow=["127.0.0.1:5432", "127.0.0.1:3306"])


class Database(ABC):
    """One driver on one server or file."""

    driver: str
    #: The database's own type for each form, as a test table uses it.
    types: Mapping[Form, str]
    #: Whether the server itself writes whole rows as JSON; otherwise the driver puts them together cell by cell.
    rows_come_joined = True
    #: How many random filters the suite asks.
    random_filters = 10_000
    #: How many conditions a filter of the suite has; a portal's call can hold 5,000.
    most_conditions = 5000
    #: Types in which columns of a form cannot be published, since the server has no exact cast.
    uncastable: frozenset[tuple[Form, PortalType]] = frozenset()
    #: What the tables' schema is called.
    schema: str = ""
    #: What a view is listed as.
    view_kind: str = "view"
    #: A statement that runs for ten minutes, as the body of a view.
    endless: str

    def __init__(self, folder: Path) -> None:
        self.folder, self.policy = folder, POLICY
        self.settings: dict[str, str] = {}

    def open(self, *, limits: Limits | None = None, **settings: str) -> Session:
        """A session of the driver, as the gateway opens one."""
        guards = Guards(self.policy, local_files=self.folder, limits=limits or Limits())
        return DRIVERS[self.driver].open({**self.settings, **settings}, guards)

    def table(self, name: str) -> TableName:
        """The name of a test's table."""
        return TableName(self.schema, name)

    @property
    def long_text(self) -> str:
        """The type for texts of a megabyte."""
        return self.types[Form.TEXT]

    @abstractmethod
    def quote(self, name: str) -> str:
        """A quoted name."""

    @abstractmethod
    def execute(self, statement: str, rows: Iterable[Sequence[Any]] = ((),)) -> None:
        """Run a statement once for each row of values."""

    @abstractmethod
    def close(self) -> None:
        """Remove everything."""

    def qualified(self, name: str) -> str:
        """A table's quoted name with its schema."""
        return f"{self.quote(self.schema)}.{self.quote(name)}" if self.schema else self.quote(name)

    def create(self, name: str, columns: dict[str, str], rows: Iterable[Sequence[Any]] = ()) -> TableName:
        """A table with these columns (name to type) and rows."""
        declared = ", ".join(f"{self.quote(column)} {kind}" for column, kind in columns.items())
        self.execute(f"CREATE TABLE {self.qualified(name)} ({declared})")
        marks = ", ".join([self.mark] * len(columns))
        listed = list(rows)
        if listed:
            self.execute(f"INSERT INTO {self.qualified(name)} VALUES ({marks})", listed)
        return self.table(name)

    def writing(self, table: TableName) -> list[str]:
        """Statements that a read-only session has to refuse."""
        name = self.qualified(table.name)
        return [
            f"INSERT INTO {name} VALUES (2)",
            f"UPDATE {name} SET n = 3",
            f"DELETE FROM {name}",
            f"DROP TABLE {name}",
            f"CREATE TABLE {self.qualified('made')} (n int)",
        ]

    def assert_quiet(self, word: str) -> None:
        """Fail unless statements of this run with this word end on the server by themselves."""
        eventually(lambda: not self.running(word), lambda: self.running(word))

    def running(self, word: str) -> list[Any]:
        """Statements of others that hold this word; a file has none."""
        return []

    def view(self, name: str, body: str) -> TableName:
        """A view."""
        self.execute(f"CREATE VIEW {self.qualified(name)} AS {body}")
        return self.table(name)

    mark = "%s"


class PostgreSQLDatabase(Database):
    driver = "postgresql"
    types = MappingProxyType(
        {
            Form.BOOLEAN: "boolean",
            Form.INTEGER: "bigint",
            Form.EXACT: "numeric(20,4)",
            Form.FLOAT: "double precision",
            Form.TEXT: "text",
            Form.DATE: "date",
            Form.DATETIME: "timestamp(6)",
        }
    )
    endless = "SELECT 1 AS id, pg_sleep(600)::text AS note"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._opening = contextlib.ExitStack()
        self.name = self._opening.enter_context(postgresql_database("suite"))
        self.schema = "suite"
        self.settings = {"host": "127.0.0.1", "database": self.name, "username": "postgres", "tls": "disable"}
        self.admin = self._opening.enter_context(psycopg.connect(f"{POSTGRESQL} dbname={self.name}", autocommit=True))
        self.execute(f"CREATE SCHEMA {self.schema}")

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""').replace("%", "%%") + '"'

    def execute(self, statement: str, rows: Iterable[Sequence[Any]] = ((),)) -> None:
        with self.admin.cursor() as cursor:
            for row in rows:
                cursor.execute(statement.encode(), tuple(row))

    def running(self, word: str) -> list[Any]:
        return self.admin.execute(
            "SELECT pid, query FROM pg_stat_activity "
            "WHERE query LIKE %s AND datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()",
            (f"%{word}%",),
        ).fetchall()

    def close(self) -> None:
        self._opening.close()


class MariaDBDatabase(Database):
    driver = "mysql"
    types = MappingProxyType(
        {
            Form.BOOLEAN: "bit(1)",
            Form.INTEGER: "bigint",
            Form.EXACT: "decimal(20,4)",
            Form.FLOAT: "double",
            Form.TEXT: "text",
            Form.DATE: "date",
            Form.DATETIME: "datetime(6)",
        }
    )
    endless = "SELECT 1 AS id, SLEEP(600) AS note"
    long_text = "longtext"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._opening = contextlib.ExitStack()
        self.schema = self._opening.enter_context(mariadb_database("suite"))
        self.settings = {"host": "127.0.0.1", "database": self.schema, "username": "root", "tls": "disable"}
        self.admin = self._opening.enter_context(contextlib.closing(mariadb_administrator()))

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``").replace("%", "%%") + "`"

    def execute(self, statement: str, rows: Iterable[Sequence[Any]] = ((),)) -> None:
        with self.admin.cursor() as cursor:
            cursor.executemany(statement, [tuple(row) for row in rows])

    def running(self, word: str) -> list[Any]:
        with self.admin.cursor() as cursor:
            cursor.execute(
                "SELECT id, info FROM information_schema.processlist"
                " WHERE info LIKE %s AND db = %s AND id <> CONNECTION_ID()",
                (f"%{word}%", self.schema),
            )
            return list(cursor.fetchall())

    def close(self) -> None:
        self._opening.close()


class SQLiteDatabase(Database):
    driver = "sqlite"
    mark = "?"
    types = MappingProxyType(
        {
            Form.BOOLEAN: "BOOLEAN",
            Form.INTEGER: "BIGINT",
            Form.EXACT: "DECIMAL(20,4)",
            Form.FLOAT: "DOUBLE",
            Form.TEXT: "TEXT",
            Form.DATE: "DATE",
            Form.DATETIME: "DATETIME",
        }
    )
    endless = (
        "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT max(id) AS id, 'x' AS note FROM n"
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.settings = {"path": "suite.db"}
        self.admin = apsw.Connection(str(folder / "suite.db"))
        self.admin.execute("PRAGMA synchronous = OFF")

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def execute(self, statement: str, rows: Iterable[Sequence[Any]] = ((),)) -> None:
        for row in rows:
            values = [value if isinstance(value, int | float | str | bytes | None) else str(value) for value in row]
            self.admin.execute(statement, values)

    def close(self) -> None:
        self.admin.close()


class DuckDBDatabase(Database):
    """Tables of a DuckDB in memory, which a driver reaches in one way or another."""

    mark = "?"
    types = MappingProxyType(
        {
            Form.BOOLEAN: "BOOLEAN",
            Form.INTEGER: "BIGINT",
            Form.EXACT: "DECIMAL(20,4)",
            Form.FLOAT: "DOUBLE",
            Form.TEXT: "VARCHAR",
            Form.DATE: "DATE",
            Form.DATETIME: "TIMESTAMP",
        }
    )
    endless = "SELECT 1 AS id, repeat('x', 250) AS note FROM range(20000000)"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.admin = duckdb.connect(":memory:")

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def execute(self, statement: str, rows: Iterable[Sequence[Any]] = ((),)) -> None:
        for row in rows:
            self.admin.execute(statement, list(row))

    def close(self) -> None:
        self.admin.close()


class FileDatabase(DuckDBDatabase):
    """A folder of Parquet files: each table is a file, written anew whenever a statement names it."""

    driver = "file"
    view_kind = "table"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.settings = {"path": "."}

    def execute(self, statement: str, rows: Iterable[Sequence[Any]] = ((),)) -> None:
        super().execute(statement, rows)
        tables = "SELECT table_name FROM information_schema.tables"
        for (name,) in self.admin.execute(tables).fetchall():
            if self.quote(name) in statement.partition(" AS ")[0]:
                target = str(self.folder / f"{name}.parquet").replace("'", "''")
                self.admin.execute(f"COPY (SELECT * FROM {self.quote(name)}) TO '{target}.new' (FORMAT parquet)")
                (self.folder / f"{name}.parquet.new").rename(self.folder / f"{name}.parquet")

    def writing(self, table: TableName) -> list[str]:
        outside = self.folder.parent / "outside.csv"
        outside.write_text("a,b\n1,2\n")
        return [
            f"COPY (SELECT 1) TO '{self.folder}/made.csv'",
            f"COPY (SELECT 1) TO '{self.folder}/{table.name}.parquet'",
            f"ATTACH '{self.folder}/made.db'",
            f"SELECT * FROM '{outside}'",
            f"SELECT * FROM read_csv('{outside}')",
            f"INSERT INTO {self.quote(table.name)} VALUES (2)",
            "SET enable_external_access = true",
            "INSTALL httpfs",
            "LOAD httpfs",
        ]


DATABASES: dict[str, type[Database]] = {
    "postgresql": PostgreSQLDatabase,
    "mariadb": MariaDBDatabase,
    "sqlite": SQLiteDatabase,
    "files": FileDatabase,
}


def read(
    session: Session,
    table: TableName,
    columns: Sequence[str],
    where: Condition | None = None,
    limit: int | None = None,
    description: Description | None = None,
) -> list[list[Any]]:
    """The rows of a query, as a strict JSON parser reads them; decimals stay texts of digits."""
    query = TableQuery(table, tuple(columns), where, limit)
    text = b",".join(chunk.data for chunk in session.rows(query, description))
    rows: list[list[Any]] = json.loads(b"[" + text + b"]", parse_constant=_refuse)
    return rows


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")

"""The five stores that hold the table, each with a plain way to read it and the fastest that its own tools can do."""

from __future__ import annotations

import contextlib
import csv
import sqlite3
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import psycopg
import pymysql
import pymysql.cursors

from bench import deals

DATABASE = "bench_deals"
_PSQL = f"host=127.0.0.1 user=postgres dbname={DATABASE} sslmode=disable"
_MARIADB = ("mariadb", "-h", "127.0.0.1", "-u", "root", "--skip-ssl", "--default-character-set=utf8mb4")
# A line of text is all that goes out: no quotes round it, no delimiter that it could hold.
_AS_LINES = "(FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01')"


class Store(ABC):
    """The table in one database or file; `folder` is where files are, `source` the table as CSV."""

    name: ClassVar[str]
    driver: ClassVar[str]
    #: What `limit` measures, for people.
    reference: ClassVar[str]
    #: What the endpoint's time is to be: the reference's time divided by this, at most.
    goal: ClassVar[float]
    #: Megabytes above idle that are allowed.
    most_memory: ClassVar[int] = 64

    def __init__(self, folder: Path, source: Path) -> None:
        self.folder, self.source = folder, source

    @property
    @abstractmethod
    def settings(self) -> dict[str, str]:
        """Settings of a hosted connection to it."""

    @abstractmethod
    def load(self) -> None:
        """Put the table there."""

    @abstractmethod
    def rows(self, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """The table's rows by the database's ordinary library."""

    @abstractmethod
    def limit(self) -> float:
        """Seconds that the database's own tool takes to write the whole table to nowhere."""

    @abstractmethod
    def drop(self) -> None:
        """Take the table away again."""


class PostgreSQL(Store):
    """A database of the server on this machine."""

    name, driver, reference, goal = "PostgreSQL", "postgresql", "psql COPY (FORMAT csv)", 1.0
    settings: ClassVar = {
        "host": "127.0.0.1",
        "port": "5432",
        "database": DATABASE,
        "username": "postgres",
        "tls": "disable",
    }

    def load(self) -> None:
        """Copy the CSV text in."""
        self.drop()
        with self._server() as server:
            server.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8'".encode())
        with psycopg.connect(_PSQL, autocommit=True) as database, database.cursor() as cursor:
            cursor.execute(_create('"', dict(deals.COLUMNS)).encode())
            with (
                self.source.open("rb") as file,
                cursor.copy(f"COPY {deals.TABLE} FROM STDIN (FORMAT csv, HEADER)".encode()) as copy,
            ):
                while block := file.read(1 << 20):
                    copy.write(block)
            # Otherwise the first reader would have to mark every row as seen.
            cursor.execute(f"VACUUM (FREEZE, ANALYZE) {deals.TABLE}".encode())
            cursor.execute(b"CHECKPOINT")

    def rows(self, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """By psycopg and a server-side cursor."""
        with psycopg.connect(_PSQL) as database, database.cursor("bench") as cursor:
            cursor.itersize = 10_000
            cursor.execute(_select(names).encode())
            yield from cursor

    def limit(self) -> float:
        """By psql."""
        return _seconds(["psql", "-q", "-c", f"COPY {deals.TABLE} TO STDOUT (FORMAT csv)", _PSQL])

    def drop(self) -> None:
        """Drop the database."""
        with self._server() as server:
            server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)".encode())

    @staticmethod
    def _server() -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect("host=127.0.0.1 user=postgres dbname=postgres", autocommit=True)


class MariaDB(Store):
    """A database of the server on this machine."""

    name, driver, reference, goal = "MariaDB", "mysql", "mariadb -q, SELECT *", 0.75
    settings: ClassVar = {
        "host": "127.0.0.1",
        "port": "3306",
        "database": DATABASE,
        "username": "root",
        "tls": "disable",
    }

    def load(self) -> None:
        """Let the client send the CSV text."""
        types = {"text": "longtext", "timestamp": "datetime", "double precision": "double"}
        numbered = ", ".join(f"@{name}" for name in deals.NAMES)
        values = ", ".join(
            f"{name} = {'@is_won = ' + repr('true') if kind == 'boolean' else '@' + name}"
            if name not in {"amount", "comments", "closed_on", "is_won"}
            else f"{name} = IF(@{name} = '', NULL, {'@is_won = ' + repr('true') if kind == 'boolean' else '@' + name})"
            for name, kind in deals.COLUMNS
        )
        create = _create("`", {name: types.get(kind, kind) for name, kind in deals.COLUMNS})
        script = f"""
            CREATE OR REPLACE DATABASE {DATABASE} CHARACTER SET utf8mb4; USE {DATABASE}; {create};
            LOAD DATA LOCAL INFILE '{self.source}' INTO TABLE {deals.TABLE} CHARACTER SET utf8mb4
            FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"' ESCAPED BY '' LINES TERMINATED BY '\\n'
            IGNORE 1 LINES ({numbered}) SET {values}; ANALYZE TABLE {deals.TABLE};
        """
        subprocess.run([*_MARIADB, "--local-infile=1"], input=script.encode(), check=True, stdout=subprocess.DEVNULL)

    def rows(self, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """By PyMySQL, unbuffered."""
        with contextlib.closing(
            pymysql.connect(
                host="127.0.0.1",
                user="root",
                database=DATABASE,
                charset="utf8mb4",
                cursorclass=pymysql.cursors.SSCursor,
            )
        ) as database:
            cursor = database.cursor()
            cursor.execute(_select(names))
            yield from cursor

    def limit(self) -> float:
        """By the command-line client, which keeps no rows with `-q`."""
        return _seconds([*_MARIADB, "-q", "-B", "-e", _select("*"), DATABASE])

    def drop(self) -> None:
        """Drop the database."""
        subprocess.run([*_MARIADB, "-e", f"DROP DATABASE IF EXISTS {DATABASE}"], check=True)


class SQLite(Store):
    """A file of SQLite."""

    name, driver, reference, goal = "SQLite", "sqlite", "sqlite3 shell, json_array", 1.1
    settings: ClassVar = {"path": "deals.sqlite"}

    def load(self) -> None:
        """Insert what the CSV text holds."""
        self.drop()
        types = {"timestamp": "datetime", "double precision": "double"}
        marks = ",".join("?" * len(deals.NAMES))
        with contextlib.closing(sqlite3.connect(self._path)) as database, self.source.open(newline="") as file:
            lines = csv.reader(file)
            next(lines)
            database.execute(_create('"', {name: types.get(kind, kind) for name, kind in deals.COLUMNS}))
            database.executemany(f"INSERT INTO {deals.TABLE} VALUES ({marks})", map(_sqlite_row, lines))  # noqa: S608 - a constant
            database.commit()

    def rows(self, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """By Python's own library."""
        with contextlib.closing(sqlite3.connect(self._path)) as database:
            yield from database.execute(_select(names))

    def limit(self) -> float:
        """By the shell."""
        statement = f"SELECT json_array({', '.join(deals.NAMES)}) FROM {deals.TABLE}"  # noqa: S608 - constants
        return _seconds(["sqlite3", "-readonly", str(self._path), statement])

    def drop(self) -> None:
        """Delete the file."""
        self._path.unlink(missing_ok=True)

    @property
    def _path(self) -> Path:
        return self.folder / self.settings["path"]


class _DuckDB(Store):
    """A file that DuckDB reads."""

    driver = "file"
    most_memory = 300

    def rows(self, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """By DuckDB, in its own types."""
        with contextlib.closing(duckdb.connect()) as database:
            found = database.execute(_select(names, self._typed))
            while block := found.fetchmany(10_000):
                yield from block

    def limit(self) -> float:
        """By DuckDB in a process of its own, without the start of that process."""
        copy = f"COPY (SELECT json_array({', '.join(deals.NAMES)}) FROM {self._plain}) TO '/dev/null' {_AS_LINES}"  # noqa: S608 - constants
        program = (
            "import sys, time, duckdb\nstarted = time.perf_counter()\ndatabase = duckdb.connect()\n"
            "database.execute('SET enable_progress_bar = false')\ndatabase.execute(sys.argv[1])\n"
            "print(time.perf_counter() - started)"
        )
        return float(subprocess.run([sys.executable, "-c", program, copy], check=True, capture_output=True).stdout)

    @property
    @abstractmethod
    def _plain(self) -> str:
        """The table as a user would write it in DuckDB's SQL."""

    @property
    def _typed(self) -> str:
        """The table with the types that it was made with."""
        return self._plain


class Parquet(_DuckDB):
    """A Parquet file."""

    name, reference, goal = "Parquet", "DuckDB COPY of json_array", 0.95
    settings: ClassVar = {"path": "deals.parquet"}

    def load(self) -> None:
        """Let DuckDB write the CSV text as Parquet."""
        with contextlib.closing(duckdb.connect()) as database:
            database.execute(f"COPY (SELECT * FROM {_typed_csv(self.source)}) TO '{self._path}' (FORMAT parquet)")  # noqa: S608 - own path

    def drop(self) -> None:
        """Delete the file."""
        self._path.unlink(missing_ok=True)

    @property
    def _path(self) -> Path:
        return self.folder / self.settings["path"]

    @property
    def _plain(self) -> str:
        return f"read_parquet('{self._path}')"


class Csv(_DuckDB):
    """The CSV file itself."""

    name, reference, goal = "CSV", "DuckDB COPY of json_array", 0.9

    @property
    def settings(self) -> dict[str, str]:
        """The file by its name."""
        return {"path": self.source.name}

    def load(self) -> None:
        """It is there already."""

    def drop(self) -> None:
        """It stays: the others are made from it."""

    @property
    def _plain(self) -> str:
        return f"read_csv('{self.source}')"

    @property
    def _typed(self) -> str:
        return _typed_csv(self.source)


STORES: dict[str, type[Store]] = {
    "postgresql": PostgreSQL,
    "mariadb": MariaDB,
    "sqlite": SQLite,
    "parquet": Parquet,
    "csv": Csv,
}


def _create(quote: str, types: dict[str, str]) -> str:
    columns = ", ".join(f"{quote}{name}{quote} {kind}" for name, kind in types.items())
    return f"CREATE TABLE {deals.TABLE} ({columns}, PRIMARY KEY (id))"


def _select(names: Iterable[str], source: str = deals.TABLE) -> str:
    return f"SELECT {', '.join(names)} FROM {source}"  # noqa: S608 - constants of this module


def _typed_csv(path: Path) -> str:
    types = ", ".join(f"'{name}': '{kind}'" for name, kind in deals.COLUMNS)
    return f"read_csv('{path}', header = true, quote = '\"', escape = '\"', columns = {{{types}}})"


def _sqlite_row(cells: list[str]) -> list[Any]:
    """What the CSV text holds as SQLite keeps it; empty is NULL, since the table has no empty text."""
    row: list[Any] = [cell or None for cell in cells]
    for position, (_, kind) in enumerate(deals.COLUMNS):
        if kind == "boolean" and row[position] is not None:
            row[position] = int(row[position] == "true")
    return row


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started

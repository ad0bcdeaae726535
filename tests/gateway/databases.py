"""The generated table in real databases, behind their drivers."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from drivers.base import Guards
from egress.policy import Policy
from tests.databases import POSTGRESQL, mariadb_administrator, mariadb_database, postgresql_database
from tests.gateway.generated import REAL_NAMES, Row


@dataclass(frozen=True)
class Source:
    """Where the table is: the driver's name, the settings of a connection to it, and what its driver may do."""

    driver: str
    settings: dict[str, str]
    guards: Guards


def _server(driver: str, port: int, user: str, database: str) -> Source:
    settings = {"host": "127.0.0.1", "port": str(port), "database": database, "username": user, "tls": "disable"}
    return Source(driver, settings, Guards(Policy("allow-all")))


TABLE = 'Orders "quoted'
MARKS = ",".join(["%s"] * len(REAL_NAMES))


@contextlib.contextmanager
def postgresql(table: list[Row], folder: Path) -> Iterator[Source]:
    """A PostgreSQL database with the table."""
    types = columns('"', "bigint", "timestamp", "double precision", "text")
    with postgresql_database("gateway") as own:
        with (
            psycopg.connect(f"{POSTGRESQL} dbname={own}", autocommit=True) as database,
            database.cursor() as cursor,
        ):
            cursor.execute(f'CREATE TABLE "Orders ""quoted" ({types})')
            cursor.executemany(f'INSERT INTO "Orders ""quoted" VALUES ({MARKS})', [_values(row) for row in table])
        yield _server("postgresql", 5432, "postgres", own)


@contextlib.contextmanager
def mysql(table: list[Row], folder: Path) -> Iterator[Source]:
    """A MariaDB database with the table, under a collation that is blind to case and accents."""
    types = columns("`", "bigint", "datetime(6)", "double", "varchar(200)")
    with mariadb_database("gateway") as own:
        name = f"{own}.`{TABLE}`"
        with contextlib.closing(mariadb_administrator()) as server, server.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {name} ({types})")
            cursor.executemany(f"INSERT INTO {name} VALUES ({MARKS})", [_values(row) for row in table])
        yield _server("mysql", 3306, "root", own)


@contextlib.contextmanager
def sqlite(table: list[Row], folder: Path) -> Iterator[Source]:
    """A SQLite file with the table; moments are texts, amounts numbers."""
    types = columns('"', "bigint", "datetime", "double", "text")
    with contextlib.closing(sqlite3.connect(folder / "orders.sqlite")) as database:
        database.execute(f'CREATE TABLE "Orders ""quoted" ({types})')
        marks = MARKS.replace("%s", "?")
        database.executemany(f'INSERT INTO "Orders ""quoted" VALUES ({marks})', [_sqlite_values(row) for row in table])
        database.commit()
    yield Source("sqlite", {"path": "orders.sqlite"}, Guards(Policy("allow-all"), local_files=folder))


@contextlib.contextmanager
def parquet(table: list[Row], folder: Path) -> Iterator[Source]:
    """A Parquet file with the table."""
    types = columns('"', "bigint", "timestamp", "double", "text")
    name = f"{TABLE}.parquet"
    with contextlib.closing(duckdb.connect()) as database:
        database.execute(f"CREATE TABLE orders ({types})")
        if table:
            database.executemany(
                f"INSERT INTO orders VALUES ({MARKS.replace('%s', '?')})", [_values(row) for row in table]
            )
        database.execute(f"COPY orders TO '{folder / name}' (FORMAT parquet)")
    yield Source("file", {"path": name}, Guards(Policy("allow-all"), local_files=folder))


Database = Callable[[list[Row], Path], contextlib.AbstractContextManager[Source]]
DATABASES: dict[str, Database] = {"postgresql": postgresql, "mysql": mysql, "sqlite": sqlite, "file": parquet}


def columns(quote: str, big: str, moment: str, ratio: str, text: str) -> str:
    """The columns of `generated.Row` in SQL."""
    types = ("int", big, "numeric(12,2)", ratio, text, "text", "date", moment, "boolean")
    return ", ".join(f"{quote}{name}{quote} {kind}" for name, kind in zip(REAL_NAMES, types, strict=True))


def _values(row: Row) -> tuple[Any, ...]:
    amount = None if row.cents is None else f"{row.cents / 100:.2f}"
    return (row.id, row.big, amount, row.ratio, row.name, row.client, row.day, row.moment, row.flag)


def _sqlite_values(row: Row) -> tuple[Any, ...]:
    values = list(_values(row))
    values[2] = None if row.cents is None else row.cents / 100
    values[6] = row.day and row.day.isoformat()
    values[7] = row.moment and str(row.moment)
    return tuple(values)


@contextlib.contextmanager
def standing(database: psycopg.Connection[Any]) -> Iterator[Callable[[], int]]:
    """Queries that call `stand_still()` end only after the block; gives how many of them stand still."""
    database.execute("SELECT pg_advisory_lock(1)")
    question = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 2 AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )

    def count() -> int:
        (found,) = database.execute(question).fetchone() or (0,)
        return int(found)

    try:
        yield count
    finally:
        database.execute("SELECT pg_advisory_unlock(1)")


STAND_STILL = """
CREATE FUNCTION stand_still() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(2);
    WHILE NOT pg_try_advisory_xact_lock_shared(1) LOOP
        PERFORM pg_sleep(0.02);
    END LOOP;
    RETURN 'x';
END $$
"""
"""For `standing`. It does not wait for the lock: the driver gives up waiting for locks after ten seconds."""

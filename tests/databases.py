"""Databases of the two servers that tests use, each of one process alone: runs at the same time never meet."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pymysql
from sqlalchemy import Engine, event

POSTGRESQL = "host=127.0.0.1 port=5432 user=postgres"
"""How the administrator connects, for libpq; a database's name has to follow."""


@event.listens_for(Engine, "connect")
def _write_without_waiting(connection: object, _record: object) -> None:
    """No test proves what a power failure leaves, so none waits for a disk."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


def own_name(kind: str) -> str:
    """A name for a database, user or table that no other test and no other run has, and that says whose it is."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    return f"{kind}_{worker}_{os.getpid()}_{uuid.uuid4().hex[:16]}"


@contextlib.contextmanager
def postgresql_database(kind: str, options: str = "TEMPLATE template0 ENCODING 'UTF8'") -> Iterator[str]:
    """The name of a new, empty PostgreSQL database, dropped afterwards whoever is connected to it."""
    name = own_name(kind)
    with psycopg.connect(f"{POSTGRESQL} dbname=postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} {options}".encode())
        server.execute(f"ALTER DATABASE {name} SET synchronous_commit = off".encode())
        try:
            yield name
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def mariadb_administrator(**options: Any) -> pymysql.Connection:
    """A connection of MariaDB's administrator, to no database unless `options` name one."""
    return pymysql.connect(host="127.0.0.1", port=3306, user="root", charset="utf8mb4", autocommit=True, **options)


@contextlib.contextmanager
def mariadb_database(kind: str) -> Iterator[str]:
    """The name of a new, empty MariaDB database, dropped afterwards; it is blind to case and accents."""
    name = own_name(kind)
    with contextlib.closing(mariadb_administrator()) as server, server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
        try:
            yield name
        finally:
            cursor.execute(f"DROP DATABASE {name}")

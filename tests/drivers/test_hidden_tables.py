"""Tables without the right to read them: told by name, and readable once the statements for them were run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pymysql
import pytest

from drivers.base import Guards, Session
from drivers.catalogue import DRIVERS
from drivers.hidden import hidden_tables
from drivers.query import TableName, TableQuery
from drivers.sql import quoting
from egress.policy import Policy
from tests.databases import (
    POSTGRESQL,
    mariadb_administrator,
    mariadb_database,
    own_name,
    postgresql_database,
)
from tests.drivers.http_server import Asked, Played, answer
from tests.suite.mssql_engine import SQLServerDatabase

GUARDS = Guards(Policy(allow=["127.0.0.1:5432", "127.0.0.1:3306"]))


@pytest.fixture
def postgresql() -> Iterator[tuple[psycopg.Connection, dict[str, str]]]:
    """The owner of a database, and the settings of a role that may do nothing there."""
    role = own_name("Reader").replace("Reader", 'a "Reader"')
    quoted = quoting('"', '"')(role)
    with (
        postgresql_database("hidden") as name,
        psycopg.connect(f"{POSTGRESQL} dbname={name}", autocommit=True) as owner,
    ):
        owner.execute(f"CREATE ROLE {quoted} LOGIN".encode())
        yield owner, {"host": "127.0.0.1", "database": name, "username": role, "tls": "disable"}
        owner.execute(f"DROP OWNED BY {quoted}; DROP ROLE {quoted}".encode())


def session(driver: str, settings: dict[str, str]) -> Session:
    return DRIVERS[driver].open(settings, GUARDS)


def assert_readable(opened: Session, tables: list[TableName]) -> None:
    listed = {table.name for table in opened.tables()}
    for table in tables:
        assert table in listed
        names = tuple(column.name for column in opened.describe(table).columns)
        assert list(opened.rows(TableQuery(table, names))) == []


def test_tables_of_every_schema_are_told_and_what_each_lacks_is_granted(
    postgresql: tuple[psycopg.Connection, dict[str, str]],
) -> None:
    owner, settings = postgresql
    role = quoting('"', '"')(settings["username"])
    for statement in (
        "CREATE TABLE open_one (a int)",
        "CREATE TABLE closed_one (a int)",
        "CREATE TABLE one_column (a int, secret text)",
        "CREATE TABLE parted (a int) PARTITION BY LIST (a)",
        "CREATE TABLE part PARTITION OF parted FOR VALUES IN (1)",
        'CREATE SCHEMA "Own Schema"',
        'CREATE VIEW "Own Schema"."a view" AS SELECT 1 AS a WHERE false',
        'CREATE TABLE "Own Schema"."granted already" (a int)',
        f"GRANT SELECT ON open_one TO {role}",
        f"GRANT SELECT (a) ON one_column TO {role}",
        f'GRANT SELECT ON "Own Schema"."granted already" TO {role}',
    ):
        owner.execute(statement.encode())
    hidden = [
        TableName("Own Schema", "a view"),
        TableName("Own Schema", "granted already"),
        TableName("public", "closed_one"),
        TableName("public", "parted"),
    ]
    with session("postgresql", settings) as opened:
        told = opened.hidden()
        assert list(told.tables) == hidden
        assert {table.name for table in opened.tables()}.isdisjoint(hidden)
    assert told.grants.split("\n") == [
        f'GRANT USAGE ON SCHEMA "Own Schema" TO {role};',
        f'GRANT SELECT ON "Own Schema"."a view" TO {role};',
        f'GRANT SELECT ON "public"."closed_one" TO {role};',
        f'GRANT SELECT ON "public"."parted" TO {role};',
    ]
    owner.execute(told.grants.encode())
    with session("postgresql", settings) as opened:
        assert not opened.hidden().tables
        assert_readable(opened, hidden)


@pytest.fixture
def mariadb() -> Iterator[tuple[pymysql.Connection, str, dict[str, str]]]:
    """The administrator, a database, and the settings of a user who may do nothing there."""
    user = own_name("reader")[:60]
    with mariadb_database("hidden") as name, contextlib.closing(mariadb_administrator()) as owner:
        with owner.cursor() as cursor:
            cursor.execute(f"CREATE USER `{user}`@`127.0.0.%`")
            cursor.execute(f"CREATE TABLE {name}.`only write` (a int)")
            cursor.execute(f"CREATE TABLE {name}.nothing_at_all (a int)")
            cursor.execute(f"CREATE TABLE {name}.one_column (a int, secret text)")
            cursor.execute(f"GRANT INSERT ON {name}.`only write` TO `{user}`@`127.0.0.%`")
            cursor.execute(f"GRANT SELECT (a) ON {name}.one_column TO `{user}`@`127.0.0.%`")
        yield owner, name, {"host": "127.0.0.1", "database": name, "username": user, "tls": "disable"}
        with owner.cursor() as cursor:
            cursor.execute(f"DROP USER `{user}`@`127.0.0.%`")


def test_of_mariadb_those_are_told_that_its_user_may_see(
    mariadb: tuple[pymysql.Connection, str, dict[str, str]],
) -> None:
    owner, name, settings = mariadb
    hidden = [TableName(name, "only write")]
    with session("mysql", settings) as opened:
        told = opened.hidden()
        assert list(told.tables) == hidden
        assert [table.name.name for table in opened.tables()] == ["one_column"]
    assert told.grants == f"GRANT SELECT ON `{name}`.`only write` TO `{settings['username']}`@`127.0.0.%`;"
    with owner.cursor() as cursor:
        cursor.execute(told.grants)
    with session("mysql", settings) as opened:
        assert not opened.hidden().tables
        assert_readable(opened, hidden)


def test_of_clickhouse_those_are_told_whose_columns_its_user_may_not_see() -> None:
    def script(asked: Asked) -> bytes:
        end = asked.parameters["format_custom_result_after_delimiter"].encode()
        if "version()" in asked.body:
            return answer(b'["26.9"]' + end)
        assert "NOT IN (SELECT database, table FROM system.columns)" in asked.body
        return answer(b'["shop","b`c","r`\\\\d"]\n["crm","a","r`\\\\d"]' + end)

    server = Played(script)
    settings = {"host": "127.0.0.1", "port": str(server.port), "database": "shop", "username": "r", "tls": "disable"}
    with DRIVERS["clickhouse"].open(settings, Guards(Policy(allow=[f"127.0.0.1:{server.port}"]))) as opened:
        told = opened.hidden()
    server.close()
    assert told.tables == (TableName("crm", "a"), TableName("shop", "b`c"))
    assert told.grants.split("\n") == [
        "GRANT SELECT ON `crm`.`a` TO `r\\`\\\\d`;",
        "GRANT SELECT ON `shop`.`b\\`c` TO `r\\`\\\\d`;",
    ]


def test_of_sql_server_those_are_told_to_which_its_user_has_another_right(tmp_path: Path) -> None:
    """The engine behind the played server keeps the schema `closed` from everybody."""
    server = SQLServerDatabase(tmp_path)
    server.execute("CREATE SCHEMA closed")
    server.execute('CREATE TABLE closed."a]b" (a int)')
    server.create("deals", {"a": "int"})
    with server.open() as opened:
        told = opened.hidden()
        assert [table.name for table in opened.tables()] == [server.table("deals")]
    server.close()
    assert told.tables == (TableName("closed", "a]b"),)
    assert told.grants == "GRANT SELECT ON [closed].[a]]b] TO [reader];"


def test_nothing_hidden_needs_no_statement() -> None:
    told = hidden_tables([], quoting('"', '"'), "")
    assert not told
    assert told.grants == ""

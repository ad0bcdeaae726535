"""Tables, views and columns under any name are listed and read (facts/field 5.38, facts/security 1 row 12)."""

from __future__ import annotations

import pytest

from drivers.columns import Form
from drivers.errors import QueryRefused
from drivers.query import Comparison, Contains, IsNull, TableName
from tests.suite.databases import Database, read

NASTY_NAMES = [
    '"; DROP TABLE canary; --',
    "a`b",
    "%s",
    "%(x)s",
    "x:y",
    "{x}",
    "{c}{v}",
    "O'Hara",
    "two words",
    "Сделки",
    "MixedCase",
    "select",
    "a.b",
    "back\\slash",
    "$1?",
    "日本語",
]


@pytest.fixture(scope="module")
def canary(database: Database) -> TableName:
    return database.create("canary", {"id": database.types[Form.INTEGER]}, [[7]])


@pytest.mark.parametrize("name", NASTY_NAMES)
def test_a_table_and_a_column_of_any_name_are_listed_described_and_read(
    database: Database, canary: TableName, name: str
) -> None:
    table = database.create(
        name, {name: database.types[Form.TEXT], "n": database.types[Form.INTEGER]}, [["Value", 1], [None, 2]]
    )
    with database.open() as session:
        listed = [found for found in session.tables(name.upper()) if found.name == table]
        assert [found.kind for found in listed] == ["table"]
        description = session.describe(table)
        assert [column.name for column in description.columns] == [name, "n"]
        assert sorted(read(session, table, ["n", name])) == [[1, "Value"], [2, None]]
        assert read(session, table, [name, "n"], Comparison(name, "=", "Value")) == [["Value", 1]]
        assert read(session, table, ["n"], Contains(name, "VAL")) == [[1]]
        assert read(session, table, ["n"], IsNull(name)) == [[2]]
        assert read(session, canary, ["id"]) == [[7]]


def test_views_are_listed_as_views_and_read(database: Database) -> None:
    database.create("orders", {"id": database.types[Form.INTEGER]}, [[1], [2]])
    view = database.view("Open Orders", f"SELECT id, id * 2 AS twice FROM {database.qualified('orders')}")
    with database.open() as session:
        assert [(table.name, table.kind) for table in session.tables("open ord")] == [(view, database.view_kind)]
        assert sorted(read(session, view, ["twice", "id"])) == [[2, 1], [4, 2]]
        assert [column.type for column in session.describe(view).columns] == ["int", "int"]


def test_the_search_ignores_case_and_an_empty_search_lists_all(database: Database) -> None:
    database.create("Квартал", {"id": database.types[Form.INTEGER]})
    with database.open() as session:
        assert database.table("Квартал") in [table.name for table in session.tables("КВАРТ")]
        assert database.table("Квартал") in [table.name for table in session.tables()]
        assert session.tables("no such table anywhere") == []


def test_columns_come_in_the_tables_own_order(database: Database) -> None:
    names = ["zeta", "alpha", "Mid", "beta"]
    table = database.create("ordered", dict.fromkeys(names, database.types[Form.INTEGER]))
    with database.open() as session:
        assert [column.name for column in session.describe(table).columns] == names


@pytest.mark.parametrize("name", ["no_such", "", "sample; DROP TABLE canary", "pg_class\0", "NO_SUCH\\"])
def test_an_unknown_table_is_refused(database: Database, name: str) -> None:
    with database.open() as session:
        for table in (database.table(name), TableName("no such schema", name)):
            with pytest.raises(QueryRefused) as refusal:
                session.describe(table)
            assert (refusal.value.code, refusal.value.name) == ("unknown_table", name)


def test_an_unknown_column_is_refused_not_dropped(database: Database) -> None:
    table = database.create(
        "narrow", {"id": database.types[Form.INTEGER], "Title": database.types[Form.TEXT]}, [[1, "a"]]
    )
    with database.open() as session:
        for name in ("title", "TITLE", "Title ", "", "id, 1", "*", 'id" --', "a\0"):
            with pytest.raises(QueryRefused) as refusal:
                read(session, table, ["id", name])
            assert (refusal.value.code, refusal.value.name) == ("unknown_column", name)
        with pytest.raises(QueryRefused):
            read(session, table, [])


def test_a_description_that_has_grown_old_is_refused_not_guessed(database: Database) -> None:
    table = database.create(
        "renamed", {"id": database.types[Form.INTEGER], "gone": database.types[Form.INTEGER]}, [[1, 2]]
    )
    with database.open() as session:
        description = session.describe(table)
    database.execute(f"ALTER TABLE {database.qualified('renamed')} RENAME COLUMN gone TO here")
    with database.open() as session, pytest.raises(QueryRefused) as refusal:
        read(session, table, ["gone"], None, None, description)
    assert refusal.value.code == "unknown_column"

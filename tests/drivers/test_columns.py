"""Every row of the table of types, on real servers: the portal's type and the JSON of a value (facts/field 5.26).

Each value is read the fast way and the general way; both have to say the same bytes.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
import struct
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from drivers.columns import DUCKDB, DUCKDB_INTERVAL, MYSQL, POSTGRESQL, Form, duckdb_row, mysql_row, sqlite_form
from drivers.query import Comparison, IsNull, OneOf, TableQuery, Value
from tests.suite.cell_by_cell import rows_by_cell
from tests.suite.databases import Database, MariaDBDatabase, PostgreSQLDatabase, SQLiteDatabase, read

NUMBERS = itertools.count()
Row = tuple[str, str, str, Any]

POSTGRESQL_ROWS: list[Row] = [
    ("boolean", "true", "int", 1),
    ("boolean", "false", "int", 0),
    ("smallint", "-32768", "int", -32768),
    ("integer", "2147483647", "int", 2147483647),
    ("bigint", "9223372036854775807", "int", 9223372036854775807),
    ("oid", "4294967295", "int", 4294967295),
    (
        "numeric",
        "12345678901234567890123456789.123456789",
        "double",
        Decimal("12345678901234567890123456789.123456789"),
    ),
    ("numeric(12,2)", "1.5", "double", Decimal("1.50")),
    ("numeric", "'NaN'", "double", None),
    ("numeric", "'Infinity'", "double", None),
    ("money", "'12.50'", "double", Decimal("12.50")),
    ("real", "1.5", "double", Decimal("1.5")),
    ("real", "19.99", "double", Decimal("19.99")),
    ("double precision", "0.1", "double", Decimal("0.1")),
    ("double precision", "1e300", "double", Decimal("1e300")),
    ("double precision", "'NaN'", "double", None),
    ("double precision", "'-Infinity'", "double", None),
    ("text", "'Сделка \"1\"'", "string", 'Сделка "1"'),
    ("varchar(10)", "'abc'", "string", "abc"),
    ("char(5)", "'ab'", "string", "ab"),
    ("name", "'abc'", "string", "abc"),
    ('"char"', "'x'", "string", "x"),
    ("bytea", "'\\x00ff41'", "string", "00ff41"),
    ("date", "'2025-12-31'", "date", "2025-12-31"),
    ("date", "'0001-01-01'", "date", "0001-01-01"),
    ("date", "'9999-12-31'", "date", "9999-12-31"),
    ("date", "'10000-01-01'", "date", None),
    ("date", "'0044-03-15 BC'", "date", None),
    ("date", "'infinity'", "date", None),
    ("timestamp", "'2025-12-31 23:59:59.999999'", "datetime", "2025-12-31 23:59:59"),
    ("timestamp(0)", "'2025-12-31 23:59:59'", "datetime", "2025-12-31 23:59:59"),
    ("timestamp", "'1900-01-01 00:00:01'", "datetime", "1900-01-01 00:00:01"),
    ("timestamp", "'1900-01-01 00:00:00'", "datetime", None),
    ("timestamp", "'1883-11-18 12:00:00'", "datetime", None),
    ("timestamp", "'-infinity'", "datetime", None),
    ("timestamp", "'10000-01-01'", "datetime", None),
    ("timestamptz", "'2025-06-30 22:30:00+00'", "datetime", "2025-07-01 00:30:00"),
    ("timestamptz", "'2025-12-31 22:30:00+00'", "datetime", "2025-12-31 23:30:00"),
    ("time", "'10:11:12.5'", "string", "10:11:12.5"),
    ("timetz", "'10:11:12+02'", "string", "10:11:12+02"),
    ("interval", "'1 year 2 days 3 hours'", "string", "P1Y2DT3H"),
    ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "string", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("json", '\'{"b": 1,  "a": [1]}\'', "string", '{"b": 1,  "a": [1]}'),
    ("jsonb", '\'{"b": 1,  "a": [1]}\'', "string", '{"a": [1], "b": 1}'),
    ("jsonb", "'null'", "string", "null"),
    ("int[]", "'{1,2,NULL}'", "string", "[1,2,null]"),
    ("text[]", "ARRAY['a','b\"c']", "string", '["a","b\\"c"]'),
    ("inet", "'192.168.0.1/24'", "string", "192.168.0.1/24"),
    ("macaddr", "'08:00:2b:01:02:03'", "string", "08:00:2b:01:02:03"),
    ("bit(3)", "B'101'", "string", "101"),
    ("xml", "'<a/>'", "string", "<a/>"),
    ("point", "'(1,2)'", "string", "(1,2)"),
    ("int4range", "'[1,5)'", "string", "[1,5)"),
    ("tsvector", "'a b'", "string", "'a' 'b'"),
    ("int4", "NULL", "int", None),
]

MARIADB_ROWS: list[Row] = [
    ("bit(1)", "b'1'", "int", 1),
    ("bit(10)", "b'1000000001'", "int", 513),
    ("boolean", "true", "int", 1),
    ("tinyint(1)", "0", "int", 0),
    ("tinyint unsigned", "255", "int", 255),
    ("smallint", "-32768", "int", -32768),
    ("mediumint", "8388607", "int", 8388607),
    ("int", "-2147483648", "int", -2147483648),
    ("int(5) zerofill", "42", "int", 42),
    ("bigint", "-9223372036854775808", "int", -9223372036854775808),
    ("bigint unsigned", "18446744073709551615", "int", 18446744073709551615),
    ("year", "2025", "int", 2025),
    (
        "decimal(38,10)",
        "1234567890123456789012345678.0123456789",
        "double",
        Decimal("1234567890123456789012345678.0123456789"),
    ),
    ("decimal(12,2)", "1.5", "double", Decimal("1.50")),
    ("decimal(8,2) zerofill", "1.5", "double", Decimal("1.50")),
    ("float", "1.5", "double", Decimal("1.5")),
    ("float", "16777217", "double", Decimal("16777216")),
    ("float", "19.99", "double", Decimal("19.99")),
    ("float", "0", "double", Decimal(0)),
    ("float", "-1234567.9", "double", Decimal("-1234567.9")),
    ("float(7,2)", "19.99", "double", Decimal("19.99")),
    ("double", "0.1", "double", Decimal("0.1")),
    ("double", "1e300", "double", Decimal("1e300")),
    ("char(5)", "'ab'", "string", "ab"),
    ("varchar(20)", "'Сделка \"1\"'", "string", 'Сделка "1"'),
    ("varchar(20) CHARACTER SET latin1", "'café'", "string", "café"),
    ("varchar(20) CHARACTER SET cp1251", "'Привет'", "string", "Привет"),
    ("tinytext", "'a'", "string", "a"),
    ("mediumtext", "'a'", "string", "a"),
    ("longtext", "'a'", "string", "a"),
    ("enum('new','won')", "'won'", "string", "won"),
    ("set('a','b','c')", "'a,c'", "string", "a,c"),
    ("json", "'{\"a\": 1}'", "string", '{"a": 1}'),
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "string", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("inet6", "'::1'", "string", "::1"),
    ("binary(2)", "x'00ff'", "string", "00ff"),
    ("varbinary(5)", "x'ff00'", "string", "ff00"),
    ("tinyblob", "x'0a'", "string", "0a"),
    ("blob", "x'22'", "string", "22"),
    ("mediumblob", "x''", "string", ""),
    ("longblob", "x'5c'", "string", "5c"),
    ("date", "'2025-12-31'", "date", "2025-12-31"),
    ("date", "'9999-12-31'", "date", "9999-12-31"),
    ("date", "'0000-00-00'", "date", None),
    ("date", "'2025-00-00'", "date", None),
    ("date", "'2025-02-00'", "date", None),
    ("datetime", "'2025-12-31 23:59:59'", "datetime", "2025-12-31 23:59:59"),
    ("datetime(6)", "'2025-12-31 23:59:59.999999'", "datetime", "2025-12-31 23:59:59"),
    ("datetime", "'0000-00-00 00:00:00'", "datetime", None),
    ("datetime", "'2025-00-10 00:00:00'", "datetime", None),
    ("datetime", "'1900-01-01 00:00:00'", "datetime", None),
    ("datetime", "'1900-01-01 00:00:01'", "datetime", "1900-01-01 00:00:01"),
    ("timestamp", "'2025-06-30 22:30:00'", "datetime", "2025-06-30 22:30:00"),
    ("timestamp NULL", "'0000-00-00 00:00:00'", "datetime", None),
    ("time", "'-838:59:59'", "string", "-838:59:59"),
    ("time(1)", "'10:11:12.5'", "string", "10:11:12.5"),
    ("point", "ST_GeomFromText('POINT(1 2)')", "string", "POINT(1 2)"),
    ("geometry", "ST_GeomFromText('LINESTRING(0 0,1 1)')", "string", "LINESTRING(0 0,1 1)"),
    ("polygon", "ST_GeomFromText('POLYGON((0 0,1 1,1 0,0 0))')", "string", "POLYGON((0 0,1 1,1 0,0 0))"),
    ("int", "NULL", "int", None),
]

SQLITE_ROWS: list[Row] = [
    ("BOOLEAN", "1", "int", 1),
    ("INTEGER", "9223372036854775807", "int", 9223372036854775807),
    ("INT", "'abc'", "string", "abc"),
    ("INT", "1.5", "double", Decimal("1.5")),
    ("INT", "'42'", "int", 42),
    ("UNSIGNED BIG INT", "5", "int", 5),
    ("REAL", "0.1", "double", Decimal("0.1")),
    ("REAL", "7", "double", Decimal("7.0")),
    ("DOUBLE PRECISION", "9e999", "double", None),
    ("FLOAT", "'n/a'", "string", "n/a"),
    ("DECIMAL(12,2)", "1.5", "double", Decimal("1.5")),
    ("NUMERIC", "10", "double", Decimal("10")),
    ("TEXT", "'Сделка \"1\"'", "string", 'Сделка "1"'),
    ("VARCHAR(20)", "12", "string", "12"),
    ("TEXT", "CAST(x'61ff62' AS TEXT)", "string", "a\ufffdb"),
    ("NCLOB", "'a'", "string", "a"),
    ("BLOB", "x'00ff'", "string", "00ff"),
    ("BLOB", "'ab'", "string", "ab"),
    ("UUID", "'a0ee'", "string", "a0ee"),
    ("UUID", "x'a0ee'", "string", "a0ee"),
    ("JSON", "'[1]'", "string", "[1]"),
    ("DATE", "'2025-12-31'", "date", "2025-12-31"),
    ("DATE", "'2025-12-31T23:00:00+02:00'", "date", "2025-12-31"),
    ("DATE", "'2025-02-30'", "string", "2025-02-30"),
    ("DATE", "'31.12.2025'", "date", "2025-12-31"),
    ("DATE", "'now'", "string", "now"),
    ("DATE", "1767225599", "date", "2026-01-01"),
    ("DATE", "2461041.5", "date", "2026-01-01"),
    ("DATETIME", "'2025-12-31 23:59:59.999'", "datetime", "2025-12-31 23:59:59"),
    ("DATETIME", "'2025-12-31T23:59'", "datetime", "2025-12-31 23:59:00"),
    ("DATETIME", "'2025-12-31'", "datetime", "2025-12-31 00:00:00"),
    ("TIMESTAMP", "'2025-06-30T22:30:00Z'", "datetime", "2025-07-01 00:30:00"),
    ("TIMESTAMP", "'2025-06-30T22:30:00+02:00'", "datetime", "2025-06-30 22:30:00"),
    ("TIMESTAMP", "1767225599", "datetime", "2026-01-01 00:59:59"),
    ("DATETIME", "'1900-01-01 00:00:00'", "datetime", None),
    ("DATETIME", "'1900-01-01 00:00:01'", "datetime", "1900-01-01 00:00:01"),
    ("DATETIME", "'yesterday'", "string", "yesterday"),
    ("", "42", "int", 42),
    ("", "1.5", "double", Decimal("1.5")),
    ("", "'x'", "string", "x"),
    ("INT", "NULL", "int", None),
    ("POINT", "1", "string", "1"),
]

#: Europe/Berlin is an hour or two ahead of UTC; the MariaDB server here knows no names of zones.
ZONES = {"postgresql": "Europe/Berlin", "mariadb": "UTC", "sqlite": "Europe/Berlin"}

CONFIGURATIONS = {
    "postgresql": (PostgreSQLDatabase, POSTGRESQL_ROWS),
    "mariadb": (MariaDBDatabase, MARIADB_ROWS),
    "sqlite": (SQLiteDatabase, SQLITE_ROWS),
}
CASES = [(name, *row) for name, (_, rows) in CONFIGURATIONS.items() for row in rows]


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Database]]:
    folder: Path = tmp_path_factory.mktemp("columns")
    opened: dict[str, Database] = {name: kind(folder) for name, (kind, _) in CONFIGURATIONS.items()}
    opened["mariadb"].execute("SET SESSION sql_mode = '', SESSION time_zone = '+00:00'")
    yield opened
    for database in opened.values():
        database.close()


@pytest.mark.parametrize(
    ("name", "native", "literal", "portal_type", "expected"), CASES, ids=[f"{c[0]}-{c[1]}-{c[2]}"[:70] for c in CASES]
)
def test_a_type_is_shown_and_found_as_its_row_says(
    databases: dict[str, Database], name: str, native: str, literal: str, portal_type: str, expected: Any
) -> None:
    database = databases[name]
    table = database.create(f"type_{next(NUMBERS)}", {"id": database.types[Form.INTEGER], "v": native})
    database.execute(f"INSERT INTO {database.qualified(table.name)} (id, v) VALUES (1, {literal})".replace("%", "%%"))
    with database.open(timezone=ZONES[name]) as session:
        description = session.describe(table)
        assert description.column("v").type == portal_type
        query = TableQuery(table, ("v",))
        fast = b",\n".join(chunk.data for chunk in session.rows(query))
        assert fast == rows_by_cell(session, query)
        ((value,),) = json.loads(b"[" + fast + b"]", parse_float=Decimal)
        assert value == expected
        assert read(session, table, ["id"], IsNull("v")) == ([[1]] if expected is None else [])
        if expected is not None and "\ufffd" not in str(value):
            wanted = _as_value(portal_type, value)
            assert read(session, table, ["id"], Comparison("v", "=", wanted)) == [[1]]
            assert read(session, table, ["id"], OneOf("v", (wanted,))) == [[1]]
            assert read(session, table, ["id"], Comparison("v", "!=", wanted)) == []
            assert read(session, table, ["id"], Comparison("v", "<=", wanted)) == [[1]]


def _as_value(portal_type: str, value: Any) -> Value:
    if portal_type == "date":
        return dt.date.fromisoformat(value)
    if portal_type == "datetime":
        return dt.datetime.fromisoformat(value)
    wanted: Value = value
    return wanted


def test_numbers_of_four_bytes_have_the_digits_that_they_were_given(databases: dict[str, Database]) -> None:
    """Whatever they are shown as is the same number of four bytes, and finds it."""
    rng = random.Random(4)
    given = [rng.uniform(-1, 1) * 10 ** rng.randint(-12, 20) for _ in range(500)]
    given += [round(rng.uniform(-9999, 9999), 2) for _ in range(500)] + [2.0**power for power in range(20, 40)] + [0.0]
    numbers = sorted({struct.unpack("f", struct.pack("f", number))[0] for number in given})
    for name, native in (("postgresql", "real"), ("mariadb", "float")):
        columns = {"id": databases[name].types[Form.INTEGER], "v": native}
        rows = [(number, repr(value)) for number, value in enumerate(numbers)]
        table = databases[name].create(f"four_{name}", columns, rows)
        with databases[name].open() as session:
            shown = dict(read(session, table, ["id", "v"]))
            assert [struct.unpack("f", struct.pack("f", shown[number]))[0] for number in range(len(numbers))] == numbers
            prices = {struct.unpack("f", struct.pack("f", price))[0]: price for price in given[500:1000]}
            assert all(shown[number] == prices[value] for number, value in enumerate(numbers) if value in prices)
            for number in range(0, len(numbers), 50):
                wanted = Comparison("v", "=", Decimal(repr(shown[number])))
                assert read(session, table, ["id"], wanted) == [[number]]


@pytest.mark.parametrize(("name", "native"), [("postgresql", "uuid"), ("mariadb", "uuid")])
def test_a_uuid_has_no_case(databases: dict[str, Database], name: str, native: str) -> None:
    known = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    columns = {"id": databases[name].types[Form.INTEGER], "v": native}
    table = databases[name].create("uuids", columns, [(1, known)])
    with databases[name].open() as session:
        for spelt in (known, known.upper(), known.replace("-", "")):
            assert read(session, table, ["id"], Comparison("v", "=", spelt)) == [[1]]
            assert read(session, table, ["id"], OneOf("v", ("no uuid", spelt))) == [[1]]
            assert read(session, table, ["id"], Comparison("v", "!=", spelt)) == []


def test_every_declared_type_of_the_tables_has_a_row_here() -> None:
    """The table in `drivers/columns.py` and this one are the same, seen from both sides."""
    shown = {mysql_row(native.split("(")[0].split(" ")[0]) for native, *_ in MARIADB_ROWS}
    assert set(MYSQL.values()) <= shown | {MYSQL["multipoint"]}
    forms = {sqlite_form(native) for native, *_ in SQLITE_ROWS}
    assert forms >= set(Form) - {Form.INSTANT}
    natives = " ".join(native for native, *_ in POSTGRESQL_ROWS)
    words = {"bool": "boolean", "int2": "smallint", "int8": "bigint", "float4": "real", "float8": "double precision"}
    words |= {"bpchar": "char(5)", "array": "int[]"}
    for base in POSTGRESQL:
        assert words.get(base, base) in natives, base


@pytest.mark.parametrize(("native", "form"), [("point", "rendered"), ("enum('print')", "text"), ("set('int')", "text")])
def test_a_type_name_that_merely_contains_int_is_no_integer(native: str, form: str) -> None:
    """facts/field 1 V1: `int` matched as a substring made `point` an integer."""
    assert mysql_row(native.partition("(")[0])[0] == form
    assert sqlite_form("POINT") is Form.RENDERED


@pytest.mark.parametrize(
    ("native", "form"),
    [
        *((native, row[0]) for native, row in DUCKDB.items()),
        ("DECIMAL(38,10)", Form.EXACT),
        ("ENUM('a', 'b')", Form.TEXT),
        ("INTEGER[]", Form.RENDERED),
        ("STRUCT(a INTEGER)", Form.RENDERED),
        ("MAP(VARCHAR, INTEGER)", Form.RENDERED),
        ("UUID", Form.RENDERED),
        ("INTERVAL", Form.RENDERED),
    ],
)
def test_a_file_type_has_its_form(native: str, form: Form) -> None:
    assert duckdb_row(native)[0] is form


@pytest.mark.parametrize(
    ("interval", "shown"),
    [
        ("INTERVAL '1 year 2 months 3 days 04:05:06.789'", "P1Y2M3DT4H5M6.789S"),
        ("to_months(-14) + to_days(3) - to_seconds(14706)", "P-1Y-2M3DT-4H-5M-6S"),
        ("INTERVAL '0 days'", "PT0S"),
        ("INTERVAL '-0.5 seconds'", "PT-0.5S"),
        ("INTERVAL '100 hours'", "PT100H"),
        ("INTERVAL '13 months'", "P1Y1M"),
        ("CAST(NULL AS INTERVAL)", None),
    ],
)
def test_intervals_are_shown_alike_whichever_database_they_come_from(interval: str, shown: str | None) -> None:
    """drivers/columns.py: intervals are ISO 8601; the texts are PostgreSQL's with `intervalstyle = iso_8601`."""
    assert duckdb_row("INTERVAL")[1] == DUCKDB_INTERVAL
    statement = f"SELECT {DUCKDB_INTERVAL.replace('{c}', 'i')} FROM (SELECT {interval} AS i)"
    assert duckdb.execute(statement).fetchall() == [(shown,)]

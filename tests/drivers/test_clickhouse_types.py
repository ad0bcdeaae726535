"""Every type of ClickHouse on its engine: the portal's type and the JSON of a value (facts/field 5.26)."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from drivers.clickhouse.column_types import CLICKHOUSE
from drivers.errors import QueryRefused
from drivers.query import Comparison, IsNull, OneOf, TableQuery, Value
from tests.suite.cell_by_cell import rows_by_cell
from tests.suite.clickhouse_engine import ClickHouseDatabase
from tests.suite.databases import read

NUMBERS = itertools.count()
ZONE = "Europe/Berlin"
ROWS: list[tuple[str, str, str, Any]] = [
    ("Bool", "true", "int", 1),
    ("Nullable(Bool)", "false", "int", 0),
    ("Int8", "-128", "int", -128),
    ("UInt8", "255", "int", 255),
    ("Int16", "-32768", "int", -32768),
    ("UInt16", "65535", "int", 65535),
    ("Int32", "-2147483648", "int", -(2**31)),
    ("UInt32", "4294967295", "int", 2**32 - 1),
    ("Int64", "-9223372036854775808", "int", -(2**63)),
    ("UInt64", "18446744073709551615", "int", 2**64 - 1),
    ("Int128", "'170141183460469231731687303715884105727'", "int", 2**127 - 1),
    ("UInt128", "'340282366920938463463374607431768211455'", "int", 2**128 - 1),
    ("Int256", "'-57896044618658097711785492504343953926634992332820282019728792003956564819968'", "int", -(2**255)),
    ("LowCardinality(Nullable(String))", "'abc'", "string", "abc"),
    ("Float32", "1.5", "double", Decimal("1.5")),
    ("Float32", "19.99", "double", Decimal("19.99")),
    ("Float32", "-3.4e38", "double", Decimal("-3.4e38")),
    ("Float32", "nan", "double", None),
    ("Float64", "0.1", "double", Decimal("0.1")),
    ("Float64", "1e300", "double", Decimal("1e300")),
    ("Float64", "nan", "double", None),
    ("Float64", "-inf", "double", None),
    ("BFloat16", "1.5", "double", Decimal("1.5")),
    ("Decimal(12, 2)", "'1.5'", "double", Decimal("1.5")),
    ("Decimal(18, 6)", "'123456789012.345678'", "double", Decimal("123456789012.345678")),
    ("Decimal(38, 10)", "'1234567890123456789012345678.0123456789'", "double",
     Decimal("1234567890123456789012345678.0123456789")),
    ("Decimal(76, 2)", "'12345678901234567890123456789012345678901234567890.25'", "double",
     Decimal("12345678901234567890123456789012345678901234567890.25")),
    ("String", "'Сделка \"1\"'", "string", 'Сделка "1"'),
    ("String", "'\\xff\\xfe'", "string", "\ufffd\ufffd"),
    ("String", "'a\\0b'", "string", "a\0b"),
    ("String", "'line\u2028separator\\\\u2028'", "string", "line\u2028separator\\u2028"),
    ("FixedString(5)", "'ab'", "string", "ab"),
    ("FixedString(3)", "'EUR'", "string", "EUR"),
    ("Enum8('new' = 1, 'won' = 2)", "'won'", "string", "won"),
    ("Nullable(Enum16('int' = 1000))", "'int'", "string", "int"),
    ("Date", "'2025-12-31'", "date", "2025-12-31"),
    ("Date", "'1970-01-01'", "date", "1970-01-01"),
    ("Date32", "'1900-01-01'", "date", "1900-01-01"),
    ("Date32", "'2299-12-31'", "date", "2299-12-31"),
    ("DateTime", "'2025-06-30 22:30:00'", "datetime", "2025-07-01 00:30:00"),
    ("DateTime('Asia/Tokyo')", "'2026-01-01 07:30:00'", "datetime", "2025-12-31 23:30:00"),
    ("DateTime64(6)", "'2025-12-31 22:59:59.999999'", "datetime", "2025-12-31 23:59:59"),
    ("DateTime64(9, 'UTC')", "'2025-06-30 22:30:00.123456789'", "datetime", "2025-07-01 00:30:00"),
    ("DateTime64(9, 'UTC')", "'2025-12-31 22:59:59.999999999'", "datetime", "2025-12-31 23:59:59"),
    ("DateTime64(9, 'UTC')", "'1899-12-31 23:00:00.999999999'", "datetime", None),
    ("DateTime64(3)", "'1960-06-30 22:30:00.500'", "datetime", "1960-06-30 23:30:00"),
    ("DateTime64(3)", "'1899-12-31 23:00:00'", "datetime", None),
    ("DateTime64(3)", "'1900-01-01 00:00:01'", "datetime", "1900-01-01 01:00:01"),
    ("UUID", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "string", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("IPv4", "'192.168.0.1'", "string", "192.168.0.1"),
    ("IPv6", "'::1'", "string", "::1"),
    ("Array(Int64)", "[1, 9223372036854775807]", "string", "[1,9223372036854775807]"),
    ("Array(Nullable(String))", "['a\"b', NULL]", "string", '["a\\"b",null]'),
    ("Tuple(a Int32, b String)", "(1, 'x')", "string", '{"a":1,"b":"x"}'),
    ("Map(String, Int32)", "map('k', 1)", "string", '{"k":1}'),
    ("JSON", "'{\"b\": 1, \"a\": [1]}'", "string", '{"a":[1],"b":1}'),
    ("IntervalDay", "INTERVAL 3 DAY", "string", "P3D"),
    ("IntervalSecond", "INTERVAL 90 SECOND", "string", "PT90S"),
    ("Point", "(1, 2)", "string", "(1,2)"),
    ("Nullable(Int32)", "NULL", "int", None),
    ("Nullable(DateTime64(3))", "NULL", "datetime", None),
]  # fmt: skip


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseDatabase]:
    opened = ClickHouseDatabase(tmp_path_factory.mktemp("types"))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("native", "literal", "portal_type", "expected"), ROWS, ids=[f"{row[0]}-{row[1]}"[:60] for row in ROWS]
)
def test_a_type_is_shown_and_found_as_its_row_says(
    database: ClickHouseDatabase, native: str, literal: str, portal_type: str, expected: Any
) -> None:
    table = database.create(f"type_{next(NUMBERS)}", {"id": "Int32", "v": native})
    database.asked(f"INSERT INTO {database.qualified(table.name)} VALUES (1, {literal})")
    with database.open(timezone=ZONE) as session:
        description = session.describe(table)
        assert description.column("v").type == portal_type
        query = TableQuery(table, ("v",))
        fast = b",\n".join(chunk.data for chunk in session.rows(query))
        assert fast == rows_by_cell(session, query)
        ((value,),) = json.loads(b"[" + fast + b"]", parse_float=Decimal)
        assert value == expected
        assert read(session, table, ["id"], IsNull("v")) == ([[1]] if expected is None else [])
        if expected is not None and not set("\ufffd\0") & set(str(value)):
            wanted = _as_value(portal_type, value)
            assert read(session, table, ["id"], Comparison("v", "=", wanted)) == [[1]]
            assert read(session, table, ["id"], OneOf("v", (wanted,))) == [[1]]
            assert read(session, table, ["id"], Comparison("v", "!=", wanted)) == []
            assert read(session, table, ["id"], Comparison("v", "<=", wanted)) == [[1]]
            assert read(session, table, ["id"], Comparison("v", ">", wanted)) == []


def _as_value(portal_type: str, value: Any) -> Value:
    match portal_type:
        case "date":
            return dt.date.fromisoformat(value)
        case "datetime":
            return dt.datetime.fromisoformat(value)
    wanted: Value = value
    return wanted


def test_every_type_of_the_table_has_a_row_here() -> None:
    shown = " ".join(native for native, *_ in ROWS)
    aliases = {"Decimal32", "Decimal64", "Decimal128", "Decimal256", "DateTime32", "Object", "Nested", "UInt256"}
    aliases |= {"IntervalMinute", "IntervalHour", "IntervalWeek", "IntervalMonth", "IntervalYear", "AggregateFunction"}
    for name in set(CLICKHOUSE) - aliases:
        assert name in shown, name


def test_states_of_aggregates_are_shown_as_bytes(database: ClickHouseDatabase) -> None:
    table = database.create("states", {"s": "AggregateFunction(count)"})
    database.asked(f"INSERT INTO {database.qualified('states')} SELECT countState() FROM numbers(3)")
    with database.open() as session:
        assert session.describe(table).column("s").type == "string"
        assert read(session, table, ["s"]) == [["03"]]


def test_local_times_are_compared_as_shown_also_where_a_zone_has_them_twice_or_never(
    database: ClickHouseDatabase,
) -> None:
    """On 2025-10-26 Berlin has the hour from two to three twice; on 2025-03-30 it has none."""
    starts = [dt.datetime(2025, 10, 25, 23, 0, tzinfo=dt.UTC), dt.datetime(2025, 3, 29, 23, 0, tzinfo=dt.UTC)]
    instants = [start + dt.timedelta(minutes=10 * step) for start in starts for step in range(24)]
    rows = [[number, f"{instant:%Y-%m-%d %H:%M:%S}"] for number, instant in enumerate(instants)]
    table = database.create("clocks", {"id": "Int32", "at": "DateTime('UTC')"}, rows)
    rng = random.Random(7)
    with database.open(timezone=ZONE) as session:
        description = session.describe(table)
        shown = {number: dt.datetime.fromisoformat(at) for number, at in read(session, table, ["id", "at"])}
        never = (dt.datetime.fromisoformat(f"2025-03-30 02:{minute}0") for minute in range(6))
        values = {*shown.values(), *never}
        for value in rng.sample(sorted(values), 40):
            for operator, holds in (
                ("=", lambda at, value=value: at == value),
                ("!=", lambda at, value=value: at != value),
                (">", lambda at, value=value: at > value),
                ("<=", lambda at, value=value: at <= value),
            ):
                found = read(session, table, ["id"], Comparison("at", operator, value), None, description)  # type: ignore[arg-type]
                assert sorted(row[0] for row in found) == [n for n, at in shown.items() if holds(at)], (operator, value)  # type: ignore[no-untyped-call]


def test_a_time_far_from_what_fractions_can_hold_is_compared_without_an_overflow(database: ClickHouseDatabase) -> None:
    table = database.create("nanos", {"id": "Int32", "at": "DateTime64(9)"}, [[1, "2025-01-01 00:00:00"]])
    with database.open() as session:
        for day, operators in (("9999-12-31", ("<", "<=", "!=")), ("0001-01-01", (">", ">=", "!="))):
            moment = dt.datetime.fromisoformat(day)
            for operator in operators:
                assert read(session, table, ["id"], Comparison("at", operator, moment)) == [[1]]  # type: ignore[arg-type]
            assert read(session, table, ["id"], Comparison("at", "=", moment)) == []


@pytest.mark.parametrize("kind", ["Int64", "UInt256", "Float64", "Decimal(20, 4)"])
@pytest.mark.parametrize("value", [10**70, -(10**70), Decimal("5.0000000000000001"), Decimal("4.99"), 5])
def test_a_number_beyond_a_columns_type_is_compared_rightly(
    database: ClickHouseDatabase, kind: str, value: int | Decimal
) -> None:
    table = database.create(f"far_{next(NUMBERS)}", {"id": "Int32", "n": kind}, [[1, 5]])
    with database.open() as session:
        below = float(value) > 5 if kind == "Float64" else value > 5
        try:
            found = read(session, table, ["id"], Comparison("n", "<", value))
        except QueryRefused:
            assert kind.startswith("Decimal"), "only decimals may overflow in comparing"
        else:
            assert found == ([[1]] if below else [])


@pytest.mark.parametrize("value", [10**400, Decimal("1E-80"), Decimal("1E+999999")])
def test_a_number_that_no_type_holds_is_refused(database: ClickHouseDatabase, value: int | Decimal) -> None:
    table = database.create(f"far_{next(NUMBERS)}", {"id": "Int32", "n": "Decimal(20, 4)"}, [[1, 5]])
    with database.open() as session, pytest.raises(QueryRefused) as refusal:
        read(session, table, ["id"], Comparison("n", "<", value))
    assert refusal.value.code == "value_type"

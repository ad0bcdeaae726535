"""PostgreSQL databases as people have them: encodings, collations, odd bytes, types of one's own, partitions."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest

from drivers.base import Guards, Session
from drivers.catalogue import DRIVERS
from drivers.errors import QueryRefused
from drivers.postgresql.encodings import ServerEncoding
from drivers.query import Between, Comparison, Condition, Contains, Like, OneOf, TableName
from services.contract.names import PublishedTables
from tests.databases import POSTGRESQL, own_name, postgresql_database
from tests.suite.databases import POLICY, read

ENCODINGS = ["UTF8", "SQL_ASCII", "LATIN1", "WIN1251", "EUC_JP"]
#: Texts with an id, as bytes of the database; of each encoding the last two are odd or of another script.
TEXTS: dict[str, list[bytes]] = {
    "UTF8": ["Белый Хлеб".encode(), "хлеб".encode(), b"Z", "ÄRGER ÿ".encode(), "İZMİR".encode()],
    "SQL_ASCII": ["Белый Хлеб".encode(), "хлеб".encode(), b"Z", "ÄRGER".encode(), b"\xcf\xf0"],
    "LATIN1": ["Straße".encode("latin1"), "ÄRGER ÿ".encode("latin1"), b"Z", b"\x80", b"a_b%"],
    "WIN1251": ["Белый Хлеб".encode("cp1251"), "хлеб".encode("cp1251"), b"Z", "ё".encode("cp1251"), b"a\x98"],
    "EUC_JP": ["東京".encode("euc_jp"), b"Tokyo", b"Z", "〜".encode("euc_jp"), "Хлеб".encode("euc_jp")],
}
TABLE = TableName("public", "t")
SCHEMAS = ("parts", "_timescaledb_internal")


@pytest.fixture(scope="module", params=ENCODINGS)
def encoded(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A database of each encoding in the locale C, whose `lower` knows ASCII only, with a table of texts."""
    encoding: str = request.param
    with postgresql_database("encodings", f"TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'") as name:
        with psycopg.connect(f"{POSTGRESQL} dbname={name} client_encoding={encoding}", autocommit=True) as admin:
            admin.execute(b"CREATE TABLE t (id int, n text)")
            for number, text in enumerate(TEXTS[encoding]):
                # Somebody wrote them in the database's own encoding, which checks nothing where a byte is a character.
                admin.execute(b"INSERT INTO t VALUES (%d, '%s')" % (number, text))
            admin.execute(b"COMMENT ON TABLE t IS '%s'" % TEXTS[encoding][4])
            admin.execute(b"COMMENT ON COLUMN t.n IS '%s'" % TEXTS[encoding][3])
        yield encoding, name


def opened(database: str) -> Session:
    settings = {"host": "127.0.0.1", "database": database, "username": "postgres", "tls": "disable"}
    return DRIVERS["postgresql"].open(settings, Guards(POLICY))


def found(database: str, where: Condition) -> list[int]:
    with opened(database) as session:
        return sorted(row[0] for row in read(session, TABLE, ["id"], where))


SHOWN = {
    "UTF8": ["Белый Хлеб", "хлеб", "Z", "ÄRGER ÿ", "İZMİR"],
    "SQL_ASCII": ["Белый Хлеб", "хлеб", "Z", "ÄRGER", "\ufffd\ufffd"],
    "LATIN1": ["Straße", "ÄRGER ÿ", "Z", "\x80", "a_b%"],
    "WIN1251": ["Белый Хлеб", "хлеб", "Z", "ё", "a\ufffd"],
    "EUC_JP": ["東京", "Tokyo", "Z", "\uff5e", "Хлеб"],
}


def test_every_text_is_read_and_an_odd_byte_loses_no_table(encoded: tuple[str, str]) -> None:
    """A byte that means nothing in its encoding becomes U+FFFD, in rows as in comments."""
    encoding, name = encoded
    with opened(name) as session:
        (table,) = session.tables()
        assert table.comment == SHOWN[encoding][4]
        assert session.describe(TABLE).column("n").comment == SHOWN[encoding][3]
        assert [row[1] for row in read(session, TABLE, ["id", "n"])] == SHOWN[encoding]


def test_letters_that_an_encoding_lacks_match_nothing(encoded: tuple[str, str]) -> None:
    encoding, name = encoded
    if encoding == "EUC_JP":
        # What an encoding of several bytes lacks only the server knows.
        with pytest.raises(QueryRefused) as refused:
            found(name, Comparison("n", "=", "👍"))
        assert refused.value.code == "value_type"
        return
    for foreign in ("漢字", "👍"):
        assert found(name, Comparison("n", "=", foreign)) == []
        assert found(name, Comparison("n", "!=", foreign)) == [0, 1, 2, 3, 4]
        assert found(name, OneOf("n", (foreign, "Z"))) == [2]
        assert found(name, OneOf("n", (foreign, "Z"), negated=True)) == [0, 1, 3, 4]
        assert found(name, OneOf("n", (foreign,), negated=True)) == [0, 1, 2, 3, 4]
        assert found(name, Contains("n", foreign)) == []
        assert found(name, Contains("n", foreign, negated=True)) == [0, 1, 2, 3, 4]
        assert found(name, Like("n", f"%{foreign}%")) == []


def test_searches_ignore_case_in_every_script(encoded: tuple[str, str]) -> None:
    encoding, name = encoded
    wanted: dict[str, list[tuple[str, list[int]]]] = {
        "UTF8": [("ХЛЕБ", [0, 1]), ("ärger Ÿ", [3]), ("izmir", [4]), ("z", [2, 4])],
        "SQL_ASCII": [("ХЛЕБ", [0, 1]), ("ärg", [3]), ("z", [2]), ("%", []), ("й х", [0])],
        "LATIN1": [("STRAß", [0]), ("Ÿ", [1]), ("ärger", [1]), ("_B%", [4])],
        "WIN1251": [("ХЛЕБ", [0, 1]), ("Ё", [3]), ("z", [2])],
        "EUC_JP": [("東", [0]), ("TOKYO", [1]), ("ХЛЕБ", [4])],
    }
    for text, ids in wanted[encoding]:
        assert found(name, Contains("n", text)) == ids, text
        assert found(name, Contains("n", text, negated=True)) == sorted(set(range(5)) - set(ids)), text


def test_patterns_count_characters_and_not_bytes(encoded: tuple[str, str]) -> None:
    encoding, name = encoded
    wanted = {"UTF8": "_ЛЕ_", "SQL_ASCII": "_ЛЕ_", "LATIN1": "STRA_E", "WIN1251": "_ЛЕ_", "EUC_JP": "_京"}
    assert found(name, Like("n", wanted[encoding])) == [0 if encoding in ("LATIN1", "EUC_JP") else 1]


@pytest.mark.parametrize("provider", ["LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C'", "LOCALE 'C.UTF-8'"])
def test_searches_ignore_case_as_most_languages_do_also_where_the_database_is_turkish(provider: str) -> None:
    """Turkish has a small letter of its own for I; the small one of its dotted capital is an i like any other."""
    with postgresql_database("turkish", f"TEMPLATE template0 ENCODING 'UTF8' {provider}") as name:
        with psycopg.connect(f"{POSTGRESQL} dbname={name}", autocommit=True) as admin:
            admin.execute(
                "CREATE TABLE t AS SELECT * FROM (VALUES (1, 'TITLE'), (2, 'İSTANBUL'), (3, 'Хлеб')) v (id, n)"
            )
        for text, ids in (("title", [1]), ("TITLE", [1]), ("istanbul", [2]), ("İstanbul", [2]), ("ХЛЕБ", [3])):
            assert found(name, Contains("n", text)) == ids, text


def test_texts_are_ordered_by_code_points_whatever_the_bytes() -> None:
    """In WIN1251 the byte of ё comes before that of а, its code point after that of я."""
    with postgresql_database("order", "TEMPLATE template0 ENCODING 'WIN1251' LOCALE 'C'") as name:
        with psycopg.connect(f"{POSTGRESQL} dbname={name} client_encoding=UTF8", autocommit=True) as admin:
            admin.execute("CREATE TABLE t AS SELECT * FROM (VALUES (1, 'а'), (2, 'я'), (3, 'ё'), (4, 'z')) v (id, n)")
        assert found(name, Comparison("n", ">", "я")) == [3]
        assert found(name, Comparison("n", "<=", "а")) == [1, 4]
        assert found(name, Between("n", "z", "я")) == [1, 2, 4]
        assert found(name, Comparison("n", "<", "漢")) == [1, 2, 3, 4]


def test_encodings_of_one_byte_are_decoded_as_the_server_decodes_them() -> None:
    """Every byte of every such encoding that a server can have."""
    with psycopg.connect(f"{POSTGRESQL} dbname=postgres", autocommit=True) as server:
        names = server.execute(
            "SELECT pg_encoding_to_char(i) FROM generate_series(0, 34) i WHERE pg_encoding_max_length(i) = 1"
        )
        singles = [name for (name,) in names.fetchall() if name != "SQL_ASCII"]
        assert len(singles) == 27
        letters = bytes(range(128, 256))
        for name in singles:
            encoding = ServerEncoding(name)
            assert encoding.sent == name
            decoded = server.execute(
                """SELECT coalesce(string_agg(letter, '' ORDER BY i), '') FROM generate_series(128, 255) i,
                lateral (SELECT CASE WHEN i = ANY(%s) THEN '\ufffd'
                  ELSE convert_from(set_byte('\\x00', 0, i), %s) END) l (letter)""",
                (_unknown(encoding, letters), name),
            ).fetchone()
            assert decoded == (encoding.utf8(letters).decode(),), name


def _unknown(encoding: ServerEncoding, letters: bytes) -> list[int]:
    return [letter for letter in letters if encoding.utf8(bytes([letter])) == "\ufffd".encode()]


@pytest.fixture(scope="module")
def database() -> Iterator[tuple[str, psycopg.Connection]]:
    with (
        postgresql_database("types") as name,
        psycopg.connect(f"{POSTGRESQL} dbname={name}", autocommit=True) as admin,
    ):
        yield name, admin


Owned = tuple[str, psycopg.Connection]


@pytest.mark.parametrize("collation", ['"C"', '"POSIX"', "ucs_basic", '"und-x-icu"', '"default"'])
def test_a_search_does_not_depend_on_the_collation_of_its_column(database: Owned, collation: str) -> None:
    name, admin = database
    admin.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t (id int, n text COLLATE {collation}, m name)".encode())
    admin.execute("INSERT INTO t VALUES (1, 'Белый Хлеб', 'Белый Хлеб'), (2, 'хлеб', 'хлеб'), (3, NULL, NULL)")
    for column in ("n", "m"):
        assert found(name, Contains(column, "ХЛЕБ")) == [1, 2]
        assert found(name, Contains(column, "ХЛЕБ", negated=True)) == []


@pytest.mark.parametrize("word", ["money", "date", "bool", "timestamp", "numeric", "array", "text", "oid", "float4"])
@pytest.mark.parametrize("kind", ["ENUM ('0044-03-15', 'b')", "(a int, b text)", "RANGE (subtype = int)"])
def test_a_type_of_ones_own_is_a_text_whatever_its_name(database: Owned, word: str, kind: str) -> None:
    name, admin = database
    value = {"E": "'b'", "(": "(1,'x')", "R": "'[1,3)'"}[kind[0]]
    admin.execute("DROP SCHEMA IF EXISTS own CASCADE; CREATE SCHEMA own")
    admin.execute(f'CREATE TYPE own."{word}" AS {kind}; CREATE DOMAIN own.d AS own."{word}"'.encode())
    admin.execute(f'CREATE TABLE own.t (id int, v own."{word}", d own.d, l own."{word}"[])'.encode())
    admin.execute(f'INSERT INTO own.t VALUES (1, {value}, {value}, ARRAY[{value}]::own."{word}"[])'.encode())
    shown = {"E": "b", "(": "(1,x)", "R": "[1,3)"}[kind[0]]
    with opened(name) as session:
        table = TableName("own", "t")
        assert dict(session.describe(table).portal_types) == {"id": "int", "v": "string", "d": "string", "l": "string"}
        ((_, plain, domain, listed),) = read(session, table, ["id", "v", "d", "l"])
        assert (plain, domain) == (shown, shown)
        assert listed.startswith("[")
        assert read(session, table, ["id"], Comparison("v", "=", shown)) == [[1]]


def test_types_of_extensions_in_schemas_of_their_own_are_texts(database: Owned) -> None:
    name, admin = database
    admin.execute("CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext")
    admin.execute("CREATE TABLE extended (id int, c ext.citext, h ext.hstore)")
    admin.execute("INSERT INTO extended VALUES (1, 'ABC', 'k=>v')")
    with opened(name) as session:
        table = TableName("public", "extended")
        assert read(session, table, ["c", "h"]) == [["ABC", '"k"=>"v"']]
        assert read(session, table, ["id"], Contains("c", "abc")) == [[1]]


def test_floating_numbers_of_four_bytes_are_found_by_what_is_shown(database: Owned) -> None:
    name, admin = database
    admin.execute("CREATE DOMAIN weight AS real; CREATE TABLE floats (id int, r real, w weight)")
    values = ["0.1", "19.99", "16777217", "1e20", "-3.4028235e38", "1e-45", "NaN", "-Infinity"]
    for number, value in enumerate(values):
        admin.execute("INSERT INTO floats VALUES (%s, %s, %s)", (number, value, value))
    shown = ["0.1", "19.99", "16777216", "1e20", "-3.4028235e38", "1e-45", None, None]
    with opened(name) as session:
        table = TableName("public", "floats")
        for column in ("r", "w"):
            rows = read(session, table, ["id", column])
            assert [None if row[1] is None else Decimal(str(row[1])) for row in rows] == [
                None if text is None else Decimal(text) for text in shown
            ]
            for number, text in enumerate(shown):
                if text is not None:
                    assert read(session, table, ["id"], Comparison(column, "=", Decimal(text))) == [[number]]
            assert read(session, table, ["id"], Between(column, Decimal("19.99"), Decimal(20))) == [[1]]
            assert read(session, table, ["id"], Contains(column, "19.99")) == [[1]]


def test_numbers_beyond_all_doubles_are_null_in_rows_and_in_filters(database: Owned) -> None:
    name, admin = database
    admin.execute("CREATE DOMAIN large AS numeric; CREATE TABLE large_numbers (id int, n numeric, d large)")
    admin.execute("INSERT INTO large_numbers SELECT 1, x, x FROM (SELECT 10::numeric ^ 400) v (x)")
    admin.execute("INSERT INTO large_numbers VALUES (2, 1.5, 1.5), (3, 'NaN', '-Infinity')")
    with opened(name) as session:
        table = TableName("public", "large_numbers")
        assert read(session, table, ["id", "n", "d"]) == [[1, None, None], [2, 1.5, 1.5], [3, None, None]]
        assert read(session, table, ["id"], Comparison("n", ">", 1)) == [[2]]


@pytest.mark.parametrize(
    ("kind", "stored", "shown", "spelt"),
    [
        ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "", "{A0EEBC999C0B4EF8BB6D6BB9BD380A11}"),
        ("inet", "::1", "", "0:0:0:0:0:0:0:1"),
        ("inet", "10.0.0.1", "", "10.0.0.1/32"),
        ("inet", "10.0.0.0/8", "", "10.0.0.0/8"),
        ("inet", "::ffff:1.2.3.4", "", "::ffff:1.2.3.4"),
        ("cidr", "10.0.0.1/32", "", "10.0.0.1/32"),
        ("macaddr", "08:00:2b:01:02:03", "", "0800.2B01.0203"),
    ],
)
def test_values_are_found_in_every_spelling_and_shown_in_one(
    database: Owned, kind: str, stored: str, shown: str, spelt: str
) -> None:
    name, admin = database
    admin.execute(f"DROP TABLE IF EXISTS spelt; CREATE TABLE spelt (id int, v {kind})".encode())
    admin.execute("INSERT INTO spelt VALUES (1, %s)", (stored,))
    with opened(name) as session:
        table = TableName("public", "spelt")
        assert read(session, table, ["v"]) == [[shown or stored]]
        for value in (stored, spelt):
            assert read(session, table, ["id"], Comparison("v", "=", value)) == [[1]]
            assert read(session, table, ["id"], OneOf("v", (value, "no such value"))) == [[1]]
        assert read(session, table, ["id"], Comparison("v", "=", "no such value")) == []


def test_parts_of_a_partitioned_table_are_not_offered_and_go_on_being_read(database: Owned) -> None:
    """A dataset of a partition that was published once keeps its table; who may read a part only is offered that."""
    name, admin = database
    reader = own_name("part_reader")
    admin.execute("CREATE SCHEMA parts; CREATE TABLE parts.whole (d int) PARTITION BY RANGE (d)")
    admin.execute("CREATE TABLE parts.part PARTITION OF parts.whole FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (d)")
    admin.execute("CREATE TABLE parts.small PARTITION OF parts.part FOR VALUES FROM (0) TO (5)")
    admin.execute("INSERT INTO parts.whole VALUES (1)")
    # As the extension TimescaleDB keeps the parts of its tables; other children are tables of their own.
    admin.execute("CREATE TABLE parts.hyper (d int); CREATE TABLE parts.child () INHERITS (parts.hyper)")
    admin.execute("CREATE SCHEMA _timescaledb_internal")
    admin.execute("CREATE TABLE _timescaledb_internal.chunk () INHERITS (parts.hyper)")
    with opened(name) as session:
        tables = PublishedTables([table for table in session.tables() if table.name.schema in SCHEMAS])
        assert [table.table.name for table in tables.matching("")] == ["child", "hyper", "whole"]
        assert read(session, tables.resolve("parts_small").table, ["d"]) == [[1]]
    admin.execute(f"CREATE ROLE {reader} LOGIN; GRANT USAGE ON SCHEMA parts TO {reader}".encode())
    try:
        admin.execute(f"GRANT SELECT ON parts.small TO {reader}".encode())
        settings = {"host": "127.0.0.1", "database": name, "username": reader, "tls": "disable"}
        with DRIVERS["postgresql"].open(settings, Guards(POLICY)) as session:
            tables = PublishedTables(session.tables())
            assert [table.table.name for table in tables.matching("parts")] == ["small"]
    finally:
        admin.execute(f"DROP OWNED BY {reader}; DROP ROLE {reader}".encode())

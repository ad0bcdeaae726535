"""PostgreSQL's rows in blocks: what stands between rows, around them and inside them (`drivers/postgresql/copy.py`)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from drivers.base import Guards, Limits, Session
from drivers.catalogue import DRIVERS
from drivers.errors import Broken, TooBig
from drivers.postgresql.copy import _copy_by_protocol, _rows
from drivers.query import Contains, TableName, TableQuery
from egress.policy import Policy
from tests.databases import POSTGRESQL, postgresql_database
from tests.drivers.tls_proxies import tls_proxy
from tests.suite.cell_by_cell import rows_by_cell
from tests.suite.databases import PostgreSQLDatabase, read


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQLDatabase]:
    opened = PostgreSQLDatabase(tmp_path_factory.mktemp("postgresql"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    """Settings for a plain and for an encrypted way to the server."""
    with tls_proxy("postgresql", 5432, tmp_path_factory.mktemp("tls")) as (port, authority):
        yield {"disable": {}, "verify-full": {"tls": "verify-full", "ca": authority, "port": str(port)}}


Ways = dict[str, dict[str, str]]


def opened(database: PostgreSQLDatabase, settings: dict[str, str], limits: Limits | None = None) -> Session:
    policy = Policy(allow=[f"127.0.0.1:{settings.get('port', '5432')}"])
    guards = Guards(policy, limits=limits or Limits())
    return DRIVERS["postgresql"].open({**database.settings, **settings}, guards)


def message(row: bytes, kind: bytes = b"d") -> bytes:
    return kind + (len(row) + 4).to_bytes(4, "big") + row


ROWS = [b"x" * length for length in (0, 1, 9, 10, 99, 100, 255, 256, 2559, 2560, 2660, 25600, 65535, 65536, 70000)]
ROWS += [b"d", b"\nd", b'"\nd\n"', b"\n\n", b"d\nd\nd"]
#: A message of 0x0A6400 bytes: its length holds a line end, a `d` and a NUL.
BOUNDARY_ROW = b"x" * (0x0A6400 - 5)
NOTICE = message(b"SNOTICE\0C00000\0Mhello\nd\0\0", b"N")
ENDING = message(b"", b"c") + message(b"COPY 1\0", b"C") + message(b"I", b"Z")


def received(*pieces: bytes) -> list[bytes]:
    """The rows of what a server sends in these pieces."""
    ours, servers = socket.socketpair()
    with ours, servers:

        def send() -> None:
            servers.recv(1024)
            for piece in pieces:
                servers.sendall(piece)
                time.sleep(0.005 if len(pieces) < 20 else 0)

        sending = threading.Thread(target=send)
        sending.start()
        blocks = list(_copy_by_protocol(ours, b"COPY", 2**24 - 16))
        sending.join()
    rows = [row for text, _ in blocks for row in text.split(b"\0")]
    assert len(rows) == sum(count for _, count in blocks)
    return rows


def stream(*rows: bytes) -> bytes:
    return b"".join(message(row + b"\n") for row in rows)


def test_messages_of_every_length_are_taken_apart() -> None:
    """A length may look like a line end and a `d`, and a row may look like the start of a message."""
    assert _rows(stream(*ROWS), 2**24) == (b"\0".join(ROWS), len(ROWS))


@pytest.mark.parametrize("before", [(), (b"1",), (b"d",), (b"",)])
@pytest.mark.parametrize("after", [(), (b"2",), (b"2", b"d", b"")])
def test_a_length_that_looks_like_a_boundary_is_none(before: tuple[bytes, ...], after: tuple[bytes, ...]) -> None:
    rows = [*before, BOUNDARY_ROW, *after, BOUNDARY_ROW]
    sent = stream(*rows)
    assert received(sent + ENDING) == rows
    for place in range(40):
        cut = len(stream(*before)) + place
        assert received(sent[:cut], sent[cut:] + ENDING) == rows


def test_other_messages_between_rows_are_passed_over() -> None:
    sent = stream(b"1") + NOTICE + stream(b"2", b"3") + NOTICE + stream(b"4") + NOTICE + ENDING
    assert _rows(sent, 2**24) is None
    assert received(sent) == [b"1", b"2", b"3", b"4"]
    for cut in range(1, len(sent)):
        assert received(sent[:cut], sent[cut:]) == [b"1", b"2", b"3", b"4"]


def test_notices_of_a_function_do_not_disturb_rows(database: PostgreSQLDatabase) -> None:
    name = database.qualified("noisy")
    database.execute(
        f"CREATE FUNCTION {name}(i bigint) RETURNS bigint LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE NOTICE 'row %% of many', i; RETURN i; END $$"
    )
    view = database.view("noise", f"SELECT {name}(i) AS n, repeat('x', 50) AS t FROM generate_series(1, 5000) i")
    with database.open() as session:
        assert [row[0] for row in read(session, view, ["n", "t"])] == list(range(1, 5001))
        assert session.check().product == "PostgreSQL"


def test_rows_are_the_same_with_and_without_encryption(database: PostgreSQLDatabase, ways: Ways) -> None:
    table = database.create("secured", {"n": "bigint", "t": "text"})
    database.execute(
        f"INSERT INTO {database.qualified('secured')} SELECT i, "
        "CASE WHEN i %% 7 = 0 THEN E'line\\nd\\x01\"\\\\' || repeat('я', i %% 900) END FROM generate_series(1, 20000) i"
    )
    answers = []
    for tls, settings in ways.items():
        with opened(database, settings) as session:
            assert session.check().encrypted is (tls != "disable")
            chunks = list(session.rows(TableQuery(table, ("n", "t"))))
            answers.append((b",\n".join(chunk.data for chunk in chunks), sum(chunk.rows for chunk in chunks)))
            assert session.check().version
    assert answers[0] == answers[1]
    assert answers[0][1] == 20000


@pytest.mark.parametrize("tls", ["disable", "verify-full"])
def test_a_row_beyond_sixteen_megabytes_is_refused(database: PostgreSQLDatabase, ways: Ways, tls: str) -> None:
    table = TableName(database.schema, f"long_{tls}")
    database.create(table.name, {"n": "bigint", "t": "text"})
    database.execute(
        f"INSERT INTO {database.qualified(table.name)} VALUES (1, 'a'), (2, repeat('x', 17000000)), (3, 'b')"
    )
    with opened(database, ways[tls]) as session, pytest.raises(TooBig) as refusal:
        read(session, table, ["n", "t"])
    assert refusal.value.code == "row_bytes"
    with opened(database, ways[tls], Limits(row_bytes=2**30)) as session, pytest.raises(TooBig):
        read(session, table, ["n", "t"])


@pytest.mark.parametrize("tls", ["disable", "verify-full"])
def test_an_error_in_the_middle_of_rows_is_an_error_and_the_session_goes_on(
    database: PostgreSQLDatabase, ways: Ways, tls: str
) -> None:
    view = database.view(f"fails_{tls}", "SELECT i AS n, 1 / (i - 90000) AS t FROM generate_series(1, 100000) i")
    with opened(database, ways[tls]) as session:
        with pytest.raises(Broken) as problem:
            read(session, view, ["n", "t"])
        assert problem.value.code == "server_error"
        assert "division by zero" in problem.value.detail
        assert session.check().version


def test_a_database_that_checks_no_encoding_is_read_and_repaired(database: PostgreSQLDatabase) -> None:
    """facts/field 1 V1: one byte that was no UTF-8 made the whole answer empty."""
    options = "TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
    with postgresql_database("ascii", options) as name:
        with psycopg.connect(f"{POSTGRESQL} dbname={name}", autocommit=True) as admin:
            admin.execute("CREATE TABLE raw (n int, t text)")
            admin.execute(b"INSERT INTO raw VALUES (1, E'a\\xffB'), (2, E'caf\\xe9'), (3, E'\\xd1\\x8f'), (4, E'\\n')")
        with opened(database, {"database": name}) as session:
            table = TableName("public", "raw")
            assert read(session, table, ["n", "t"]) == [[1, "a\ufffdB"], [2, "caf\ufffd"], [3, "я"], [4, "\n"]]
            query = TableQuery(table, ("n", "t"))
            assert b",\n".join(chunk.data for chunk in session.rows(query)) == rows_by_cell(session, query)
            assert read(session, table, ["n"], Contains("t", "CAF")) == [[2]]

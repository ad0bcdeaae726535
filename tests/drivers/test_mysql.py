"""MySQL's and MariaDB's rows over an encrypted line, and zones that a server knows by number only."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from drivers.base import Guards, Session
from drivers.catalogue import DRIVERS
from drivers.errors import Broken, QueryRefused, SettingsWrong, TooBig
from drivers.mysql.protocol import MySQLConnection, only_cell
from drivers.query import Between, Comparison, Contains, IsNull, OneOf, TableQuery
from egress.policy import Policy
from tests.drivers.tls_proxies import tls_proxy
from tests.suite.databases import MariaDBDatabase, read


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDBDatabase]:
    opened = MariaDBDatabase(tmp_path_factory.mktemp("mariadb"))
    yield opened
    opened.close()


def through(database: MariaDBDatabase, port: int, **settings: str) -> Session:
    guards = Guards(Policy(allow=[f"127.0.0.1:{port}"]))
    return DRIVERS["mysql"].open({**database.settings, "port": str(port), **settings}, guards)


def test_rows_are_the_same_with_and_without_encryption(database: MariaDBDatabase, tmp_path: Path) -> None:
    table = database.create("secured", {"n": "bigint", "t": "text"})
    database.execute(
        f"INSERT INTO {database.qualified('secured')} SELECT seq, "
        f"IF(seq %% 7, NULL, CONCAT('line\\nd\\\\\"', REPEAT('я', seq %% 900))) FROM {database.schema}.seq_1_to_20000"
    )
    with database.open() as session:
        plain = b",\n".join(chunk.data for chunk in session.rows(TableQuery(table, ("n", "t"))))
    with tls_proxy("mysql", 3306, tmp_path) as (port, authority):
        for settings in (
            {"tls": "require"},
            {"tls": "verify-ca", "ca": authority},
            {"tls": "verify-full", "ca": authority},
        ):
            with through(database, port, **settings) as session:
                assert session.check().encrypted
                rows = b",\n".join(chunk.data for chunk in session.rows(TableQuery(table, ("n", "t"))))
            assert rows == plain


def test_a_zone_that_the_server_does_not_know_is_the_settings_fault(database: MariaDBDatabase) -> None:
    """MariaDB learns names of zones from a table that Debian leaves empty."""
    with pytest.raises(SettingsWrong) as wrong:
        database.open(timezone="Europe/Berlin")
    assert (wrong.value.field, wrong.value.code) == ("timezone", "zone_unknown_to_server")


@pytest.mark.parametrize("length", [0, 1, 250, 251, 252, 65535, 65536, 70000])
def test_cells_of_every_length_are_read(length: int) -> None:
    text = b"x" * length
    if length < 251:
        packet = bytes([length]) + text
    elif length < 65536:
        packet = b"\xfc" + length.to_bytes(2, "little") + text
    else:
        packet = b"\xfd" + length.to_bytes(3, "little") + text
    assert only_cell(packet, 10**9) == text
    assert only_cell(b"\xfe" + length.to_bytes(8, "little") + text, 10**9) == text


def test_many_rows_arrive_in_order(database: MariaDBDatabase) -> None:
    view = database.view("sequence", f"SELECT seq AS n FROM {database.schema}.seq_1_to_300000")
    with database.open() as session:
        assert [row[0] for row in read(session, view, ["n"])] == list(range(1, 300001))


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("longblob", "REPEAT('x', 9000000)"),
        ("longtext", "REPEAT('x', 16777215)"),
        ("longtext", "REPEAT('я', 8388607)"),
        ("longtext CHARACTER SET latin1", "REPEAT(_latin1 0xE9, 9000000)"),
    ],
    ids=["blob", "text", "utf8", "latin1"],
)
def test_a_cell_that_the_server_cannot_put_together_is_refused_and_not_null(
    database: MariaDBDatabase, declared: str, value: str
) -> None:
    """Above `max_allowed_packet` its functions give NULL and only warn (facts/security 6: refuse, never cut)."""
    name = f"long_{declared.split()[0]}_{len(declared)}_{len(value)}"
    table = database.create(name, {"n": "int", "c": declared})
    database.execute(f"INSERT INTO {database.qualified(name)} VALUES (1, 'a'), (2, NULL)")
    database.execute(f"INSERT INTO {database.qualified(name)} VALUES (3, {value})")
    with database.open() as session:
        assert read(session, table, ["n"], IsNull("c")) == [[2]]
        assert read(session, table, ["n", "c"], Comparison("n", "<", 3))[1] == [2, None]
        with pytest.raises(TooBig) as refused:
            read(session, table, ["n", "c"], Comparison("n", "=", 3))
        assert refused.value.code == "row_bytes"
    with database.open() as session, pytest.raises(TooBig):
        read(session, table, ["c"])


def test_a_condition_on_a_cell_that_is_too_long_loses_no_row(database: MariaDBDatabase) -> None:
    table = database.create("judged", {"n": "int", "b": "longblob"})
    database.execute(f"INSERT INTO {database.qualified('judged')} VALUES (1, 'a'), (2, REPEAT('x', 9000000))")
    with database.open() as session:
        with pytest.raises(TooBig):
            read(session, table, ["n"], Comparison("b", "!=", "61"))
        with pytest.raises(TooBig):
            read(session, table, ["n"], Contains("b", "7878"))
        assert read(session, table, ["n"], Comparison("n", "=", 1)) == [[1]]


@pytest.mark.parametrize("charset", ["latin1", "cp1251", "ascii", "koi8r"])
def test_text_of_any_charset_is_compared_with_any_letter(database: MariaDBDatabase, charset: str) -> None:
    table = database.create(f"letters_{charset}", {"n": "int", "t": f"varchar(20) CHARACTER SET {charset}"})
    database.execute(f"INSERT INTO {database.qualified(f'letters_{charset}')} VALUES (1, 'A'), (2, 'a'), (3, NULL)")
    with database.open() as session:
        for value in ("Ж", "é", "設", "😀"):
            assert read(session, table, ["n"], Comparison("t", "=", value)) == []
            assert read(session, table, ["n"], OneOf("t", (value, "a"))) == [[2]]
            assert read(session, table, ["n"], Comparison("t", "!=", value)) == [[1], [2]]
            assert read(session, table, ["n"], Contains("t", value)) == []
        assert read(session, table, ["n"], Comparison("t", "=", "a")) == [[2]]
        assert read(session, table, ["n"], Between("t", "A", "Z")) == [[1]]


def test_a_number_with_more_digits_than_the_server_reads_is_refused(database: MariaDBDatabase) -> None:
    """MariaDB reads `10.000...1` with 75 decimals as 10, and would find it."""
    table = database.create("tens", {"n": "int", "a": "decimal(12,2)", "d": "double"})
    database.execute(f"INSERT INTO {database.qualified('tens')} VALUES (1, 10, 10)")
    with database.open() as session:
        for value in (Decimal("10." + "0" * 74 + "1"), Decimal("1e-31"), 10**65, -(10**70)):
            for condition in (Comparison("a", "=", value), OneOf("n", (value, 1)), Between("a", value, value)):
                with pytest.raises(QueryRefused) as refused:
                    read(session, table, ["n"], condition)
                assert refused.value.code == "value_type"
        for value in (10, Decimal("10.00000"), Decimal("1e1"), Decimal("10." + "0" * 90)):
            assert read(session, table, ["n"], Comparison("a", "=", value)) == [[1]]
        assert read(session, table, ["n"], Comparison("a", "<", 10**64)) == [[1]]
        assert read(session, table, ["n"], Comparison("d", "<", Decimal("10." + "0" * 74 + "1"))) == []


class _Stream:
    """What a server sent after the head of an answer, in pieces of any size."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    def read1(self, most: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def close(self) -> None:
        """Closed with the connection."""


def _packet(number: int, content: bytes) -> bytes:
    return len(content).to_bytes(3, "little") + bytes([number & 0xFF]) + content


def rows_of(monkeypatch: pytest.MonkeyPatch, *pieces: bytes) -> list[bytes]:
    """The row packets that are read from a stream whose first has the number 5."""
    connection: Any = object.__new__(MySQLConnection)
    connection._rfile, connection._sock, connection._next_seq_id = _Stream(*pieces), None, 5
    monkeypatch.setattr(MySQLConnection, "_execute_command", lambda *_: None)
    monkeypatch.setattr("drivers.mysql.protocol.MySQLResult", lambda _: mock.Mock())
    return [row for block in connection.row_blocks(b"SELECT 1", 100) for row in block]


END = b"\xfe\0\0\0\0"


def test_rows_are_read_however_the_stream_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [b"\x03abc"] * 300
    stream = b"".join(_packet(5 + n, row) for n, row in enumerate([*rows, END]))
    assert rows_of(monkeypatch, stream[:7], stream[7:9], stream[9:]) == rows


@pytest.mark.parametrize(
    "garbage",
    [b"garbage in the middle of rows " * 9, b"\0" * 40, _packet(5, b"\x03abc"), _packet(7, b"\x03abc"), b"\xff" * 64],
)
def test_what_is_no_row_is_told_as_such_and_not_as_a_row_that_is_too_large(
    monkeypatch: pytest.MonkeyPatch, garbage: bytes
) -> None:
    """Nor is it taken for a row: packets of an answer are numbered."""
    with pytest.raises(Broken) as broken:
        rows_of(monkeypatch, _packet(5, b"\x03abc") + garbage + _packet(7, END))
    assert broken.value.code == "bad_answer"


def test_a_server_whose_process_a_proxy_hides_may_compute_until_its_answer_begins(
    database: MariaDBDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.open() as session:
        assert not session.is_computing(begun=False), "it was asked nothing"
        monkeypatch.setattr(MySQLConnection, "thread_id", lambda _: 2**62)
        assert session.is_computing(begun=False)
        assert not session.is_computing(begun=True)

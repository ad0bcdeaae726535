"""MySQL's and MariaDB's rows over an encrypted line, and zones that a server knows by number only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.base import Guards, Session
from drivers.catalogue import DRIVERS
from drivers.errors import SettingsWrong
from drivers.mysql_wire import cells, only_cell
from drivers.network import Policy
from drivers.query import TableQuery
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
        "IF(seq %% 7, NULL, CONCAT('line\\nd\\\\\"', REPEAT('я', seq %% 900))) FROM test.seq_1_to_20000"
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
    assert cells(packet + b"\xfb" + packet) == [text, None, text]
    assert cells(b"\xfe" + length.to_bytes(8, "little") + text) == [text]


def test_many_rows_arrive_in_order(database: MariaDBDatabase) -> None:
    view = database.view("sequence", "SELECT seq AS n FROM test.seq_1_to_300000")
    with database.open() as session:
        assert [row[0] for row in read(session, view, ["n"])] == list(range(1, 300001))

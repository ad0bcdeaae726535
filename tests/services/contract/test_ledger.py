"""The ledger on every database that the app may have (facts/field 0 item 8)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from drivers.columns import PortalType
from drivers.query import TableName
from models import Base, HostedConnectorRow, Portal, Sessions, connect, sessions_for
from services.contract.ledger import Ledger, Owner
from services.contract.names import PublishedTable

OWNER = Owner("a" * 32, 1)
TABLE = PublishedTable("orders", "orders", TableName("", "Заказы " + "x" * 300), plain=True)
COLUMNS: list[tuple[str, PortalType]] = [("Sum a", "int"), ("sum_a", "double"), ("имя", "string")]


@pytest.fixture
def sessions(any_database: str) -> Iterator[Sessions]:
    engine = connect(any_database)
    Base.metadata.create_all(engine)
    made = sessions_for(engine)
    with made.begin() as session:
        session.add(Portal(member_id="m", state="local"))
        session.flush()
        session.add(HostedConnectorRow(portal_id=1, key_hash="0" * 64))
    yield made
    engine.dispose()


def test_processes_that_describe_a_table_at_once_tell_the_same_names(sessions: Sessions) -> None:
    ledgers = [Ledger(sessions) for _ in range(8)]
    with ThreadPoolExecutor(len(ledgers)) as pool:
        told = list(pool.map(lambda ledger: ledger.describe(OWNER, TABLE, COLUMNS).all, ledgers))
    assert {tuple((column.code, column.name) for column in columns) for columns in told} == {
        (("SUM_A", "Sum a"), ("SUM_A_2", "sum_a"), ("IMYA", "имя"))
    }
    assert Ledger(sessions).codes(OWNER) == {"orders": TABLE.table}


def test_what_another_process_wrote_is_known_when_something_is_new(sessions: Sessions) -> None:
    ours, theirs = Ledger(sessions), Ledger(sessions)
    assert [column.code for column in ours.published(OWNER, TABLE, COLUMNS[:1]).all] == ["SUM_A"]
    theirs.describe(OWNER, TABLE, [*COLUMNS, ("SUM A", "int")])
    codes = [column.code for column in ours.published(OWNER, TABLE, [("SUM A", "int"), COLUMNS[1]]).all]
    assert codes == ["SUM_A_3", "SUM_A_2"]


def test_the_ledger_of_one_connection_says_nothing_of_anothers_tables(sessions: Sessions) -> None:
    ledger = Ledger(sessions)
    ledger.describe(OWNER, TABLE, COLUMNS[1:])
    other = Owner("b" * 32, 1)
    assert ledger.codes(other) == {}
    assert [column.code for column in ledger.describe(other, TABLE, COLUMNS).all] == ["SUM_A", "SUM_A_2", "IMYA"]

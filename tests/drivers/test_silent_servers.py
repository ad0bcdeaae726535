"""Servers that hang are given up, servers that compute are waited for (facts/security 6): real ones behind a proxy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers.base import Guards, Limits, Session
from drivers.catalogue import DRIVERS
from drivers.query import TableName, TableQuery
from egress.errors import Timeout
from egress.policy import Policy
from tests.gateway.cutting import Cut, cutting
from tests.suite.databases import Database, MariaDBDatabase, PostgreSQLDatabase
from tests.waiting import HANG

SERVERS: dict[str, tuple[type[Database], int, str]] = {
    "postgresql": (PostgreSQLDatabase, 5432, "pg_sleep(2.5)::text"),
    "mariadb": (MariaDBDatabase, 3306, "SLEEP(2.5)"),
}
LIMITS = Limits(connect_seconds=HANG, seconds=10 * HANG, silence=1)
# Eighteen megabytes: more than what fits into the buffers of two connections.
BIG = """
WITH RECURSIVE n AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM n WHERE id < 900)
SELECT id, REPEAT('x', 20000) AS note FROM n
"""


@pytest.fixture(scope="module", params=SERVERS)
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = SERVERS[request.param][0](tmp_path_factory.mktemp("silent"))
    yield made
    made.close()


@pytest.fixture
def proxy(database: Database, request: pytest.FixtureRequest) -> Iterator[Cut]:
    with cutting(SERVERS[request.node.callspec.params["database"]][1]) as cut:
        yield cut
        cut.flows.set()


@pytest.fixture(scope="module")
def big(database: Database) -> TableName:
    return database.view("big", BIG)


def opened(database: Database, proxy: Cut) -> Session:
    guards = Guards(Policy("allow-all"), limits=LIMITS)
    return DRIVERS[database.driver].open({**database.settings, "port": str(proxy.port)}, guards)


def count(session: Session, table: TableName) -> int:
    return sum(chunk.rows for chunk in session.rows(TableQuery(table, ("id", "note"))))


def test_a_server_that_stands_still_in_the_middle_of_its_rows_is_given_up(
    database: Database, proxy: Cut, big: TableName
) -> None:
    with opened(database, proxy) as session:
        rows = session.rows(TableQuery(big, ("id", "note")))
        assert next(rows).rows
        proxy.flows.clear()
        with pytest.raises(Timeout) as given_up:
            list(rows)
    assert given_up.value.code == "silent"
    proxy.flows.set()
    database.assert_quiet("big")


def test_one_that_waits_for_a_client_that_takes_nothing_computes_nothing(
    database: Database, proxy: Cut, big: TableName
) -> None:
    # The server itself can be asked, and would say that the query runs.
    proxy.after, proxy.stalls = 2_000_000, True
    with opened(database, proxy) as session, pytest.raises(Timeout) as given_up:
        count(session, big)
    assert given_up.value.code == "silent"
    database.assert_quiet("big")


def test_one_that_hangs_before_its_first_byte_is_given_up(database: Database, proxy: Cut, big: TableName) -> None:
    with opened(database, proxy) as session:
        session.check()
        proxy.flows.clear()
        with pytest.raises(Timeout) as given_up:
            count(session, big)
    assert given_up.value.code == "silent"


def test_one_that_still_computes_is_waited_for(database: Database, proxy: Cut, request: pytest.FixtureRequest) -> None:
    sleep = SERVERS[request.node.callspec.params["database"]][2]
    table = database.view("computed", f"SELECT 1 AS id, {sleep} AS note")
    with opened(database, proxy) as session:
        assert count(session, table) == 1

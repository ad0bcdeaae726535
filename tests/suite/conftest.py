"""Each test of the suite runs once for each database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.suite import clickhouse_engine, databases
from tests.suite.databases import Database

DATABASES: dict[str, type[Database]] = {
    **databases.DATABASES,
    **({"clickhouse": clickhouse_engine.ClickHouseDatabase} if clickhouse_engine.IS_HERE else {}),
}


@pytest.fixture(scope="session", params=list(DATABASES))
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database of the run's own."""
    opened = DATABASES[request.param](tmp_path_factory.mktemp(request.param))
    yield opened
    opened.close()

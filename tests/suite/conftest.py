"""Each test of the suite runs once for each database that can what the test needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers.catalogue import DRIVERS
from tests.suite import clickhouse_engine, databases, mssql_engine, trino_engine
from tests.suite.databases import Database

DATABASES: dict[str, type[Database]] = {
    **databases.DATABASES,
    **({"clickhouse": clickhouse_engine.ClickHouseDatabase} if clickhouse_engine.IS_HERE else {}),
    "mssql": mssql_engine.SQLServerDatabase,
    "trino": trino_engine.TrinoDatabase,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`@pytest.mark.needs("capability")` leaves out databases that, or whose drivers, declare not to have it."""
    if "database" not in metafunc.fixturenames:
        return
    needed = [mark.args[0] for mark in metafunc.definition.iter_markers("needs")]
    able = [name for name, kind in DATABASES.items() if all(_has(kind, capability) for capability in needed)]
    metafunc.parametrize("database", able, indirect=True, scope="session")


def _has(kind: type[Database], capability: str) -> bool:
    owner = kind if hasattr(kind, capability) else DRIVERS[kind.driver]
    return bool(getattr(owner, capability))


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database of the run's own."""
    opened = DATABASES[request.param](tmp_path_factory.mktemp(request.param))
    yield opened
    opened.close()

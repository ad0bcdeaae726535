"""What of a table's values would not fit a type, also where there is no time to look at all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from services.publishing import drafts
from services.publishing.drafts import TypeTest
from tests.databases import POSTGRESQL, postgresql_database
from tests.gateway.hosting import Host, hosting


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Path]]:
    folder = tmp_path_factory.mktemp("drafts")
    with hosting(folder) as ready:
        yield ready, folder


def test_a_file_is_tested_to_its_row(host: tuple[Host, Path]) -> None:
    ready, folder = host
    lines = [*(f"{number},{number}" for number in range(3000)), "x,n/d", "y,none"]
    (folder / "numbers.csv").write_text("\n".join(["id,value", *lines]) + "\n")
    connected = ready.connect("file", {"path": "numbers.csv"})
    connection, service = ready.services.connections.get(connected.issued.id), ready.services.drafts
    draft = service.draft(connection, "numbers")
    assert draft.types["VALUE"] == ("string", "int", "double", "date", "datetime")
    assert service.tested(connection, draft, {"VALUE": "int"}) == {"VALUE": TypeTest("int", 3002, 2, "n/d", 3001)}
    assert service.tested(connection, draft, {"VALUE": "string"}) == {}


def test_a_table_for_which_there_is_no_time_is_tested_in_its_first_rows(
    host: tuple[Host, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, _ = host
    monkeypatch.setattr(drafts, "FIRST_ROWS", 10)
    with postgresql_database("drafts") as name:
        with psycopg.connect(f"{POSTGRESQL} dbname={name}") as database:
            database.execute(
                "CREATE VIEW slow AS SELECT CASE WHEN n % 5 = 0 THEN 'many' ELSE n::text END AS value"
                " FROM generate_series(1, 100000) AS n CROSS JOIN LATERAL (SELECT pg_sleep(n / n * 0.01)) AS waited"
            )
        settings = {"host": "127.0.0.1", "database": name, "username": "postgres", "tls": "disable"}
        connected = ready.connect("postgresql", settings)
        connection, service = ready.services.connections.get(connected.issued.id), ready.services.drafts
        draft = service.draft(connection, "slow")
        tests = service.tested(connection, draft, {"VALUE": "int"}, seconds=0.5)
    assert tests == {"VALUE": TypeTest("int", 10, 2, "many", is_whole=False)}
    assert tests["VALUE"].needs_an_answer

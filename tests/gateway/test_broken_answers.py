"""A connection that breaks never looks like a whole answer (facts/security 6)."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

from drivers.base import Guards
from gateway import pipeline
from gateway.pipeline import Pipeline
from gateway.spool import Spool
from tests.databases import POSTGRESQL
from tests.gateway.cutting import Cut, cutting
from tests.gateway.databases import DATABASES
from tests.gateway.generated import rows
from tests.gateway.hosting import Connected, Host, hosting
from tests.small_disk import FILLING, fill, small_disk
from tests.waiting import HANG, eventually

TABLE = rows(count=2000)
CALL = {"table": "orders__quoted"}
KINDS = ["mysql", "postgresql"]


@pytest.fixture(scope="module", params=KINDS)
def behind_proxy(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Connected, Cut]]:
    folder = tmp_path_factory.mktemp("cut")
    server_port = {"postgresql": 5432, "mysql": 3306}[request.param]
    with DATABASES[request.param](TABLE, folder) as source, hosting(folder) as host, cutting(server_port) as cut:
        orders = host.connect(source.driver, {**source.settings, "port": str(cut.port)})
        # From its first login on, failures to connect are no longer taken for a port scan.
        assert orders.call("urlCheck").status_code == 200
        yield orders, cut


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "end"])
def test_fifty_cuts_never_give_half_an_answer(behind_proxy: tuple[Connected, Cut], reset: bool) -> None:
    orders, cut = behind_proxy
    cut.after, cut.passed, cut.reset = None, 0, reset
    whole = orders.call("urlData", CALL)
    assert len(whole.get_json()) == 1 + len(TABLE)
    total = cut.passed
    statuses = []
    for number in range(50):
        cut.after, cut.passed = 1 + number * (total - 2) // 49, 0
        answer = orders.call("urlData", CALL)
        statuses.append(answer.status_code)
        if answer.status_code == 200:
            # The very last bytes are the server's farewell: the rows were there already.
            assert sorted(json.loads(answer.data)[1:]) == sorted(whole.get_json()[1:])
        else:
            assert answer.get_json()["error"] == "connection_failed"
    assert statuses[:48] == [502] * 48
    cut.after = None
    assert orders.call("urlData", CALL).status_code == 200


@dataclass(frozen=True)
class Server:
    """A database server seen by its administrator."""

    kind: str
    database: str

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a statement, if it has any."""
        connection: Any
        if self.kind == "postgresql":
            connection = psycopg.connect(f"{POSTGRESQL} dbname={self.database}", autocommit=True)
        else:
            connection = pymysql.connect(host="127.0.0.1", user="root", database=self.database, autocommit=True)
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []

    def add_slow_view(self) -> None:
        """A view whose rows begin to come at once and take minutes."""
        if self.kind == "postgresql":
            numbers, nap = "generate_series(1, 10000) AS seq", "pg_sleep(0.02)::text"
        else:
            numbers, nap = "seq_1_to_10000", "concat(sleep(0.02), '')"
        self.run(f"CREATE VIEW slow AS SELECT seq AS n, repeat('x', 1000) AS t, {nap} AS s FROM {numbers}")

    def readers(self) -> list[int]:
        """Sessions that read the slow view."""
        if self.kind == "postgresql":
            question = (
                "SELECT pid FROM pg_stat_activity WHERE datname = %s AND query LIKE 'COPY%%slow%%' AND state = 'active'"
            )
        else:
            # Not what asks for the columns of the view: who dies there has not begun to read it.
            question = (
                "SELECT id FROM information_schema.processlist WHERE db = %s AND info LIKE 'SELECT CONCAT(%%slow%%'"
                " AND id <> connection_id()"
            )
        return [row[0] for row in self.run(question, self.database)]

    def kill_readers(self) -> bool:
        """End the sessions that read the slow view; whether there was one."""
        found = self.readers()
        for session in found:
            self.run("SELECT pg_terminate_backend(%s)" if self.kind == "postgresql" else "KILL %s", session)
        return bool(found)


@pytest.fixture(scope="module", params=KINDS)
def slow(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Host, Connected]]:
    folder = tmp_path_factory.mktemp("slow")
    with DATABASES[request.param]([], folder) as source, hosting(folder) as host:
        server = Server(request.param, source.settings["database"])
        server.add_slow_view()
        yield server, host, host.connect(source.driver, source.settings)


def test_a_killed_query_is_no_answer(slow: tuple[Server, Host, Connected]) -> None:
    server, _, orders = slow
    statuses: list[int] = []
    asking = threading.Thread(target=lambda: statuses.append(orders.call("urlData", {"table": "slow"}).status_code))
    asking.start()
    eventually(lambda: server.kill_readers() or not asking.is_alive(), server.readers)
    asking.join(HANG)
    assert statuses == [502]


def test_a_query_over_the_deadline_is_stopped_and_no_answer(slow: tuple[Server, Host, Connected]) -> None:
    # facts/security 1 row 15
    server, host, orders = slow
    own: Pipeline = host.app.extensions["pipeline"]
    guards: Guards = own.guards
    own.guards = replace(guards, limits=replace(guards.limits, seconds=1.5))
    started = time.monotonic()
    try:
        answer = orders.call("urlData", {"table": "slow"})
    finally:
        own.guards = guards
    assert answer.status_code == 504
    # All rows would take 200 s.
    assert time.monotonic() - started < 100
    eventually(lambda: not server.readers(), server.readers)


def test_an_answer_over_the_cap_is_refused_and_not_cut(behind_proxy: tuple[Connected, Cut]) -> None:
    orders, cut = behind_proxy
    cut.after = None
    own: Pipeline = orders.app.extensions["pipeline"]
    guards: Guards = own.guards
    own.guards = replace(guards, limits=replace(guards.limits, bytes=50_000))
    try:
        answer = orders.call("urlData", CALL)
    finally:
        own.guards = guards
    assert answer.status_code == 507
    assert answer.get_json()["error"] == "too_large"


def test_a_full_disk_is_no_answer(
    behind_proxy: tuple[Connected, Cut], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders, cut = behind_proxy
    cut.after = None
    assert orders.call("urlData", CALL).status_code == 200, "the first question writes the table's names down"
    monkeypatch.setattr(pipeline, "Spool", partial(Spool, memory_bytes=1024))
    with small_disk(tmp_path / "disk", 64) as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        answer = orders.call("urlData", CALL)
        # Another time there is no room for the first byte, so not even for saying of which volume answers have a share.
        fill(disk)
        again = orders.call("urlData", CALL)
        assert [path.name for path in disk.iterdir()] == [FILLING]
    assert (answer.status_code, answer.get_json()["error"]) == (507, "disk_full")
    assert (again.status_code, again.get_json()["error"]) == (507, "disk_full")
    assert Host(orders.app).calls()[-1].code == "disk"


def open_files() -> list[str]:
    """What this process has open."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(f"{descriptor.name}: {descriptor.readlink()}")
    return links


def test_nothing_is_left_open(behind_proxy: tuple[Connected, Cut]) -> None:
    orders, cut = behind_proxy
    cut.after = None
    orders.call("urlData", CALL).close()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - descriptors, not files
    for number in range(20):
        cut.after, cut.passed = (500 + number * 1000 if number % 2 else None), 0
        orders.call("urlData", CALL).close()
    cut.after = None
    eventually(lambda: len(os.listdir("/proc/self/fd")) <= before + 2, open_files)  # noqa: PTH208 - descriptors, not files

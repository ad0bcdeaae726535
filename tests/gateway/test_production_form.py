"""The endpoints in production form: a million rows whole with flat memory, many calls at once, a clean stop."""

from __future__ import annotations

import hashlib
import json
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from tests.databases import POSTGRESQL
from tests.gateway.bodies import FORM
from tests.gateway.databases import STAND_STILL, postgresql, standing
from tests.gateway.production import Hosted, Server, serving, serving_too
from tests.waiting import HANG, eventually

ROWS = 1_000_000
MEMORY = 64 * 1024 * 1024


@dataclass(frozen=True)
class Served:
    """A server with one worker process, and a connection to a PostgreSQL database with large views."""

    server: Server
    hosted: Hosted
    database: str

    def post(self, **fields: Any) -> requests.Response:
        """Ask `urlData`."""
        return self.hosted.post(**fields)

    def peak(self) -> int:
        """The largest memory that the worker had so far, in bytes."""
        (worker,) = self.server.workers()
        status = Path(f"/proc/{worker}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with postgresql([], folder) as source:
        with psycopg.connect(f"{POSTGRESQL} dbname={source.settings['database']}") as database:
            for name, last in (("million", ROWS), ("few", 1000)):
                database.execute(
                    f"CREATE VIEW {name} AS SELECT n, n::numeric / 8 AS part, md5(n::text) || E'\\n\"' AS text,"
                    f" DATE '2000-01-01' + n % 9000 AS day FROM generate_series(1, {last}) n"
                )
            database.execute(STAND_STILL)
            database.execute(
                "CREATE VIEW long AS SELECT n, CASE WHEN n > 100 THEN pg_sleep(600)::text END AS nap"
                " FROM generate_series(1, 1000) n"
            )
            database.execute(
                "CREATE VIEW held AS SELECT n, md5(n::text) AS text, CASE WHEN n = 1000 THEN stand_still() END AS nap"
                " FROM generate_series(1, 100000) n"
            )
        with serving(folder, WEB_CONCURRENCY="1") as server:
            hosted = server.connect("m", "postgresql", source.settings)
            yield Served(server, hosted, source.settings["database"])
        # facts/security 1 row 18: neither key stands in the log of accesses
        assert hosted.key not in server.log()
        assert "bxk1_" not in server.log()
        assert "/gateway/" in server.log()


def test_a_million_rows_arrive_whole_with_flat_memory(served: Served) -> None:
    for _ in range(3):
        assert len(served.post(table="few").json()) == 1001
    before = served.peak()
    answer = served.post(table="million")
    assert served.peak() - before < MEMORY
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    rows = json.loads(answer.content)
    assert rows[0] == ["N", "PART", "TEXT", "DAY"]
    assert len(rows) == ROWS + 1
    ours, theirs = hashlib.sha256(), hashlib.sha256()
    for number, row in enumerate(rows[1:], start=1):
        ours.update(f'{number} {number / 8} {hashlib.md5(str(number).encode()).hexdigest()}\n"'.encode())  # noqa: S324 - as the view has it
        theirs.update(f"{row[0]} {row[1]} {row[2]}".encode())
    assert ours.digest() == theirs.digest()


def test_many_calls_at_once_are_all_answered_and_all_alike(served: Served) -> None:
    # facts/security 7: a dashboard asks for thirty charts at once; waiting is better than failing
    answers: list[tuple[int, int]] = []

    def ask() -> None:
        answer = served.post(table="million", limit="5000")
        answers.append((answer.status_code, len(answer.content)))

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    assert len(answers) == 30, served.server.log()
    assert len(set(answers)) == 1
    assert answers[0][0] == 200


def test_a_preview_reads_what_it_shows_and_no_more(served: Served) -> None:
    # facts/performance 5: previews are fast (bench/ measures them); the whole table here would take days
    for _ in range(3):
        answer = served.post(table="long", limit="20")
        assert answer.status_code == 200
        assert [row[0] for row in answer.json()] == ["N", *range(1, 21)]


def test_a_reader_that_hangs_up_does_no_harm(served: Served) -> None:
    body = served.hosted.body(table="million")
    for _ in range(3):
        with requests.post(
            served.hosted.urls["urlData"], data=body, headers={"Content-Type": FORM}, timeout=120, stream=True
        ) as answer:
            assert next(answer.iter_content(1000)).startswith(b'[["N",')
    assert served.post(table="few").status_code == 200


def test_a_stop_during_a_call_cuts_no_answer(served: Served) -> None:
    # facts/security 7: graceful stop
    answers: list[requests.Response] = []
    with serving_too(served.server, served.hosted) as (server, hosted):
        asking = threading.Thread(target=lambda: answers.append(hosted.post(table="held")))
        with (
            psycopg.connect(f"{POSTGRESQL} dbname={served.database}", autocommit=True) as database,
            standing(database) as count,
        ):
            asking.start()
            eventually(lambda: count() == 1, server.log)
            server.process.send_signal(signal.SIGTERM)
            # The stop has begun while the query stands still, so all of the answer comes after it.
            eventually(lambda: "Handling signal: term" in server.log(), server.log)
            assert answers == []
        asking.join(HANG)
        server.process.wait(HANG)
    assert [answer.status_code for answer in answers] == [200], server.log()
    assert len(answers[0].content) == int(answers[0].headers["Content-Length"])
    assert len(json.loads(answers[0].content)) == 1 + 100_000

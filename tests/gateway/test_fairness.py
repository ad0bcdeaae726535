"""One portal's noise stops no other portal, in production form: processes, threads and turns as operators have them.

Counted and not timed: the noisy portal's queries stand still until the test lets them go, so whatever the calm portal
is answered, it is answered beside all of them (facts/security 7 "Fairness", 1 row 16).
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
import pytest

from tests.gateway.databases import postgresql
from tests.gateway.production import Hosted, Server, serving

NOISE = 200
CALM = 20
LOCK = 4711


@dataclass(frozen=True)
class House:
    """A server with two portals whose connections lead to the same database server."""

    server: Server
    noisy: tuple[Hosted, ...]
    calm: Hosted
    database: str

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Queries of the view `held` do not end within the block."""
        with psycopg.connect(self.database, autocommit=True) as owner:
            owner.execute("SELECT pg_advisory_lock(%s)", [LOCK])
            yield

    def wait_until(self, reached: Callable[[int], bool]) -> None:
        """Wait until so many queries stand still."""
        question = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        with psycopg.connect(self.database, autocommit=True) as watcher:
            for _ in range(400):
                (waiting,) = watcher.execute(question).fetchone() or (0,)
                if reached(waiting):
                    return
                threading.Event().wait(0.05)
        raise AssertionError("it never came to that")

    def is_answered(self) -> Counter[int]:
        """Statuses of the calm portal's calls, one after the other; 0 where none came in time."""
        statuses: Counter[int] = Counter()
        for _ in range(CALM):
            try:
                statuses[self.calm.post(table="quick", timeout=10.0).status_code] += 1
            except OSError:
                statuses[0] += 1
        return statuses


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("fair")
    with postgresql([], folder) as source:
        database = f"host=127.0.0.1 user=postgres dbname={source.settings['database']}"
        with psycopg.connect(database) as owner:
            owner.execute(
                f"CREATE VIEW held AS SELECT 1 AS n, pg_advisory_lock_shared({LOCK})::text AS t;"
                " CREATE VIEW quick AS SELECT 1 AS n"
            )
        with serving(folder) as server:
            noisy = tuple(server.connect("noisy", "postgresql", source.settings) for _ in range(4))
            yield House(server, noisy, server.connect("calm", "postgresql", source.settings), database)


def test_a_calm_portal_is_answered_while_two_hundred_calls_of_another_one_run_and_wait(house: House) -> None:
    assert house.is_answered() == {200: CALM}
    with ThreadPoolExecutor(NOISE) as pool:
        with house.standing_still():
            noise = [pool.submit(house.noisy[n % 4].post, table="held") for n in range(NOISE)]
            # As many as one portal may have at one server that others use as well.
            house.wait_until(lambda waiting: waiting >= 6)
            assert house.is_answered() == {200: CALM}
        statuses = Counter(answer.result().status_code for answer in noise)
    assert set(statuses) <= {200, 503}
    assert statuses[200] >= 6


def test_thirty_charts_of_one_portal_at_once_are_all_answered(house: House) -> None:
    # facts/security 4: queue rather than refuse, any failure is "no connection" for the user
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda n: house.noisy[n % 4].post(table="quick").status_code, range(30)))
    assert answers == [200] * 30


def test_bodies_that_never_end_stop_no_other_portal(house: House) -> None:
    # facts/security 1 row 16: slow senders; these know an address of the noisy portal
    with contextlib.ExitStack() as senders:
        for _ in range(NOISE):
            senders.enter_context(house.noisy[0].half_sent())
        assert house.is_answered() == {200: CALM}
    assert house.noisy[0].post(table="quick").status_code == 200

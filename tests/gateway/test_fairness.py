"""One portal's noise stops no other portal, in production form: processes, threads and turns as operators have them.

Counted and not timed: the noisy portal's queries stand still until the test lets them go, so whatever the calm portal
is answered, it is answered beside all of them (facts/security 7 "Fairness", 1 row 16).
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
import pytest

from tests.databases import POSTGRESQL
from tests.gateway.databases import STAND_STILL, postgresql, standing
from tests.gateway.production import Hosted, Server, serving
from tests.waiting import HANG, eventually

NOISE = 200
CALM = 20


@dataclass(frozen=True)
class House:
    """A server with two portals whose connections lead to the same database server."""

    server: Server
    noisy: tuple[Hosted, ...]
    calm: Hosted
    database: str

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[Callable[[], int]]:
        """Queries of the view `held` do not end within the block; gives how many there are."""
        with psycopg.connect(self.database, autocommit=True) as owner, standing(owner) as count:
            yield count

    def is_answered(self) -> Counter[int]:
        """Statuses of the calm portal's calls, one after the other; 0 where none came in time."""
        statuses: Counter[int] = Counter()
        for _ in range(CALM):
            try:
                statuses[self.calm.post(table="quick").status_code] += 1
            except OSError:
                statuses[0] += 1
        return statuses


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("fair")
    with postgresql([], folder) as source:
        database = f"{POSTGRESQL} dbname={source.settings['database']}"
        with psycopg.connect(database) as owner:
            owner.execute(STAND_STILL)
            owner.execute("CREATE VIEW held AS SELECT 1 AS n, stand_still() AS t; CREATE VIEW quick AS SELECT 1 AS n")
        with serving(folder) as server:
            noisy = tuple(server.connect("noisy", "postgresql", source.settings) for _ in range(4))
            yield House(server, noisy, server.connect("calm", "postgresql", source.settings), database)


def test_a_calm_portal_is_answered_while_two_hundred_calls_of_another_one_run_and_wait(house: House) -> None:
    assert house.is_answered() == {200: CALM}
    with ThreadPoolExecutor(NOISE) as pool:
        with house.standing_still() as count:
            noise = [pool.submit(house.noisy[n % 4].post, timeout=5 * HANG, table="held") for n in range(NOISE)]
            # As many as one portal may have at one server that others use as well.
            eventually(lambda: count() >= 6, lambda: f"{count()} stand still\n{house.server.log()}")
            assert house.is_answered() == {200: CALM}
        statuses = Counter(answer.result().status_code for answer in noise)
    assert set(statuses) <= {200, 503}
    assert statuses[200] >= 6


def test_thirty_charts_of_one_portal_at_once_are_all_answered(house: House) -> None:
    # facts/security 4: queue rather than refuse, any failure is "no connection" for the user
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda n: house.noisy[n % 4].post(table="quick").status_code, range(30)))
    assert answers == [200] * 30

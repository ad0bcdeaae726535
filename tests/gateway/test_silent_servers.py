"""Databases that keep their callers waiting take no place of databases that answer (facts/security 7 "Fairness").

Counted and not timed, as in `test_fairness.py`.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg

from tests.databases import POSTGRESQL
from tests.gateway.cutting import cutting
from tests.gateway.databases import STAND_STILL, postgresql, standing
from tests.gateway.hosting import Connected, hosting
from tests.waiting import eventually

TENANTS, EACH, CALM = 7, 4, 20


def ask(connected: Connected, table: str) -> int:
    return connected.call("urlData", {"table": table}).status_code


def test_hung_databases_of_many_portals_hold_no_place_of_others_and_go_on_afterwards(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(postgresql([], tmp_path))
        database = f"{POSTGRESQL} dbname={source.settings['database']}"
        with psycopg.connect(database) as owner:
            owner.execute(STAND_STILL)
            owner.execute("CREATE VIEW held AS SELECT 1 AS n, stand_still() AS t; CREATE VIEW quick AS SELECT 1 AS n")
        host = stack.enter_context(hosting(tmp_path, silence_seconds=1))
        calm, tenants = host.connect("postgresql", source.settings), []
        for number in range(TENANTS):
            # Each tenant's database is a server of its own, as far as the application can see.
            settings = {**source.settings, "port": str(stack.enter_context(cutting(5432)).port)}
            host.services.installations.add_local(f"tenant {number}")
            tenants.append(host.connect("postgresql", settings, f"tenant {number}"))
        pool = stack.enter_context(ThreadPoolExecutor(TENANTS * EACH))
        with psycopg.connect(database, autocommit=True) as owner, standing(owner) as count:
            answers = [pool.submit(ask, tenant, "held") for tenant in tenants for _ in range(EACH)]
            # As many as there are places for all, and more.
            eventually(lambda: count() > 14, lambda: f"{count()} stand still")
            assert Counter(ask(calm, "quick") for _ in range(CALM)) == {200: CALM}
        # Their servers said that they compute, so nobody was given up.
        assert Counter(answer.result() for answer in answers)[200] > 14
        assert [ask(tenant, "quick") for tenant in tenants] == [200] * TENANTS

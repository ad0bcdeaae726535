"""Memory with few and with many rows: it must be the same, and what is over the cap must be refused and not cut."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench import deals, product
from bench.processes import fetch
from bench.race import MEGABYTE, Checker
from bench.stores import Store


@dataclass(frozen=True)
class Scale:
    """What two calls cost a fresh server: few columns of all rows, then all columns of all rows.

    `seconds` and `size` (megabytes) are of the first call, `status` is the second one's; `narrow` and `wide` are
    megabytes above idle after the first and after both.
    """

    store: Store
    rows: int
    seconds: float
    size: float
    narrow: float
    status: int
    wide: float


def scaled(store: Store, rows: int, folder: Path) -> Scale:
    """Load the store, ask, check the answer against the database, and take everything away again."""
    store.load()
    try:
        checker = Checker(deals.fingerprint(store.rows(deals.NARROW)), deals.NARROW)
        with product.running(store.folder, folder) as running:
            connection = running.connect("bench", store)
            few = fetch(connection.asked(deals.NARROW))
            narrow, size = running.server.memory(), len(few.body) / MEGABYTE
            checker.check(store.name, few)
            status = fetch(connection.asked()).status
            return Scale(store, rows, few.seconds, size, narrow, status, running.server.memory())
    finally:
        store.drop()

"""DuckDB databases that stay open for a moment, since opening one takes longer than a preview.

Only one session has a database at a time, so that its memory is its own. The key holds everything that the database was
made from: whoever changes a file or a setting gets another one.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Hashable

import duckdb

MOST = 4
SECONDS = 60.0


class Warm:
    """Databases that nobody uses just now, for all threads of the process."""

    def __init__(self, most: int = MOST, seconds: float = SECONDS) -> None:
        self._most, self._seconds = most, seconds
        self._lock = threading.Lock()
        self._idle: list[tuple[float, Hashable, duckdb.DuckDBPyConnection]] = []

    def take(self, key: Hashable) -> duckdb.DuckDBPyConnection | None:
        """A database that was given back under `key`, or None; it is the caller's now."""
        with self._lock:
            found = next((entry for entry in reversed(self._idle) if entry[1] == key), None)
            if found is not None:
                self._idle.remove(found)
            old = self._forgotten(self._most)
        _close(old)
        return found[2] if found is not None else None

    def give(self, key: Hashable, database: duckdb.DuckDBPyConnection) -> None:
        """Keep a database for the next session; of too many, the oldest are closed."""
        with self._lock:
            old = self._forgotten(self._most - 1)
            self._idle.append((time.monotonic(), key, database))
        _close(old)

    def _forgotten(self, most: int) -> list[duckdb.DuckDBPyConnection]:
        """Databases that are too old or more than `most`, no longer among the idle ones."""
        since = time.monotonic() - self._seconds
        kept = [entry for entry in self._idle if entry[0] >= since][-most:] if most else []
        old = [entry[2] for entry in self._idle if entry not in kept]
        self._idle = kept
        return old


def _close(databases: list[duckdb.DuckDBPyConnection]) -> None:
    for database in databases:
        with contextlib.suppress(duckdb.Error):
            database.close()

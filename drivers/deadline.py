"""A session's own deadline, beside the server's statement limit (facts/security 1 row 15)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

from drivers.errors import Timeout

LOOK_SECONDS = 0.5
"""How often a deadline asks whether anybody still waits."""


class Deadline:
    """Calls `interrupt` from a thread of its own, once: when the time is over or `is_wanted` says that nobody waits."""

    def __init__(
        self, seconds: float, interrupt: Callable[[], None], is_wanted: Callable[[], bool] = lambda: True
    ) -> None:
        self._end = time.monotonic() + seconds
        self._interrupt, self._is_wanted = interrupt, is_wanted
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._over: Literal["", "deadline", "cancelled", "closed"] = ""
        threading.Thread(target=self._watch, name="deadline", daemon=True).start()

    @property
    def left(self) -> float:
        """Seconds that remain, never below a millisecond. Raises `Timeout` when it is over."""
        self.check()
        return max(self._end - time.monotonic(), 0.001)

    def check(self) -> None:
        """Raise `Timeout`: `deadline` if the time is over, `cancelled` if nobody waited any more."""
        if self._over == "deadline" or (not self._over and time.monotonic() >= self._end):
            raise Timeout("deadline")
        if self._over == "cancelled":
            raise Timeout("cancelled")

    def close(self) -> None:
        """Stop watching."""
        with self._lock:
            self._over = self._over or "closed"
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(min(max(self._end - time.monotonic(), 0.0), LOOK_SECONDS)):
            if time.monotonic() >= self._end:
                return self._finish("deadline")
            if not self._is_wanted():
                return self._finish("cancelled")
        return None

    def _finish(self, how: Literal["deadline", "cancelled"]) -> None:
        with self._lock:
            if self._over:
                return
            self._over = how
        self._interrupt()

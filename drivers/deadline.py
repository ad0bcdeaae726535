"""A session's own deadline, beside the server's statement limit (facts/security 1 row 15)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

from drivers.errors import Timeout


class Deadline:
    """Calls `interrupt` from a thread of its own when the time is over or somebody cancels, once."""

    def __init__(self, seconds: float, interrupt: Callable[[], None]) -> None:
        self._end = time.monotonic() + seconds
        self._interrupt = interrupt
        self._lock = threading.Lock()
        self._over: Literal["", "deadline", "cancelled", "closed"] = ""
        self._timer = threading.Timer(seconds, self._finish, ("deadline",))
        self._timer.daemon = True
        self._timer.start()

    @property
    def left(self) -> float:
        """Seconds that remain, never below a millisecond. Raises `Timeout` when it is over."""
        self.check()
        return max(self._end - time.monotonic(), 0.001)

    def check(self) -> None:
        """Raise `Timeout` if the deadline passed or the session was cancelled."""
        if self._over == "deadline" or (not self._over and time.monotonic() >= self._end):
            raise Timeout("deadline")
        if self._over == "cancelled":
            raise Timeout("cancelled")

    def cancel(self) -> None:
        """End the time now."""
        self._finish("cancelled")

    def close(self) -> None:
        """Stop watching."""
        with self._lock:
            self._over = self._over or "closed"
        self._timer.cancel()

    def _finish(self, how: Literal["deadline", "cancelled"]) -> None:
        with self._lock:
            if self._over:
                return
            self._over = how
        self._timer.cancel()
        self._interrupt()

"""The concurrency limit: how many calls of one portal may be inside at once, from key to last byte of the answer.

Each call inside has a thread, whether it waits in the queue, queries, or is sent. A portal may have twice as many calls
inside as there are free places left; so one portal alone has two thirds of them, two have two fifths each, and there is
always room for the next one (facts/security 7 "Fairness"; the rule is that of dynamic thresholds for shared buffers,
Choudhury and Hahne 1998).
"""

from __future__ import annotations

import threading
from collections import Counter

from services.limits.fair_queue import Busy


class ConcurrencyLimit:
    """Counts who is inside; `room` is the number of threads of this process."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._inside: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, tenant: str) -> bool:
        """Let a call in, and tell whether it is its portal's only one; raises `Busy`. Whoever is let in leaves once."""
        with self._lock:
            if self._inside[tenant] >= 2 * (self.room - self._inside.total()):
                raise Busy
            self._inside[tenant] += 1
            return self._inside[tenant] == 1

    def leave(self, tenant: str) -> None:
        """A call is over."""
        with self._lock:
            self._inside[tenant] -= 1
            if not self._inside[tenant]:
                del self._inside[tenant]

"""Wrong keys: a source that sends too many of them waits for each further answer (facts/security 4 layer 4).

Nobody is refused for what others at the same address guess: only who sent a wrong key comes here. Counts are in memory
that the processes share, since a note in a database for each guess makes guesses a load of their own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter

from services.limits.budgets import BudgetSpent
from services.limits.rate_limit import RateLimit
from services.limits.shared_memory import SharedMemory

security_log = logging.getLogger("security")

MOST = 20
"""In a minute, from one source address."""
DELAY = 1.0
DELAYED_OF_ONE = 8


class WrongKeys:
    """Counts wrong keys; `room` is the number of threads of this process, a quarter of which may wait at once."""

    def __init__(self, room: int) -> None:
        # A table of its own: strangers with many addresses would fill the one that others are counted in.
        self._rate_limit = RateLimit(SharedMemory(), MOST, burst=MOST, longest_wait=0.0)
        self._most_delayed = room // 4
        self._delayed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, source: str) -> None:
        """Note a wrong key, and come back when it may be answered; raises `BudgetSpent` where too many wait already."""
        try:
            self._rate_limit.wait(source)
        except BudgetSpent:
            self._delay(source)

    def _delay(self, source: str) -> None:
        with self._lock:
            if self._delayed[source] >= DELAYED_OF_ONE or self._delayed.total() >= self._most_delayed:
                raise BudgetSpent("bad_keys")
            self._delayed[source] += 1
        security_log.warning("too many bad connector keys from %s", source)
        time.sleep(DELAY)
        with self._lock:
            self._delayed[source] -= 1
            if not self._delayed[source]:
                del self._delayed[source]

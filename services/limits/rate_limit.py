"""The rate of calls with one key: 120 in a minute, 60 at once before that counts (facts/security 4 layer 4).

Who calls faster waits rather than fails, up to as long as for a slot; the calls of all processes count together. What
is kept for each key is one moment: when all of its calls would be over if each took its share of the minute (the rule
is GCRA, ITU-T I.371).
"""

from __future__ import annotations

import time

from services.limits.budgets import BudgetSpent
from services.limits.shared_memory import SharedMemory

BURST = 60
LONGEST_WAIT = 20.0


class RateLimit:
    """Lets calls through; `per_minute` 0 means as they come."""

    def __init__(
        self, memory: SharedMemory, per_minute: int, *, burst: int = BURST, longest_wait: float = LONGEST_WAIT
    ) -> None:
        self._memory, self._longest_wait = memory, longest_wait
        self._share = 60.0 / per_minute if per_minute else 0.0
        self._ahead = burst * self._share

    def wait(self, key: str) -> None:
        """Come back when it is this call's time; raises `BudgetSpent` where that is too far off."""
        if not self._share:
            return
        present, is_let_through = time.monotonic(), False

        def one_more(over: float) -> float:
            nonlocal is_let_through
            after = max(over, present) + self._share
            is_let_through = after <= present + self._ahead + self._longest_wait
            return after if is_let_through else over

        after = self._memory.change(f"rate {key}", one_more)
        if not is_let_through:
            raise BudgetSpent("requests")
        time.sleep(max(0.0, after - self._ahead - present))

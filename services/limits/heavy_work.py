"""Heavy work: large answers are made one after another, and pause for the call of a portal that has no other one.

What a small call waits for beside large ones is the processor and the interpreter's lock, not its turn
(facts/performance 6.3). So of the answers over 1 MiB one at a time is made in each process, in slices: a second one
would gain nothing on the same interpreter. While a portal's only call is inside, that one pauses as well, a quarter of
the time at most. An answer whose database is so slow that the process does next to nothing meanwhile harms nobody: it
neither waits nor pauses.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from functools import partial

HEAVY_BYTES = 1024 * 1024
"""Below this an answer is small."""
SLICE = 0.05
"""Seconds of work until the next large answer is let on, and the longest pause."""
OVERDUE = 0.2
"""Seconds after which a turn that was not given back is passed on: who has it waits for a database."""
PAUSES = 1 / 3
"""Seconds of pauses for each second of work."""
IDLE = 0.1
"""An answer is slow in coming if the process works for a smaller share of its slice than this."""
SLOW_FOR = 1.0
"""Seconds for which it is taken for slow until it is looked at again."""


class HeavyWork:
    """The answers of one process."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._only = 0
        self._pausable = 0.0
        self._turns: deque[LargeAnswer] = deque()

    @contextlib.contextmanager
    def answer(self, *, is_only: bool) -> Iterator[LargeAnswer]:
        """An answer while it is made; `is_only` where its portal has no other call inside."""
        answer = LargeAnswer(self, is_only)
        if is_only:
            with self._changed:
                self._only += 1
        try:
            yield answer
        finally:
            answer.end()

    def grown(self) -> None:
        """An only call is over, or its answer is large itself; for `LargeAnswer`."""
        with self._changed:
            self._only -= 1
            self._changed.notify_all()

    def take(self, answer: LargeAnswer) -> None:
        """Come back when it is this answer's turn; for `LargeAnswer`."""
        with self._changed:
            self._turns.append(answer)
            # Whoever is not woken in time may have lost its turn to the next one, and goes on without.
            while answer in self._turns and (first := self._turns[0]) is not answer:
                if not self._changed.wait_for(partial(self._is_past, first), OVERDUE):
                    self._turns.popleft()
                    self._changed.notify_all()

    def _is_past(self, first: LargeAnswer) -> bool:
        return not self._turns or self._turns[0] is not first

    def give(self, answer: LargeAnswer) -> None:
        """Let the next one on; for `LargeAnswer`."""
        with self._changed:
            if answer in self._turns:
                self._turns.remove(answer)
            self._changed.notify_all()

    def pause(self, worked: float) -> float:
        """Wait while there are only calls, as long as the work since the last pause allows; the seconds that it took.

        `worked` are the seconds since this was asked last. For `LargeAnswer`.
        """
        with self._changed:
            self._pausable = min(self._pausable + worked * PAUSES, SLICE)
            if not self._only:
                return 0.0
            started = time.monotonic()
            self._changed.wait_for(lambda: not self._only, self._pausable)
            took = time.monotonic() - started
            self._pausable = max(0.0, self._pausable - took)
            return took


class LargeAnswer:
    """One answer, which may become large; whoever makes it says how large it is after each piece."""

    def __init__(self, work: HeavyWork, is_only: bool) -> None:
        self._work, self._is_only, self._has_turn = work, is_only, False
        # Moments at which the slice began, pauses not counted, and the last piece came; the process's seconds of work.
        self._since = self._last = self._processor = self._slow_until = 0.0

    def grow(self, size: int) -> None:
        """To be told that there are `size` bytes; comes back when more may be made."""
        if size < HEAVY_BYTES:
            return
        self._be_no_only_call()
        now = time.monotonic()
        if self._has_turn and now - self._since >= SLICE:
            self._give(now)
        if now < self._slow_until:
            return
        if not self._has_turn:
            self._work.take(self)
            self._has_turn = True
            self._since = self._last = now = time.monotonic()
            self._processor = time.process_time()
        self._since += self._work.pause(now - self._last)
        self._last = time.monotonic()

    def end(self) -> None:
        """The answer is made, or is none."""
        self._be_no_only_call()
        if self._has_turn:
            self._give(time.monotonic())

    def _be_no_only_call(self) -> None:
        if self._is_only:
            self._is_only = False
            self._work.grown()

    def _give(self, now: float) -> None:
        worked = now - self._since
        if worked >= SLICE and time.process_time() - self._processor < IDLE * worked:
            self._slow_until = now + SLOW_FOR
        self._has_turn = False
        self._work.give(self)

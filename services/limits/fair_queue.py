"""The fair queue: how many queries run at once, and who is next (facts/security 4 layer 4, 7 "Fairness").

A call waits rather than fails, since a portal takes any failure for "no connection"; but not for ever. Among those who
wait in this process, the portal with the fewest running queries is next. The limits hold for all processes of this
server together. A quarter of each common limit is kept for portals of which no query runs: however many queries of one
portal run and wait, in whichever process, the first one of another portal finds a place.

A query whose server is silent costs a thread and nothing else, so it moves to places apart, and for a while further
queries of that server begin there: hung databases never hold the places of those that answer.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from errors import TryLater
from services.limits.shared_memory import Places, SharedMemory

PER_CONNECTION = 4
PER_TARGET = 8
PER_PORTAL = 8
ALTOGETHER = 14
SLOW = 14
"""Places apart for silent servers."""
SLOW_AFTER, SLOW_FOR = 3.0, 30.0
"""Seconds of silence after which a server is slow, and for how many it stays so after that."""
LONGEST_WAIT = 20.0
# How soon a place that another process leaves is noticed.
_LOOK_AGAIN = 0.05


class Busy(TryLater):
    """No slot became free in time, or too many calls of the portal wait already."""


@dataclass(frozen=True)
class _Wish:
    """What a call needs: a place of its portal, its connection and its target."""

    tenant: str
    connection: str
    target: str


@dataclass(eq=False)
class _Waiter:
    """One call that waits; `places` and its `common` one are what it holds once it has all it needs."""

    wish: _Wish
    woken: threading.Event = field(default_factory=threading.Event)
    arrived: float = field(default_factory=time.monotonic)
    places: Places | None = None
    common: Places | None = None
    is_first: bool = False
    is_slow: bool = False


class Slot:
    """A place in which a query runs."""

    def __init__(self, move: Callable[[], None]) -> None:
        self._move = move

    def is_silent(self, seconds: float) -> None:
        """To be told for how many seconds the server has said nothing; never waits for a place."""
        if seconds >= SLOW_AFTER:
            self._move()


class FairQueue:
    """Gives slots; `memory` is what the processes share."""

    def __init__(
        self,
        memory: SharedMemory,
        *,
        per_connection: int = PER_CONNECTION,
        per_target: int = PER_TARGET,
        per_portal: int = PER_PORTAL,
        altogether: int = ALTOGETHER,
        slow: int = SLOW,
        longest_wait: float = LONGEST_WAIT,
    ) -> None:
        self._memory, self._longest_wait = memory, longest_wait
        self._per_connection, self._per_target = per_connection, per_target
        self._per_portal, self._altogether, self._slow = per_portal, altogether, slow
        self._lock = threading.Lock()
        self._waiting: list[_Waiter] = []
        self._running: Counter[str] = Counter()

    @contextlib.contextmanager
    def slot(self, tenant: str, connection: str, target: str) -> Iterator[Slot]:
        """Run the block in a slot of the queue; raises `Busy` if that takes too long.

        `tenant` is who is treated fairly, `connection` and `target` are what is limited.
        """
        waiter = _Waiter(_Wish(tenant, connection, target))
        try:
            self._wait(waiter)
            yield Slot(partial(self._move, waiter))
        finally:
            with self._lock:
                if waiter.places is not None and waiter.common is not None:
                    waiter.places.release()
                    waiter.common.release()
                    waiter.places = None
                    self._running[tenant] -= 1
                    self._serve()

    def _wait(self, waiter: _Waiter) -> None:
        with self._lock:
            self._waiting.append(waiter)
            self._serve()
            looks = waiter is self._waiting[0] if self._waiting else False
        try:
            while waiter.places is None:
                left = waiter.arrived + self._longest_wait - time.monotonic()
                if left <= 0:
                    raise Busy
                # The longest-waiting one looks what other processes left, for all; only who is served or is to look
                # is woken, since threads that wake to find nothing keep the others from working.
                waiter.woken.wait(min(left, _LOOK_AGAIN) if looks else left)
                with self._lock:
                    waiter.woken.clear()
                    if waiter.places is None:
                        self._serve()
                        looks = waiter.places is None and waiter is self._waiting[0]
        finally:
            with self._lock:
                if waiter in self._waiting:
                    self._leave(waiter)

    def _leave(self, waiter: _Waiter) -> None:
        """Let a call wait no longer, whatever for; if it was the one that looks, the next one does so now."""
        looked = self._waiting[0] is waiter
        self._waiting.remove(waiter)
        if looked and self._waiting:
            self._waiting[0].woken.set()

    def _serve(self) -> None:
        """Give places to whoever can have them, the portal with the fewest running queries first."""
        hopeless: set[_Wish] = set()
        for waiter in sorted(self._waiting, key=lambda waiter: (self._running[waiter.wish.tenant], waiter.arrived)):
            if waiter.wish in hopeless:
                continue
            if not self._take(waiter):
                hopeless.add(waiter.wish)
                continue
            self._leave(waiter)
            self._running[waiter.wish.tenant] += 1
            waiter.woken.set()

    def _take(self, waiter: _Waiter) -> bool:
        """Take all that is needed, or nothing."""
        wish, places = waiter.wish, self._memory.places()
        number = places.take(f"portal {wish.tenant}", self._per_portal)
        is_first = number == 0
        if (
            number is not None
            and places.take(f"connection {wish.connection}", self._per_connection) is not None
            and places.take(f"target {wish.target}", _open_to(self._per_target, is_first)) is not None
            and (common := self._common(is_first, is_slow := self._is_slow(wish.target))) is not None
        ):
            waiter.places, waiter.common, waiter.is_first, waiter.is_slow = places, common, is_first, is_slow
            return True
        places.release()
        return False

    def _is_slow(self, target: str) -> bool:
        return self._memory.moment(f"slow {target}") > 0

    def _common(self, is_first: bool, is_slow: bool) -> Places | None:
        name, most = ("slow", self._slow) if is_slow else ("altogether", self._altogether)
        common = self._memory.places()
        return common if common.take(name, _open_to(most, is_first)) is not None else None

    def _move(self, waiter: _Waiter) -> None:
        """Let a query whose server is silent go to a place apart; those of its server that come later begin there."""
        with self._lock:
            if waiter.common is None or waiter.places is None:
                return
            until = time.monotonic() + SLOW_FOR
            self._memory.change(f"slow {waiter.wish.target}", lambda kept: max(kept, until))
            if not waiter.is_slow and (common := self._common(waiter.is_first, is_slow=True)) is not None:
                waiter.common.release()
                waiter.common, waiter.is_slow = common, True
                self._serve()


def _open_to(most: int, is_first: bool) -> int:
    """How many of `most` common places a query may choose from; the first one of its portal from all."""
    return most if is_first else most - most // 4

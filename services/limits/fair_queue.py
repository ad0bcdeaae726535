"""The fair queue: how many queries run at once, and who is next (facts/security 4 layer 4, 7 "Fairness").

A call waits rather than fails, since a portal takes any failure for "no connection"; but not for ever. Among those who
wait in this process, the portal with the fewest running queries is next. The limits hold for all processes of this
server together. A quarter of each common limit is kept for portals of which no query runs: however many queries of one
portal run and wait, in whichever process, the first one of another portal finds a place.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from errors import TryLater
from services.limits.shared_memory import Places, SharedMemory

PER_CONNECTION = 4
PER_TARGET = 8
PER_PORTAL = 8
ALTOGETHER = 14
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


@dataclass
class _Waiter:
    """One call that waits; `places` is what it holds once it has all it needs."""

    wish: _Wish
    arrived: float = field(default_factory=time.monotonic)
    places: Places | None = None


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
        longest_wait: float = LONGEST_WAIT,
    ) -> None:
        self._memory, self._longest_wait = memory, longest_wait
        self._per_connection, self._per_target = per_connection, per_target
        self._per_portal, self._altogether = per_portal, altogether
        self._changed = threading.Condition()
        self._waiting: list[_Waiter] = []
        self._running: Counter[str] = Counter()

    @contextlib.contextmanager
    def slot(self, tenant: str, connection: str, target: str) -> Iterator[None]:
        """Run the block in a slot of the queue; raises `Busy` if that takes too long.

        `tenant` is who is treated fairly, `connection` and `target` are what is limited.
        """
        waiter = _Waiter(_Wish(tenant, connection, target))
        try:
            self._wait(waiter)
            yield
        finally:
            with self._changed:
                if waiter.places is not None:
                    waiter.places.release()
                    self._running[tenant] -= 1
                    self._changed.notify_all()

    def _wait(self, waiter: _Waiter) -> None:
        with self._changed:
            self._waiting.append(waiter)
            try:
                while waiter.places is None:
                    self._serve()
                    left = waiter.arrived + self._longest_wait - time.monotonic()
                    if waiter.places is None and left <= 0:
                        raise Busy
                    if waiter.places is None:
                        # The longest-waiting one looks what other processes left, for all.
                        self._changed.wait(min(left, _LOOK_AGAIN) if waiter is self._waiting[0] else left)
            finally:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                    self._changed.notify_all()

    def _serve(self) -> None:
        """Give places to whoever can have them, the portal with the fewest running queries first."""
        hopeless: set[_Wish] = set()
        for waiter in sorted(self._waiting, key=lambda waiter: (self._running[waiter.wish.tenant], waiter.arrived)):
            if waiter.wish in hopeless:
                continue
            waiter.places = self._places(waiter.wish)
            if waiter.places is None:
                hopeless.add(waiter.wish)
                continue
            self._waiting.remove(waiter)
            self._running[waiter.wish.tenant] += 1
            self._changed.notify_all()

    def _places(self, wish: _Wish) -> Places | None:
        """All that is needed, or None."""
        places = self._memory.places()
        number = places.take(f"portal {wish.tenant}", self._per_portal)
        if (
            number is not None
            and places.take(f"connection {wish.connection}", self._per_connection) is not None
            and places.take(f"target {wish.target}", _open_to(number, self._per_target)) is not None
            and places.take("altogether", _open_to(number, self._altogether)) is not None
        ):
            return places
        places.release()
        return None


def _open_to(number: int, most: int) -> int:
    """How many of `most` common places the query with this number of its portal may choose from."""
    return most if number == 0 else most - most // 4

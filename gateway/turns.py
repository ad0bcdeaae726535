"""Turns: how many queries run at once, and who is next (facts/security 4 layer 4).

A call waits rather than fails, since a portal takes any failure for "no connection"; but not for ever. Among those who
wait in this process, the portal with the fewest running queries is next, so that a noisy one does not starve others.
The limits hold for all processes of this machine: a place is a lock on one byte of a common file, and the system frees
it when its process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from errors import TryLater

PER_CONNECTION = 4
PER_TARGET = 8
ALTOGETHER = 14
LONGEST_WAIT = 20.0
# How soon a place that another process leaves is noticed.
_LOOK_AGAIN = 0.05


class Busy(TryLater):
    """No turn came up in time."""


@dataclass
class _Waiter:
    """One call that waits; `places` names what it needs, `held` is the open file once it has all."""

    tenant: str
    places: tuple[tuple[str, int], ...]
    arrived: float = field(default_factory=time.monotonic)
    held: int | None = None


class Turns:
    """Gives turns; `file` is made if it is missing and holds nothing."""

    def __init__(
        self,
        file: Path,
        *,
        per_connection: int = PER_CONNECTION,
        per_target: int = PER_TARGET,
        altogether: int = ALTOGETHER,
        longest_wait: float = LONGEST_WAIT,
    ) -> None:
        self._file, self._longest_wait = file, longest_wait
        self._per_connection, self._per_target, self._altogether = per_connection, per_target, altogether
        self._changed = threading.Condition()
        self._waiting: list[_Waiter] = []
        self._running: Counter[str] = Counter()

    @contextlib.contextmanager
    def turn(self, tenant: str, connection: str, target: str) -> Iterator[None]:
        """Run the block when its turn comes; raises `Busy` if that takes too long.

        `tenant` is who is treated fairly, `connection` and `target` are what is limited.
        """
        waiter = _Waiter(
            tenant,
            (
                (f"connection {connection}", self._per_connection),
                (f"target {target}", self._per_target),
                ("altogether", self._altogether),
            ),
        )
        try:
            self._wait(waiter)
            yield
        finally:
            with self._changed:
                if waiter.held is not None:
                    os.close(waiter.held)
                    self._running[tenant] -= 1
                    self._changed.notify_all()

    def _wait(self, waiter: _Waiter) -> None:
        with self._changed:
            self._waiting.append(waiter)
            try:
                while waiter.held is None:
                    self._serve()
                    left = waiter.arrived + self._longest_wait - time.monotonic()
                    if waiter.held is None and left <= 0:
                        raise Busy
                    if waiter.held is None:
                        self._changed.wait(min(left, _LOOK_AGAIN))
            finally:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)

    def _serve(self) -> None:
        """Give places to whoever can have them, the portal with the fewest running queries first."""
        for waiter in sorted(self._waiting, key=lambda waiter: (self._running[waiter.tenant], waiter.arrived)):
            waiter.held = self._places(waiter.places)
            if waiter.held is not None:
                self._waiting.remove(waiter)
                self._running[waiter.tenant] += 1
                self._changed.notify_all()

    def _places(self, places: tuple[tuple[str, int], ...]) -> int | None:
        """A file that holds one lock in each of `places`, or None; closing it frees them all."""
        file = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if all(_locked(file, name, most) for name, most in places):
            return file
        os.close(file)
        return None


def _locked(file: int, name: str, most: int) -> bool:
    """Lock the first free one of `most` bytes that belong to `name`.

    The locks belong to the open file, not to the process: threads exclude each other as processes do.
    """
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") << 8
    for byte in range(start, start + most):
        lock = struct.pack("@hhqqi", fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        with contextlib.suppress(BlockingIOError, PermissionError):
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, lock)
            return True
    return False

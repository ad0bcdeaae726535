"""What all processes of one server share without a database: places that are taken, and moments to come.

It is memory without a name. Processes that are forked after it is made have it in common (gunicorn.conf.py loads
the application before it forks), nobody else can reach it, and nothing is left of it. Windows neither forks nor has
such locks: there it is one process's own.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import struct
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import IO

if sys.platform != "win32":
    import fcntl

MOST_PLACES = 1 << 16
"""Of one name."""
_SLOTS = 1 << 14
_SLOT = struct.Struct("=8sd")
_PROBES = 16
# Locks are marks on bytes that need not exist: the first one is for the table of moments, those of places are far off.
_TABLE_LOCK, _FIRST_PLACE = 0, 1 << 32


class Places:
    """Places that are held until `release`, or until the process ends, however it ends."""

    def __init__(self, memory: SharedMemory) -> None:
        self._memory = memory
        self._held: list[int] = []

    def take(self, name: str, most: int) -> int | None:
        """Take the first free one of the `most` places of `name`, 0 being the first; None if there is none."""
        named = int.from_bytes(hashlib.sha256(name.encode()).digest()[:5], "big")
        start = _FIRST_PLACE + named * MOST_PLACES
        for number in range(min(most, MOST_PLACES)):
            if self._memory.take(start + number):
                self._held.append(start + number)
                return number
        return None

    def release(self) -> None:
        """Let go of all of them."""
        while self._held:
            self._memory.release(self._held.pop())


class SharedMemory:
    """One for an application, made before its processes are; whoever forks holds no place meanwhile."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this object
        weakref.finalize(self, self._file.close)
        self._table = mmap.mmap(-1, _SLOTS * _SLOT.size)
        # Locks of a file exclude processes; its threads exclude each other by these.
        self._table_lock, self._taking = threading.Lock(), threading.Lock()
        self._taken: set[int] = set()

    def places(self) -> Places:
        """Nothing held yet."""
        return Places(self)

    def take(self, place: int) -> bool:
        """Take a place, if nobody has it; for `Places`."""
        with self._taking:
            is_free = place not in self._taken and _lock(self._file, place)
            if is_free:
                self._taken.add(place)
            return is_free

    def release(self, place: int) -> None:
        """Let go of a place; for `Places`."""
        with self._taking:
            self._taken.remove(place)
            _unlock(self._file, place)

    def moment(self, subject: str) -> float:
        """The moment that was kept for `subject`, by `time.monotonic()`; 0.0 if there is none or it is over."""
        with self._found(subject) as slot:
            return self._read(slot, subject) if slot is not None else 0.0

    def change(self, subject: str, change: Callable[[float], float]) -> float:
        """Keep another moment for `subject`, made of the one that was kept; returns it.

        A moment is forgotten once it is over. Where too many others are kept, it may not be kept at all.
        """
        with self._found(subject) as slot:
            changed = change(self._read(slot, subject) if slot is not None else 0.0)
            if slot is not None:
                _SLOT.pack_into(self._table, slot, _tag(subject), changed)
            return changed

    @contextlib.contextmanager
    def _found(self, subject: str) -> Iterator[int | None]:
        """Where the moment of a subject is or may be, while nobody else looks."""
        with self._table_lock:
            _lock(self._file, _TABLE_LOCK, waits=True)
            try:
                yield self._slot(_tag(subject))
            finally:
                _unlock(self._file, _TABLE_LOCK)

    def _slot(self, tag: bytes) -> int | None:
        first, free, present = int.from_bytes(tag, "big"), None, time.monotonic()
        for number in range(first, first + _PROBES):
            slot = number % _SLOTS * _SLOT.size
            owner, until = _SLOT.unpack_from(self._table, slot)
            if owner == tag:
                return slot
            if free is None and until <= present:
                free = slot
        return free

    def _read(self, slot: int, subject: str) -> float:
        owner, until = _SLOT.unpack_from(self._table, slot)
        return float(until) if owner == _tag(subject) and until > time.monotonic() else 0.0


def _tag(subject: str) -> bytes:
    return hashlib.sha256(subject.encode()).digest()[:8]


def _lock(file: IO[bytes], byte: int, *, waits: bool = False) -> bool:
    """Take a lock that other processes respect; whether it was free."""
    if sys.platform != "win32":
        try:
            fcntl.lockf(file, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except (BlockingIOError, PermissionError):
            return False
    return True


def _unlock(file: IO[bytes], byte: int) -> None:
    if sys.platform != "win32":
        fcntl.lockf(file, fcntl.LOCK_UN, 1, byte)

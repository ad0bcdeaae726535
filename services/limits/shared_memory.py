"""What all processes of one server share without a database: places that are taken, and moments to come.

It is memory without a name. Processes that are forked after it is made have it in common (gunicorn.conf.py loads
the application before it forks), nobody else can reach it, and nothing is left of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import mmap
import os
import struct
import time
import weakref
from collections.abc import Callable, Iterator

MOST_PLACES = 1 << 16
"""Of one name."""
_SLOTS = 1 << 14
_SLOT = struct.Struct("=8sd")
_PROBES = 16
# Locks are marks on bytes that need not exist; those of places begin behind the table of moments.
_TABLE_LOCK, _FIRST_PLACE = 0, 1 << 32


class Places:
    """Places that are held until `release`, or until the process ends, however it ends."""

    def __init__(self, file: int) -> None:
        self.file = file
        self._own: set[int] = set()

    def take(self, name: str, most: int) -> int | None:
        """Take the first free one of the `most` places of `name`, 0 being the first; None if there is none.

        The locks belong to the open file and not to the process: threads exclude each other as processes do.
        """
        named = int.from_bytes(hashlib.sha256(name.encode()).digest()[:5], "big")
        start = _FIRST_PLACE + named * MOST_PLACES
        for number in range(min(most, MOST_PLACES)):
            if start + number in self._own:
                # A lock of one's own would be given once more.
                continue
            with contextlib.suppress(BlockingIOError, PermissionError):
                _lock(self.file, fcntl.F_OFD_SETLK, start + number)
                self._own.add(start + number)
                return number
        return None

    def release(self) -> None:
        """Let go of all of them."""
        os.close(self.file)


class SharedMemory:
    """One for an application."""

    def __init__(self) -> None:
        self._file = os.memfd_create("shared-memory")
        os.ftruncate(self._file, _SLOTS * _SLOT.size)
        self._table = mmap.mmap(self._file, _SLOTS * _SLOT.size)
        weakref.finalize(self, os.close, self._file)

    def places(self) -> Places:
        """Nothing held yet."""
        return Places(os.open(f"/proc/self/fd/{self._file}", os.O_RDWR | os.O_CLOEXEC))

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
        places = self.places()
        try:
            _lock(places.file, fcntl.F_OFD_SETLKW, _TABLE_LOCK)
            yield self._slot(_tag(subject))
        finally:
            places.release()

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


def _lock(file: int, how: int, byte: int) -> None:
    fcntl.fcntl(file, how, struct.pack("@hhqqi", fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0))

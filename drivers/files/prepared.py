"""What was made of files, for all threads of the process: made once for a version of a file, gone when nobody needs it.

What takes time (downloading, taking a workbook apart, recoding, looking at every value for its type) is done by one
caller while the others wait. Files made on the way lie in a folder that goes with the process, or with the one that
it was forked from; each has a name of its own and is deleted as soon as nothing holds its `Temporary` any more.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp, mkstemp
from typing import TypeVar

from drivers.errors import writing_to_disk
from egress.deadline import Deadline

MOST_KEPT = 64
_LOOK_SECONDS = 0.25


class Temporary:
    """A file or folder of ours, deleted when the last one who holds this object lets it go."""

    def __init__(self, path: Path) -> None:
        self.path = path
        weakref.finalize(self, _delete, path, os.getpid())

    @classmethod
    def file(cls, suffix: str = "") -> Temporary:
        """A new empty file. Raises `NoRoom`."""
        with writing_to_disk():
            handle, name = mkstemp(suffix, dir=FOLDER)
        os.close(handle)
        return cls(Path(name))

    @classmethod
    def folder(cls) -> Temporary:
        """A new empty folder. Raises `NoRoom`."""
        with writing_to_disk():
            return cls(Path(mkdtemp(dir=FOLDER)))


def _delete(path: Path, owner: int) -> None:
    """Delete what the process `owner` made; one that was forked from it inherits the wish, but not the right."""
    if os.getpid() != owner:
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _own_folder() -> str:
    """A new folder that goes with the process that made it.

    The server loads the app before it forks, and its workers come and go: none of them may take the folder along.
    """
    path = mkdtemp(prefix="bi-files-")
    atexit.register(_delete, Path(path), os.getpid())
    return path


FOLDER = _own_folder()


@dataclass(frozen=True)
class Prepared:
    """Tables of a file version: name (empty for the file's own) and SQL of each, and the paths that DuckDB may read.

    `holds` are the files that must stay for it. `problem` is why a file of a folder has no tables: setting, code and
    detail.
    """

    tables: tuple[tuple[str, str], ...]
    paths: tuple[Path, ...]
    holds: tuple[Temporary, ...] = ()
    problem: tuple[str, str, str] | None = None


_T = TypeVar("_T", Prepared, Temporary)


@dataclass
class _Entry:
    value: Prepared | Temporary
    made: float
    used: float


@dataclass
class _Turn:
    lock: threading.Lock = field(default_factory=threading.Lock)
    callers: int = 0


class Kept:
    """Things under keys; of too many, the ones that were not used for the longest time are let go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Entry] = {}
        self._turns: dict[Hashable, _Turn] = {}

    def get(self, key: Hashable, seconds: float | None = None) -> Prepared | Temporary | None:
        """What is kept under `key`, unless it is older than `seconds`."""
        now = time.monotonic()
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or (seconds is not None and now - entry.made > seconds):
                return None
            entry.used = now
            return entry.value

    def once(
        self, key: Hashable, kind: type[_T], make: Callable[[], _T], deadline: Deadline, seconds: float | None = None
    ) -> _T:
        """What is kept under `key`, at most `seconds` old, or what `make` makes, in one thread at a time.

        Raises what `make` raises, of which nothing is kept, and `Timeout` while waiting for another thread.
        """
        with self._turn(key, deadline):
            found = self.get(key, seconds)
            if not isinstance(found, kind):
                found = make()
                self._put(key, found)
            return found

    @contextlib.contextmanager
    def _turn(self, key: Hashable, deadline: Deadline) -> Iterator[None]:
        with self._lock:
            turn = self._turns.setdefault(key, _Turn())
            turn.callers += 1
        try:
            while not turn.lock.acquire(timeout=min(deadline.left, _LOOK_SECONDS)):
                deadline.check()
            try:
                yield
            finally:
                turn.lock.release()
        finally:
            with self._lock:
                turn.callers -= 1
                if not turn.callers:
                    del self._turns[key]

    def _put(self, key: Hashable, value: Prepared | Temporary) -> None:
        now = time.monotonic()
        with self._lock:
            self._forget([key])
            self._entries[key] = _Entry(value, now, now)
            longest = sorted(self._entries, key=lambda known: self._entries[known].used)
            self._forget(longest[: max(len(longest) - MOST_KEPT, 0)])

    def _forget(self, keys: list[Hashable]) -> None:
        """Let things go, and what was prepared from them."""
        gone = [self._entries.pop(key).value for key in keys if key in self._entries]
        for key, entry in list(self._entries.items()):
            if isinstance(entry.value, Prepared) and any(held in gone for held in entry.value.holds):
                del self._entries[key]


KEPT = Kept()

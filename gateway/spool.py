"""An answer on its way: collected whole, then sent with its length (facts/security 6).

The portal gives 250 s to answer but 60 s for the body (facts/biconnector 5.3), and takes a broken body with status 200
for data. So an answer is complete before its first byte leaves: 8 MiB in memory, more in a file that has no name and
is gone with the process.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from types import TracebackType

from errors import ApplicationError
from services.limits.shared_memory import Places, SharedMemory

MEMORY_BYTES = 8 * 1024 * 1024
# What sixty seconds carry at some 50 Mbit/s.
MOST_BYTES = 400_000_000
BLOCK_BYTES = 256 * 1024
PORTAL_BYTES = 1024**3
VOLUME_SHARE = 0.6
PIECE = 16 * 1024 * 1024


class SpoolFull(ApplicationError):
    """The answer does not fit. Codes: `bytes` (over the cap, which is `limit`), `portal_room`, `disk`."""

    def __init__(self, code: str, limit: int = 0) -> None:
        super().__init__(f"over {limit} bytes" if limit else "no room")
        self.code, self.limit = code, limit


class Room:
    """Room on the disk for the answers of one portal, all processes together (facts/security 4 layer 4).

    A portal has 1 GiB; all answers together have 60 % of the volume, so that nothing else on it runs out of room. It is
    taken in pieces, and given back with the process at the latest.
    """

    def __init__(
        self,
        memory: SharedMemory,
        tenant: str,
        *,
        most_bytes: int = PORTAL_BYTES,
        share: float = VOLUME_SHARE,
        piece: int = PIECE,
    ) -> None:
        self._memory, self._tenant = memory, tenant
        self._most, self._share, self._piece = most_bytes // piece, share, piece
        self._holding: Places | None = None
        self._taken = 0

    def reach(self, size: int) -> None:
        """Have room for so many bytes; raises `SpoolFull`."""
        while self._taken * self._piece < size:
            self._holding = self._holding or self._memory.places()
            if self._holding.take(f"room {self._tenant}", self._most) is None:
                raise SpoolFull("portal_room")
            if self._holding.take("room", self._all()) is None:
                raise SpoolFull("disk")
            self._taken += 1

    def release(self) -> None:
        """Give it back."""
        if self._holding is not None:
            self._holding.release()
        self._holding = None

    def _all(self) -> int:
        return int(shutil.disk_usage(tempfile.gettempdir()).total * self._share) // self._piece


class Spool:
    """Takes bytes until they are sent; whoever opens it closes it, sent or not.

    `size` is how many bytes there are; `taken` how many of them went before whoever sends them asked for more. `grown`
    is told the size after each piece, and may take its time.
    """

    def __init__(
        self,
        room: Room | None = None,
        *,
        most_bytes: int = MOST_BYTES,
        memory_bytes: int = MEMORY_BYTES,
        grown: Callable[[int], None] = lambda size: None,
    ) -> None:
        self.size = self.taken = 0
        self._room, self._most_bytes, self._memory_bytes = room, most_bytes, memory_bytes
        self._grown = grown
        self._file = tempfile.SpooledTemporaryFile(max_size=memory_bytes)  # noqa: SIM115 - closed by `close`

    def write(self, data: bytes) -> None:
        """Keep `data`; raises `SpoolFull` where it does not fit."""
        self.size += len(data)
        if self.size > self._most_bytes:
            raise SpoolFull("bytes", self._most_bytes)
        if self._room is not None and self.size > self._memory_bytes:
            self._room.reach(self.size)
        try:
            self._file.write(data)
        except OSError:
            raise SpoolFull("disk") from None
        self._grown(self.size)

    def finish(self) -> None:
        """Turn to the first byte, once every byte is kept; raises `SpoolFull`. Nothing is written after it."""
        try:
            self._file.seek(0)
        except OSError:
            raise SpoolFull("disk") from None

    def blocks(self) -> Iterator[bytes]:
        """All that was written; closes the spool when it ends or is given up."""
        try:
            while block := self._file.read(BLOCK_BYTES):
                yield block
                self.taken += len(block)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the bytes; a disk that is full has nothing to say to that."""
        with contextlib.suppress(OSError):
            self._file.close()
        if self._room is not None:
            self._room.release()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if problem is not None:
            self.close()

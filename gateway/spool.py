"""An answer on its way: collected whole, then sent with its length (facts/security 6).

The portal gives 250 s to answer but 60 s for the body (facts/biconnector 5.3), and takes a broken body with status 200
for data. So an answer is complete before its first byte leaves: 8 MiB in memory, more in a file that has no name and
is gone with the process.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from types import TracebackType

from errors import ApplicationError

MEMORY_BYTES = 8 * 1024 * 1024
# What sixty seconds carry at some 50 Mbit/s.
MOST_BYTES = 400_000_000
BLOCK_BYTES = 256 * 1024


class SpoolFull(ApplicationError):
    """The answer does not fit: over the cap, or no room on the disk. `limit` is the cap in bytes, 0 for the disk."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"over {limit} bytes" if limit else "no room")
        self.limit = limit


class Spool:
    """Takes bytes until they are sent; `size` is how many there are. Whoever opens it closes it, sent or not."""

    def __init__(self, most_bytes: int = MOST_BYTES, memory_bytes: int = MEMORY_BYTES) -> None:
        self.size = 0
        self._most_bytes = most_bytes
        self._file = tempfile.SpooledTemporaryFile(max_size=memory_bytes)  # noqa: SIM115 - closed by `close`

    def write(self, data: bytes) -> None:
        """Keep `data`; raises `SpoolFull` where it does not fit."""
        self.size += len(data)
        if self.size > self._most_bytes:
            raise SpoolFull(self._most_bytes)
        try:
            self._file.write(data)
        except OSError:
            raise SpoolFull(0) from None

    def finish(self) -> None:
        """Turn to the first byte, once every byte is kept; raises `SpoolFull`. Nothing is written after it."""
        try:
            self._file.seek(0)
        except OSError:
            raise SpoolFull(0) from None

    def blocks(self) -> Iterator[bytes]:
        """All that was written; closes the spool when it ends or is given up."""
        try:
            while block := self._file.read(BLOCK_BYTES):
                yield block
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the bytes; a disk that is full has nothing to say to that."""
        with contextlib.suppress(OSError):
            self._file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if problem is not None:
            self.close()

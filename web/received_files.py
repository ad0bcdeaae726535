"""Files that come with a form: kept until the form is read, or told as lost where the disk is full."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterable

from flask import request

from errors import is_disk_full

MEMORY_BYTES = 500 * 1024


class ReceivedFile(tempfile.SpooledTemporaryFile[bytes]):
    """A file of a form, in memory up to 500 KiB.

    Where the disk is full the rest of the form is read all the same, so that nothing is lost of what was typed; whoever
    reads the file then gets the `OSError` of the write that failed.
    """

    def __init__(self) -> None:
        super().__init__(max_size=MEMORY_BYTES)
        self._failure: OSError | None = None

    def write(self, data: bytes) -> int:  # type: ignore[override]  # bytes are all that a form's parser writes
        """Keep `data`, or forget the file where there is no room for it."""
        if self._failure is None:
            try:
                return super().write(data)
            except OSError as problem:
                self._fail(problem)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place of the file, which writes what was not written yet."""
        try:
            return super().seek(offset, whence)
        except OSError as problem:
            self._fail(problem)
            return 0

    def read(self, size: int | None = -1) -> bytes:
        """What was kept; raises `OSError` if that is not all of the file."""
        if self._failure is not None:
            raise self._failure
        return super().read(-1 if size is None else size)

    def writelines(self, lines: Iterable[bytes]) -> None:  # type: ignore[override]  # as above
        """Keep all of them."""
        for line in lines:
            self.write(line)

    def _fail(self, problem: OSError) -> None:
        if not is_disk_full(problem):
            raise problem
        self._failure = problem
        with contextlib.suppress(OSError):
            self._file.close()
        self._file = io.BytesIO()


def close_all(_: BaseException | None) -> None:
    """Let go of the files of the request that ends, and of their room on the disk."""
    request.close()

"""The body of `urlData`: header first, then the rows, and the closing bracket only after the last one.

Rows arrive as JSON bytes from a driver. The bracket is written when the driver has ended and by nothing else: never in
`finally`, never after an error (facts/security 6). The header comes always, also without rows (facts/biconnector 5.7).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import orjson

from drivers.base import Chunk


class Sink(Protocol):
    """Where the body is written to."""

    def write(self, data: bytes) -> None:
        """Take the next bytes."""


def write_rows(header: Sequence[str], chunks: Iterable[Chunk], sink: Sink) -> int:
    """Write the whole body and return the number of rows below the header; raises what `chunks` raises."""
    sink.write(b"[" + orjson.dumps(list(header)))
    rows = 0
    for chunk in chunks:
        if chunk.rows:
            sink.write(b",\n")
            sink.write(chunk.data)
            rows += chunk.rows
    sink.write(b"]")
    return rows

"""Values that are there and cannot be shown: told apart from missing ones in the rows, counted, and null afterwards.

In the rows of a driver they stand as `"-infinity"` among dates and times, and as `NaN`, `Infinity` or `-Infinity` among
numbers, where nothing that can be shown looks so. To look whether there are any costs next to nothing; a row that holds
one is taken apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from drivers.columns import Column

_TIMES = frozenset({b'"-infinity"'})
_NUMBERS = frozenset({b"NaN", b"Infinity", b"-Infinity"})
_CELL = re.compile(rb'"(?:[^"\\]|\\.)*"|[^",\[\]]+')


class UnshownValues:
    """Looks through rows of these columns; `counts` becomes the values that could not be shown, by columns' names."""

    def __init__(self, columns: Sequence[Column], counts: Counter[str]) -> None:
        self.counts = counts
        counts.clear()
        self._watched = [
            (number, column.name, _TIMES if column.type in ("date", "datetime") else _NUMBERS)
            for number, column in enumerate(columns)
            if column.type in ("date", "datetime", "double")
        ]
        kinds = [kind for _, _, kind in self._watched]
        self._has_times, self._has_numbers = _TIMES in kinds, _NUMBERS in kinds

    def replaced(self, rows: bytes) -> bytes:
        r"""Rows of a `Chunk` with null for what cannot be shown."""
        if self._may_be_in(rows):
            return b"\n".join(self._row(row) if self._may_be_in(row) else row for row in rows.split(b"\n"))
        return rows

    def _may_be_in(self, rows: bytes) -> bool:
        # A word that shares no letter with what is usual is looked for the quickest.
        if self._has_times and b"infinity" in rows:
            return True
        return self._has_numbers and (b"NaN" in rows or b"Infinity" in rows)

    def _row(self, row: bytes) -> bytes:
        end = row.rindex(b"]")
        cells = _CELL.findall(row, 1, end)
        for number, name, kind in self._watched:
            if cells[number] in kind:
                self.counts[name] += 1
                cells[number] = b"null"
        return b"[" + b",".join(cells) + row[end:]

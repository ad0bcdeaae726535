"""What was understood of a file, for people who look at it before it is saved: quick, and tolerant of misfits.

The same ways of reading as for answers, over the first rows, or over all of them where the file is small or whoever
looks asks for that.
"""

# ruff: noqa: S608 - every name and text in these statements is quoted

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from drivers.base import Guards
from drivers.files.kinds import kind_of_file
from drivers.files.misfits import TolerantColumns
from drivers.files.preparation import Preparation, Reading, TableText
from drivers.files.prepared import Temporary
from drivers.files.session import FileSession
from drivers.files.source import unpacked
from drivers.files.sql_texts import quoted
from drivers.previews import Preview, PreviewColumn, PreviewRequest
from drivers.query import TableName, TableQuery

#: So many rows tell enough while settings are still being changed.
MOST_ROWS = 5000
#: How the last row of a report begins that sums the others up.
_TOTALS = re.compile(r"\s*(?:итого|всего|итог|разом|усього|(?:grand |sub)?total|sum|gesamt|summe)\b", re.IGNORECASE)
#: Files of fewer bytes are looked at whole at once.
SMALL_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class _Understood:
    """The shown table: the SELECT that reads it, and what was found about its columns; `holds` have to stay for it."""

    tables: tuple[str, ...]
    table: str
    select: str
    path: Path
    seen: int
    text: TableText | None = None
    columns: TolerantColumns | None = None
    holds: tuple[Temporary, ...] = ()
    totals: int = 0


class PreviewSession(FileSession):
    """A session for one look at one table of a file."""

    def look(self, settings: dict[str, str], guards: Guards, asked: PreviewRequest) -> Preview:
        """What is understood of the file. Raises what `File.open` does, but for values that do not fit."""
        sources = self._sources(settings, guards)
        source = next((one for one in sources if one.title == asked.file), sources[0])
        self._paths = [source.path]
        self._open_database(settings["timezone"])
        is_small = source.path.stat().st_size <= SMALL_BYTES
        most_rows = None if asked.whole or is_small else MOST_ROWS
        preparation = Preparation(self._connection, settings, self.deadline, most_rows)
        with self._errors():
            found = _understood(self._connection, preparation, source.path, settings, asked.table, most_rows)
        self._names = [found.table or source.title]
        self._confine([(self._names[0], found.select)], [found.path])
        description = self.describe(TableName("", self._names[0]))
        names = tuple(column.name for column in description.columns)
        query = TableQuery(description.table, names, limit=asked.rows)
        data = b",".join(chunk.data for chunk in self.rows(query, description))
        # Numbers stay the text they were written as, so that no digit is lost.
        rows: Sequence[Sequence[object]] = json.loads(b"[" + data + b"]", parse_float=str, parse_int=str)
        source.check_unchanged()
        text, columns = found.text, found.columns
        return Preview(
            tuple(one.title for one in sources) if len(sources) > 1 else (),
            source.title,
            found.tables if len(found.tables) > 1 else (),
            found.table,
            text.layout.titles if text else (),
            text.layout.header_row if text else None,
            tuple(
                PreviewColumn(
                    column.name,
                    column.type,
                    column.native,
                    text.told.type_of(column.name) if text else "",
                    columns.misfits.get(column.name) if columns else None,
                    columns.doubts.get(column.name) if columns else None,
                )
                for column in description.columns
            ),
            rows,
            found.seen,
            most_rows is None or found.seen < most_rows,
            text is not None and len(sources) == 1,
            found.totals,
        )


def _understood(
    connection: duckdb.DuckDBPyConnection,
    preparation: Preparation,
    path: Path,
    settings: dict[str, str],
    table: str,
    most_rows: int | None,
) -> _Understood:
    inner, copies = unpacked(path, preparation.deadline)
    kind = kind_of_file(inner, settings["format"])
    if kind == "parquet":
        select = preparation.parquet(inner)
        (seen,) = connection.execute(f"SELECT count(*) FROM ({select})").fetchone() or (0,)
        return _Understood((), "", select, inner, min(seen, most_rows or seen), holds=copies)

    def read(reading: Reading) -> _Understood:
        text = next((one for one in reading.tables if one.name == table), reading.tables[0])
        layout, limit = text.layout, f" LIMIT {most_rows}" if most_rows else ""
        rows = f"(SELECT * FROM {layout.source(text.path)}{limit})"
        columns = TolerantColumns(connection, rows, layout.columns, text.told, text.kinds, preparation.deadline.check)
        found = columns.conversions()
        items = ", ".join(f"{found[name].sql} AS {quoted(name)}" for name in layout.columns)
        names = tuple(one.name for one in reading.tables)
        holds = (*reading.holds, *copies)
        select, seen = f"SELECT {items} FROM {rows}", columns.rows
        is_whole = most_rows is None or seen < most_rows
        last = connection.execute(f"SELECT * FROM {rows} OFFSET {max(seen - 1, 0)}").fetchone() if is_whole else None
        totals = seen if last and seen > 1 and any(_TOTALS.match(cell or "") for cell in last) else 0
        return _Understood(names, text.name, select, text.path, seen, text, columns, holds, totals)

    return preparation.first_that_reads(inner, kind, read)

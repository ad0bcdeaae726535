"""Tables in JSON: objects or lists, in one list, one a line or one behind the other, also inside of an object.

Numbers keep all their digits, nested values are shown as JSON. `columns` says of each column which kinds of values it
has: `number`, `truth`, `text`, `nested`, or `nothing` for the words that stand for a missing value.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from drivers.files.converter.headers import NOTHING
from drivers.files.converter.json_reader import DECODER, NO_ROW, SPACES, UNREADABLE, JsonReader, Number, Record
from drivers.files.converter.output import (
    LONGEST_LINE,
    MOST_EXAMPLES,
    TOO_LONG,
    Place,
    Refused,
    opened,
    rows_refused,
    write,
)

MOST_COLUMNS = 2000
#: An object around the table, and objects around that.
DEEPEST_TABLE = 4


Row = dict[str, Any]


def convert(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Write the table of a JSON text."""
    target = Path(task["folder"]) / "0.csv"
    seen: dict[str, set[type]] = {}
    nothing = {*NOTHING, *task["nulls"], ""}
    known, rows = _written(task, target, seen, nothing)
    if known < len(seen):
        # A name came late: the rows before it are short by a cell.
        known, rows = _written(task, target, seen, nothing)
    if not seen:
        raise Refused("path", "empty_file")
    columns = [[name, sorted({_KINDS[found] for found in types} - {""})] for name, types in seen.items()]
    return [{"name": "", "file": target.name, "rows": rows, "columns": columns}]


def _written(task: dict[str, Any], target: Path, seen: dict[str, set[type]], nothing: set[str]) -> tuple[int, int]:
    """Write the rows; `seen` learns all names and their values. Gives back how many names every row was asked for."""
    place = Place()
    with opened(task) as source:
        table = _records(source)
        rows = _named(table)
        first = list(itertools.islice(rows, 1))
        _learn(first[0] if first else dict.fromkeys(table.names or ()), seen, nothing)
        names = list(seen)
        wanted = itertools.islice(itertools.chain(first, rows), task["most_rows"])
        cells = (_cells(row, names, seen, nothing, place) for row in wanted)
        count = write(target, cells, place)
    return len(names), count


def _cells(row: Row, names: list[str], seen: dict[str, set[type]], nothing: set[str], place: Place) -> list[str | None]:
    place.row += 1
    _learn(row, seen, nothing)
    return [value if (value := row.get(name)).__class__ in _AS_THEY_ARE else _nested(value) for name in names]


def _learn(row: Row, seen: dict[str, set[type]], nothing: set[str]) -> None:
    for name, value in row.items():
        kind = _Nothing if value.__class__ is str and value in nothing else value.__class__
        try:
            seen[name].add(kind)
        except KeyError:
            seen[name] = {kind}
            if len(seen) > MOST_COLUMNS:
                raise Refused("path", "columns", f"more than {MOST_COLUMNS}") from None


class _Nothing:
    """What a word for nothing is."""


_KINDS: dict[type, str] = {
    Number: "number",
    bool: "truth",
    str: "text",
    dict: "nested",
    list: "nested",
    type(None): "",
    _Nothing: "nothing",
}
_AS_THEY_ARE = (str, Number, type(None))


def _nested(value: Any) -> str:
    """A list or an object as JSON without spaces, numbers as they are written."""
    match value:
        case Number():
            return str(value)
        case list():
            return f"[{','.join(map(_nested, value))}]"
        case dict():
            return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_nested(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


# Rows as objects


class _Table:
    """Objects or lists that follow each other, and what the lists' values are called once that is known."""

    def __init__(self, records: Iterator[Record], names: list[str] | None = None) -> None:
        self.records, self.names = records, names


def _named(table: _Table) -> Iterator[Row]:
    """The rows with their names: those of objects, of the first list if it holds nothing but texts, or numbers."""
    first = next(table.records, None)
    if isinstance(first, list):
        yield from _of_lists(first, table)
    elif first is not None:
        yield first
        for number, record in enumerate(table.records, 2):
            if not isinstance(record, dict):
                raise rows_refused([f"row {number}: {NO_ROW}"])
            yield record


def _of_lists(first: list[Any], table: _Table) -> Iterator[Row]:
    number = 1
    records = itertools.chain([first], table.records)
    if table.names is None and first and all(name.__class__ is str for name in first) and len({*first}) == len(first):
        table.names, number = [str(name) for name in next(records)], 2
    if table.names is None:
        digits = len(str(len(first) - 1))
        table.names = [f"column{position:0{digits}}" for position in range(len(first))]
    names = table.names
    for count, record in enumerate(records, number):
        if not isinstance(record, list):
            raise rows_refused([f"row {count}: no list, as other rows are"])
        if len(record) != len(names):
            raise rows_refused([f"row {count}: {len(record)} cells, other rows have {len(names)}"])
        yield dict(zip(names, record, strict=True))


# Where the rows stand


def _records(source: IO[str]) -> _Table:
    """The table of a text: lines of one object or list each, else whatever stands there."""
    line = _first_line(source)
    source.seek(0)
    try:
        value = DECODER.decode(line)
    except (json.JSONDecodeError, RecursionError):
        return _of_values(source)
    if _is_only_line(source, line) and isinstance(value, dict | list):
        return _of_value(value)
    return _Table(_of_lines(source))


def _first_line(source: IO[str]) -> str:
    while line := source.readline(LONGEST_LINE):
        if line.strip(SPACES):
            return line.strip(SPACES)
    return ""


def _is_only_line(source: IO[str], line: str) -> bool:
    source.seek(0)
    found = _first_line(source) == line and not _first_line(source)
    source.seek(0)
    return found


def _of_lines(source: IO[str]) -> Iterator[Record]:
    wrong: list[str] = []
    number, kind = 0, None
    while line := source.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise rows_refused([*wrong, f"row {number}: {TOO_LONG}"])
        if not line.strip(SPACES):
            continue
        try:
            values = list(_of_line(line.strip(SPACES)))
            problem = "" if all(isinstance(value, kind or dict | list) for value in values) else NO_ROW
            kind = kind or (None if problem else type(values[0]))
        except (json.JSONDecodeError, RecursionError) as error:
            problem = f"no JSON, {error}"
        if problem:
            wrong.append(f"row {number}: {problem}")
            if len(wrong) == MOST_EXAMPLES:
                break
        elif not wrong:
            yield from values
    if wrong:
        raise rows_refused(wrong)


def _of_line(line: str) -> Iterator[Any]:
    """The values of a line, of which there may be several."""
    at = 0
    while at < len(line):
        value, at = DECODER.raw_decode(line, at)
        yield value
        while line[at : at + 1] in SPACES and at < len(line):
            at += 1


def _of_value(value: Record) -> _Table:
    """The table of the only value of a text that is in memory."""
    if isinstance(value, list):
        return _Table(_checked(value))
    level = [value]
    for _ in range(DEEPEST_TABLE):
        found = [(name, inner, around) for around in level for name, inner in around.items() if _is_table(inner)]
        if len(found) > 1:
            # A list that says what the columns of another one are called is no table of its own.
            told = [one for one in found if not any(_describes(one[1], other[1][0]) for other in found)]
            if len(told) != 1:
                raise Refused("path", "file_structure", "several lists: " + ", ".join(name for name, *_ in found))
            found = told
        if found:
            (_, rows, around), *_ = found
            return _Table(_checked(rows), _names_beside(rows, around))
        level = [inner for around in level for inner in around.values() if isinstance(inner, dict)]
    return _Table(iter([value]))


def _is_table(value: Any) -> bool:
    return (isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)) or _is_grid(value)


def _is_grid(value: Any) -> bool:
    """Whether a value is lists of one length."""
    if not isinstance(value, list) or not value or not all(isinstance(row, list) and row for row in value):
        return False
    return len({len(row) for row in value}) == 1


def _names_beside(rows: list[Any], around: Mapping[str, Any]) -> list[str] | None:
    """The only list of names, or of columns with names, beside lists of as many values."""
    if not isinstance(rows[0], list):
        return None
    found = [
        names
        for other in around.values()
        if isinstance(other, list) and (names := _column_names(other) or other) and len(names) == len(rows[0])
        if all(name.__class__ is str for name in names)
    ]
    return found[0] if len(found) == 1 and len(set(found[0])) == len(found[0]) else None


def _column_names(columns: Sequence[Any]) -> list[str]:
    """The names in a description of columns, as databases answer with their rows; empty where it is none."""
    if not all(isinstance(column, dict) and column.get("name").__class__ is str for column in columns):
        return []
    names = [str(column["name"]) for column in columns]
    return names if len(set(names)) == len(names) else []


def _describes(columns: Sequence[Any], row: Any) -> bool:
    """Whether a list describes the columns of a row of another list."""
    names = _column_names(columns)
    return bool(names) and (row.keys() == set(names) if isinstance(row, dict) else len(row) == len(names))


def _checked(rows: list[Any]) -> Iterator[Record]:
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict | list):
            raise rows_refused([f"row {number}: {NO_ROW}"])
        yield row


# Texts that are too long for one piece, or on several lines


def _of_values(source: IO[str]) -> _Table:
    reader = JsonReader(source)
    if reader.next() == "[":
        return _Table(reader.records())
    first = reader.value(1, must=False)
    if first is UNREADABLE:
        return _Table(_within(reader))
    if reader.next():
        return _Table(itertools.chain([first], _behind(reader)))
    return _of_value(first)


def _behind(reader: JsonReader) -> Iterator[Record]:
    number = 1
    while reader.next():
        number += 1
        yield reader.value(number)


def _within(reader: JsonReader) -> Iterator[Record]:
    """The rows of the only list of objects or lists within an object that does not fit into memory."""
    found = reader.members(DEEPEST_TABLE)
    rows = next(found, None)
    if rows is None:
        reader.refuse(1, "no JSON, or longer than 4 MiB")
    start = list(itertools.islice(rows, MOST_COLUMNS + 1))
    if len(start) <= MOST_COLUMNS and _column_names(start) and (others := next(found, None)) is not None:
        columns, start, rows = start, list(itertools.islice(others, 1)), others
        if not start or not _describes(columns, start[0]):
            raise Refused("path", "file_structure", "several lists")
        if isinstance(start[0], list):
            yield _column_names(columns)
    yield from start
    yield from rows
    for other in found:
        last = list(itertools.islice(other, MOST_COLUMNS + 1))
        if last and not (isinstance(start[0], dict) and _describes(last, start[0])):
            raise Refused("path", "file_structure", "several lists")

"""A program, not a module of the app: turns a workbook or JSON into CSV texts, in a process with little memory.

It is started by `conversion.py` with a task as JSON on its standard input, imports nothing of the app, and
answers with JSON: the tables it wrote, or why there are none. Whatever a file does to its reader, it does it here: a
workbook of two kilobytes can ask for all memory of the machine, and for a minute of the processor.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import itertools
import json
import os
import resource
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

Cell = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta
Task = dict[str, Any]
Made = list[dict[str, Any]]

MOST_COLUMNS = 2000
MOST_EXAMPLES = 5
LONGEST_LINE = 4 * 1024 * 1024
BLOCK = 1024 * 1024


class Refused(Exception):
    """The file cannot be converted: the setting at fault, a code of `drivers.errors.SettingsWrong`, and a detail."""

    def __init__(self, field: str, code: str, detail: str = "") -> None:
        super().__init__(field, code, detail)
        self.answer = {"refused": [field, code, detail]}


def main() -> None:
    """Do the task that stands on the standard input."""
    task: Task = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (task["memory"], task["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (task["seconds"], task["seconds"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (task["bytes"], task["bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    try:
        answer: dict[str, Any] = {"made": sheets(task) if task["kind"] == "xlsx" else [objects(task)]}
    except Refused as refused:
        answer = refused.answer
    except UnicodeDecodeError as problem:
        answer = Refused("encoding", "does_not_fit", str(problem)[:300]).answer
    except RecursionError:
        answer = Refused("path", "file_structure", "values are nested too deep").answer
    except (MemoryError, OSError) as problem:
        answer = Refused("path", "too_big", type(problem).__name__).answer
    json.dump(answer, sys.stdout)


# Workbooks


def sheets(task: Task) -> Made:
    """A CSV file for each sheet that holds something, or for the sheet that is asked for."""
    from python_calamine import CalamineError, CalamineWorkbook  # after the limits are set

    path = Path(task["path"])
    _check_size(path, task["unpacked"])
    made: Made = []
    try:
        with CalamineWorkbook.from_path(path) as workbook:
            names = [name for name in workbook.sheet_names if not task["sheet"] or name == task["sheet"]]
            if not names:
                raise Refused("sheet", "no_such_sheet")
            for number, name in enumerate(names):
                target = Path(task["folder"]) / f"{number}.csv"
                if _write(target, _filled(workbook.get_sheet_by_name(name).iter_rows())):
                    made.append({"name": name, "file": target.name})
    except CalamineError as problem:
        raise Refused("path", "not_a_workbook", str(problem)) from problem
    except (Refused, OSError, MemoryError):
        raise
    except BaseException as problem:
        # How the library fails on sizes that no memory has.
        raise Refused("path", "too_big", str(problem)) from problem
    return made


def _check_size(path: Path, most: int) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except zipfile.BadZipFile as problem:
        raise Refused("path", "not_a_workbook", str(problem)) from problem
    if unpacked > most:
        raise Refused("path", "too_big")


def _filled(rows: Iterable[Sequence[Cell]]) -> Iterator[list[str]]:
    for row in rows:
        texts = [_TEXTS.get(type(cell), str)(cell) for cell in row]
        if any(texts):
            yield texts


def _number(cell: float) -> str:
    return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)


def _moment(cell: dt.datetime) -> str:
    midnight = (cell.hour, cell.minute, cell.second, cell.microsecond) == (0, 0, 0, 0)
    return cell.date().isoformat() if midnight else cell.isoformat(" ")


_TEXTS: dict[type, Callable[[Any], str]] = {
    bool: lambda cell: "true" if cell else "false",
    float: _number,
    dt.datetime: _moment,
    str: lambda cell: cell.replace("\0", "") if "\0" in cell else cell,
}


# JSON


def objects(task: Task) -> dict[str, Any]:
    """A CSV file of objects, one a line or in one list; numbers with all their digits, nested values as JSON.

    `columns` says of each column which kinds of values it has: `number`, `truth`, `text`, `nested`.
    """
    path, target = Path(task["path"]), Path(task["folder"]) / "0.csv"
    seen: dict[str, set[type]] = {}
    known = _convert(path, target, seen)
    if known < len(seen):
        # A name came late: the rows before it are short by a cell.
        _convert(path, target, seen)
    if not seen:
        raise Refused("path", "empty_file")
    columns = [[name, sorted({_KINDS[found] for found in types} - {""})] for name, types in seen.items()]
    return {"name": "", "file": target.name, "columns": columns}


def _convert(path: Path, target: Path, seen: dict[str, set[type]]) -> int:
    """Write the rows; `seen` learns all names and their values. Gives back how many names every row was asked for."""
    with path.open(encoding="utf-8-sig", newline="") as source:
        rows = _objects(source)
        first = next(rows, None)
        if first is None:
            raise Refused("path", "empty_file")
        _learn(first, seen)
        names = list(seen)
        _write(target, (_cells(row, names, seen) for row in itertools.chain([first], rows)), empty='""')
    return len(names)


def _cells(row: dict[str, Any], names: list[str], seen: dict[str, set[type]]) -> list[str | None]:
    _learn(row, seen)
    return [value if (value := row.get(name)).__class__ in _AS_THEY_ARE else _nested(value) for name in names]


def _learn(row: dict[str, Any], seen: dict[str, set[type]]) -> None:
    for name, value in row.items():
        try:
            seen[name].add(value.__class__)
        except KeyError:
            seen[name] = {value.__class__}
            if len(seen) > MOST_COLUMNS:
                raise Refused("path", "columns", f"more than {MOST_COLUMNS}") from None


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


_KINDS: dict[type, str] = {
    _Number: "number",
    bool: "truth",
    str: "text",
    dict: "nested",
    list: "nested",
    type(None): "",
}
_AS_THEY_ARE = (str, _Number, type(None))


def _nested(value: Any) -> str:
    """A list or an object as JSON without spaces, numbers as they are written."""
    match value:
        case _Number():
            return str(value)
        case list():
            return f"[{','.join(map(_nested, value))}]"
        case dict():
            return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_nested(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


_DECODER = json.JSONDecoder(parse_float=_Number, parse_int=_Number, parse_constant=lambda name: None)


def _objects(source: IO[str]) -> Iterator[dict[str, Any]]:
    start = source.read(LONGEST_LINE)
    source.seek(0)
    return _of_list(source) if start.lstrip()[:1] == "[" else _of_lines(source)


def _of_lines(source: IO[str]) -> Iterator[dict[str, Any]]:
    wrong: list[str] = []
    number = 0
    while line := source.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise Refused("path", "file_structure", "\n".join([*wrong, f"row {number}: longer than 4 MiB"]))
        if not line.strip():
            continue
        try:
            value = _DECODER.decode(line)
            problem = "" if isinstance(value, dict) else "no object with names and values"
        except (json.JSONDecodeError, RecursionError) as error:
            problem = f"no JSON, {error}"
        if problem:
            wrong.append(f"row {number}: {problem}")
            if len(wrong) == MOST_EXAMPLES:
                break
        elif not wrong:
            yield value
    if wrong:
        raise Refused("path", "file_structure", "\n".join(wrong))


def _of_list(source: IO[str]) -> Iterator[dict[str, Any]]:
    reader = _Reader(source)
    reader.take("[")
    number = 0
    if reader.next() == "]":
        reader.take("]")
    else:
        while True:
            number += 1
            yield reader.object(number)
            if reader.next() != ",":
                break
            reader.take(",")
        reader.take("]", number)
    if reader.next():
        reader.refuse(number, "something stands behind the list")


class _Reader:
    """JSON text, of which only the object that is being read is in memory."""

    def __init__(self, source: IO[str]) -> None:
        self._source, self._text, self._at = source, "", 0

    def next(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._text):
                if not self._text[self._at].isspace() and self._text[self._at] != "\ufeff":
                    return self._text[self._at]
                self._at += 1
            if not self._more(BLOCK):
                return ""

    def take(self, character: str, number: int = 0) -> None:
        """Go past a character that has to stand here."""
        if self.next() != character:
            self.refuse(number, f"{character} is missing behind it")
        self._at += 1

    def object(self, number: int) -> dict[str, Any]:
        """The object that starts here."""
        if self.next() != "{":
            self.refuse(number, "no object with names and values")
        size = BLOCK
        while True:
            try:
                value, self._at = _DECODER.raw_decode(self._text, self._at)
            except (json.JSONDecodeError, RecursionError) as problem:
                if len(self._text) - self._at > LONGEST_LINE:
                    self.refuse(number, "no JSON, or longer than 4 MiB")
                if isinstance(problem, RecursionError) or not self._more(size):
                    self.refuse(number, f"no JSON, {problem}")
                size *= 2
            else:
                return dict(value)

    def refuse(self, number: int, problem: str) -> NoReturn:
        raise Refused("path", "file_structure", f"row {number}: {problem}")

    def _more(self, size: int) -> bool:
        block = self._source.read(size)
        self._text, self._at = self._text[self._at :] + block, 0
        return bool(block)


# CSV


def _write(target: Path, rows: Iterable[Sequence[str | None]], empty: str = "") -> bool:
    """Rows of CSV; nothing at all stands for None, and `empty` for an empty text. Whether there were any."""
    some = False
    with target.open("w", encoding="utf-8", newline="", errors="mark") as file:
        writer = csv.writer(file, lineterminator="\n")
        for row in rows:
            some = True
            if empty and ("" in row or len(row) == 1):
                file.write(",".join(empty if cell == "" else _quoted(cell) for cell in row) + "\n")
            else:
                writer.writerow(row)
    return some


def _quoted(text: str | None) -> str:
    return "" if text is None else '"' + text.replace('"', '""') + '"'


# Halves of characters, which JSON can write and UTF-8 cannot.
codecs.register_error("mark", lambda problem: ("\ufffd".encode(), problem.end))  # type: ignore[attr-defined]

if __name__ == "__main__":
    main()

"""The texts that the program reads, the CSV that it writes, and the reasons why it writes none."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

MOST_EXAMPLES = 5
LONGEST_LINE = 4 * 1024 * 1024
TOO_LONG = f"longer than {LONGEST_LINE // 1024 // 1024} MiB"

_BLOCK = 64 * 1024
_ROWS_AT_ONCE = 2000
_SPECIAL = re.compile(r'[,"\r\n]')

Cell = str | None

# Halves of characters, which JSON can write and UTF-8 cannot.
codecs.register_error("mark", lambda problem: ("\ufffd".encode(), problem.end))  # type: ignore[attr-defined]


class Refused(Exception):
    """The file cannot be converted: the setting at fault, a code of `drivers.errors.SettingsWrong`, and a detail."""

    def __init__(self, field: str, code: str, detail: str = "") -> None:
        super().__init__(field, code, detail)
        self.answer: dict[str, Any] = {"refused": [field, code, detail]}


def opened(task: Mapping[str, Any]) -> TextIO:
    """The text of a task, in its encoding and with its line ends; `errors` tells what becomes of bytes that misfit."""
    return Path(task["path"]).open(encoding=task["encoding"], errors=task["errors"], newline="")


def encoding_refused(task: Mapping[str, Any]) -> Refused:
    """The refusal of bytes that do not fit the encoding, with the first line that holds some."""
    decoder = codecs.getincrementaldecoder(task["encoding"])()
    line = 1
    with Path(task["path"]).open("rb") as file:
        try:
            while block := file.read(_BLOCK):
                line += decoder.decode(block).count("\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as problem:
            before = problem.object[: problem.start].decode(task["encoding"], "ignore")
            return Refused("encoding", "does_not_fit", f"line {line + before.count(chr(10))}: {problem}"[:300])
    return Refused("encoding", "does_not_fit")


def rows_refused(problems: Sequence[str]) -> Refused:
    """The refusal of a file for the rows that are named, one a line."""
    return Refused("path", "file_structure", "\n".join(problems[:MOST_EXAMPLES]))


class Place:
    """The number of the row that is being read, as its file counts rows."""

    row = 0


def write(target: Path, rows: Iterable[Sequence[Cell]], place: Place) -> int:
    """Write rows, and give back how many they were; raise `Refused` for one that is too long, with its place."""
    count = 0
    with target.open("w", encoding="utf-8", newline="", errors="mark") as file:
        lines: list[str] = []
        for row in rows:
            line = line_of(row)
            refuse_long(line, place.row)
            lines.append(line)
            if len(lines) == _ROWS_AT_ONCE:
                file.write("".join(lines))
                count, lines = count + len(lines), []
        file.write("".join(lines))
    return count + len(lines)


def refuse_long(line: str, row: int) -> None:
    """Raise `Refused` for a line of more bytes than are read."""
    if 4 * len(line) > LONGEST_LINE and len(line.encode("utf-8", "mark")) > LONGEST_LINE:
        raise rows_refused([f"row {row}: {TOO_LONG}"])


def line_of(row: Sequence[Cell], delimiter: str = ",", special: re.Pattern[str] = _SPECIAL) -> str:
    """A row with its line end."""
    text = delimiter.join(["" if cell is None else cell or '""' for cell in row])
    # The row is as it should be unless there is more in it than the delimiters between its cells.
    if len(special.findall(text)) == len(row) - 1:
        return text + "\n"
    return delimiter.join([_cell(cell, special) for cell in row]) + "\n"


def _cell(cell: Cell, special: re.Pattern[str]) -> str:
    if cell is None:
        return ""
    if not cell or special.search(cell):
        return '"' + cell.replace('"', '""') + '"'
    return cell

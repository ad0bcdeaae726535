"""Rows of delimited text: cells between delimiters, some of them in quotes, line ends of any kind.

One way of taking texts apart for the sample that decides how a file is meant and for the whole file. Line ends are
those that stand outside of quotes, whichever they are; a quote that stands inside a text is a letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from drivers.files.converter.output import (
    LONGEST_LINE,
    MOST_EXAMPLES,
    TOO_LONG,
    Cell,
    line_of,
    opened,
    refuse_long,
    rows_refused,
)

BAD_QUOTE = "text beside a quoted text, or a quote without an end"


class CsvDialect(NamedTuple):
    """How cells are separated and quoted; `quote` is empty where quotes are letters.

    `escape` is the quote itself where it is doubled inside of a text, or a backslash. `padded` where blanks around a
    cell belong to the delimiters.
    """

    delimiter: str
    quote: str
    escape: str
    padded: bool = False


class BadRow(Exception):
    """A row that cannot be taken apart; nothing behind it can be trusted."""


class CsvReader:
    """Rows of a text that was opened with `newline=""`; a blank line is a row without cells.

    `blanks_before` and `no_blanks_before` count the cells behind a delimiter that do and do not begin with a blank.
    """

    def __init__(self, source: IO[str], form: CsvDialect) -> None:
        self._source, self._form = source, form
        self.blanks_before = self.no_blanks_before = 0
        self.line = ""

    def __iter__(self) -> Iterator[list[Cell]]:
        """The rows; raises `BadRow` with the reason."""
        while line := self._source.readline(LONGEST_LINE + 1):
            self.line = line
            yield self.cells(line)

    def cells(self, line: str) -> list[Cell]:
        """The cells of the row that starts with a line; more lines are read where a text goes on."""
        if len(line) > LONGEST_LINE:
            raise BadRow(TOO_LONG)
        delimiter, quote, _, padded = self._form
        if "\0" in line:
            line = line.replace("\0", "")
        body = line.rstrip("\r\n")
        if not body.strip(" \t") and delimiter not in body:
            return []
        if quote and quote in body:
            return self._quoted(line)
        cells: list[Cell] = [cell or None for cell in body.split(delimiter)]
        for cell in cells[1:]:
            self._count(cell)
        return [cell and (cell.strip() or None) for cell in cells] if padded else cells

    def _count(self, cell: Cell) -> None:
        if cell:
            if cell[0] == " ":
                self.blanks_before += 1
            else:
                self.no_blanks_before += 1

    def _quoted(self, line: str) -> list[Cell]:
        delimiter, quote, _, padded = self._form
        cells: list[Cell] = []
        at = 0
        while True:
            start = at
            while line[start : start + 1] == " ":
                start += 1
            if line.startswith(quote, start):
                text, line, end = self._text(line, start + 1)
                if cells:
                    self._count(line[at:end])
                cells.append(text)
            else:
                end = line.find(delimiter, at)
                end = end if end >= 0 else len(line.rstrip("\r\n"))
                cell = line[at:end]
                if cells:
                    self._count(cell)
                cells.append((cell.strip() if padded else cell) or None)
            if line[end : end + 1] != delimiter:
                return cells
            at = end + 1

    def _text(self, line: str, start: int) -> tuple[str, str, int]:
        """The text in quotes that starts here, the line with those that it goes on in, and the place behind it."""
        _, quote, escape, _ = self._form
        at = start
        while True:
            end = line.find(quote, at)
            if end < 0:
                at = len(line)
                more = self._source.readline(LONGEST_LINE + 1).replace("\0", "")
                if not more or at > LONGEST_LINE:
                    raise BadRow(BAD_QUOTE)
                line += more
            elif escape == quote and line.startswith(quote, end + 1):
                at = end + 2
            elif escape != quote and (end - len(line[start:end].rstrip(escape)) - start) % 2:
                at = end + 1
            else:
                break
        text = line[start:end]
        # Before anything but a quote or itself, a backslash is one.
        text = text.replace(quote * 2, quote) if escape == quote else re.sub(rf"\\([\\{quote}])", r"\1", text)
        end += 1
        while line[end : end + 1] == " ":
            end += 1
        if line[end : end + 1] not in ("", "\r", "\n", self._form.delimiter):
            raise BadRow(BAD_QUOTE)
        return text, line, end


def convert(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Write the rows of a text behind those that the task passes over; raise `Refused` for rows of another width."""
    form, width, target = CsvDialect(*task["form"]), task["width"], Path(task["folder"]) / "0.csv"
    with (
        opened(task) as source,
        target.open("w", encoding="utf-8", newline="") as file,
    ):
        rows = _copy(CsvReader(source, form), form, width, task["above"], file.write, task["most_rows"])
    return [{"name": "", "file": target.name, "rows": rows}]


def _copy(
    reader: CsvReader, form: CsvDialect, width: int, above: int, write: Callable[[str], Any], most: int | None
) -> int:
    special = re.compile(rf'[{re.escape(form.delimiter)}"\r\n]')
    wrong: list[str] = []
    number = written = 0
    rows = iter(reader)
    while written != most:
        number += 1
        try:
            row = next(rows, None)
        except BadRow as problem:
            if number > above:
                raise rows_refused([*wrong, f"row {number}: {problem}"]) from problem
            # A title may hold anything.
            rows = iter(reader)
            continue
        if row is None:
            break
        if number <= above or not row:
            continue
        if len(row) != width:
            if len(row) != width + 1 or row[-1]:
                wrong.append(f"row {number}: {len(row)} cells, other rows have {width}")
                if len(wrong) == MOST_EXAMPLES:
                    break
                continue
            row.pop()
        if not wrong:
            line = line_of(row, form.delimiter, special)
            refuse_long(line, number)
            write(line)
            written += 1
    if wrong:
        raise rows_refused(wrong)
    return written

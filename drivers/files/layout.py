"""How a CSV file separates and quotes its cells, where it begins, how many columns it has and what they are called.

Settled by its beginning, before DuckDB reads the whole file with exactly this layout and refuses each row that does not
fit. A reader that looks for the layout in which most rows fit would drop the others without a word.
"""

# ruff: noqa: S608 - every name and text in these statements is quoted

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import duckdb

from drivers.errors import SettingsWrong
from drivers.files.column_types import literal

MOST_EXAMPLES = 5
#: DuckDB reads in blocks of the longest line at least; larger ones would make a preview slow and keep threads idle.
LONGEST_LINE = 4 * 1024 * 1024

_BLOCK = 64 * 1024
# No cell of a sample is longer than the longest that `csv` takes.
_SAMPLE_CHARACTERS = 128 * 1024
#: The last one is for a single column of texts.
_DELIMITERS = ("\t", ";", "|", ",", "\x1f")
#: Quote and escape. The usual ones come second: single quotes are tried only where they stand before cells.
_QUOTES = (("'", "'"), ('"', '"'), ('"', "\\"), ("", ""))
_NUMBER = re.compile(r"[-+]?[\d\s.,]*\d[\d\s.,]*%?([eE][-+]?\d+)?")
_MOMENT = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([ T].*)?|\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?")


@dataclass(frozen=True)
class Layout:
    """Everything that reading the file takes; `skip` rows stand before the header, or before the data without one."""

    delimiter: str
    quote: str
    escape: str
    skip: int
    header: bool
    columns: tuple[str, ...]

    def source(self, path: Path, extra: str = "", types: Mapping[str, str] | None = None) -> str:
        """The SQL that reads all cells, those of no other type as texts; DuckDB has nothing left to guess."""
        named = ", ".join(f"{literal(name)}: '{(types or {}).get(name, 'VARCHAR')}'" for name in self.columns)
        return (
            f"read_csv({literal(str(path))}, delim = {literal(self.delimiter)}, quote = {literal(self.quote)}, "
            f"escape = {literal(self.escape)}, skip = {self.skip}, header = {str(self.header).lower()}, "
            "auto_detect = false, compression = 'none', nullstr = '', allow_quoted_nulls = false, "
            f"max_line_size = {LONGEST_LINE}, buffer_size = {LONGEST_LINE}, columns = {{{named}}}{extra})"
        )


def converted_layout(columns: Sequence[str]) -> Layout:
    """The layout of CSV without a header that `drivers/files/converter.py` wrote."""
    return Layout(",", '"', '"', 0, header=False, columns=distinct(columns))


@dataclass(frozen=True)
class _Reading:
    """What the sample looks like with one delimiter and one way of quoting.

    `width` is the usual number of cells; `titles` are the rows above, blank or of one cell; `agreed` is the share of
    rows that fit; `several` the share of those that the delimiter separates at all.
    """

    delimiter: str
    quoting: tuple[str, str]
    rows: list[list[str]]
    is_broken: bool
    width: int
    titles: int
    agreed: float
    several: float

    @classmethod
    def of(cls, delimiter: str, quoting: tuple[str, str], rows: list[list[str]], is_broken: bool) -> _Reading:
        """What rows look like."""
        filled = list(filter(None, rows))
        counts = Counter(map(len, filled))
        width = max(counts, key=lambda cells: (counts[cells], cells)) if counts else 1
        if counts[width - 1] and all(not row[-1] for row in filled if len(row) == width > 1):
            # Every row ends with a delimiter, and the header does not.
            width -= 1
        titles = len(list(itertools.takewhile(lambda row: len(row) <= (width > 1), rows)))
        fitting = sum(_fits(row, width) for row in rows[titles:])
        several = sum(len(row) > 1 for row in filled) / max(len(filled), 1)
        below = sum(map(bool, rows[titles:]))
        return cls(delimiter, quoting, rows, is_broken, width, titles, fitting / max(below, 1), several)

    @property
    def is_whole(self) -> bool:
        """Whether all rows fit."""
        return not self.is_broken and self.width > 1 and self.agreed == 1

    @property
    def is_plausible(self) -> bool:
        """Whether the delimiter is one, though some rows do not fit."""
        separated = bool(self.rows) and len(self.rows[0]) > 1 and self.several > 0.5
        return self.width > 1 and (self.agreed > 0.5 or separated)

    @property
    def rank(self) -> tuple[bool, int, bool, int]:
        """Of readings in which all rows fit, the smallest: without titles, semicolons between decimal commas."""
        commas = self.delimiter == "," and all(map(_has_decimal_commas, self.rows))
        return any(self.rows[: self.titles]), _QUOTES.index(self.quoting), commas, -self.width


def _has_decimal_commas(row: Sequence[str]) -> bool:
    return all(before[-1:].isdigit() and after[:1].isdigit() for before, after in itertools.pairwise(row))


def _fits(row: Sequence[str], width: int) -> bool:
    """Whether a row has so many cells; a delimiter behind the last one is none too many."""
    return len(row) == width or (len(row) == width + 1 and not row[-1])


def layout_of(path: Path, settings: Mapping[str, str], made: bool = False) -> Layout:
    """The layout, given or found; `made` for CSV that we wrote. Raises `SettingsWrong`."""
    delimiter = "," if made else settings["delimiter"].replace("\\t", "\t")
    if len(delimiter) > 1 or delimiter in ('"', "'", "\n", "\r"):
        raise SettingsWrong("delimiter", "not_readable")
    text, is_all = _sample(path)
    found = _chosen(
        [
            _read(text, is_all, separator, quoting)
            for quoting in (_QUOTES[1:2] if made else _QUOTES)
            for separator in ([delimiter] if delimiter else _DELIMITERS)
            if _is_worth_trying(text, separator, *quoting)
        ]
    )
    rows = list(filter(None, found.rows[found.titles :]))
    if not rows:
        raise SettingsWrong("path", "empty_file")
    header = settings["header"] == "yes" or (settings["header"] == "auto" and _has_header(rows, found.width))
    if header and not _fits(rows[0], found.width):
        # DuckDB would not mind: a header is what it passes over.
        wrong = [
            f"row {number}: {_cells(len(row), found.width)}"
            for number, row in enumerate(found.rows, 1)
            if number > found.titles and row and not _fits(row, found.width)
        ]
        raise SettingsWrong("path", "file_structure", "\n".join(wrong[:MOST_EXAMPLES]))
    names = rows[0][: found.width] if header else [""] * found.width
    return Layout(found.delimiter, *found.quoting, found.titles, header, distinct(names))


def refuse_long_lines(path: Path, check: Callable[[], None]) -> None:
    """Raise `SettingsWrong` for a line that DuckDB does not read: a last one of some length it drops without a word.

    Only the end of each stretch of a line's length is looked at; `check` is called before each and may raise.
    """
    with path.open("rb") as file:
        size, start = file.seek(0, io.SEEK_END), 0
        while size - start > LONGEST_LINE:
            check()
            last = _last_end(file, start, start + LONGEST_LINE + 1)
            if last is None:
                told = f"row {_number_of(file, start)}: longer than {LONGEST_LINE // 1024 // 1024} MiB"
                raise SettingsWrong("path", "file_structure", told)
            start = last + 1


def _number_of(file: BinaryIO, start: int) -> int:
    """The number of the line that starts at a place."""
    file.seek(0)
    line_ends = carriage_returns = 0
    while start > 0 and (block := file.read(min(start, _BLOCK))):
        line_ends += block.count(b"\n")
        carriage_returns += block.count(b"\r")
        start -= len(block)
    return (line_ends or carriage_returns) + 1


def _last_end(file: BinaryIO, start: int, end: int) -> int | None:
    """Where the last line end between two places stands."""
    while end > start:
        begin = max(end - _BLOCK, start)
        file.seek(begin)
        block = file.read(end - begin)
        if (at := max(block.rfind(b"\n"), block.rfind(b"\r"))) >= 0:
            return begin + at
        end = begin
    return None


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names for columns: `column0` and so on for empty ones, and a number behind those that are there already."""
    digits = len(str(len(names) - 1))
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    result = []
    for position, given in enumerate(names):
        name = given.replace("\0", "").encode("utf-8", "replace").decode().strip() or f"column{position:0{digits}}"
        first = name
        while name.casefold() in taken:
            numbers[first.casefold()] += 1
            name = f"{first}_{numbers[first.casefold()]}"
        taken.add(name.casefold())
        result.append(name)
    return tuple(result)


def misfits(connection: duckdb.DuckDBPyConnection, path: Path, layout: Layout) -> str:
    """The first five rows that do not fit the layout, by their lines in the file; an empty text where none is known."""
    # In one thread, so that the first ones are the first ones.
    extra = f", ignore_errors = true, store_rejects = true, rejects_limit = {MOST_EXAMPLES}, parallel = false"
    try:
        connection.execute(f"SELECT count(*) FROM {layout.source(path, extra)}").fetchall()
    except duckdb.InvalidInputException:
        return ""
    rows = connection.execute(
        "SELECT line, any_value(error_type::VARCHAR), any_value(error_message) FROM reject_errors "
        f"GROUP BY line ORDER BY line LIMIT {MOST_EXAMPLES}"
    ).fetchall()
    return "\n".join(f"row {line}: {_told(kind, said, len(layout.columns))}" for line, kind, said in rows)


def _told(kind: str, said: str, width: int) -> str:
    found = re.search(r"Found: (\d+)", said)
    if found:
        return _cells(int(found[1]), width)
    return {
        "UNQUOTED VALUE": "text beside a quoted text, or a quote without an end",
        "LINE SIZE OVER MAXIMUM": f"longer than {LONGEST_LINE // 1024 // 1024} MiB",
    }.get(kind, kind.lower())


def _cells(found: int, width: int) -> str:
    return f"{found} cells, other rows have {width}"


def _sample(path: Path) -> tuple[str, bool]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        text = file.read(_SAMPLE_CHARACTERS)
        return text, not file.read(1)


def _is_worth_trying(text: str, delimiter: str, quote: str, escape: str) -> bool:
    """Whether another way of quoting can be meant than the usual one."""
    between = re.escape(delimiter)
    match quote, escape:
        case '"', '"':
            return True
        case '"', _:
            return '\\"' in text
        case "'", _:
            return '"' not in text and re.search(rf"(^|{between})'", text, re.MULTILINE) is not None
    # Quotes are letters like others only if they enclose no cell.
    return '"' in text and not re.search(rf'(^|{between})"[^"\r\n]*"({between}|\r?$)', text, re.MULTILINE)


def _read(text: str, is_all: bool, delimiter: str, quoting: tuple[str, str]) -> _Reading:
    quote, escape = quoting
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        doublequote=quote == escape,
        escapechar="\\" if escape == "\\" else None,
        skipinitialspace=True,
        strict=True,
    )
    rows: list[list[str]] = []
    is_broken = False
    try:
        rows.extend(reader)
    except csv.Error:
        # The last row of a sample may be cut in two.
        is_broken = is_all or reader.line_num < len(lines)
    else:
        if not is_all and len(rows) > 1:
            rows.pop()
    return _Reading.of(delimiter, quoting, rows, is_broken)


def _chosen(readings: Sequence[_Reading]) -> _Reading:
    """The reading in which all rows fit; else the one whose delimiter separates most of them; else one column."""
    whole = [reading for reading in readings if reading.is_whole]
    if whole:
        return min(whole, key=lambda reading: reading.rank)
    plausible = [reading for reading in readings if reading.is_plausible]
    if plausible:
        return max(plausible, key=lambda reading: (not reading.is_broken, reading.agreed, reading.width))
    # The last delimiter stands in no text.
    return next((reading for reading in reversed(readings) if not reading.is_broken), readings[-1])


def _has_header(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the first row names the columns: a name above numbers or dates, or texts above texts."""
    first, rest = rows[0], rows[1:1000]
    typed = False
    for position in range(width):
        kinds = {_kind(row[position]) for row in rest if position < len(row)} - {""}
        head = _kind(first[position]) if position < len(first) else ""
        if not rest:
            typed = typed or head not in ("", "text")
        elif len(kinds) == 1 and kinds != {"text"}:
            typed = True
            if head and head not in kinds:
                return True
    return not typed


def _kind(cell: str) -> str:
    text = cell.strip()
    if _MOMENT.fullmatch(text):
        return "moment"
    if _NUMBER.fullmatch(text):
        return "number"
    return "truth" if text.lower() in ("true", "false") else text and "text"

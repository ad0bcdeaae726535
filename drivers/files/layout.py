"""How a delimited text separates and quotes its cells, where it begins, how many columns it has and their names.

Settled by its beginning, before the whole file is read with exactly this layout and each row that does not fit is
refused. A reader that looks for the layout in which most rows fit would drop the others without a word.
"""

from __future__ import annotations

import io
import itertools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from drivers.errors import SettingsWrong
from drivers.files.converter.delimited import BadRow, CsvDialect, CsvReader
from drivers.files.converter.headers import Start, fits, is_strong_header, table_start, titles_of
from drivers.files.converter.output import LONGEST_LINE, MOST_EXAMPLES, TOO_LONG, Cell
from drivers.files.encoding import Text
from drivers.files.sql_texts import literal

_BLOCK = 64 * 1024
_SAMPLE_CHARACTERS = 128 * 1024
#: The last one is for a single column of texts.
_DELIMITERS = ("\t", ";", "|", ",", "\x1f")
#: Quote and escape. The usual ones come second: single quotes are tried only where they enclose cells.
_QUOTES = (("'", "'"), ('"', '"'), ('"', "\\"), ("", ""))
_SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=(.|\\t)"?[ \t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """Everything that reading the file takes.

    `above` rows stand above the data, blank ones and the header among them; `line_end` is the only one in the file, and
    empty where only `converter` can read it; `width` cells are in each row. `sample` are the first rows of data,
    `titles` the rows above the table with their numbers, `header_row` the number of the row with the names or 0, None
    where rows have no numbers.
    """

    form: CsvDialect
    above: int
    line_end: str
    columns: tuple[str, ...]
    sample: tuple[tuple[Cell, ...], ...] = ()
    titles: tuple[tuple[int, str], ...] = ()
    header_row: int | None = None

    def source(self, path: Path, types: Mapping[str, str] | None = None) -> str:
        """The SQL that reads all cells, those of no other type as texts; DuckDB has nothing left to guess."""
        named = ", ".join(f"{literal(name)}: '{(types or {}).get(name, 'VARCHAR')}'" for name in self.columns)
        line_end = self.line_end.replace("\r", "\\r").replace("\n", "\\n")
        return (
            f"read_csv({literal(str(path))}, delim = {literal(self.form.delimiter)}, "
            f"quote = {literal(self.form.quote)}, escape = {literal(self.form.escape)}, new_line = '{line_end}', "
            f"skip = {self.above}, header = false, auto_detect = false, compression = 'none', nullstr = '', "
            "allow_quoted_nulls = false, "
            f"max_line_size = {LONGEST_LINE}, buffer_size = {LONGEST_LINE}, columns = {{{named}}})"
        )


def converted_layout(columns: Sequence[str], delimiter: str = ",") -> Layout:
    """The layout of CSV without a header that `converter` wrote."""
    return Layout(CsvDialect(delimiter, '"', '"'), 0, "\n", distinct(columns))


@dataclass(frozen=True)
class _Reading:
    """What the sample looks like with one delimiter and one way of quoting.

    `width` is the usual number of cells; `start` tells where the table begins; `agreed` is the share of rows from there
    that fit; `several` the share of all rows that the delimiter separates at all; `prose` whether it is followed by a
    blank everywhere.
    """

    form: CsvDialect
    rows: list[list[Cell]]
    is_broken: bool
    width: int
    start: Start
    agreed: float
    several: float
    prose: bool

    @classmethod
    def of(
        cls, form: CsvDialect, rows: list[list[Cell]], is_broken: bool, prose: bool, settings: Mapping[str, str]
    ) -> _Reading:
        """What rows look like."""
        filled = list(filter(None, rows))
        counts = Counter(map(len, filled))
        width = max(counts, key=lambda cells: (counts[cells], cells)) if counts else 1
        if counts[width - 1] and all(not row[-1] for row in filled if len(row) == width > 1):
            # Every row ends with a delimiter, and the header does not.
            width -= 1
        start = _start(rows, width, settings)
        below = [row for row in rows[start.row :] if row]
        agreed = sum(fits(row, width) for row in below) / max(len(below), 1)
        several = sum(len(row) > 1 for row in filled) / max(len(filled), 1)
        return cls(form, rows, is_broken, width, start, agreed, several, prose)

    @property
    def is_whole(self) -> bool:
        """Whether all rows fit."""
        return not self.is_broken and self.width > 1 and self.agreed == 1 and not self.is_one_column

    @property
    def is_plausible(self) -> bool:
        """Whether the delimiter is one, though some rows do not fit."""
        separated = bool(self.rows) and len(self.rows[0]) > 1 and self.several > 0.5
        return self.width > 1 and (self.agreed > 0.5 or separated) and not self.is_one_column

    @property
    def is_one_column(self) -> bool:
        """Whether commas are those of decimals below the name of the only column, and not between two unnamed ones."""
        below = [row for row in self.rows[self.start.row :] if row]
        above = [row for row in self.rows[: self.start.row] if row]
        is_named = not self.start.header and bool(above) and all(len(row) == 1 for row in above)
        return self.form.delimiter == "," and self.width == 2 and is_named and all(map(_has_decimal_commas, below))

    @property
    def rank(self) -> tuple[bool, int, int, bool, bool, int]:
        """Of readings in which all rows fit, the smallest: named columns, few titles, no commas of other meaning."""
        named = self.start.header and is_strong_header(self.rows, self.start.row, self.width)
        titles = sum(any(row) for row in self.rows[: self.start.row])
        quoting = _QUOTES.index((self.form.quote, self.form.escape))
        commas = self.form.delimiter == "," and all(map(_has_decimal_commas, self.rows))
        return not named, titles, quoting, commas, self.prose, -self.width


def _has_decimal_commas(row: Sequence[Cell]) -> bool:
    return all(
        (before or "")[-1:].isdigit() and (after or "")[:1].isdigit() for before, after in itertools.pairwise(row)
    )


def _start(rows: list[list[Cell]], width: int, settings: Mapping[str, str]) -> Start:
    if settings["header_row"]:
        return Start(int(settings["header_row"]) - 1, True)
    skipped = int(settings["skip_rows"] or 0)
    header = settings["header"]
    start = table_start(rows[skipped:], width, header if header in ("yes", "no") else "auto")  # type: ignore[arg-type]
    return Start(start.row + skipped, start.header)


def layout_of(path: Path, text: Text, settings: Mapping[str, str]) -> Layout:
    """The layout, given or found. Raises `SettingsWrong`."""
    delimiter = settings["delimiter"].replace("\\t", "\t")
    if len(delimiter) > 1 or delimiter in ('"', "'", "\n", "\r"):
        raise SettingsWrong("delimiter", "not_readable")
    sample, is_all = _sample(path, text)
    told = _SEPARATOR_LINE.match(sample)
    if told:
        sample = sample[told.end() :]
        delimiter = delimiter or told[1].replace("\\t", "\t")
    # The line that names the delimiter is a row for whoever counts them.
    counted: list[list[Cell]] = [[]] if told else []
    found = _chosen(
        [
            _read(sample, is_all, CsvDialect(separator, *quoting), settings, counted)
            for quoting in _quotes(settings["quote"])
            for separator in ([delimiter] if delimiter else _DELIMITERS)
            if settings["quote"] or _is_worth_trying(sample, separator, *quoting)
        ]
    )
    first, header = found.start
    rows = [row for row in found.rows[first:] if row]
    if settings["header_row"] and not (first < len(found.rows) and found.rows[first]):
        raise SettingsWrong("header_row", "no_such_row")
    if not rows:
        raise SettingsWrong("path", "empty_file")
    if header and not fits(rows[0], found.width):
        wrong = [
            f"row {number}: {_cells(len(row), found.width)}"
            for number, row in enumerate(found.rows, 1)
            if number > first and row and not fits(row, found.width)
        ]
        raise SettingsWrong("path", "file_structure", "\n".join(wrong[:MOST_EXAMPLES]))
    names = [cell or "" for cell in rows[0][: found.width]] if header else [""] * found.width
    form, data = found.form, tuple(tuple(row[: found.width]) for row in rows[header:])
    direct = text.encoding.startswith("utf-8") and text.errors == "strict" and not text.has_nul
    if found.prose and form.delimiter != "\t":
        form = form._replace(padded=True)
    line_end = text.line_end if direct and found.width > 1 and not form.padded else ""
    above = titles_of(found.rows[:first])
    return Layout(form, first + header, line_end, distinct(names), data, above, first + 1 if header else 0)


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
                told = f"row {_number_of(file, start)}: {TOO_LONG}"
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


def _cells(found: int, width: int) -> str:
    return f"{found} cells, other rows have {width}"


def _sample(path: Path, text: Text) -> tuple[str, bool]:
    encoding = "utf-8-sig" if text.encoding == "utf-8" else text.encoding
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        return file.read(_SAMPLE_CHARACTERS), not file.read(1)


def _quotes(asked: str) -> tuple[tuple[str, str], ...]:
    if not asked:
        return _QUOTES
    return tuple(pair for pair in _QUOTES if pair[0] == ("" if asked == "none" else asked))


def _is_worth_trying(text: str, delimiter: str, quote: str, escape: str) -> bool:
    """Whether another way of quoting can be meant than the usual one."""
    between = re.escape(delimiter)
    match quote, escape:
        case '"', '"':
            return True
        case '"', _:
            return '\\"' in text
        case "'", _:
            # An apostrophe before a text is no quote: all that stand there have to enclose a cell of one line.
            opened = len(re.findall(rf"(?:^|{between}) *'", text, re.MULTILINE))
            closed = len(
                re.findall(rf"(?:^|(?<={between})) *'(?:[^'\r\n]|'')*' *(?={between}|\r?$)", text, re.MULTILINE)
            )
            return '"' not in text and 0 < opened == closed
    # Quotes are letters like others only if they enclose no cell.
    return '"' in text and not re.search(rf'(^|{between})"[^"\r\n]*"({between}|\r?$)', text, re.MULTILINE)


def _read(
    text: str, is_all: bool, form: CsvDialect, settings: Mapping[str, str], counted: list[list[Cell]]
) -> _Reading:
    source = io.StringIO(text, newline="")
    reader = CsvReader(source, form)
    rows: list[list[Cell]] = [*counted]
    is_broken = False
    try:
        rows.extend(reader)
    except BadRow:
        # The last row of a sample may be cut in two.
        is_broken = is_all or bool(source.read(1))
    else:
        if not is_all and len(rows) > 1:
            rows.pop()
    prose = reader.blanks_before > 0 and not reader.no_blanks_before
    return _Reading.of(form, rows, is_broken, prose, settings)


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

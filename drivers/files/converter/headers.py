"""Where a table begins below its titles, and whether its first row names the columns.

Judged by the first rows alone: titles have fewer cells than the table, and names stand above other kinds of values than
their own. A row is passed over only if what follows names the columns beyond doubt; a row too many is seen, a missing
one is not.
"""

# ruff: noqa: RUF001 - these letters and signs are meant

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

Cell = str | None
Rows = Sequence[Sequence[Cell]]
Header = Literal["auto", "yes", "no"]

#: Texts that stand for nothing in columns of numbers and dates, as people and programs write them.
NOTHING = ("-", "NULL", "Null", "null", "\\N", "NA", "N/A", "#N/A", "#Н/Д", "NaN", "nan")
SAMPLE_ROWS = 1000
MOST_TITLES = 30
LONGEST_TITLE = 200

_CURRENCY = r"(?:[$€£¥₽₴₸₺₹₩₪₫]|[A-Z]{3}|руб\.?|р\.)"
_NUMBER = re.compile(
    rf"\(?{_CURRENCY}?\s*[-+−]?\s*{_CURRENCY}?\s*[\d\s.,'’]*\d[\d\s.,'’]*(?:[eE][-+]?\d+)?\s*(?:%|{_CURRENCY})?\)?"
)
_MOMENT = re.compile(
    r"\d{1,4}([-./])\d{1,2}\1\d{1,4}(?:(?:,?\s+|T)\d.*)?|\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s*[AaPp]\.?[Mm]\.?)?"
)
_NO_DATE = re.compile(r"[ .:]+|0000-00-00.*|00\.00\.0000.*")
_YEAR = re.compile(r"(?:(?:0?[1-9]|1[0-2])\.)?((?:19|20)\d\d)")


class Start(NamedTuple):
    """The number of rows above the table, and whether its first row is a header."""

    row: int
    header: bool


def table_start(rows: Rows, width: int, header: Header = "auto") -> Start:
    """Where a table of `width` columns starts in its first `rows`, of which blank ones may have no cells at all."""
    above = itertools.takewhile(lambda row: not filled(row) or (len(row) <= 1 < width), rows)
    first = sum(1 for _ in above)
    if header == "no" or first >= len(rows):
        return Start(first, False)
    start = _below_titles(rows, width, first)
    if start == first:
        start = _below_parameters(rows, width, first)
    named = header == "yes" or _strength(rows, start, width) > 0
    return Start(start, named)


def filled(row: Sequence[Cell]) -> int:
    """How many cells of a row hold something."""
    return sum(1 for cell in row if cell and not cell.isspace())


def titles_of(rows: Rows, first: int = 1) -> tuple[tuple[int, str], ...]:
    """Rows above a table as people are told about them: their numbers, of which the first is `first`, and texts."""
    told = ((number, " ".join(filter(None, row)).strip()) for number, row in enumerate(rows, first) if filled(row))
    return tuple((number, text[:LONGEST_TITLE]) for number, text in itertools.islice(told, MOST_TITLES))


def fits(row: Sequence[Cell], width: int) -> bool:
    """Whether a row has so many cells; a delimiter behind the last one is none too many."""
    return len(row) == width or (len(row) == width + 1 and not row[-1])


def is_strong_header(rows: Rows, at: int, width: int) -> bool:
    """Whether a row names the columns beyond doubt: names above numbers or dates, or a series of years or days."""
    return at < len(rows) and fits(rows[at], width) and _strength(rows, at, width) == _STRONG


_STRONG, _LIKELY = 2, 1
_WEEK = 7


def _below_titles(rows: Rows, width: int, first: int) -> int:
    """The row below titles that have as many cells as the table, or a number of their own; `first` without any."""
    doubtful, spaced, at = False, True, first
    while at < min(len(rows) - 1, first + MOST_TITLES):
        row = rows[at]
        count = filled(row)
        if count > 1 or (count == 1 and kind_of(next(filter(None, row)) or "") != "text"):
            if not (row[0] or "").lstrip().startswith("#"):
                prose = count > 1 and all(cell is None or cell.startswith(" ") for cell in row[1:])
                if fits(row, width) and not prose and not (width > 3 and count <= width // 2):
                    break
                doubtful = True
        elif count and " " not in (next(filter(None, row)) or "").strip():
            spaced = False
        at += 1
    if at == first or not _is_full(rows, at, width):
        return first
    strength = _strength(rows, at, width)
    if strength == _LIKELY and not doubtful:
        # Above texts only, a single word may as well be the first value of a sparse table.
        below = [row for row in rows[at + 1 : at + 1 + SAMPLE_ROWS] if filled(row)]
        dense = sum(filled(row) <= 1 for row in below) <= len(below) // 10
        told = spaced or not all(map(filled, rows[first:at]))
        return at if dense and told else first
    return at if strength == _STRONG else first


def _below_parameters(rows: Rows, width: int, first: int) -> int:
    """The row below what a report was asked with: labels, with dates or numbers beside them; `first` without any.

    Rows of the table may look like that. So what is passed over has gaps or is followed by a blank row, names stand
    below it beyond doubt, and it has nothing of what their columns hold.
    """
    passed: list[Sequence[Cell]] = []
    blank = told = False
    for at in range(first, min(len(rows) - 1, first + MOST_TITLES)):
        row = rows[at]
        if not filled(row):
            blank = blank or bool(passed)
            continue
        if passed and told and _is_full(rows, at, width) and _strength(rows, at, width) == _STRONG:
            with_gaps = not any(_is_full(rows, number, width) for number in range(first, at))
            return at if (blank or with_gaps) and not _any_like(passed, rows[at + 1 :], width) else first
        kinds = [kind_of(cell or "") for cell in row[:width] if filled([cell])]
        has_value = bool({"number", "moment"} & set(kinds))
        is_label = (next(filter(None, row)) or "").rstrip().endswith(":")
        if kinds[:1] != ["text"] or (_is_full(rows, at, width) and not has_value and not is_label):
            return first
        told = told or has_value or is_label
        passed.append(row)
    return first


def _any_like(above: Rows, below: Rows, width: int) -> bool:
    """Whether a row has a number or date where the rows below have such."""
    for position in range(width):
        kinds = {kind_of(_text(row, position)) for row in below[:SAMPLE_ROWS]} - {"", "text"}
        if kinds & {kind_of(_text(row, position)) for row in above}:
            return True
    return False


def _is_full(rows: Rows, at: int, width: int) -> bool:
    """Whether a row has a name, unlike any other, for each column that holds something below; the first may lack it."""
    row = rows[at]
    if not fits(row, width) or filled(row) < 2:
        return False
    names = [cell.strip().casefold() for cell in row if cell and cell.strip()]
    used = {
        position
        for below in rows[at + 1 : at + 1 + SAMPLE_ROWS]
        for position, cell in enumerate(below[:width])
        if cell and cell.strip()
    }
    return len(set(names)) == len(names) and all(row[position] for position in used - {0})


def _strength(rows: Rows, at: int, width: int) -> int:
    """How surely a row names the columns: 2 above values of another kind, 1 for texts above texts, else 0."""
    row, rest = rows[at], [below for below in rows[at + 1 : at + 1 + SAMPLE_ROWS] if filled(below)]
    heads = [kind_of(cell or "") for cell in row[:width]]
    typed = False
    for position, head in enumerate(heads):
        kinds = {kind_of(below[position] or "") for below in rest if position < len(below)} - {""}
        if not rest:
            typed = typed or head not in ("", "text")
        elif len(kinds) == 1 and kinds != {"text"}:
            typed = True
            if head and head not in kinds:
                return _STRONG
    if _is_series(row, heads, rest) or _is_above_index(row, heads, rest):
        return _STRONG
    return 0 if typed else _LIKELY


def _is_series(row: Sequence[Cell], heads: Sequence[str], rest: Rows) -> bool:
    """Whether the numbers of a row beside names are years, or days that follow each other, as a pivot has them.

    Most of what stands below years are numbers; words for a value that is missing may stand among them.
    """
    numbers = [position for position, head in enumerate(heads) if head == "number"]
    named = [head for position, head in enumerate(heads) if position not in numbers]
    if not numbers or ("text" not in named and heads[0]) or {"moment", "truth"} & set(named):
        return False
    texts = [(row[position] or "").strip() for position in numbers]
    below = [_text(rest[0], position) for position in numbers] if rest else []
    if texts[0] == "1" and len(texts) >= _WEEK and _rises(texts):
        # A timesheet has hours below, and letters for who is ill or on leave.
        return not _rises(below)
    kinds = [kind for later in rest for position in numbers if (kind := kind_of(_text(later, position)))]
    if 2 * kinds.count("number") < len(kinds):
        return False
    if all(_YEAR.fullmatch(text) for text in texts):
        if below and all(_YEAR.fullmatch(text) for text in below):
            return False
        if len(texts) > 1:
            return texts == sorted(texts, key=_month) or texts == sorted(texts, key=_month, reverse=True)
        return not any(_YEAR.fullmatch(_text(later, numbers[0])) for later in rest)
    return len(texts) > 2 and _rises(texts) and not _rises(below)


def _text(row: Sequence[Cell], position: int) -> str:
    return (row[position] or "").strip() if position < len(row) else ""


def _month(text: str) -> tuple[str, int]:
    month, _, year = text.rpartition(".")
    return year, int(month or 0)


def _rises(texts: Sequence[str]) -> bool:
    """Whether whole numbers follow each other by one."""
    if len(texts) < 2 or not all(text.isascii() and text.isdigit() for text in texts):
        return False
    return all(int(after) == int(before) + 1 for before, after in itertools.pairwise(texts))


def _is_above_index(row: Sequence[Cell], heads: Sequence[str], rest: Rows) -> bool:
    """Whether names stand above texts, with nothing above numbers of rows, as data frames are written."""
    if len(heads) < 2 or heads[0] or set(heads[1:]) != {"text"} or len(set(row[1:])) < len(heads) - 1:
        return False
    index = [_text(below, 0) for below in rest]
    return bool(index) and all(map(str.isdigit, index)) and len(set(index)) == len(index)


@functools.lru_cache(maxsize=16 * 1024)
def kind_of(cell: str) -> str:
    """What a cell looks like: `number`, `moment`, `truth`, `text`, or nothing."""
    text = cell.strip()
    if not text or text in NOTHING or _NO_DATE.fullmatch(text):
        return ""
    if _MOMENT.fullmatch(text):
        return "moment"
    if _NUMBER.fullmatch(text):
        return "number"
    return "truth" if text.lower() in ("true", "false") else "text"

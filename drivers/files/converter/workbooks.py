"""Sheets of a workbook: the cells as texts, and of each column the kinds of its values.

A cell has a type of its own, which a text of digits must not lose: `columns` says whether a column holds numbers,
truths, days or moments, texts, or `nothing` beside them, which are the words that stand for a missing value.
"""

from __future__ import annotations

import datetime as dt
import itertools
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from drivers.files.converter.blank_texts import with_blank_texts
from drivers.files.converter.headers import NOTHING, SAMPLE_ROWS, Start, filled, table_start, titles_of
from drivers.files.converter.output import Cell, Place, Refused, write

Value = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta

#: What a packed file holds, by the name of a part.
_PARTS = (
    ("xl/workbook.bin", "XLSB"),
    ("xl/workbook.xml", ""),
    ("content.xml", ""),
    ("word/document.xml", "DOCX"),
    ("ppt/presentation.xml", "PPTX"),
)


def convert(task: dict[str, Any]) -> list[dict[str, Any]]:
    """A CSV file for each sheet that holds something, or for the sheet that is asked for."""
    from python_calamine import CalamineError, CalamineWorkbook  # after the limits are set

    path = Path(task["path"])
    _check(path, task["unpacked"], task["named"])
    made: list[dict[str, Any]] = []
    readable = with_blank_texts(path, Path(task["folder"]))
    try:
        with CalamineWorkbook.from_path(readable) as workbook:
            names = [name for name in workbook.sheet_names if not task["sheet"] or name == task["sheet"]]
            if not names:
                raise Refused("sheet", "no_such_sheet")
            for number, name in enumerate(names):
                target = Path(task["folder"]) / f"{number}.csv"
                table = _table(target, workbook.get_sheet_by_name(name).iter_rows(), task)
                if table:
                    made.append({"name": name, "file": target.name, **table})
    except CalamineError as problem:
        if "password" in str(problem).lower():
            raise Refused("path", "password_protected") from problem
        raise Refused("path", "not_a_workbook", str(problem).replace(str(readable), "")) from problem
    except (Refused, OSError, MemoryError):
        raise
    except BaseException as problem:
        # How the library fails on sizes that no memory has.
        raise Refused("path", "too_big", str(problem)) from problem
    finally:
        if readable != path:
            readable.unlink()
    return made


def _check(path: Path, most: int, named: bool) -> None:
    """Refuse what is packed and no workbook by its name, and what unpacks to too much."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile as problem:
        raise Refused("path", "not_a_workbook", str(problem)) from problem
    if sum(part.file_size for part in parts) > most:
        raise Refused("path", "too_big")
    names = {part.filename for part in parts}
    kind = next((kind for part, kind in _PARTS if part in names), "ZIP")
    if kind:
        raise Refused("path", "not_a_workbook" if kind == "ZIP" and named else "other_kind", kind)


def _table(target: Path, rows: Iterable[Sequence[Value]], task: dict[str, Any]) -> dict[str, Any] | None:
    """The rows below titles and header, written; None for a sheet without any value."""
    place, left = Place(), iter(rows)
    skipped = list(itertools.islice(left, task["header_row"] - 1 if task["header_row"] else task["skip_rows"]))
    sample = list(itertools.islice(left, SAMPLE_ROWS))
    texts = [_texts(row) for row in sample]
    if not any(map(filled, texts)):
        if task["header_row"] and any(map(filled, map(_texts, skipped))):
            raise Refused("header_row", "no_such_row")
        return None
    width = max(map(len, texts))
    if task["header_row"]:
        if not filled(texts[0]):
            raise Refused("header_row", "no_such_row")
        start = Start(0, True)
    else:
        start = table_start(texts, width, task["header"])
    kinds: list[set[str]] = [set() for _ in range(width)]
    names = [cell or "" for cell in texts[start.row]] if start.header else [""] * width
    place.row = len(skipped) + start.row + start.header
    place_of_names = place.row if start.header else 0
    data = itertools.islice(itertools.chain(sample[start.row + start.header :], left), task["most_rows"])
    count = write(target, _learned(data, kinds, {*NOTHING, *task["nulls"]}, place), place)
    return {
        "rows": count,
        "titles": titles_of([*map(_texts, skipped), *texts[: start.row]]),
        "header_row": place_of_names,
        "columns": [[name, sorted(found)] for name, found in itertools.zip_longest(names, kinds, fillvalue="")],
    }


def _learned(
    rows: Iterable[Sequence[Value]], kinds: Sequence[set[str]], nothing: set[str], place: Place
) -> Iterator[list[Cell]]:
    """The rows that hold something, as texts; `kinds` learns the kinds of each column's values."""
    seen: list[set[type]] = [set() for _ in kinds]
    for row in rows:
        place.row += 1
        texts: list[Cell] = []
        for value, types in zip(row, seen, strict=True):
            if not isinstance(value, str):
                types.add(value.__class__)
                texts.append(_TEXTS.get(value.__class__, str)(value))
            elif not value:
                texts.append(None)
            else:
                text = value.replace("\0", "") if "\0" in value else value
                types.add(_Nothing if text.strip() in nothing or text.isspace() else str)
                texts.append(text)
        if any(texts):
            yield texts
    for found, types in zip(kinds, seen, strict=True):
        found.update(_KINDS.get(kind, "text") for kind in types)


def _texts(row: Sequence[Value]) -> list[Cell]:
    return [_TEXTS.get(type(cell), str)(cell) or None for cell in row]


def _number(cell: float) -> str:
    return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)


def _moment(cell: dt.datetime) -> str:
    midnight = (cell.hour, cell.minute, cell.second, cell.microsecond) == (0, 0, 0, 0)
    return cell.date().isoformat() if midnight else cell.isoformat(" ")


class _Nothing:
    """What a word for nothing is."""


_TEXTS: dict[type, Callable[[Any], str]] = {
    bool: lambda cell: "true" if cell else "false",
    float: _number,
    dt.datetime: _moment,
    str: lambda cell: cell.replace("\0", "") if "\0" in cell else cell,
}
_KINDS: dict[type, str] = {
    bool: "truth",
    int: "number",
    float: "number",
    dt.date: "day",
    dt.datetime: "day",
    _Nothing: "nothing",
}

"""XLSX workbooks as CSV texts, one for each sheet, so that one way of finding types serves both."""

from __future__ import annotations

import csv
import datetime as dt
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from drivers.errors import SettingsWrong

MOST_UNPACKED_BYTES = 400 * 1024 * 1024

Cell = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta


def sheets_as_csv(path: Path, folder: Path, only: str = "") -> dict[str, Path]:
    """A CSV file in `folder` for each sheet that holds something, or for the sheet named `only`.

    Raises `SettingsWrong`: `path` when it is no workbook or unpacks to more than 400 MiB, `sheet` when there is none of
    this name.
    """
    _check_size(path)
    try:
        with CalamineWorkbook.from_path(path) as workbook:
            names = [name for name in workbook.sheet_names if not only or name == only]
            if not names:
                raise SettingsWrong("sheet", "no_such_sheet")
            written = {}
            for number, name in enumerate(names):
                rows = workbook.get_sheet_by_name(name).to_python()
                target = folder / f"{path.stem[:40]}-{number}.csv"
                if _write(rows, target):
                    written[name] = target
            return written
    except CalamineError as problem:
        raise SettingsWrong("path", "not_a_workbook", str(problem)) from problem


def _check_size(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, OSError) as problem:
        raise SettingsWrong("path", "not_a_workbook", str(problem)) from problem
    if unpacked > MOST_UNPACKED_BYTES:
        raise SettingsWrong("path", "too_big")


def _write(rows: Sequence[Sequence[Cell]], target: Path) -> bool:
    filled = [row for row in _texts(rows) if any(row)]
    if not filled:
        return False
    with target.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(filled)
    return True


def _texts(rows: Sequence[Sequence[Cell]]) -> Iterator[list[str]]:
    for row in rows:
        yield [_text(cell) for cell in row]


def _text(cell: Cell) -> str:
    match cell:
        case bool():
            return "true" if cell else "false"
        case float():
            return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
        case dt.datetime():
            midnight = (cell.hour, cell.minute, cell.second, cell.microsecond) == (0, 0, 0, 0)
            return cell.date().isoformat() if midnight else cell.isoformat(" ")
        case str():
            return cell.replace("\0", "")
    return str(cell)

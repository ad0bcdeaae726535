"""Cells of workbooks keep their types; titles, headers and words for nothing are found as in texts."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from drivers.errors import SettingsWrong
from tests.drivers.files.samples import opened, table_of
from tests.drivers.files.workbooks import Cell, workbook

DAY = dt.date(2026, 12, 1)


@pytest.mark.parametrize(
    ("cells", "settings", "types", "rows"),
    [
        ([["ИНН", "Код"], ["7701234567", "1E5"], ["007", "2"]], {}, ["string", "string"],
         [["7701234567", "1E5"], ["007", "2"]]),
        ([["a", "b"], ["1 234,50", "true"], ["2", "false"]], {}, ["string", "string"],
         [["1 234,50", "true"], ["2", "false"]]),
        ([["a", "b"], ["1 234,50", "5%"], ["2", "7%"]], {"types": "a: double\nb: double"}, ["double", "double"],
         [[1234.5, 0.05], [2, 0.07]]),
        ([["d"], ["31.12.25"], ["01.01.26"]], {}, ["date"], [["2025-12-31"], ["2026-01-01"]]),
        ([["d"], ["01/02/2026"]], {}, ["string"], [["01/02/2026"]]),
        ([["d"], ["01/02/2026"]], {"day_first": "no"}, ["date"], [["2026-01-02"]]),
        ([["d"], [DAY], ["2026-01-03"]], {}, ["date"], [["2026-12-01"], ["2026-01-03"]]),
        ([["d"], [DAY], ["03.01.2026"]], {}, ["string"], [["2026-12-01"], ["03.01.2026"]]),
        ([["n"], [1], ["2"]], {}, ["string"], [["1"], ["2"]]),
        ([["n", "d", "t"], [1, DAY, "a"], ["-", None, "-"], ["N/A", "NULL", "x"]], {}, ["int", "date", "string"],
         [[1, "2026-12-01", "a"], [None, None, "-"], [None, None, "x"]]),
        ([["n", "t"], [1, "a"], ["нет", "нет"]], {"nulls": "нет"}, ["int", "string"], [[1, "a"], [None, None]]),
        ([["Регион", 2024, 2025], ["A", 1, 2]], {}, ["string", "int", "int"], [["A", 1, 2]]),
        ([["ФИО", 1, 2, 3], ["A", 8, 8, 7]], {}, ["string", "int", "int", "int"], [["A", 8, 8, 7]]),
        ([["Товар", DAY], ["A", 1]], {}, ["string", "int"], [["A", 1]]),
        ([[None, "name"], [0, "Anna"], [1, "Boris"]], {}, ["int", "string"], [[0, "Anna"], [1, "Boris"]]),
        ([["Отчет", None, None], [None, None, None], ["Дата", "Товар", "Сумма"], [DAY, "Чай", 5.5]], {},
         ["date", "string", "double"], [["2026-12-01", "Чай", 5.5]]),
        ([["Отчет", None, None, None], ["Период:", "декабрь", None, None], ["Дата", "Товар", "Кол", "Сумма"],
          [DAY, "Чай", 1, 5.5]], {}, ["date", "string", "int", "double"], [["2026-12-01", "Чай", 1, 5.5]]),
        ([["x", "y"], ["a", "b"], ["id", "n"], [1, 2]], {"header_row": "3"}, ["int", "int"], [[1, 2]]),
        ([["x", "y"], ["a", "b"], ["id", "n"], [1, 2]], {"skip_rows": "2"}, ["int", "int"], [[1, 2]]),
        ([["n", "t"], [1, "a\rb"], [2, "c_x000D_\nd"]], {}, ["int", "string"], [[1, "a\nb"], [2, "c\r\nd"]]),
    ],
)  # fmt: skip
def test_a_cell_is_what_its_type_says(
    tmp_path: Path,
    cells: Sequence[Sequence[Cell]],
    settings: Mapping[str, str],
    types: list[str],
    rows: list[list[Any]],
) -> None:
    workbook(tmp_path / "t.xlsx", {"S": cells})
    found, read = table_of(tmp_path, "S", path="t.xlsx", **settings)
    assert (list(found.values()), read) == (types, rows)


def test_a_row_that_a_sheet_does_not_have_names_no_columns(tmp_path: Path) -> None:
    workbook(tmp_path / "t.xlsx", {"S": [["a"], [1]]})
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path="t.xlsx", header_row="9")
    assert (wrong.value.field, wrong.value.code) == ("header_row", "no_such_row")


@pytest.mark.parametrize(
    ("name", "part", "told"),
    [
        ("t.xlsb", "xl/workbook.bin", "XLSB"),
        ("t.xlsx", "xl/workbook.bin", "XLSB"),
        ("t.docx", "word/document.xml", "DOCX"),
        ("t.zip", "t.csv", "ZIP"),
        ("t.csv", "t.csv", "ZIP"),
    ],
)
def test_what_is_packed_and_no_workbook_is_told_by_its_name(tmp_path: Path, name: str, part: str, told: str) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr(part, "a,b\n1,2\n")
    with pytest.raises(SettingsWrong) as wrong:
        opened(tmp_path, path=name)
    assert (wrong.value.code, wrong.value.detail) == ("other_kind", told)


@pytest.mark.parametrize("damage", ["end", "footer"])
def test_a_message_names_the_file_and_not_its_place(tmp_path: Path, damage: str) -> None:
    """facts/security 2: what a server calls its folders is nobody's business, a portal's number least of all."""
    folder = tmp_path / "17"
    folder.mkdir()
    content = {"end": b"PAR1" + b"x" * 50, "footer": b"PAR1" + b"x" * 200 + b"PAR1"}[damage]
    (folder / "sales.parquet").write_bytes(content)
    with pytest.raises(SettingsWrong) as wrong:
        opened(folder, path="sales.parquet")
    assert (wrong.value.field, wrong.value.code) == ("path", "file_structure")
    assert "sales.parquet" in wrong.value.detail
    assert "/" not in wrong.value.detail

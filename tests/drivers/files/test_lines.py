"""No row of a file is lost: a line too long to be read is named, wherever it stands (facts/field 5.24, 5.35)."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.errors import SettingsWrong
from drivers.files.converter.output import LONGEST_LINE
from tests.drivers.files.samples import opened, table_of, written
from tests.drivers.files.workbooks import workbook


@pytest.mark.parametrize("times", [1, 3], ids=["just too long", "longer than what DuckDB reads at once"])
@pytest.mark.parametrize("below", ["", "z,2\n" * 3], ids=["last", "among others"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_that_is_too_long_is_refused_with_its_number(tmp_path: Path, times: int, below: str, end: str) -> None:
    content = "a,b\nq,0\n" + "x" * (times * LONGEST_LINE) + ",1\n" + below
    written(tmp_path, "long.csv", content.replace("\n", end))
    with pytest.raises(SettingsWrong) as caught:
        opened(tmp_path, path="long.csv")
    assert (caught.value.code, caught.value.detail) == ("file_structure", "row 3: longer than 4 MiB")


def test_long_lines_that_can_be_read_are_read(tmp_path: Path) -> None:
    text = "x" * (LONGEST_LINE - 1000)
    written(tmp_path, "long.csv", f"a,b\nq,0\n{text},1\n{text},2\n")
    _, rows = table_of(tmp_path, "long", path="long.csv")
    assert rows == [["q", 0], [text, 1], [text, 2]]


def test_a_row_of_a_workbook_that_is_too_long_is_refused(tmp_path: Path) -> None:
    names, short, long = ([text] * 600 for text in ("name", "q", "x" * 32_000))
    workbook(tmp_path / "long.xlsx", {"S": [names, short, long]})
    with pytest.raises(SettingsWrong) as caught:
        opened(tmp_path, path="long.xlsx")
    assert (caught.value.code, caught.value.detail) == ("file_structure", "row 3: longer than 4 MiB")

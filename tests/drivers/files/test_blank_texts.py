"""Cells of blanks alone, as openpyxl writes them: without the mark that keeps blanks."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from drivers.files.converter import blank_texts
from drivers.files.converter.blank_texts import with_blank_texts
from tests.drivers.files.samples import table_of

BOOK = Path(__file__).parents[2] / "cases" / "files" / "xlsx-spaces-empty"
SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize("block", [1, 2, 3, 5, 8, 64, 1024 * 1024])
def test_a_text_of_blanks_is_marked_wherever_a_piece_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """ECMA-376 part 1 18.4.12: blanks at the ends of `t` are kept under `xml:space="preserve"`."""
    monkeypatch.setattr(blank_texts, "BLOCK", block)
    marked = with_blank_texts(BOOK / "book.xlsx", tmp_path)
    with zipfile.ZipFile(BOOK / "book.xlsx") as before, zipfile.ZipFile(marked) as after:
        assert after.namelist() == before.namelist()
        expected = before.read(SHEET).replace(b"<t> </t>", b'<t xml:space="preserve"> </t>')
        assert after.read(SHEET) == expected != before.read(SHEET)


def test_a_workbook_without_such_texts_is_read_as_it_lies_there(tmp_path: Path) -> None:
    other = BOOK.parent / "xlsx-title-rows" / "book.xlsx"
    assert with_blank_texts(other, tmp_path) == other
    assert list(tmp_path.iterdir()) == []


def test_a_cell_of_blanks_is_a_text_and_an_empty_one_is_not() -> None:
    _, rows = table_of(BOOK, "Sheet", path="book.xlsx")
    assert [row[1] for row in rows] == [" ", None, None]
